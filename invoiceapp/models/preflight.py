"""What would become of a document that was already read, if its customer were switched on today."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, utcnow


class PreflightResult(Identified, Base):
    """The newest verdict on one document. Nothing was sent to get it."""

    __tablename__ = "preflight_result"
    __table_args__ = (Index("ix_preflight_result_customer", "adaptor_id", "customer_id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    format: Mapped[str] = mapped_column(String(40))
    fingerprint: Mapped[str] = mapped_column(String(64))
    """Of records, effective settings, format and rules: the same one gives the same verdict"""
    may_leave: Mapped[bool] = mapped_column(Boolean)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """The fatal ones"""
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
