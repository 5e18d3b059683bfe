"""Long pieces of work that a person started and watches: a pre-flight, the activation of thousands of customers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column


class JobState(StrEnum):
    """``queued`` and ``running`` are active; an adaptor has at most one active job of a kind."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """stopped by a person; what was done until then stands"""


ACTIVE_JOBS = (JobState.QUEUED, JobState.RUNNING)
_ACTIVE_SQL = text("state IN ('queued', 'running')")


class Job(Identified, Base):
    """One piece of work in the background; ``services/background.py`` runs it under a lease."""

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "uq_job_active", "adaptor_id", "kind", unique=True, sqlite_where=_ACTIVE_SQL, postgresql_where=_ACTIVE_SQL
        ),
        Index("ix_job_newest", "adaptor_id", "kind", "id"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    kind: Mapped[str] = mapped_column(String(30))
    parameters: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    items: Mapped[str | None] = mapped_column(Text, deferred=True)
    """Ids of what it is for, one after the other. May be megabytes, so that pages must not read it"""
    actor: Mapped[str] = mapped_column(String(255), default="system")
    user_id: Mapped[str | None] = mapped_column(String(26))
    """Of the person behind ``actor``, who stays the author of what it changes"""
    state: Mapped[JobState] = mapped_column(enum_column(JobState), default=JobState.QUEUED)
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int | None] = mapped_column(Integer)
    cursor: Mapped[str | None] = mapped_column(String(600))
    """Where the work goes on after a worker died"""
    result: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(40))
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
