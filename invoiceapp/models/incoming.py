"""What partners sent us: receipts that came after the sending."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column


class IncomingState(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    """about a delivery that is not known (yet), or whose sending has not returned"""
    MATCHED = "matched"
    UNREADABLE = "unreadable"
    """no receipt, or not the partner's: nothing followed from it"""


class IncomingMessage(Identified, Base):
    """One message as it came; the same bytes twice are one."""

    __tablename__ = "incoming_message"
    __table_args__ = (
        UniqueConstraint("gateway_id", "sha256"),
        Index("ix_incoming_message_state", "state", "id"),
        Index("ix_incoming_message_newest", "gateway_id", "id"),
        Index("ix_incoming_message_name", "gateway_id", "name"),
        Index("ix_incoming_message_old", "subscription_id", "created_at"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    gateway_id: Mapped[str] = mapped_column(ForeignKey("gateway.id"))
    name: Mapped[str] = mapped_column(String(255))
    headers: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    """Of its bytes, which lie in the archive"""
    size: Mapped[int] = mapped_column(Integer)
    state: Mapped[IncomingState] = mapped_column(enum_column(IncomingState), default=IncomingState.WAITING)
    times: Mapped[int] = mapped_column(Integer, default=1)
    """How often it came"""
    matched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """What it says, one of each consignment: ``[{"delivery": id or None, "verdict": …, "da": …, "en": …}]``"""
