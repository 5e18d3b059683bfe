"""An activated adaptor, its gateways, its customers and their export rules."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from .base import Base, Identified
from .people import Shared
from .types import Json, UtcDateTime, enum_column, utcnow


class Environment(StrEnum):
    """A test adaptor never reaches a live gateway."""

    TEST = "test"
    LIVE = "live"


class NewCustomers(StrEnum):
    """What happens to customers that appear in the source after it was first read."""

    ASK = "ask"
    """listed as new until a person decides"""
    ACTIVATE = "activate"
    """activated with the adaptor's format and gateway"""
    IGNORE = "ignore"


class Readiness(StrEnum):
    """Whether a customer's documents could leave as things are set."""

    UNCHECKED = "unchecked"
    READY = "ready"
    NEEDS = "needs"
    """something that ``Customer.problems`` names"""


class Gateway(Identified, Shared, Base):
    """A configured transport. ``config`` holds what may be shown, ``secrets`` ciphertexts."""

    __tablename__ = "gateway"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(40))
    environment: Mapped[Environment] = mapped_column(enum_column(Environment), default=Environment.LIVE)
    config: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    secrets: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    secret_references: Mapped[dict[str, dict[str, str]]] = mapped_column(Json, default=dict)
    """Where a configuration file says that secrets come from: ``{"password": {"env": …}}``"""
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_reason: Mapped[dict[str, str] | None] = mapped_column(Json)
    """``{"da": …, "en": …}``, and ``by`` where a person paused it"""
    failures: Mapped[int] = mapped_column(Integer, default=0)
    """Tries in a row to which the partner's machine did not answer"""
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until then nothing is tried, because of ``failures``; then one delivery is"""
    expiries: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    """What of it ends one day: ``[{"field", "da", "en", "ends": ISO 8601, "fingerprint"}]``"""
    expiries_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When ``expiries`` was read last; None where it must be"""
    expiry_level: Mapped[int | None] = mapped_column(Integer)
    """Days before the next end for which a warning was given: 60, 30, 14, 7, 1, or 0 once it has passed"""
    seen: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    """What the partner's machine showed of itself last, and ``at``, when (``Transport.seen``)"""
    account: Mapped[str | None] = mapped_column(String(64))
    """Digest of whose account at the partner it leads to, where its credentials decide that; None: not noted"""
    collect_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When to look next for what the partner has laid out, where its transport does; None: now"""

    @property
    def is_paused(self) -> bool:
        """Whether nothing is sent through it until a person resumes it."""
        return self.paused_at is not None


class Adaptor(Identified, Shared, Base):
    """An activated catalogue entry: one source and its export rules."""

    __tablename__ = "adaptor"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    environment: Mapped[Environment] = mapped_column(enum_column(Environment), default=Environment.LIVE)
    source_kind: Mapped[str] = mapped_column(String(40))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    """While it is not, nothing is read and nothing is sent; what waits keeps waiting"""
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Its credentials are gone; its documents and their archive stay"""
    source_config: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    source_secrets: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    secret_references: Mapped[dict[str, dict[str, str]]] = mapped_column(Json, default=dict)
    """As ``Gateway.secret_references``"""
    organization: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Id, name, registration number and sales tax rates of the company that the credentials opened last"""
    source_checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    source_error: Mapped[dict[str, str] | None] = mapped_column(Json)
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Common settings by group (``domain/settings.py``)"""
    default_format: Mapped[str | None] = mapped_column(String(40))
    default_gateway_id: Mapped[str | None] = mapped_column(ForeignKey("gateway.id"))
    new_customers: Mapped[NewCustomers] = mapped_column(enum_column(NewCustomers), default=NewCustomers.ASK)
    customers_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When all customers were first read; who appears later is new"""
    start_date: Mapped[date | None] = mapped_column()
    """Documents dated earlier are never exported"""
    restored_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was brought back from a backup: what was approved before may have left already (``selection.may_have_left``)"""
    watermark: Mapped[str | None] = mapped_column(String(40))
    """Newest approval time seen, as the source writes times"""
    retry_ids: Mapped[list[str]] = mapped_column(Json, default=list)
    """The source's ids of documents that could not be read and that the watermark has passed"""
    next_match_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When to look up again how its customers can be reached; None: not until somebody asks"""
    next_reconciliation_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When to compare with the source again; None: not planned yet"""


class Customer(Identified, Base):
    """A buyer as the source had it when last read."""

    __tablename__ = "customer"
    __table_args__ = (
        UniqueConstraint("adaptor_id", "source_id"),
        # The orders in which lists are read by key (services/configuration/customers.py).
        Index("ix_customer_adaptor_id_name", "adaptor_id", "name", "id"),
        Index("ix_customer_volume", "adaptor_id", "recent_documents", "id"),
        Index("ix_customer_readiness", "adaptor_id", "readiness", "name", "id"),
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
    is_new: Mapped[bool] = mapped_column(Boolean, default=False)
    """Appeared after the first reading, and nobody has decided yet"""
    recent_documents: Mapped[int] = mapped_column(Integer, default=0)
    """Invoices and credit notes of the last twelve months, as last counted"""
    readiness: Mapped[Readiness] = mapped_column(enum_column(Readiness), default=Readiness.UNCHECKED)
    problems: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """What keeps its documents from leaving: ``[{"rule", "text": {"da", "en"}, "turn", "fix", "documents": n, "examples": [{"id", "number"}]}]``"""
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
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a person let the first document go, where the settings ask for that"""
    approved_by: Mapped[str | None] = mapped_column(String(255))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    customer: Mapped[Customer] = relationship(back_populates="rule")
    gateway: Mapped[Gateway] = relationship(lazy="joined")
