"""How deliveries and documents move, kept by the database itself: only along the table, and with a history.

``domain.delivery`` knows the moves, and every service asks it first. The database asks once more, whoever writes: an
illegal move, or a fence that falls, is refused (docs/decisions/0031). And it notes each status that a document comes to,
in the transaction in which that happens, so that what held at a moment can be told at any later one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DDL, BigInteger, ForeignKey, Index, Integer, String, event
from sqlalchemy.orm import Mapped, mapped_column

from invoiceapp.domain.delivery import moves

from .base import Base
from .types import UtcDateTime


class StatusChange(Base):
    """A document came to a status. Append-only; written by the database alone."""

    __tablename__ = "status_change"
    __table_args__ = (
        Index("ix_status_change_document", "document_id", "id"),
        # An id never comes back, so that rows are told apart for ever.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"))
    delivery_id: Mapped[str | None] = mapped_column(String(26))
    """Its newest delivery that was not superseded, then"""
    status: Mapped[str] = mapped_column(String(20))
    """As ``Document.status``"""
    at: Mapped[datetime] = mapped_column(UtcDateTime)


_LEGAL = ", ".join(f"'{old.value}>{new.value}'" for old, new in moves())
_ILLEGAL = f"OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN ({_LEGAL})"
#: Guard: column of ``delivery``, condition under which it refuses, what it says.
_GUARDS = {
    "delivery_moves_legally": ("state", _ILLEGAL, "a delivery may not move like that"),
    "delivery_fence_grows": ("fence", "NEW.fence < OLD.fence", "the fence of a delivery never falls"),
}
#: Note: moment at ``document``. The last statement that follows a delivery (``models/listing.py``) sets ``status_at``.
_NOTES = {"history_document_made": "INSERT", "history_document_moved": "UPDATE OF status_at"}
_LAST = "(SELECT max(id) FROM status_change WHERE document_id = NEW.id)"
_NOTE = (
    "INSERT INTO status_change (document_id, delivery_id, status, at) "  # noqa: S608 - no value of anybody's is in it
    "SELECT NEW.id, NEW.delivery_id, NEW.status, {now} WHERE NOT EXISTS (SELECT 1 FROM status_change "
    f"WHERE id = {_LAST} AND status = NEW.status AND coalesce(delivery_id, '') = coalesce(NEW.delivery_id, ''));"
)  # nosec B608


def triggers(dialect: str) -> list[str]:
    """The statements that make them, for ``sqlite`` or ``postgresql``."""
    return _sqlite() if dialect == "sqlite" else _postgresql()


def _sqlite() -> list[str]:
    note = _NOTE.format(now="strftime('%Y-%m-%d %H:%M:%f000', 'now')")
    return [
        f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE UPDATE OF {column} ON delivery FOR EACH ROW WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        for name, (column, condition, refusal) in _GUARDS.items()
    ] + [
        f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {moment} ON document FOR EACH ROW BEGIN {note} END"
        for name, moment in _NOTES.items()
    ]


def _postgresql() -> list[str]:
    statements = []
    for name, (column, condition, refusal) in _GUARDS.items():
        refuse = f"RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation';"
        statements += _function(name, refuse)
        statements += [_trigger(name, f"BEFORE UPDATE OF {column} ON delivery", condition)]
    for name, moment in _NOTES.items():
        # Not now(), which is when the transaction began.
        statements += _function(name, f"{_NOTE.format(now='clock_timestamp()')} RETURN NULL;")
        statements += [_trigger(name, f"AFTER {moment} ON document")]
    return statements


def _function(name: str, body: str) -> list[str]:
    return [f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"]


def _trigger(name: str, moment: str, condition: str = "") -> str:
    when = f"WHEN ({condition})" if condition else ""
    return f"CREATE OR REPLACE TRIGGER {name} {moment} FOR EACH ROW {when} EXECUTE FUNCTION {name}()"


def _escaped(statement: str) -> DDL:
    # DDL() formats its text with %.
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]


for _dialect in ("sqlite", "postgresql"):
    for _statement in triggers(_dialect):
        event.listen(Base.metadata, "after_create", _escaped(_statement).execute_if(dialect=_dialect))
