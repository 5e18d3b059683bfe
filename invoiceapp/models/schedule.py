"""Schedules, and each of their due times with what became of it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from invoiceapp.domain.schedules import CatchUp, Holidays

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column, utcnow

_OPEN_SQL = text("outcome IS NULL")


class Schedule(Identified, Base):
    """When an adaptor exports what is new; it may have several."""

    __tablename__ = "schedule"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"), index=True)
    timing: Mapped[dict[str, Any]] = mapped_column(Json)
    """``domain.schedules.Timing`` in JSON"""
    time_zone: Mapped[str] = mapped_column(String(64), default="Europe/Copenhagen")
    holidays: Mapped[Holidays] = mapped_column(enum_column(Holidays), default=Holidays.RUN)
    catch_up: Mapped[CatchUp] = mapped_column(enum_column(CatchUp), default=CatchUp.ONCE)
    catch_up_hours: Mapped[int | None] = mapped_column(Integer)
    """Of ``CatchUp.LATE``"""
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    """False: paused until somebody resumes it"""
    paused_until: Mapped[date | None] = mapped_column()
    """The first day, in its time zone, on which it runs again"""
    anchor_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    """From which "every N minutes" counts"""
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """Its next due time; None while it is paused, and where no time comes any more"""


class Outcome(StrEnum):
    """What became of a due time."""

    STARTED = "started"
    """a run"""
    BUSY = "busy"
    """another run of the adaptor that reads all that is new was active"""
    MISSED = "missed"
    """nobody was there in time: the machine was down, or the adaptor was switched off"""
    HOLIDAY = "holiday"
    PAUSED = "paused"


class ScheduleRun(Identified, Base):
    """The claim of a due time: whoever inserts the row has it, and nobody claims that time again."""

    __tablename__ = "schedule_run"
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at"),
        Index("ix_schedule_run_open", "due_at", sqlite_where=_OPEN_SQL, postgresql_where=_OPEN_SQL),
        Index("ix_schedule_run_newest", "adaptor_id", "due_at"),
    )

    schedule_id: Mapped[str] = mapped_column(ForeignKey("schedule.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[Outcome | None] = mapped_column(enum_column(Outcome))
    """None from the claim until a worker has seen to it"""
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"))
    """The run that was started, or that was in the way"""
