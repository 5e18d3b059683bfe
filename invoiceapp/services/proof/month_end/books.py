"""What a proof is reckoned from, as values and as JSON: the accounting system's list, and our side of each document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from invoiceapp.domain.money import plain

Value = TypeVar("Value")

CREDIT_NOTE = "creditNote"


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of one document, as it has them: a credit note's are not negative."""

    currency: str
    net: Decimal
    vat: Decimal


@dataclass(frozen=True, slots=True)
class Listed:
    """One approved document of the accounting system; ``type`` as ``DocumentType``."""

    id: str
    type: str
    number: str
    day: date
    customer: str
    currency: str
    net: Decimal
    vat: Decimal

    @property
    def amounts(self) -> Amounts:
        """Its amounts."""
        return Amounts(self.currency, self.net, self.vat)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of the accounting system that could not be read, and why in both languages."""

    id: str
    da: str
    en: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A number that the accounting system has given out; ``state`` as ``BookState``."""

    id: str
    type: str
    number: str
    day: date
    state: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What was noted of one of our documents when the proof was made, because it has no history."""

    document_id: str
    source_id: str
    type: str
    number: str
    day: date
    customer: str
    currency: str
    net: Decimal
    vat: Decimal
    is_active: bool
    """Whether its customer was activated"""
    awaits_approval: bool
    """Whether a second person had to approve something"""
    status: str
    """As ``Document.status``: ``why`` explains this one and no other"""
    why_da: str
    why_en: str
    """Why it stood so, where that was known; else empty"""
    elsewhere: str | None = None
    """The document of another adaptor that it was left out for"""
    also_by_source: bool = False
    also_elsewhere: bool = False
    """Whether it was sent although the accounting system, or another adaptor, had sent it"""
    standing: str | None = None
    """Of what the accounting system's list has not: ``draft``, ``voided``, ``approved`` (of another day), ``gone``; None
    where nobody could say"""

    @property
    def amounts(self) -> Amounts:
        """As it was read last before it was converted."""
        return Amounts(self.currency, self.net, self.vat)


@dataclass(frozen=True, slots=True)
class Way:
    """A delivery, as far as it never changes."""

    format: str
    transport: str
    is_test: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What a person decided about a document."""

    by: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Then:
    """What the history tells of one of our documents at the moment."""

    status: str
    """As ``Document.status``"""
    since: datetime
    delivery_id: str | None
    way: Way | None
    """Of that delivery; None where there is none, or its row is gone"""
    said: Said | None
    """Of the person who took care of it outside, or who marked it as received; else None"""
    real: int
    """Real deliveries that have arrived and were not rejected"""


@dataclass(frozen=True, slots=True)
class Books:
    """All that is stored with a proof: from this and the history it is reckoned."""

    first: date
    last: date
    moment: datetime
    company: str
    documents: tuple[Listed, ...]
    unreadable: tuple[Unreadable, ...]
    taken: tuple[Taken, ...]
    noted: tuple[Noted, ...]
    registration: str = ""
    """The company's number (CVR); empty where it was not known"""
    adaptor: str = ""
    """Its name"""

    def to_json(self) -> dict[str, Any]:
        """Canonical: the same content always gives the same text."""
        return {
            "version": 1,
            "period": [self.first.isoformat(), self.last.isoformat()],
            "moment": self.moment.isoformat(),
            "company": self.company,
            "registration": self.registration,
            "adaptor": self.adaptor,
            "documents": to_rows(sorted(self.documents, key=lambda one: one.id)),
            "unreadable": to_rows(sorted(self.unreadable, key=lambda one: (one.id, one.da))),
            "taken": to_rows(sorted(self.taken, key=lambda one: one.id)),
            "noted": to_rows(sorted(self.noted, key=lambda one: one.document_id)),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Books:
        """The reverse of ``to_json``."""
        first, last = (date.fromisoformat(day) for day in stored["period"])
        return cls(
            first, last, datetime.fromisoformat(stored["moment"]), stored["company"],
            from_rows(Listed, stored["documents"]), from_rows(Unreadable, stored["unreadable"]),
            from_rows(Taken, stored["taken"]), from_rows(Noted, stored["noted"]),
            stored["registration"], stored["adaptor"],
        )  # fmt: skip


def to_rows(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Values as JSON: amounts and dates as texts."""
    return [{name: _written(value) for name, value in asdict(one).items()} for one in values]


def _written(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value


def from_rows(kind: type[Value], rows: Sequence[Mapping[str, Any]]) -> tuple[Value, ...]:
    """The reverse of ``to_rows``."""
    readers: dict[str, Callable[[str], Any]] = {"day": date.fromisoformat, "net": Decimal, "vat": Decimal}
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return tuple(
        kind(**{name: readers[name](row[name]) if name in readers else row[name] for name in names}) for row in rows
    )
