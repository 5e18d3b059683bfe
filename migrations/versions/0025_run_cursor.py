"""Runs read in slices: where the next one goes on, and which documents a run has counted

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("cursor", sa.Text(), nullable=True))
    op.add_column("document", sa.Column("read_run_id", sa.String(length=26), nullable=True))


def downgrade() -> None:
    op.drop_column("document", "read_run_id")
    op.drop_column("run", "cursor")
