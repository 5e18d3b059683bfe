"""An activated adaptor, its gateways, its customers and their export rules."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from .base import Base, Identified
from .types import Json, UtcDateTime, utcnow


class Gateway(Identified, Base):
    """A configured transport. ``config`` holds what may be shown, ``secrets`` ciphertexts."""

    __tablename__ = "gateway"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(40))
    config: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    secrets: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_reason: Mapped[dict[str, str] | None] = mapped_column(Json)
    """``{"da": …, "en": …}``"""

    @property
    def is_paused(self) -> bool:
        """Whether nothing is sent through it until a person resumes it."""
        return self.paused_at is not None


class Adaptor(Identified, Base):
    """An activated catalogue entry: one source, its export rules and its schedule."""

    __tablename__ = "adaptor"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    source_kind: Mapped[str] = mapped_column(String(40))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    source_config: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    source_secrets: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    organization: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Id, name, registration number and sales tax rates of the company that the credentials opened last"""
    source_checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    source_error: Mapped[dict[str, str] | None] = mapped_column(Json)
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Common settings by group (``domain/settings.py``)"""
    default_format: Mapped[str | None] = mapped_column(String(40))
    default_gateway_id: Mapped[str | None] = mapped_column(ForeignKey("gateway.id"))
    start_date: Mapped[date | None] = mapped_column()
    """Documents dated earlier are never exported"""
    watermark: Mapped[str | None] = mapped_column(String(40))
    """Newest approval time seen, as the source writes times"""
    retry_ids: Mapped[list[str]] = mapped_column(Json, default=list)
    """The source's ids of documents that could not be read and that the watermark has passed"""
    interval_minutes: Mapped[int | None] = mapped_column(Integer)
    """Minutes between scheduled runs; None means only by hand"""
    next_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class Customer(Identified, Base):
    """A buyer as the source had it when last read."""

    __tablename__ = "customer"
    __table_args__ = (
        UniqueConstraint("adaptor_id", "source_id"),
        Index("ix_customer_adaptor_id_name", "adaptor_id", "name", "id"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    source_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(500))
    number: Mapped[str | None] = mapped_column(String(100))
    registration_no: Mapped[str | None] = mapped_column(String(100))
    gln: Mapped[str | None] = mapped_column(String(50))
    country: Mapped[str | None] = mapped_column(String(2))
    city: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(255))
    is_archived: Mapped[bool] = mapped_column(Boolean, default=False)
    raw: Mapped[dict[str, Any]] = deferred(mapped_column(Json, default=dict))
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    rule: Mapped[ExportRule | None] = relationship(back_populates="customer", uselist=False)


class ExportRule(Identified, Base):
    """A customer's activation: format, gateway and overrides."""

    __tablename__ = "export_rule"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), unique=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    format: Mapped[str] = mapped_column(String(40))
    gateway_id: Mapped[str] = mapped_column(ForeignKey("gateway.id"), index=True)
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """This customer's overrides by group"""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    customer: Mapped[Customer] = relationship(back_populates="rule")
    gateway: Mapped[Gateway] = relationship(lazy="joined")
