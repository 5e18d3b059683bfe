"""What the source has changed of documents that have left: noted on the document, told to a person, never resent.

Whoever has read the source hands over what it says now (``note``); nothing is asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import aliased, load_only, undefer

from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import Settings, SettingsInvalid
from invoiceapp.models import Adaptor, Delivery, Document, Stage, db, utcnow
from invoiceapp.services.configuration.settings import resolve
from invoiceapp.services.configuration.sources import source_class
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, text_dict
from invoiceapp.services.export import documents, events
from invoiceapp.services.export.by_hand import MOVED_ON, locked, need_note
from invoiceapp.sources.base import BookState, Source, SourceDocument, SourceError


class Kind(StrEnum):
    """How a document is not any more what left. In the order in which a person is told."""

    VOIDED = "voided"
    GONE = "gone"
    """not there any more, or no longer approved"""
    CREDITED = "credited"
    CONTENT = "content"
    """what it bills"""
    PDF = "pdf"
    """its layout or its attachments"""
    CONTACT = "contact"
    """name, numbers, address or e-mail of its customer"""


WORDS: Mapping[Kind, Text] = {
    Kind.VOIDED: Text("Annulleret i Billy", "Voided in Billy"),
    Kind.GONE: Text("Findes ikke længere som godkendt i Billy", "No longer approved in Billy"),
    Kind.CREDITED: Text("Krediteret i Billy", "Credited in Billy"),
    Kind.CONTENT: Text("Indholdet er ændret i Billy", "The content was changed in Billy"),
    Kind.PDF: Text("PDF'ens layout eller bilag er ændret i Billy", "The PDF's layout or attachments were changed in Billy"),
    Kind.CONTACT: Text("Kundens oplysninger er ændret i Billy", "The customer's details were changed in Billy"),
}  # fmt: skip
_AS_BEFORE = Text("Billy siger igen det samme som det, der blev sendt.", "Billy says again the same as what was sent.")
#: What somebody has to look at; a customer who moves makes no document wrong that has arrived.
ASKS = frozenset(Kind) - {Kind.CONTACT}
#: Instead of what the state of its delivery says, while it asks.
NEXT = Text(
    "Dokumentet er ændret i Billy, efter at det blev sendt. Se under »Ændret i Billy efter afsendelse«, hvad der skal ske.",
    "The document was changed in Billy after it was sent. See under “Changed in Billy after it was sent” what is to be done.",
)
_PERSON, _CREDITED = "person", "credited"
#: Statuses in which a credit note needs nobody: it is at the receiver, or on its way.
ON_ITS_WAY = frozenset(state.value for state in ARRIVED | IN_PROGRESS) | {Stage.QUEUED.value, Stage.HANDLED.value}


@dataclass(frozen=True, slots=True)
class Known:
    """That somebody has seen to it."""

    by: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is noted of one document."""

    kinds: tuple[Kind, ...]
    seen_at: datetime
    """When the newest of them was seen first"""
    known: Known | None = None

    @property
    def texts(self) -> list[Text]:
        """In words, the gravest first."""
        return [WORDS[kind] for kind in self.kinds]


@dataclass(frozen=True, slots=True)
class News:
    """What a look at a document found that was not known."""

    document_id: str
    number: str
    kinds: tuple[Kind, ...]

    @property
    def text(self) -> Text:
        """All of it, as the end of a line."""
        words = [WORDS[kind] for kind in self.kinds]
        return Text("; ".join(one.da for one in words), "; ".join(one.en for one in words))


@dataclass(frozen=True, slots=True)
class Now:
    """What the source says of one document now; no ``read`` where it is not approved any more."""

    read: SourceDocument | None = None
    state: BookState | None = None
    """Without ``read``: how it stands; None where it is gone"""


def of(document: Document) -> Change | None:
    """What is noted; None where the source says what it said when the document left."""
    stored = document.source_change
    if not stored:
        return None
    known = stored.get("known")
    return Change(
        tuple(kind for kind in Kind if kind.value in stored["kinds"]),
        datetime.fromisoformat(stored["seen_at"]),
        Known(known["by"], datetime.fromisoformat(known["at"]), known["note"]) if known else None,
    )


def has_left() -> ColumnElement[bool]:
    """Whether something of a ``Document`` was given away, so that a change of it is of interest."""
    return exists().where(Delivery.document_id == Document.id, Delivery.first_sent_at.is_not(None))


def note(adaptor: Adaptor, seen: Mapping[str, Now]) -> list[News]:
    """Keep what is different of documents that have left, by the source's id; what of it is new. In the caller's transaction.

    What is as it was is taken away again.
    """
    rows = db.session.scalars(
        select(Document)
        .where(Document.adaptor_id == adaptor.id, Document.source_id.in_(seen), has_left())
        .order_by(Document.id)
        .options(undefer(Document.bundle))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    credited = _credited(adaptor.id, [row.source_id for row in rows])
    news = []
    for row in rows:
        kinds = set(_kinds(row, seen[row.source_id], source_class(adaptor), adaptor.settings))
        news += _keep(row, kinds | ({Kind.CREDITED} if row.source_id in credited else set()))
    _looked_at([row.id for row in rows])
    return news


def note_one(document_id: str, now: Now) -> None:
    """The same for what a person has just had compared, however old it is."""
    if now.read is None and now.state is BookState.APPROVED:
        # Approved a moment later, or unreadable: that says nothing.
        return
    with transaction() as session:
        document = session.get_one(Document, document_id)
        note(session.get_one(Adaptor, document.adaptor_id), {document.source_id: now})


def note_credited(adaptor: Adaptor, first: datetime) -> list[News]:
    """The same for what credit notes that came since ``first`` take back, however old that is. In the caller's transaction."""
    notes = select(Document.credits_source_id).where(
        Document.adaptor_id == adaptor.id, Document.credits_source_id.is_not(None), Document.created_at >= first
    )
    rows = db.session.scalars(
        select(Document)
        .where(Document.adaptor_id == adaptor.id, Document.source_id.in_(notes), has_left())
        .order_by(Document.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    return [one for row in rows for one in _keep(row, {*_kinds_of(row), Kind.CREDITED})]


def _looked_at(ids: Sequence[str]) -> None:
    """``updated_at`` stays: nothing of the document has moved."""
    db.session.execute(
        update(Document)
        .where(Document.id.in_(ids))
        .values(source_looked_at=utcnow(), updated_at=Document.updated_at)
        .execution_options(synchronize_session=False)
    )


def _credited(adaptor_id: str, source_ids: Sequence[str]) -> set[str]:
    """Those that a credit note takes back."""
    query = select(Document.credits_source_id).where(
        Document.adaptor_id == adaptor_id, Document.credits_source_id.in_(source_ids)
    )
    return {one for one in db.session.scalars(query) if one}


def _kinds(row: Document, now: Now, source: type[Source], common: Mapping[str, Any]) -> Iterator[Kind]:
    if now.read is None:
        yield Kind.VOIDED if now.state is BookState.VOIDED else Kind.GONE
        return
    if source.paper(row.bundle) != source.paper(now.read.bundle):
        yield Kind.PDF
    if documents.revision(now.read, source.volatile) == row.bundle_sha256:
        return
    settings = _settings(common)
    then, later = _invoice(source, row.bundle, settings), _invoice(source, now.read.bundle, settings)
    if _header(row) != _header(now.read) or (then and later and _billed(then) != _billed(later)):
        yield Kind.CONTENT
    if row.customer_name != now.read.customer_name or (then and later and _buyer(then) != _buyer(later)):
        yield Kind.CONTACT


def _settings(common: Mapping[str, Any]) -> Settings | None:
    """Without the customer's own, which would hide what the source says of the customer."""
    try:
        return resolve(common, {})
    except SettingsInvalid:
        return None


def _invoice(source: type[Source], bundle: Mapping[str, Any], settings: Settings | None) -> Invoice | None:
    try:
        return source.convert(bundle, settings).invoice if settings else None
    except SourceError:
        return None


def _header(one: Document | SourceDocument) -> tuple[Any, ...]:
    return one.type, one.number, one.issue_date, one.currency, one.net, one.vat, one.order_number or None


def _billed(invoice: Invoice) -> tuple[Any, ...]:
    """What the document says, without what it shares with others: a product that was renamed, the seller's new address."""
    lines = tuple(
        (line.quantity, line.unit, line.price, line.vat.percent, line.net_amount, line.item.description)
        for line in invoice.lines
    )
    return invoice.due_date, invoice.note, invoice.totals.payable, lines


def _buyer(invoice: Invoice) -> tuple[Any, ...]:
    buyer = invoice.buyer
    return buyer.name, buyer.legal_id, buyer.gln, buyer.address, buyer.contact.email


def _kinds_of(row: Document) -> set[Kind]:
    found = of(row)
    return set(found.kinds) if found else set()


def _keep(row: Document, kinds: set[Kind]) -> list[News]:
    """What is new, if anything; one line of the timeline for each, and none for what was known."""
    before = _kinds_of(row)
    if kinds == before:
        return []
    for kind in Kind:
        if kind in kinds - before:
            events.of_document("source_changed", row, what=kind.value, **text_dict(WORDS[kind]))
    if not kinds:
        events.of_document("source_as_before", row, **text_dict(_AS_BEFORE))
        row.source_change = row.change_asks = None
        return []
    stored = row.source_change or {}
    # What somebody has seen to stays seen to, until something else is added.
    known = None if kinds - before else stored.get("known")
    row.source_change = {
        "kinds": [kind.value for kind in Kind if kind in kinds],
        "seen_at": utcnow().isoformat() if kinds - before else stored["seen_at"],
        **({"known": known} if known else {}),
    }
    row.change_asks = None if known else _concerns(kinds)
    new = tuple(kind for kind in Kind if kind in kinds - before)
    return [News(row.id, row.number, new)] if new else []


def _concerns(kinds: set[Kind]) -> str | None:
    """As ``Document.change_asks`` has it."""
    asking_kinds = ASKS & kinds
    if asking_kinds == {Kind.CREDITED}:
        return _CREDITED
    return _PERSON if asking_kinds else None


def acknowledge(document: Document, actor: str, reason: str) -> None:
    """A person has seen to it: it asks nobody any more. Nothing is sent. Raises ``Conflict``, ``ServiceError``."""
    need_note(reason)
    with transaction():
        row = locked(document.id)
        if not row.source_change or row.source_change.get("known"):
            raise Conflict(MOVED_ON)
        known = {"by": actor, "at": utcnow().isoformat(), "note": reason.strip()}
        row.source_change, row.change_asks = {**row.source_change, "known": known}, None
        events.of_document("source_change_known", row, actor=actor, note=reason.strip())


def _asks_now() -> ColumnElement[bool]:
    """Whether a ``Document`` asks somebody: not where its every credit note is at the receiver, or on its way."""
    credit = aliased(Document)
    of_it = (credit.adaptor_id == Document.adaptor_id, credit.credits_source_id == Document.source_id)
    settled = and_(exists().where(*of_it), ~exists().where(*of_it, credit.status.not_in(ON_ITS_WAY)))
    return or_(Document.change_asks == _PERSON, and_(Document.change_asks == _CREDITED, ~settled))


def asking(adaptor_id: str, limit: int) -> Sequence[Document]:
    """Documents whose change somebody has to look at, newest first, with what lists show. Inside the caller's transaction."""
    return db.session.scalars(_asking(), {"adaptor_id": adaptor_id, "most": limit}).all()


@cache
def _asking() -> Select[Document]:
    """Made once: it is asked after every batch, and to make it took longer than to run it."""
    # Apart, as SQLite would else walk along the index of the order, through all that nobody is asked about.
    of_adaptor = Document.adaptor_id == bindparam("adaptor_id")
    which = select(Document.id).where(of_adaptor, Document.change_asks.in_((_PERSON, _CREDITED)), _asks_now())
    return (
        select(Document)
        .where(Document.id.in_(which.correlate(None)))
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(bindparam("most"))
        .options(load_only(Document.number, Document.customer_id, Document.customer_name, Document.source_change))
    )


def how_many_ask(adaptor_id: str) -> int:
    """All of ``asking``."""
    query = select(func.count()).where(
        Document.adaptor_id == adaptor_id, Document.change_asks.in_((_PERSON, _CREDITED)), _asks_now()
    )
    return db.session.scalar(query) or 0


def asks(document: Document) -> bool:
    """Whether somebody has to look at its change, as ``asking`` has it."""
    if document.change_asks is None:
        return False
    return bool(db.session.scalar(select(exists().where(Document.id == document.id, _asks_now()))))


def credit_notes(document: Document) -> Sequence[Document]:
    """The credit notes that take it back, oldest first."""
    return db.session.scalars(
        select(Document)
        .where(Document.adaptor_id == document.adaptor_id, Document.credits_source_id == document.source_id)
        .order_by(Document.issue_date, Document.id)
    ).all()
