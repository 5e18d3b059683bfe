"""What needs a person, grouped by cause: twenty documents with one cause are one problem."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.delivery import NEEDS_PERSON, DeliveryState
from invoiceapp.domain.findings import Text, Turn
from invoiceapp.models import Adaptor, Delivery, Document, ExportRule, Stage, db
from invoiceapp.services.configuration.settings import FORMATS


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause and the documents that wait for its cure."""

    rule: str
    text: Text
    """Of the newest document; others may have other lines and amounts"""
    turn: str
    fix: str | None
    group: str
    """The filter group that lists them"""
    count: int
    document_id: str
    """The newest of them"""
    customer_id: str | None
    """That one's customer"""
    numbers: tuple[str, ...] = ()
    """Of the newest documents, at most ``MOST_NUMBERS``"""
    customer_name: str | None = None
    """Where the cure is this customer's alone"""


#: Document numbers that a problem names.
MOST_NUMBERS = 5
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


def _causes(state: DeliveryState, findings: list[dict[str, Any]], error: dict[str, str] | None) -> list[_Cause]:
    """What stopped one delivery: its fatal findings, or the last error of one that left."""
    if state is not DeliveryState.BLOCKED:
        return [_Cause(state.value, _text(error), _TURNS[state].value, None, state.value)]
    return [
        _Cause(f["rule"], _text(f["text"]), f["turn"], f.get("fix"), state.value, told_by_text=f["rule"] in _GENERIC)
        for f in findings
        if f["severity"] == "fatal"
    ]


def _problem(cause: _Cause, rows: list[Any]) -> Problem:
    newest = rows[0]
    return Problem(
        cause.rule, cause.text, cause.turn, cause.fix, cause.group, len(rows), newest.id, newest.customer_id,
        tuple(row.number for row in rows[:MOST_NUMBERS]), newest.customer_name if cause.is_of_customer else None,
    )  # fmt: skip


def of_adaptor(adaptor_id: str) -> list[Problem]:
    """What needs a person, grouped by cause, most documents first; of the newest 2,000 of each kind."""
    document = (Document.id, Document.number, Document.customer_id, Document.customer_name)
    stopped = (
        select(*document, Delivery.state, Delivery.findings, Delivery.error, ExportRule.settings)
        .join(Delivery, Delivery.document_id == Document.id)
        .outerjoin(ExportRule, ExportRule.customer_id == Document.customer_id)
        .where(Delivery.adaptor_id == adaptor_id, Delivery.state.in_(NEEDS_PERSON), Document.stage != Stage.QUEUED)
        .order_by(Delivery.id.desc())
        .limit(2000)
    )
    unusable = (
        select(*document, Document.error)
        .where(Document.adaptor_id == adaptor_id, Document.stage == Stage.UNUSABLE)
        .order_by(Document.id.desc())
        .limit(2000)
    )
    grouped: dict[tuple[str | None, ...], tuple[_Cause, dict[str, Any]]] = {}

    def put(cause: _Cause, row: Any) -> None:
        _first, hits = grouped.setdefault(cause.key(row.customer_id), (cause, {}))
        hits.setdefault(row.id, row)

    common = db.session.get_one(Adaptor, adaptor_id).settings
    for row in db.session.execute(stopped):
        for cause in _causes(row.state, row.findings, row.error):
            put(replace(cause, is_common=_is_common(cause.fix, common, row.settings)), row)
    for row in db.session.execute(unusable):
        put(_Cause("unusable", _text(row.error), Turn.SOURCE.value, "source.invoice", Stage.UNUSABLE.value), row)
    found = [_problem(cause, list(hits.values())) for cause, hits in grouped.values()]
    return sorted(found, key=lambda problem: -problem.count)
