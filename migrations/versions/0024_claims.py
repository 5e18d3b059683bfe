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
    op.create_index("ix_document_claim", "document", ["adaptor_id", "stage", "id"])
    op.create_index("ix_delivery_claim", "delivery", ["adaptor_id", "state", "next_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_delivery_claim", "delivery")
    op.drop_index("ix_document_claim", "document")
