"""What a document was made of, compared with what the source says now. Nothing is kept and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType, Invoice, Line
from invoiceapp.domain.parties import Address
from invoiceapp.domain.settings import Settings, SettingsInvalid
from invoiceapp.models import Adaptor, Delivery, Document, Event, ExportRule, db, utcnow
from invoiceapp.services.configuration.settings import resolve
from invoiceapp.services.configuration.sources import source_class
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import BookState, Source, SourceDocument, SourceError

from . import documents, rereading

Value = str | Text | Decimal | date | None
#: Differences that are told; of more, the document is another one altogether.
MOST = 100


class Kind(StrEnum):
    """How the values of a difference are written."""

    TEXT = "text"
    DATE = "date"
    AMOUNT = "amount"
    NUMBER = "number"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not what it was."""

    label: Text
    then: Value
    """As it was read when the document was made; None where it had none"""
    now: Value
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a person is told. Without ``state`` the source does not have the document any more."""

    made_at: datetime
    currency: str
    state: BookState | None = None
    is_paid: bool | None = None
    differences: tuple[Difference, ...] = ()
    is_other_record: bool = False
    """The source's records are not the same; with no difference, nothing that an invoice shows has changed"""
    lines_compared: bool = True
    """False where the records of then or now cannot be read as an invoice"""
    was_sent: bool = False
    """Whether anything has left; else it is only what was read before"""
    read: SourceDocument | None = None
    """What the source says now, where it is approved"""

    @property
    def is_same(self) -> bool:
        """Whether the source has just what the document was made of."""
        return self.state is BookState.APPROVED and not self.differences and self.lines_compared


@dataclass(frozen=True, slots=True)
class _Side:
    """A document as it was read at one time."""

    header: Mapping[str, Any]
    invoice: Invoice | None = field(default=None)


def compare(document: Document) -> Comparison:
    """Ask the source. Raises ``ServiceError`` where it cannot answer, ``Conflict`` where the adaptor is switched off."""
    source_id, currency = document.source_id, document.currency
    with transaction():
        was_sent = _was_sent(document)
    try:
        with rereading.opened(document) as source:
            standing = source.standing(source_id)
            is_approved = standing is not None and standing.state is BookState.APPROVED
            read = rereading.read(source, source_id) if is_approved else None
    except SourceError as error:
        raise ServiceError(error.text) from error
    if standing is None:
        return Comparison(utcnow(), currency, was_sent=was_sent)
    if read is None:
        return Comparison(utcnow(), currency, standing.state, standing.is_paid, was_sent=was_sent)
    with transaction() as session:
        row = session.get_one(Document, document.id, populate_existing=True)
        settings, kind = _settings(row), source_class(session.get_one(Adaptor, row.adaptor_id))
        then = _Side(_header(row), _invoice(kind, row.bundle, settings))
        now = _Side(_header(read), _invoice(kind, read.bundle, settings))
        is_other = documents.revision(read, kind.volatile) != row.bundle_sha256
    found = tuple(_differences(then, now))[:MOST]
    readable = then.invoice is not None and now.invoice is not None
    return Comparison(
        utcnow(), currency, standing.state, standing.is_paid, found, is_other, readable or not is_other, was_sent,
        read,
    )  # fmt: skip


def as_stored(document: Document) -> Invoice | None:
    """The invoice as it was fetched, by the settings of today; None where it cannot be read. Inside a transaction."""
    return _invoice(
        source_class(db.session.get_one(Adaptor, document.adaptor_id)), document.bundle, _settings(document)
    )


def noted_change(document_id: str) -> datetime | None:
    """When a run last saw that the source had changed what has left; None where it never did."""
    return db.session.scalar(
        select(Event.created_at)
        .where(Event.document_id == document_id, Event.kind == "changed_in_source")
        .order_by(Event.id.desc())
        .limit(1)
    )


def _was_sent(document: Document) -> bool:
    left = select(Delivery.id).where(Delivery.document_id == document.id, Delivery.first_sent_at.is_not(None))
    return db.session.scalar(left.limit(1)) is not None


def _settings(document: Document) -> Settings | None:
    """Both sides are read by the settings of today, so that only the source's changes show."""
    common = db.session.get_one(Adaptor, document.adaptor_id).settings
    override = db.session.scalar(select(ExportRule.settings).where(ExportRule.customer_id == document.customer_id))
    try:
        return resolve(common, override or {})
    except SettingsInvalid:
        return None


def _invoice(source: type[Source], bundle: Mapping[str, Any], settings: Settings | None) -> Invoice | None:
    if settings is None:
        return None
    try:
        return source.convert(bundle, settings).invoice
    except SourceError:
        return None


_TYPES = {
    DocumentType.INVOICE: Text("Faktura", "Invoice"),
    DocumentType.CREDIT_NOTE: Text("Kreditnota", "Credit note"),
}


def _header(one: Document | SourceDocument) -> dict[str, Value]:
    return {
        "type": _TYPES[one.type], "number": one.number, "date": one.issue_date, "customer": one.customer_name,
        "order": one.order_number or None, "currency": one.currency, "net": one.net, "vat": one.vat,
        "total": one.net + one.vat,
    }  # fmt: skip


_HEADER: tuple[tuple[str, Text, Kind], ...] = (
    ("type", Text("Type", "Type"), Kind.TEXT),
    ("number", Text("Nummer", "Number"), Kind.TEXT),
    ("date", Text("Fakturadato", "Issue date"), Kind.DATE),
    ("customer", Text("Kunde", "Customer"), Kind.TEXT),
    ("order", Text("Ordrenummer", "Order number"), Kind.TEXT),
    ("currency", Text("Valuta", "Currency"), Kind.TEXT),
    ("net", Text("Beløb uden moms", "Amount without VAT"), Kind.AMOUNT),
    ("vat", Text("Moms", "VAT"), Kind.AMOUNT),
    ("total", Text("I alt", "Total"), Kind.AMOUNT),
)

_Field = tuple[Text, Kind, Callable[[Any], Value]]
_INVOICE: tuple[_Field, ...] = (
    (Text("Forfaldsdato", "Due date"), Kind.DATE, lambda i: i.due_date),
    (Text("Deres reference", "Buyer reference"), Kind.TEXT, lambda i: i.buyer_reference),
    (Text("Leverandørens ordrenummer", "Supplier's order number"), Kind.TEXT, lambda i: i.sales_order_reference),
    (Text("Kontostreng", "Accounting cost"), Kind.TEXT, lambda i: i.accounting_cost),
    (Text("Tekst på fakturaen", "Text on the invoice"), Kind.TEXT, lambda i: i.note),
    (Text("Betalingsbetingelser", "Payment terms"), Kind.TEXT, lambda i: i.payment_terms),
    (
        Text("Konto eller betalingskode", "Account or payment code"), Kind.TEXT,
        lambda i: ", ".join(filter(None, (part for one in i.payment for part in (one.account, one.payment_id)))) or None,
    ),
    (Text("Jeres navn", "Your name"), Kind.TEXT, lambda i: i.seller.name),
    (Text("Jeres CVR-nummer", "Your company number"), Kind.TEXT, lambda i: i.seller.legal_id),
    (Text("Kundens CVR-nummer", "The customer's company number"), Kind.TEXT, lambda i: i.buyer.legal_id),
    (Text("Kundens EAN/GLN", "The customer's EAN/GLN"), Kind.TEXT, lambda i: i.buyer.gln),
    (Text("Kundens adresse", "The customer's address"), Kind.TEXT, lambda i: _address(i.buyer.address)),
    (Text("Kundens kontakt", "The customer's contact"), Kind.TEXT, lambda i: i.buyer.contact.name),
    (Text("At betale", "To pay"), Kind.AMOUNT, lambda i: i.totals.payable),
)  # fmt: skip
_LINE: tuple[_Field, ...] = (
    (Text("vare", "item"), Kind.TEXT, lambda x: x.item.name),
    (Text("beskrivelse", "description"), Kind.TEXT, lambda x: x.item.description),
    (Text("varenummer", "item number"), Kind.TEXT, lambda x: x.item.sellers_id),
    (Text("antal", "quantity"), Kind.NUMBER, lambda x: x.quantity),
    (Text("enhed", "unit"), Kind.TEXT, lambda x: x.unit),
    (Text("pris", "price"), Kind.NUMBER, lambda x: x.price),
    (Text("momssats", "VAT rate"), Kind.PERCENT, lambda x: x.vat.percent),
    (Text("beløb", "amount"), Kind.AMOUNT, lambda x: x.net_amount),
)


def _address(address: Address) -> str | None:
    parts = (address.street, address.additional, address.postal_code, address.city, address.country)
    return ", ".join(filter(None, parts)) or None


def _differences(then: _Side, now: _Side) -> Iterator[Difference]:
    for name, label, kind in _HEADER:
        if then.header[name] != now.header[name]:
            yield Difference(label, then.header[name], now.header[name], kind)
    if then.invoice is not None and now.invoice is not None:
        yield from _changed(_INVOICE, then.invoice, now.invoice)
        yield from _line_differences(then.invoice.lines, now.invoice.lines)


def _changed(fields: tuple[_Field, ...], then: Any, now: Any, prefix: Text | None = None) -> Iterator[Difference]:
    for label, kind, value in fields:
        if value(then) != value(now):
            yield Difference(_joined(prefix, label), value(then), value(now), kind)


def _joined(prefix: Text | None, label: Text) -> Text:
    return Text(f"{prefix.da}: {label.da}", f"{prefix.en}: {label.en}") if prefix else label


def _line_name(line: Line) -> Text:
    return Text(f"Linje {line.id}", f"Line {line.id}")


def _line_differences(then: Sequence[Line], now: Sequence[Line]) -> Iterator[Difference]:
    """Lines that were put in or taken out do not make all the later ones differ."""
    keys = [[tuple(value(line) for _label, _kind, value in _LINE) for line in lines] for lines in (then, now)]
    for what, a, b, c, d in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
        if what == "equal":
            continue
        before, after = then[a:b], now[c:d]
        for old, new in zip(before, after, strict=False):
            yield from _changed(_LINE, old, new, _line_name(new))
        for old in before[len(after) :]:
            yield Difference(_line_name(old), old.item.name, None)
        for new in after[len(before) :]:
            yield Difference(_line_name(new), None, new.item.name)
