"""Proofs of a period: what the accounting system had approved, against what has become of it here.

A finished one is never changed again; a trigger refuses it.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DDL, Date, ForeignKey, Index, String, event
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import ID_LENGTH, Json, UtcDateTime, enum_column


class ProofState(StrEnum):
    """Where the making of a proof is; that it was given up, its job says."""

    OPEN = "open"
    FINISHED = "finished"


class MonthEndProof(Identified, Base):
    """A period of one adaptor as it was at a moment. The files lie in the archive under their SHA-256."""

    __tablename__ = "month_end_proof"
    __table_args__ = (Index("ix_month_end_proof_newest", "adaptor_id", "id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    job_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """That makes it"""
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    language: Mapped[str] = mapped_column(String(2), default="da")
    """Of its files: ``da`` or ``en``"""
    made_by: Mapped[str] = mapped_column(String(255))
    """As ``Event.actor``"""
    state: Mapped[ProofState] = mapped_column(enum_column(ProofState), default=ProofState.OPEN)
    moment: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """What had happened up to it counts; taken before the accounting system is read"""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    list_sha256: Mapped[str | None] = mapped_column(String(64))
    """What the accounting system had, and what was noted of our side that has no history"""
    result_sha256: Mapped[str | None] = mapped_column(String(64))
    csv_sha256: Mapped[str | None] = mapped_column(String(64))
    signature_sha256: Mapped[str | None] = mapped_column(String(64))
    """Detached signature (CMS, DER) of the CSV"""
    pdf_sha256: Mapped[str | None] = mapped_column(String(64))
    """Signed"""
    summary: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """For lists of proofs: ``documents``, ``open`` (that wait for somebody) and ``warnings``, numbers"""


_REFUSED = "a finished proof is never changed"
_NAME = "month_end_proof_unchanged"


def triggers(dialect: str) -> list[str]:
    """The statements that make it, for ``sqlite`` or ``postgresql``."""
    when = "BEFORE UPDATE ON month_end_proof FOR EACH ROW WHEN"
    if dialect == "sqlite":
        refuse = f"SELECT RAISE(ABORT, '{_REFUSED}');"
        return [f"CREATE TRIGGER IF NOT EXISTS {_NAME} {when} OLD.state = 'finished' BEGIN {refuse} END"]
    refuse = f"RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'integrity_constraint_violation';"
    return [
        f"CREATE OR REPLACE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refuse} END $$",
        f"CREATE OR REPLACE TRIGGER {_NAME} {when} (OLD.state = 'finished') EXECUTE FUNCTION {_NAME}()",
    ]


for _dialect in ("sqlite", "postgresql"):
    for _statement in triggers(_dialect):
        # DDL() formats its text with %.
        _ddl = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(Base.metadata, "after_create", _ddl.execute_if(dialect=_dialect))
