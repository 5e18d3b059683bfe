"""Restored databases, retention and legal hold

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("adaptor", sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "restoration",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("schedules", sa.Text(), nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resumed_by", sa.String(length=255), nullable=True),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_restoration_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restoration")),
    )
    op.create_index("ix_restoration_newest", "restoration", ["subscription_id", "id"])
    op.create_table(
        "retention",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("last_month", sa.Integer(), nullable=True),
        sa.Column("years", sa.Integer(), nullable=False),
        sa.Column("looked_on", sa.Date(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_retention_subscription_id")),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_retention")),
    )
    op.create_table(
        "legal_hold",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("row_id", sa.String(length=26), nullable=True),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=255), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.String(length=255), nullable=True),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_legal_hold_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index(op.f("ix_legal_hold_subscription_id"), "legal_hold", ["subscription_id"])
    op.create_table(
        "discarded_file",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_discarded_file")),
    )


def downgrade() -> None:
    op.drop_table("discarded_file")
    op.drop_index(op.f("ix_legal_hold_subscription_id"), "legal_hold")
    op.drop_table("legal_hold")
    op.drop_table("retention")
    op.drop_index("ix_restoration_newest", "restoration")
    op.drop_table("restoration")
    op.drop_column("adaptor", "restored_at")
