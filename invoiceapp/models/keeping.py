"""What is kept for how long, what must not be deleted, and what came back from a backup."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column, utcnow


class Restoration(Identified, Base):
    """That a subscription was brought back from a backup; ``created_at`` is when."""

    __tablename__ = "restoration"
    __table_args__ = (Index("ix_restoration_newest", "subscription_id", "id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When the backup was taken: what happened between then and ``created_at`` is not known"""
    unknown: Mapped[int] = mapped_column(Integer, default=0)
    """Deliveries of which nobody knows what became of them meanwhile"""
    listed: Mapped[int] = mapped_column(Integer, default=0)
    """Documents that waited for their conversion, and are only listed now"""
    schedules: Mapped[list[str]] = mapped_column(Json, default=list)
    """Ids of those that were active and wait for a person"""
    resumed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resumed_by: Mapped[str | None] = mapped_column(String(255))


class Retention(Base):
    """For how long a subscription keeps its documents, and what the last deletion did."""

    __tablename__ = "retention"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    last_month: Mapped[int | None] = mapped_column(Integer)
    """The month with which its financial year ends, 1 to 12; None: as the accounting system says, else December"""
    years: Mapped[int] = mapped_column(Integer, default=5)
    """Kept after the end of the financial year; the law asks for five"""
    looked_on: Mapped[date | None] = mapped_column()
    """The day of the last deletion, also of one that found nothing"""
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When something was deleted last"""
    done: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """What it was: ``{"documents", "files", "until": ISO 8601}``"""


class HoldScope(StrEnum):
    """What a hold keeps."""

    SUBSCRIPTION = "subscription"
    ADAPTOR = "adaptor"
    CUSTOMER = "customer"
    DOCUMENT = "document"


class LegalHold(Identified, Base):
    """Something that must not be deleted, whatever its age: a dispute, an audit, a police matter."""

    __tablename__ = "legal_hold"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    scope: Mapped[HoldScope] = mapped_column(enum_column(HoldScope))
    row_id: Mapped[str | None] = mapped_column(String(26))
    """Of the adaptor, customer or document; no foreign key, because a hold outlives its document once it has ended"""
    name: Mapped[str] = mapped_column(String(500), default="")
    """What it keeps, in words"""
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(255))
    until: Mapped[date | None] = mapped_column()
    """The last day; None: until somebody lifts it"""
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lifted_by: Mapped[str | None] = mapped_column(String(255))


class DiscardedFile(Base):
    """A file of the archive whose last document was deleted: it goes next, unless something refers to it again."""

    __tablename__ = "discarded_file"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
