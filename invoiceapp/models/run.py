"""Runs: one pass of an adaptor, scheduled or by hand."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column


class RunState(StrEnum):
    """``queued`` and ``running`` are active; an adaptor has at most one active run."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


ACTIVE_RUNS = (RunState.QUEUED, RunState.RUNNING)
_ACTIVE_SQL = text("state IN ('queued', 'running')")


class Run(Identified, Base):
    """One pass: read the source, queue what is to be exported. Deliveries carry on after it."""

    __tablename__ = "run"
    __table_args__ = (
        Index("uq_run_active", "adaptor_id", unique=True, sqlite_where=_ACTIVE_SQL, postgresql_where=_ACTIVE_SQL),
        Index("ix_run_newest", "adaptor_id", "id"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    trigger: Mapped[str] = mapped_column(String(20))
    """``manual``, ``schedule``, ``command``, ``reconciliation``, or ``reading`` for one that queues nothing"""
    actor: Mapped[str] = mapped_column(String(255), default="system")
    query: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """``DocumentQuery`` in JSON; empty for "everything new" """
    state: Mapped[RunState] = mapped_column(
        enum_column(RunState),
        default=RunState.QUEUED,
    )
    moves_watermark: Mapped[bool] = mapped_column(Boolean, default=False)
    only_reads: Mapped[bool] = mapped_column(Boolean, default=False)
    """Fills our lists and queues nothing, whatever is activated"""
    again_by: Mapped[str | None] = mapped_column(String(255))
    """Who asked for another run while this one was active; it is queued as this one ends"""
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(40))
    cursor: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Where the next slice goes on (``services/export/run_cursor.py``); None before the first one and after the last"""
    read: Mapped[int] = mapped_column(Integer, default=0)
    queued: Mapped[int] = mapped_column(Integer, default=0)
    not_activated: Mapped[int] = mapped_column(Integer, default=0)
    already_exported: Mapped[int] = mapped_column(Integer, default=0)
    skipped: Mapped[int] = mapped_column(Integer, default=0)
    problems: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    """Records that could not be read: ``[{"id": …, "da": …, "en": …}]``"""
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
