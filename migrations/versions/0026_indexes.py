"""Indexes: those that deleting looks by, and none that nothing asks for

Whoever deletes a row makes the database look for what still points to it: without an index it reads the whole table for
each of them. ``docs/performance.md`` has what the others cost.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

#: Index: table, columns, and the column that its rows have where that is not all of them.
_NEW = {
    "ix_event_delivery_id": ("event", ["delivery_id"], "delivery_id"),
    "ix_receipt_attempt_id": ("receipt", ["attempt_id"], None),
    "ix_delivery_rendition_id": ("delivery", ["rendition_id"], None),
    "ix_delivery_supersedes_id": ("delivery", ["supersedes_id"], "supersedes_id"),
    "ix_rendition_interchange_id": ("rendition", ["interchange_id"], "interchange_id"),
    "ix_found_document_document_id": ("found_document", ["document_id"], None),
    "ix_problem_document_id": ("problem", ["document_id"], "document_id"),
    "ix_incoming_message_old": ("incoming_message", ["subscription_id", "created_at"], None),
}
_OLD = {
    "ix_event_subscription_id": ("event", ["subscription_id"], None),
    "ix_incoming_message_subscription_id": ("incoming_message", ["subscription_id"], None),
    "ix_event_run": ("event", ["run_id", "id"], None),
    "ix_delivery_state": ("delivery", ["subscription_id", "adaptor_id", "state", "id"], None),
    "ix_document_to_convert": ("document", ["stage", "lease_until"], None),
}


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        # Without keeping writers out, and so outside a transaction: what an upgrade that broke off left is made anew.
        with op.get_context().autocommit_block():
            _drop(_NEW, if_exists=True, postgresql_concurrently=True)
            _make(_NEW, postgresql_concurrently=True)
            _drop(_OLD, if_exists=True, postgresql_concurrently=True)
    else:
        _make(_NEW)
        _drop(_OLD)
    # Small: a few rows for each adaptor and day.
    op.drop_index("ix_tally_adaptor", "tally")
    op.create_index("ix_tally_adaptor", "tally", ["adaptor_id", "day", "status", "documents"])


def downgrade() -> None:
    op.drop_index("ix_tally_adaptor", "tally")
    op.create_index("ix_tally_adaptor", "tally", ["adaptor_id", "status", "day", "documents"])
    _make(_OLD)
    _drop(_NEW)


def _make(indexes: dict[str, tuple[str, list[str], str | None]], **how: bool) -> None:
    for name, (table, columns, partial) in indexes.items():
        where = sa.text(f"{partial} IS NOT NULL") if partial else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where, **how)


def _drop(indexes: dict[str, tuple[str, list[str], str | None]], **how: bool) -> None:
    for name, (table, _columns, _partial) in indexes.items():
        op.drop_index(name, table, **how)
