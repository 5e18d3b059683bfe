"""Documents as read, and the bytes made of them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from invoiceapp.domain.invoice import DocumentType

from .base import Base, Identified
from .types import Amount, Json, UtcDateTime, enum_column, utcnow


class Stage(StrEnum):
    """How far a document has come before it has a delivery."""

    LISTED = "listed"
    """read, and nothing is to be done: its customer is not activated"""
    QUEUED = "queued"
    """to be converted"""
    CONVERTED = "converted"
    """has a delivery; the delivery's state tells the rest"""
    UNUSABLE = "unusable"
    """cannot become an invoice: voided, a draft, or broken data"""
    SKIPPED = "skipped"
    """left out by the settings: the accounting system has sent it itself"""


class Document(Identified, Base):
    """One invoice or credit note as read from the source, with the source's own JSON."""

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("adaptor_id", "source_id"),
        Index("ix_document_newest", "subscription_id", "adaptor_id", "issue_date", "id"),
        Index("ix_document_number", "subscription_id", "number"),
        Index("ix_document_customer", "customer_id", "issue_date"),
        Index("ix_document_to_convert", "stage", "lease_until"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"), index=True)
    """The run that queued it last"""
    source_id: Mapped[str] = mapped_column(String(64))
    type: Mapped[DocumentType] = mapped_column(enum_column(DocumentType, 30))
    number: Mapped[str] = mapped_column(String(100))
    issue_date: Mapped[date] = mapped_column()
    approved_at: Mapped[str | None] = mapped_column(String(40))
    customer_source_id: Mapped[str] = mapped_column(String(64))
    customer_name: Mapped[str] = mapped_column(String(500))
    currency: Mapped[str] = mapped_column(String(3))
    net: Mapped[Decimal] = mapped_column(Amount)
    vat: Mapped[Decimal] = mapped_column(Amount)
    order_number: Mapped[str | None] = mapped_column(String(200))
    bundle: Mapped[dict[str, Any]] = deferred(mapped_column(Json))
    bundle_sha256: Mapped[str] = mapped_column(String(64))
    """Revision of the source's records: another hash means that they changed"""
    stage: Mapped[Stage] = mapped_column(enum_column(Stage, 30), default=Stage.LISTED)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(40))
    tries: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    """Why it is unusable or waits, ``{"da": …, "en": …}``"""
    send_anyway: Mapped[bool] = mapped_column(Boolean, default=False)
    """A person wants it sent although the accounting system has sent it itself"""
    pdf_sha256: Mapped[str | None] = mapped_column(String(64))
    pdf_is_own: Mapped[bool] = mapped_column(Boolean, default=False)
    """True where the source had none and we drew it"""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    customer: Mapped[Any] = relationship("Customer", lazy="raise_on_sql")

    @property
    def gross(self) -> Decimal:
        """What the buyer owes, in ``currency``."""
        return self.net + self.vat


class Rendition(Identified, Base):
    """The immutable bytes of a document in one format; the bytes lie in the archive under ``sha256``."""

    __tablename__ = "rendition"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"), index=True)
    format: Mapped[str] = mapped_column(String(40))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(Integer)
    media_type: Mapped[str] = mapped_column(String(80))
    filename: Mapped[str] = mapped_column(String(200))
    sender: Mapped[str | None] = mapped_column(String(80))
    receiver: Mapped[str | None] = mapped_column(String(80))
    interchange_id: Mapped[str | None] = mapped_column(ForeignKey("numbered_interchange.id"))
    """Of formats that count their interchanges: which one these bytes are"""
    rule_sets: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    """``[{"name": …, "version": …, "sha256": …}]`` that judged it"""
    missing_rule_sets: Mapped[list[str]] = mapped_column(Json, default=list)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
