"""The nightly reconciliation with the source, and what the source has changed after export

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

ASKS = sa.text("change_asks IS NOT NULL")


def upgrade() -> None:
    op.add_column("adaptor", sa.Column("next_reconciliation_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("document", sa.Column("change_asks", sa.String(length=10), nullable=True))
    op.create_index(
        "ix_document_change_asks", "document", ["adaptor_id", "change_asks"], sqlite_where=ASKS, postgresql_where=ASKS
    )
    op.create_table(
        "reconciliation",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("adaptor_id", sa.String(length=26), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "reading",
                "waiting",
                "fetching",
                "done",
                "failed",
                name="reconciliationstate",
                native_enum=False,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("missing", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=26), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["adaptor_id"], ["adaptor.id"], name=op.f("fk_reconciliation_adaptor_id")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_reconciliation_run_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_reconciliation_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
    )
    op.create_index("ix_reconciliation_newest", "reconciliation", ["adaptor_id", "id"])
    op.create_index("ix_reconciliation_state", "reconciliation", ["state", "id"])
    op.create_index(op.f("ix_reconciliation_subscription_id"), "reconciliation", ["subscription_id"])


def downgrade() -> None:
    op.drop_table("reconciliation")
    op.drop_index("ix_document_change_asks", "document")
    op.drop_column("document", "change_asks")
    op.drop_column("adaptor", "next_reconciliation_at")
