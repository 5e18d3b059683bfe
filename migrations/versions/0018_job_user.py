"""Who asked for a job, and whose account at the partner a gateway leads to

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("user_id", sa.String(length=26), nullable=True))
    op.add_column("gateway", sa.Column("account", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("gateway", "account")
    op.drop_column("job", "user_id")
