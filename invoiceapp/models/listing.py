# ruff: noqa: S608 - no value of anybody's is in these statements
"""What lists and figures need, kept by the database itself: the status of each document, and how many there are of each.

Deliveries move in many places, often many in one statement. Triggers see them all, in the transaction in which they
move, so that a list and its figures can never disagree with the outbox (docs/decisions/0022).
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import DDL, BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, event, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class Tally(Base):
    """Documents more (or fewer) of a status on an issue date: the sum is the number.

    A move only adds rows, so that two transactions never wait for each other, as they would for one row per status.
    ``services/daily/tallies.py`` folds what is no news any more into one row for each day and status.
    """

    __tablename__ = "tally"
    __table_args__ = (
        Index("ix_tally_adaptor", "adaptor_id", "day", "status", "documents"),
        Index("ix_tally_newest", "adaptor_id", "id"),
        Index("ix_tally_news", "adaptor_id", sqlite_where=text("is_news = 1"), postgresql_where=text("is_news")),
        # An id never comes back: ``tallies.take`` names rows by it in a second transaction.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    day: Mapped[date] = mapped_column(Date)
    status: Mapped[str] = mapped_column(String(20))
    documents: Mapped[int] = mapped_column(Integer)
    is_news: Mapped[bool] = mapped_column(Boolean)
    """Whether nobody has looked for problems since"""


#: A worker's lease is no news for a list.
_SHOWN = "CASE WHEN {row}state IN ('leased', 'sending') THEN 'pending' ELSE {row}state END"
_NEWEST = "(SELECT max(id) FROM delivery WHERE document_id = {row}.document_id AND state <> 'superseded')"
_STATUS = f"""CASE WHEN stage IN ('queued', 'skipped', 'handled') THEN stage
    ELSE coalesce((SELECT {_SHOWN.format(row="")} FROM delivery WHERE delivery.id = document.delivery_id), stage) END"""  # nosec B608
_MOVED = (
    f"{_SHOWN.format(row='OLD.')} <> {_SHOWN.format(row='NEW.')} OR OLD.format <> NEW.format "
    "OR OLD.gateway_id <> NEW.gateway_id"
)
_COUNTED = "OLD.status <> NEW.status OR OLD.issue_date <> NEW.issue_date"


def _statements(now: str) -> dict[str, str]:
    """What each trigger does, in SQL of both databases; ``now`` is the database's word for this moment."""
    stage = f"UPDATE document SET status_at = {now}, status = {_STATUS} WHERE id = NEW.id;"  # nosec B608
    add = (
        "INSERT INTO tally (adaptor_id, day, status, documents, is_news) "
        "VALUES ({row}.adaptor_id, {row}.issue_date, {row}.status, {n}, TRUE);"
    )
    more, fewer = add.format(row="NEW", n=1), add.format(row="OLD", n=-1)
    follow, leave = (_follow(now, row) for row in ("NEW", "OLD"))
    return {"follow": follow, "leave": leave, "stage": stage, "more": more, "fewer": fewer, "change": f"{fewer} {more}"}


def _follow(now: str, row: str) -> str:
    newest = _NEWEST.format(row=row)
    return f"""
        UPDATE document SET delivery_id = {newest}
        WHERE id = {row}.document_id AND coalesce(delivery_id, '') <> coalesce({newest}, '');
        UPDATE document SET status_at = {now}, status = {_STATUS},
            format = (SELECT format FROM delivery WHERE delivery.id = document.delivery_id),
            gateway_id = (SELECT gateway_id FROM delivery WHERE delivery.id = document.delivery_id)
        WHERE id = {row}.document_id;"""  # nosec B608


#: Trigger: table, moment, condition, statement.
_TRIGGERS = {
    "listing_delivery_made": ("delivery", "INSERT", "", "follow"),
    "listing_delivery_moved": ("delivery", "UPDATE", _MOVED, "follow"),
    "listing_delivery_gone": ("delivery", "DELETE", "", "leave"),
    "listing_stage_moved": ("document", "UPDATE OF stage", "OLD.stage <> NEW.stage", "stage"),
    "tally_document_made": ("document", "INSERT", "", "more"),
    "tally_document_moved": ("document", "UPDATE OF status, issue_date", _COUNTED, "change"),
    "tally_document_gone": ("document", "DELETE", "", "fewer"),
}
#: PostgreSQL: who has waited for the document must look at its deliveries anew, which only a new statement does.
_LOCK = {
    does: f"PERFORM 1 FROM document WHERE id = {row}.document_id FOR NO KEY UPDATE;"
    for does, row in (("follow", "NEW"), ("leave", "OLD"))
}
_SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


def triggers(dialect: str) -> list[str]:
    """The statements that make them, for ``sqlite`` or ``postgresql``."""
    return [one for name in _TRIGGERS for one in (_sqlite(name) if dialect == "sqlite" else _postgresql(name))]


def _sqlite(name: str) -> list[str]:
    table, moment, condition, does = _TRIGGERS[name]
    when = f"WHEN {condition}" if condition else ""
    body = _statements(_SQLITE_NOW)[does]
    return [f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {moment} ON {table} FOR EACH ROW {when} BEGIN {body} END"]


def _postgresql(name: str) -> list[str]:
    table, moment, condition, does = _TRIGGERS[name]
    when = f"WHEN ({condition})" if condition else ""
    body = _LOCK.get(does, "") + _statements("now()")[does]
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$",
        f"CREATE OR REPLACE TRIGGER {name} AFTER {moment} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION {name}()",
    ]


def _escaped(statement: str) -> DDL:
    # DDL() formats its text with %.
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]


for _dialect in ("sqlite", "postgresql"):
    for _statement in triggers(_dialect):
        event.listen(Base.metadata, "after_create", _escaped(_statement).execute_if(dialect=_dialect))
