"""What a manual export found in the source, and what a person chose to do with each document."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .types import Json, UtcDateTime, enum_column


class FoundGroup(StrEnum):
    """What may be done with a found document."""

    NOT_ACTIVATED = "not_activated"
    """its customer is to be activated first"""
    NOT_EXPORTED = "not_exported"
    EXPORTED = "exported"
    """has left, or is on its way: only with a reason"""
    UNFIT = "unfit"
    """cannot be exported; ``FoundDocument.text`` says why"""


class FoundOutcome(StrEnum):
    """What became of a chosen document. Exactly one of them, once its turn has come."""

    SENT = "sent"
    """handed over to conversion or to the outbox; ``Document.status`` tells the rest"""
    LEFT_OUT = "left_out"
    """something had changed meanwhile; ``FoundDocument.text`` says what"""
    TAKEN_BACK = "taken_back"
    """a person cancelled the rest before it was sent"""


class FoundDocument(Base):
    """One document that a run of a manual export found."""

    __tablename__ = "found_document"
    __table_args__ = (Index("ix_found_document_group", "run_id", "group"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
    group: Mapped[FoundGroup] = mapped_column(enum_column(FoundGroup, 20))
    """As found, or as looked at again since; of a chosen one, as it was chosen"""
    delivery_id: Mapped[str | None] = mapped_column(String(26))
    """``Document.delivery_id`` of that moment: what a second sending would supersede"""
    text: Mapped[dict[str, str] | None] = mapped_column(Json)
    """Why it cannot be exported, or was left out: ``{"da", "en"}``"""
    verdict: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Of the last dry run: ``{"may_leave", "format", "gateway", "findings": [{"da", "en"}]}``"""
    chosen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it is sent again, in the person's words"""
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the source had it last"""
    outcome: Mapped[FoundOutcome | None] = mapped_column(enum_column(FoundOutcome, 20))
