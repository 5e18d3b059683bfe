"""The outbox: deliveries, and their append-only attempts, receipts and events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState

from .adaptor import Environment
from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column, utcnow

_STATE = enum_column(DeliveryState)
_EXCLUSIVE_SQL = text("state IN ({})".format(", ".join(f"'{state.value}'" for state in sorted(EXCLUSIVE))))

_SUPERSEDES_SQL = text("supersedes_id IS NOT NULL")
_SENT_SQL = text("delivery_id IS NOT NULL")


class Delivery(Identified, Base):
    """One rendition on its way to one gateway."""

    __tablename__ = "delivery"
    __table_args__ = (
        # Sent once: no second active or successful delivery of a document to a gateway can exist.
        Index(
            "uq_delivery_exclusive", "document_id", "gateway_id", unique=True,
            sqlite_where=_EXCLUSIVE_SQL, postgresql_where=_EXCLUSIVE_SQL,
        ),
        Index("ix_delivery_due", "state", "next_at"),
        Index("ix_delivery_claim", "adaptor_id", "state", "next_at", "id"),
        Index("ix_delivery_newest", "subscription_id", "adaptor_id", "id"),
        Index("ix_delivery_gateway", "gateway_id", "state"),
        Index("ix_delivery_idem_key", "idem_key"),
        Index("ix_delivery_remote_ref", "gateway_id", "remote_ref"),
        Index("ix_delivery_poll", "poll_at"),
        Index("ix_delivery_rendition_id", "rendition_id"),
        Index(
            "ix_delivery_supersedes_id", "supersedes_id", sqlite_where=_SUPERSEDES_SQL, postgresql_where=_SUPERSEDES_SQL
        ),
    )  # fmt: skip

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"), index=True)
    gateway_id: Mapped[str] = mapped_column(ForeignKey("gateway.id"))
    rendition_id: Mapped[str | None] = mapped_column(ForeignKey("rendition.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"), index=True)
    environment: Mapped[Environment] = mapped_column(enum_column(Environment), default=Environment.LIVE)
    """The gateway's when it was made, or sent: what went to a test gateway has reached nobody. Once sent live, it stays live"""
    format: Mapped[str] = mapped_column(String(40))
    transport: Mapped[str] = mapped_column(String(40))
    state: Mapped[DeliveryState] = mapped_column(_STATE)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Pending: when it is due. Leased and sending: when the lease ends. Accepted: when a later receipt is overdue.
    Outcome unknown: when to ask the partner (again); None where only a person can go on."""
    tries: Mapped[int] = mapped_column(Integer, default=0)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    """Grows with every lease; an update that does not name the newest changes nothing"""
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    idem_key: Mapped[str] = mapped_column(String(64))
    remote_ref: Mapped[str | None] = mapped_column(String(500))
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    """``{"class": …, "da": …, "en": …, "detail": …}`` of the last failure; with ``since`` (``delivery.waiting``) why it waits"""
    findings: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """Why it is blocked, or what to know although it left"""
    first_sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    poll_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When to ask the partner next what became of it (``Transport.status``); None where nothing is to be asked"""
    polls: Mapped[int] = mapped_column(Integer, default=0)
    """How often it was asked"""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    supersedes_id: Mapped[str | None] = mapped_column(ForeignKey("delivery.id"))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    document: Mapped[Any] = relationship("Document", lazy="joined")
    gateway: Mapped[Any] = relationship("Gateway", lazy="joined")
    rendition: Mapped[Any] = relationship("Rendition", lazy="raise_on_sql")


class Attempt(Identified, Base):
    """One try; committed with its wire ids before the first byte leaves."""

    __tablename__ = "attempt"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    fence: Mapped[int] = mapped_column(Integer)
    wire_ids: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    place: Mapped[str | None] = mapped_column(String(40))
    """Fingerprint of the gateway's settings with which it was made; None before there was one"""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(20))
    """``accepted``, or the name of the transport error; None while it runs or after a crash"""
    error: Mapped[dict[str, str] | None] = mapped_column(Json)


class Receipt(Identified, Base):
    """One piece of evidence."""

    __tablename__ = "receipt"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id"), index=True)
    attempt_id: Mapped[str | None] = mapped_column(ForeignKey("attempt.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    reference: Mapped[str] = mapped_column(String(500))
    evidence: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class Event(Identified, Base):
    """One line of the timeline. ``data`` holds values for the page's own words, never sentences."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_document", "document_id", "id"),
        Index("ix_event_delivery_id", "delivery_id", sqlite_where=_SENT_SQL, postgresql_where=_SENT_SQL),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    document_id: Mapped[str | None] = mapped_column(ForeignKey("document.id"))
    delivery_id: Mapped[str | None] = mapped_column(ForeignKey("delivery.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"))
    actor: Mapped[str] = mapped_column(String(255), default="system")
    kind: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
