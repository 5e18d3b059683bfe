"""Who changed which settings, from what to what: the history that "undo" goes back by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime


class SettingsChange(Identified, Base):
    """One save. ``before`` and ``after`` hold the stored form of what the save replaced, secrets never."""

    __tablename__ = "settings_change"
    __table_args__ = (Index("ix_settings_change_newest", "adaptor_id", "id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str] = mapped_column(String(30))
    """``common``, ``customer``, ``vat`` or ``general``"""
    actor: Mapped[str] = mapped_column(String(255))
    before: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_by: Mapped[str | None] = mapped_column(String(255))
