"""Workers claim from each adaptor in turn

Revision ID: 0024
Revises: 0023
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make("ix_document_claim", "document", ["adaptor_id", "stage", "id"])
    _make("ix_delivery_claim", "delivery", ["adaptor_id", "state", "next_at", "id"])


def _make(name: str, table: str, columns: list[str]) -> None:
    """On PostgreSQL without keeping writers out, and so outside a transaction: what an upgrade that broke off left is made anew."""
    if op.get_context().dialect.name != "postgresql":
        op.create_index(name, table, columns)
        return
    with op.get_context().autocommit_block():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index("ix_delivery_claim", "delivery")
    op.drop_index("ix_document_claim", "document")
