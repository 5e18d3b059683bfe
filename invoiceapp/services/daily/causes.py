"""What stops documents, grouped by cause: twenty documents with one cause are one problem."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text, Turn
from invoiceapp.models import Adaptor, Delivery, Document, ExportRule, Stage, db
from invoiceapp.services.configuration.settings import FORMATS
from invoiceapp.services.proof import changes

from . import listing


@dataclass(frozen=True, slots=True)
class Found:
    """One cause and what it stops, as ``problems.sync`` keeps it."""

    key: str
    """Hash of what makes it the same problem tomorrow"""
    rule: str
    text: Text
    """Of the newest document; others may have other lines and amounts"""
    turn: str
    fix: str | None = None
    status: str = ""
    """Of its documents (``Document.status``)"""
    document_ids: tuple[str, ...] = ()
    """Newest first"""
    numbers: tuple[str, ...] = ()
    """Of the newest documents, at most ``MOST_NUMBERS``"""
    customer_id: str | None = None
    """The newest document's"""
    customer_name: str | None = None
    """Where the cure is this customer's alone"""
    gateway_id: str | None = None
    holds_released: bool = True
    """Whether what it stops no longer stays with it while it is on its way or has arrived"""


#: Document numbers that a problem names.
MOST_NUMBERS = 5
#: Documents that are looked at; of more, the oldest wait for the newest to be mended.
MOST = 20_000
#: What only one customer's data or settings can mend; all else is mended once for the whole adaptor, or in the documents.
_OF_A_CUSTOMER = ("customer.", FORMATS, "source.contact")
#: Rules that stand for many different faults: only the text tells them apart.
_GENERIC = frozenset({"XML", "XSD", "OIOUBL", "FACTUR-X"})
#: Whose turn it is where a delivery stopped without a finding that says so.
_TURNS = {
    DeliveryState.REJECTED: Turn.RECEIVER,
    DeliveryState.FAILED: Turn.HERE,
    DeliveryState.OUTCOME_UNKNOWN: Turn.HERE,
}
_UNSPECIFIED = Text("Årsagen er ikke oplyst.", "The cause was not given.")
#: Rule and status of documents that the source has changed after they were sent.
CHANGED = "changed-after-export"
_CHANGED = Text(
    "Ændret i Billy efter afsendelse. Intet sendes igen af sig selv: se på hvert dokument, hvad der er ændret, og vælg dér.",
    "Changed in Billy after it was sent. Nothing is resent by itself: see on each document what has changed, and choose there.",
)
_FIGURES = re.compile(r"\d+(?:[.,:\-]\d+)*")


@dataclass(frozen=True, slots=True)
class _Cause:
    """What stopped one document. Only ``key`` decides which documents stand together."""

    rule: str
    text: Text
    turn: str
    fix: str | None
    group: str
    told_by_text: bool = True
    is_common: bool = False
    """Whether the value to mend is the adaptor's, which all its customers share"""

    @property
    def is_of_customer(self) -> bool:
        return not self.is_common and (self.fix or "").startswith(_OF_A_CUSTOMER)

    def key(self, customer_id: str | None) -> tuple[str | None, ...]:
        """Rule, field and whose it is. Lines and amounts in the text differ from document to document."""
        wording = _FIGURES.sub("#", self.text.en) if self.told_by_text else None
        return self.group, self.rule, self.fix, customer_id if self.is_of_customer else None, wording


def _text(stored: dict[str, Any] | None) -> Text:
    return Text(stored["da"], stored["en"]) if stored else _UNSPECIFIED


def _has_option(settings: dict[str, Any] | None, fix: str) -> bool:
    """Whether stored settings hold a value for an option of an output format."""
    format_id, _, name = fix.removeprefix(FORMATS).rpartition(".")
    stored: Any = settings
    for key in ("formats", format_id, name):
        stored = stored.get(key) if isinstance(stored, dict) else None
    return stored not in (None, "")


def _is_common(fix: str | None, common: dict[str, Any], own: dict[str, Any] | None) -> bool:
    """Whether a format option has its value from the adaptor's settings and not from the customer's."""
    return fix is not None and fix.startswith(FORMATS) and _has_option(common, fix) and not _has_option(own, fix)


def _causes(state: DeliveryState | None, findings: list[dict[str, Any]], error: dict[str, str] | None) -> list[_Cause]:
    """What stopped one delivery: its fatal findings, or the last error of one that left; nothing where it has moved on."""
    if state in _TURNS:
        return [_Cause(state.value, _text(error), _TURNS[state].value, None, state.value)]
    if state is not DeliveryState.BLOCKED:
        return []
    return [
        _Cause(f["rule"], _text(f["text"]), f["turn"], f.get("fix"), state.value, told_by_text=f["rule"] in _GENERIC)
        for f in findings
        if f["severity"] == "fatal"
    ]


def key_of(*parts: str | None) -> str:
    """A hash that stays the same while all parts do."""
    return hashlib.sha256("\x1f".join(part or "" for part in parts).encode()).hexdigest()


def _found(cause: _Cause, rows: list[Any]) -> Found:
    newest = rows[0]
    return Found(
        key_of(*cause.key(newest.customer_id)), cause.rule, cause.text, cause.turn, cause.fix, cause.group,
        tuple(row.id for row in rows), tuple(row.number for row in rows[:MOST_NUMBERS]), newest.customer_id,
        newest.customer_name if cause.is_of_customer else None,
    )  # fmt: skip


def of_adaptor(adaptor_id: str) -> list[Found]:
    """What stops documents now, grouped by cause, most documents first; of the newest ``MOST`` documents."""
    grouped: dict[tuple[str | None, ...], tuple[_Cause, dict[str, Any]]] = {}
    common = db.session.get_one(Adaptor, adaptor_id).settings
    for row in _needing_a_person(adaptor_id):
        for cause in _of_row(row, common):
            _first, hits = grouped.setdefault(cause.key(row.customer_id), (cause, {}))
            hits.setdefault(row.id, row)
    found = [_found(cause, list(hits.values())) for cause, hits in grouped.values()]
    found += _changed_since(adaptor_id)
    return sorted(found, key=lambda one: -len(one.document_ids))


def _changed_since(adaptor_id: str) -> list[Found]:
    """What the source has changed after it was sent: nothing is stopped, but somebody has to look."""
    rows = changes.asking(adaptor_id, MOST)
    if not rows:
        return []
    numbers = tuple(row.number for row in rows[:MOST_NUMBERS])
    return [
        Found(
            key_of(CHANGED), CHANGED, _CHANGED, Turn.HERE.value, None, CHANGED, tuple(row.id for row in rows), numbers,
            rows[0].customer_id, holds_released=False,
        )
    ]  # fmt: skip


def _needing_a_person(adaptor_id: str) -> Iterator[Any]:
    """The newest ``MOST``, newest first, found along the index of the list."""
    person = listing.ids([adaptor_id], listing.Filter("person"))
    for ids in islice(person, MOST // listing.CHUNK):
        query = (
            select(
                Document.id, Document.number, Document.customer_id, Document.customer_name, Document.status,
                Document.error.label("unusable"), Delivery.state, Delivery.findings, Delivery.error, ExportRule.settings,
            )
            .outerjoin(Delivery, Delivery.id == Document.delivery_id)
            .outerjoin(ExportRule, ExportRule.customer_id == Document.customer_id)
            .where(Document.id.in_(ids))
        )  # fmt: skip
        rows = {row.id: row for row in db.session.execute(query)}
        yield from (rows[one] for one in ids if one in rows)


def _of_row(row: Any, common: dict[str, Any]) -> list[_Cause]:
    if row.status == Stage.UNUSABLE.value:
        return [_Cause("unusable", _text(row.unusable), Turn.SOURCE.value, "source.invoice", Stage.UNUSABLE.value)]
    causes = _causes(row.state, row.findings, row.error)
    return [replace(cause, is_common=_is_common(cause.fix, common, row.settings)) for cause in causes]
