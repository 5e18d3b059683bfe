"""What was found when the archive was verified

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

PDF = sa.text("pdf_sha256 IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "archive_check",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("position", sa.String(length=64), nullable=False),
        sa.Column("until", sa.String(length=64), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_archive_check")),
    )
    op.create_table(
        "damaged_file",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("damage", sa.String(length=20), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_damaged_file")),
    )
    # Each slice of a night reads the names within a range.
    op.create_index("ix_document_pdf_sha256", "document", ["pdf_sha256"], sqlite_where=PDF, postgresql_where=PDF)
    op.create_index(op.f("ix_incoming_message_sha256"), "incoming_message", ["sha256"])


def downgrade() -> None:
    op.drop_index(op.f("ix_incoming_message_sha256"), "incoming_message")
    op.drop_index("ix_document_pdf_sha256", "document")
    op.drop_table("damaged_file")
    op.drop_table("archive_check")
