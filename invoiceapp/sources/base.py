"""The contract of a source, and the registry that finds the sources."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import Attachment, DocumentType, Invoice
from invoiceapp.domain.settings import Settings
from invoiceapp.outbound.guard import Guard

from .pace import UNLIMITED, Pace

#: Without an administrator's exceptions.
STRICT = Guard()


class SourceError(Exception):
    """Something kept us from reading; ``text`` tells the user, ``detail`` the log."""

    def __init__(self, text: Text, detail: str = "") -> None:
        super().__init__(detail or text.en)
        self.text = text
        self.detail = detail


class CredentialsRefused(SourceError):
    """The source does not accept our credentials; a person must enter new ones."""


class SourceUnavailable(SourceError):
    """The source cannot answer now; ``retry_after`` in seconds where it said so."""

    def __init__(self, text: Text, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(text, detail)
        self.retry_after = retry_after


class SourceChanged(SourceError):
    """An answer that does not fit what we know of the source: stop rather than guess."""


class NotFound(SourceError):
    """The record does not exist (any more)."""


class UnusableBundle(SourceError):
    """Records that cannot become an invoice at all: a draft, a voided one, broken data."""


@dataclass(frozen=True, slots=True)
class Organization:
    """The company whose books the credentials open."""

    id: str
    name: str
    registration_no: str | None
    country: str | None
    currency: str | None
    raw: Mapping[str, Any] = field(default_factory=dict)
    last_month: int | None = None
    """The month with which its financial year ends, 1 to 12, where the source says"""


@dataclass(frozen=True, slots=True)
class SourceCustomer:
    """A buyer as the source has it; ``id`` has at most 64 characters, the other texts any length."""

    id: str
    name: str
    number: str | None
    registration_no: str | None
    gln: str | None
    country: str | None
    city: str | None
    email: str | None
    is_archived: bool
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """An approved invoice or credit note as the source has it; amounts in ``currency``.

    ``id`` and ``customer_id`` have at most 64 characters, the other texts any length.
    """

    id: str
    type: DocumentType
    number: str
    issue_date: date
    approved_at: datetime | None
    customer_id: str
    customer_name: str
    currency: str
    net: Decimal
    vat: Decimal
    order_number: str | None
    bundle: Mapping[str, Any]
    """Every record that conversion needs, as the source sent them (JSON with Decimals)"""
    credits_id: str | None = None
    """Credit notes: the id of the invoice that it takes back, where the source names one"""


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """Which documents to read; conditions are joined by *and*.

    ``since`` is the approval time of the newest document seen (UTC-less, as the
    source writes times); the source reads a little further back, so that late
    commits there are not missed, and callers drop what they already have.
    """

    since: datetime | None = None
    first_date: date | None = None
    last_date: date | None = None
    customer_ids: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


#: A place in the reading of one query: JSON that only the source understands, of some hundred bytes at most.
Bookmark = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the documents that match a query; to be read before the next part is asked for."""

    documents: Iterator[SourceDocument]
    bookmark: Bookmark | None = None
    """Where the next part begins, for whoever goes on later; None where there is no stopping after this one"""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a bundle: an invoice unless a fatal finding forbids it."""

    invoice: Invoice | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class VatUse:
    """What one document tells of the tax rates that it uses."""

    rates: frozenset[str] = frozenset()
    """Ids, as in ``Source.tax_rates``"""
    country: str | None = None
    """The buyer's"""
    seller_has_vat: bool = True
    """Whether the seller is registered for VAT"""


class Channel(StrEnum):
    """A way by which an accounting system itself sends documents."""

    EMAIL = "email"
    EINVOICE = "einvoice"


@dataclass(frozen=True, slots=True)
class SentItself:
    """The accounting system has sent a document itself, or says something that may mean so."""

    channel: Channel
    at: datetime | None
    """When, where it says so"""
    detail: str
    """What it said, in its own words"""
    means: Text | None = None
    """What that means, as the end of a sentence about the sending; None where it says no more than that it was sent"""


class BookState(StrEnum):
    """How a document stands in the books."""

    DRAFT = "draft"
    APPROVED = "approved"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a source says of a document beside what it bills."""

    state: BookState
    is_paid: bool | None = None
    """None where the source does not say"""


@dataclass(frozen=True, slots=True)
class TakenNumber:
    """A number that a document in the books has, whatever its state."""

    id: str
    number: str
    type: DocumentType
    issue_date: date
    state: BookState


class Source(ABC):
    """One system, opened with one set of credentials. Methods raise ``SourceError`` only."""

    kind: ClassVar[str]
    label: ClassVar[Text]
    description: ClassVar[Text]
    fields: ClassVar[tuple[Field, ...]]
    """Credentials and address, as the connection form shows them"""
    volatile: ClassVar[frozenset[str]] = frozenset()
    """Properties of records that change without the document being another one: payment, sending, downloads"""

    def __init__(self, credentials: Mapping[str, Any], *, guard: Guard = STRICT, pace: Pace = UNLIMITED) -> None:
        """``guard``: what may be connected to; sources open connections through it only (``outbound``).

        ``pace``: before each request they wait for their turn in it.
        """
        self.credentials, self.guard, self.pace = credentials, guard, pace
        self.skipped: list[tuple[str, SourceError]] = []
        """Records that ``documents`` could not read, by id; the others went on"""

    @abstractmethod
    def check(self) -> Organization:
        """Whose books these are; proves that the credentials work."""

    @abstractmethod
    def customers(self) -> Iterator[SourceCustomer]:
        """All customers, archived ones too, each once."""

    @abstractmethod
    def documents(self, query: DocumentQuery) -> Iterator[SourceDocument]:
        """Approved documents that match, oldest approval first, each once."""

    def parts(self, query: DocumentQuery, after: Bookmark | None = None) -> Iterator[Part]:
        """The same as ``documents``, with places between which the reading may be left and gone on with ``after`` one.

        Nothing that is there all the time is missed, however the list changes meanwhile; what an earlier part had
        may come again. This default is for sources that cannot go on: all is one part.
        """
        yield Part(self.documents(query))

    @abstractmethod
    def tax_rates(self) -> list[Mapping[str, Any]]:
        """Sales tax rates: ``id``, ``name``, ``rate`` (fraction) …"""

    @abstractmethod
    def pdf(self, document_id: str) -> bytes | None:
        """The document's own PDF, or None where the source has none."""

    def already_sent(self, document_id: str, channels: frozenset[Channel] = frozenset(Channel)) -> list[SentItself]:
        """How the source itself has sent a document, of the ``channels`` asked for. Asked anew at every call.

        Empty where it has not, or where the source cannot tell.
        """
        return []

    def standing(self, document_id: str) -> Standing | None:
        """How a document stands in the books now, also one that is no longer approved; None where it is gone."""
        found = next(iter(self.documents(DocumentQuery(ids=(document_id,)))), None)
        return Standing(BookState.APPROVED) if found else None

    def taken_numbers(self, first: date, last: date) -> Iterator[TakenNumber]:
        """The numbers of documents dated in these days, also of drafts and voided ones where the source tells them."""
        for one in self.documents(DocumentQuery(first_date=first, last_date=last)):
            yield TakenNumber(one.id, one.number, one.type, one.issue_date, BookState.APPROVED)

    def voided(self) -> Iterator[str]:
        """Ids of documents that were voided, of any age; none where the source does not list them."""
        return iter(())

    @classmethod
    @abstractmethod
    def convert(
        cls, bundle: Mapping[str, Any], settings: Settings, attachments: tuple[Attachment, ...] = ()
    ) -> Conversion:
        """The invoice inside a bundle. No network; the same input gives the same invoice.

        Raises ``UnusableBundle`` where there is nothing to convert.
        """

    @classmethod
    def paper(cls, bundle: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of a bundle decides how its PDF looks and what is attached, beside what it bills: to notice a change.

        JSON; empty where the source does not tell.
        """
        return {}

    @classmethod
    def vat_use(cls, bundle: Mapping[str, Any]) -> VatUse:
        """Which tax rates a bundle uses, and for whom: for proposals, so it never raises."""
        return VatUse()

    @abstractmethod
    def close(self) -> None:
        """Give connections back."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@cache
def registry() -> dict[str, type[Source]]:
    """Sources by kind. A source is a folder here whose package exports ``SOURCE``."""
    package = importlib.import_module(__package__)
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.ispkg:
            source: type[Source] = importlib.import_module(f"{__package__}.{info.name}").SOURCE
            found[source.kind] = source
    return found
