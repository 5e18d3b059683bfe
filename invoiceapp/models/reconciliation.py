"""The nightly comparison of what the source has approved with what we have."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column


class ReconciliationState(StrEnum):
    """How far one reconciliation has come."""

    READING = "reading"
    WAITING = "waiting"
    """compared; the run that fetches what is missing has to wait for another one"""
    FETCHING = "fetching"
    """compared; that run is queued or going on"""
    DONE = "done"
    FAILED = "failed"
    """the source could not be read, or the work was given up"""


class Reconciliation(Identified, Base):
    """One comparison; ``created_at`` is when it began."""

    __tablename__ = "reconciliation"
    __table_args__ = (
        Index("ix_reconciliation_newest", "adaptor_id", "id"),
        Index("ix_reconciliation_state", "state", "id"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    actor: Mapped[str] = mapped_column(String(255), default="system")
    state: Mapped[ReconciliationState] = mapped_column(
        enum_column(ReconciliationState), default=ReconciliationState.READING
    )
    since: Mapped[date] = mapped_column()
    """The first day of the period; the last one is the day on which it began"""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_complete: Mapped[bool] = mapped_column(Boolean, default=True)
    """Whether the source could read everything of the period; else the next one goes as far back"""
    counts: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    """``read``, ``missing``, ``fetched`` (of the missing, once ``DONE``), ``not_due``, ``too_old``, and the kinds of ``notes``"""
    missing: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    """What we did not have and should: ``[{"id": the source's, "number"}]``"""
    notes: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    """What is reported: ``[{"kind", "da", "en", "number", "document_id"}]``, the last two where there is such a one"""
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"))
    """The run that fetches what was missing"""
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Why it failed, ``{"da", "en"}``"""
