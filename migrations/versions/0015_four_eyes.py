"""What waits for a second person

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("subscription") as batch:
        batch.add_column(sa.Column("four_eyes", sa.Text(), nullable=False, server_default="{}"))
    with op.batch_alter_table("subscription") as batch:
        batch.alter_column("four_eyes", existing_type=sa.Text(), existing_nullable=False, server_default=None)
    op.add_column("rendition", sa.Column("accounts", sa.Text(), nullable=True))
    op.create_table(
        "approval",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("adaptor_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("scope", sa.String(length=26), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.String(length=1000), nullable=False),
        sa.Column("about", sa.String(length=500), nullable=False),
        sa.Column("known", sa.Text(), nullable=False),
        sa.Column("atoms", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("is_baseline", sa.Boolean(), nullable=False),
        sa.Column("decided_by_id", sa.String(length=26), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("history", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["adaptor_id"], ["adaptor.id"], name=op.f("fk_approval_adaptor_id")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["user_account.id"], name=op.f("fk_approval_decided_by_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_approval_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
        sa.UniqueConstraint("adaptor_id", "fingerprint", name=op.f("uq_approval_adaptor_id_fingerprint")),
    )
    op.create_index("ix_approval_state", "approval", ["subscription_id", "state", "id"])
    op.create_table(
        "approval_wait",
        sa.Column("approval_id", sa.String(length=26), nullable=False),
        sa.Column("document_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approval.id"], name=op.f("fk_approval_wait_approval_id")),
        sa.PrimaryKeyConstraint("approval_id", "document_id", name=op.f("pk_approval_wait")),
    )
    op.create_index(op.f("ix_approval_wait_document_id"), "approval_wait", ["document_id"])
    op.create_table(
        "value_author",
        sa.Column("subscription_id", sa.String(length=26), nullable=False),
        sa.Column("atom", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_value_author_subscription_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_value_author_user_id")),
        sa.PrimaryKeyConstraint("subscription_id", "atom", "user_id", name=op.f("pk_value_author")),
    )


def downgrade() -> None:
    op.drop_table("value_author")
    op.drop_index(op.f("ix_approval_wait_document_id"), "approval_wait")
    op.drop_table("approval_wait")
    op.drop_index("ix_approval_state", "approval")
    op.drop_table("approval")
    op.drop_column("rendition", "accounts")
    with op.batch_alter_table("subscription") as batch:
        batch.drop_column("four_eyes")
