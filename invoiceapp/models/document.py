"""Documents as read, and the bytes made of them."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    UnaryExpression,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler

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
    HANDLED = "handled"
    """a person has taken care of it outside of this product"""


_ASKS_SQL = text("change_asks IS NOT NULL")
_PDF_SQL = text("pdf_sha256 IS NOT NULL")
_COUNTED_SQL = text("interchange_id IS NOT NULL")


class Document(Identified, Base):
    """One invoice or credit note as read from the source, with the source's own JSON."""

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("adaptor_id", "source_id"),
        # The orders in which lists are read by key (services/daily/listing.py).
        Index("ix_document_newest", "adaptor_id", "issue_date", "id"),
        Index("ix_document_status", "adaptor_id", "status", "issue_date", "id"),
        Index("ix_document_by_number", "adaptor_id", "number_key", "id"),
        Index("ix_document_by_customer", "adaptor_id", "customer_name", "id"),
        Index("ix_document_by_amount", "adaptor_id", "amount_key", "id"),
        Index("ix_document_customer", "customer_id", "issue_date", "id"),
        Index("ix_document_gateway", "gateway_id", "issue_date", "id"),
        Index("ix_document_changed", "adaptor_id", "status_at", "id"),
        Index("ix_document_claim", "adaptor_id", "stage", "id"),
        Index("ix_document_credits", "adaptor_id", "credits_source_id"),
        Index("ix_document_sent_as", "subscription_id", "sent_as"),
        Index("ix_document_pdf_sha256", "pdf_sha256", sqlite_where=_PDF_SQL, postgresql_where=_PDF_SQL),
        Index(
            "ix_document_change_asks",
            "adaptor_id",
            "change_asks",
            sqlite_where=_ASKS_SQL,
            postgresql_where=_ASKS_SQL,
        ),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"), index=True)
    """The run that queued it last"""
    read_run_id: Mapped[str | None] = mapped_column(String(26))
    """The run that read it last: however often its slices meet a document, a run counts it once"""
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
    """As the source has it"""
    customer_order: Mapped[str | None] = mapped_column(String(200))
    """The buyer's order number (BT-13) of the last conversion; before it, the source's"""
    supplier_order: Mapped[str | None] = mapped_column(String(200))
    """The seller's order number (BT-14) of the last conversion"""
    number_key: Mapped[str] = mapped_column(String(200), default="")
    """``number`` so that texts sort as numbers do"""
    amount_key: Mapped[int] = mapped_column(BigInteger, default=0)
    """``gross`` in ten-thousandths: SQLite keeps amounts as text"""
    bundle: Mapped[dict[str, Any]] = deferred(mapped_column(Json))
    bundle_sha256: Mapped[str] = mapped_column(String(64))
    """Revision of the source's records: another hash means that they changed"""
    stage: Mapped[Stage] = mapped_column(enum_column(Stage, 30), default=Stage.LISTED)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_token: Mapped[str | None] = mapped_column(String(40))
    tries: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    """Why it is unusable or waits, ``{"da": …, "en": …}``"""
    status: Mapped[str] = mapped_column(String(20), default="listed")
    """Where it is, as lists show it: a delivery state (leased and sending are ``pending``) or a stage. Kept by the database
    (``models/listing.py``), as are the next four; nothing else writes them."""
    status_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    """When ``status`` changed last"""
    delivery_id: Mapped[str | None] = mapped_column(String(26))
    """The newest delivery that was not superseded"""
    format: Mapped[str | None] = mapped_column(String(40))
    """That one's"""
    gateway_id: Mapped[str | None] = mapped_column(String(26))
    """That one's"""
    credits_source_id: Mapped[str | None] = mapped_column(String(64))
    """Credit notes: the source's id of the invoice that it takes back; None where the source does not say"""
    source_change: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """How the source has changed what has left (``services/proof/changes.py``); None where it has not"""
    change_asks: Mapped[str | None] = mapped_column(String(10))
    """Whom that concerns: ``person`` asks somebody, ``credited`` as long as no credit note is on its way; None nobody"""
    source_looked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the source was last asked about it after it had left"""
    send_anyway: Mapped[bool] = mapped_column(Boolean, default=False)
    """A person wants it sent although the accounting system has sent it itself"""
    beside_id: Mapped[str | None] = mapped_column(String(26))
    """The document with the same number beside which a person wants it sent"""
    sent_as: Mapped[str | None] = mapped_column(String(321))
    """Seller and number under which it was to leave last (``sent_number.sent_as``); None where it never was"""
    before_invoice: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Credit notes: a person wants it sent before the invoice that it takes back"""
    pdf_sha256: Mapped[str | None] = mapped_column(String(64))
    pdf_is_own: Mapped[bool] = mapped_column(Boolean, default=False)
    """True where the source had none and we drew it"""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    customer: Mapped[Any] = relationship("Customer", lazy="raise_on_sql")

    @property
    def gross(self) -> Decimal:
        """What the buyer owes, in ``currency``."""
        return self.net + self.vat

    def signed(self, value: Decimal) -> Decimal:
        """One of its amounts as lists and sums have it: a credit note takes away."""
        return -value if self.type is DocumentType.CREDIT_NOTE else value


def number_key(number: str) -> str:
    """``2026-9`` before ``2026-10``: each run of digits with zeros before it."""
    return re.sub(r"\d+", lambda found: found[0].zfill(12), number)[:200]


@event.listens_for(Document, "before_insert")
@event.listens_for(Document, "before_update")
def _keep_keys(_mapper: Any, _connection: Any, row: Document) -> None:
    row.number_key = number_key(row.number)
    row.amount_key = int(row.gross * 10_000)


@event.listens_for(Document, "before_insert")
def _begin_listing(_mapper: Any, _connection: Any, row: Document) -> None:
    row.status = (row.stage or Stage.LISTED).value
    row.customer_order = row.customer_order or row.order_number


class _Folded(UnaryExpression[str]):
    """A column in an index, whatever the case of its letters.

    Made as an operator on the column, because migrations compare those as columns and cannot compare other expressions.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[str]) -> None:
        super().__init__(column, operator=operators.inv)
        self.key = f"{column.key}_folded"


@compiles(_Folded, "sqlite")
def _on_sqlite(element: _Folded, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(element.element, **options)} COLLATE NOCASE"


@compiles(_Folded, "postgresql")
def _on_postgresql(element: _Folded, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower({compiler.process(element.element, **options)})"


# What is searched for from its beginning, in any case (services/daily/listing.py).
for _name in ("number", "customer_order", "supplier_order"):
    _folded = _Folded(Document.__table__.c[_name])
    # LIKE uses an index only where its order is that of the bytes.
    _ops = {_folded.key: "text_pattern_ops"}
    Index(f"ix_document_{_name}", Document.__table__.c.subscription_id, _folded, postgresql_ops=_ops)


class Rendition(Identified, Base):
    """The immutable bytes of a document in one format; the bytes lie in the archive under ``sha256``."""

    __tablename__ = "rendition"
    __table_args__ = (
        Index(
            "ix_rendition_interchange_id", "interchange_id", sqlite_where=_COUNTED_SQL, postgresql_where=_COUNTED_SQL
        ),
    )

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
    accounts: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    """That they ask to be paid to (``domain.four_eyes.Account``); None where they were made before that was noted"""
    rule_sets: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    """``[{"name": …, "version": …, "sha256": …}]`` that judged it"""
    missing_rule_sets: Mapped[list[str]] = mapped_column(Json, default=list)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
