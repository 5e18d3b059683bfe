"""The arithmetic of a proof. Pure: from the stored books and the history to groups, sums, gaps and duplicates.

Every document of the accounting system's list is in one group, so that the groups add up to the list, in number and in
money. Sums are per currency, and a credit note takes away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from invoiceapp.domain.money import ZERO, plain

from . import series
from .books import CREDIT_NOTE, Amounts, Books, Listed, Noted, Then, Unreadable
from .groups import ARRIVED, LEFT, OPEN, Group, group_of, of_holder

GONE, VOIDED, DRAFT, APPROVED = "gone", "voided", "draft", "approved"


@dataclass(slots=True)
class Sum:
    """Of some documents in one currency; credit notes are taken away."""

    documents: int = 0
    net: Decimal = ZERO
    vat: Decimal = ZERO

    def add(self, kind: str, amounts: Amounts, times: int = 1) -> None:
        """Add a document, or take it away with ``times=-1``."""
        sign = -times if kind == CREDIT_NOTE else times
        self.documents += times
        self.net += sign * amounts.net
        self.vat += sign * amounts.vat

    def to_json(self) -> dict[str, Any]:
        """Amounts as texts."""
        net, vat = plain(self.net), plain(self.vat)
        return {"documents": self.documents, "net": net, "vat": vat, "gross": plain(self.net + self.vat)}


class Sums(dict[str, Sum]):
    """By currency."""

    def add(self, kind: str, amounts: Amounts, times: int = 1) -> None:
        """As ``Sum.add``."""
        self.setdefault(amounts.currency, Sum()).add(kind, amounts, times)

    def to_json(self) -> dict[str, Any]:
        """In the order of the currencies."""
        return {currency: self[currency].to_json() for currency in sorted(self)}


def reckon(books: Books, history: Mapping[str, Then]) -> dict[str, Any]:
    """The proof as JSON, always the same for the same input. ``history`` by our documents' ids: those that were here."""
    noted = {one.source_id: one for one in books.noted}
    rows = [_row(one, noted.get(one.id), history) for one in books.documents]
    rows += [_unreadable(one, noted.get(one.id), history) for one in books.unreadable]
    listed = {one.id for one in books.documents} | {one.id for one in books.unreadable}
    only_ours = [
        _only_ours(one, history[one.document_id], history)
        for one in books.noted
        if one.source_id not in listed and one.document_id in history
    ]
    gaps = series.gaps(books.taken, books.first, books.last)
    duplicates = _duplicates(books, rows, noted)
    here = series.Numbers(row["number"] for row in only_ours)
    result: dict[str, Any] = {
        "version": 1,
        "company": books.company,
        "registration": books.registration,
        "adaptor": books.adaptor,
        "period": [books.first.isoformat(), books.last.isoformat()],
        "moment": books.moment.isoformat(),
        "documents": len(rows),
        "totals": _sums(books.documents).to_json(),
        "groups": _groups(rows, books.documents),
        "sent": _sent(rows, books.documents, noted),
        "gaps": [{**asdict(gap), "here": here.within(gap)} for gap in gaps],
        "explained": _explained(books),
        "duplicates": duplicates,
        "only_ours": sorted(only_ours, key=_order),
        "rows": sorted(rows, key=_order),
    }
    result["open"] = sum(group["documents"] for group in result["groups"] if Group(group["group"]) in OPEN)
    result["warnings"] = (
        len(gaps) + len(duplicates) + sum(row["sent"] is not None for row in rows) + sum(map(is_loud, only_ours))
    )
    return result


def is_loud(row: Mapping[str, Any]) -> bool:
    """Whether a document that the accounting system has no more needs explaining: it has left, or nobody knows why."""
    return row["group"] in {one.value for one in LEFT} or row["standing"] in (None, GONE)


def _row(one: Listed, noted: Noted | None, history: Mapping[str, Then]) -> dict[str, Any]:
    then = history.get(noted.document_id) if noted else None
    group = group_of(noted, then, _holder(noted, history))
    row = {"group": group.value, **_facts(one), "source_id": one.id, **_of_ours(noted, then, history)}
    if noted and then and group in LEFT and (noted.amounts != one.amounts or noted.type != one.type):
        row["sent"] = {"type": noted.type, **_amounts(noted.amounts)}
    return row


def _facts(one: Listed | Noted) -> dict[str, Any]:
    facts = {"number": one.number, "type": one.type, "day": one.day.isoformat(), "customer": one.customer}
    return {**facts, **_amounts(one.amounts)}


def _amounts(amounts: Amounts) -> dict[str, str]:
    return {"currency": amounts.currency, "net": plain(amounts.net), "vat": plain(amounts.vat)}


def _holder(noted: Noted | None, history: Mapping[str, Then]) -> Then | None:
    return history.get(noted.elsewhere) if noted and noted.elsewhere else None


def _of_ours(noted: Noted | None, then: Then | None, history: Mapping[str, Then]) -> dict[str, Any]:
    is_known = noted is not None and then is not None
    way = then.way if then else None
    said = then.said if then else None
    left_to = noted.elsewhere if noted and then and then.status == "skipped" else None
    # What was noted later than the moment may explain something else.
    is_why = noted is not None and then is not None and noted.why_da and noted.status == then.status
    return {
        "document_id": noted.document_id if noted and is_known else None,
        "status": then.status if then else None,
        "since": then.since.isoformat() if then else None,
        "delivery_id": then.delivery_id if then else None,
        "format": way.format if way else None,
        "transport": way.transport if way else None,
        "why": {"da": noted.why_da, "en": noted.why_en} if noted and is_why else None,
        "said": {"by": said.by, "at": said.at.isoformat(), "note": said.note} if said else None,
        "elsewhere": {"id": left_to, "group": of_holder(history.get(left_to)).value} if left_to else None,
        "real": then.real if then else 0,
        "sent": None,
    }


def _unreadable(one: Unreadable, noted: Noted | None, history: Mapping[str, Then]) -> dict[str, Any]:
    then = history.get(noted.document_id) if noted else None
    empty = {"number": "", "type": "", "day": "", "customer": "", "currency": "", "net": "", "vat": ""}
    facts = _facts(noted) if noted and then else empty
    row = {"group": Group.UNREADABLE.value, **facts, "source_id": one.id, **_of_ours(noted, then, history)}
    return {**row, "why": {"da": one.da, "en": one.en}}


def _only_ours(one: Noted, then: Then, history: Mapping[str, Then]) -> dict[str, Any]:
    group = group_of(one, then, _holder(one, history))
    row = {"group": group.value, **_facts(one), "source_id": one.source_id, **_of_ours(one, then, history)}
    return {**row, "standing": one.standing}


_ORDER = {group.value: position for position, group in enumerate(Group)}


def _order(row: Mapping[str, Any]) -> tuple[int, str, str]:
    return _ORDER[row["group"]], _number_key(row["number"]), row["source_id"]


def _number_key(number: str) -> str:
    return re.sub(r"\d+", lambda found: found[0].zfill(18), number)


def _sums(documents: Iterable[Listed]) -> Sums:
    sums = Sums()
    for one in documents:
        sums.add(one.type, one.amounts)
    return sums


def _groups(rows: Iterable[Mapping[str, Any]], documents: Iterable[Listed]) -> list[dict[str, Any]]:
    """Those that have documents. What could not be read counts, and has no amounts."""
    listed = {one.id: one for one in documents}
    counts: dict[Group, int] = {}
    sums: dict[Group, Sums] = {}
    for row in rows:
        group = Group(row["group"])
        counts[group] = counts.get(group, 0) + 1
        of_group = sums.setdefault(group, Sums())
        if group is not Group.UNREADABLE:
            one = listed[row["source_id"]]
            of_group.add(one.type, one.amounts)
    return [
        {"group": group.value, "documents": counts[group], "sums": sums[group].to_json()}
        for group in Group
        if group in counts
    ]


def _sent(rows: Iterable[Mapping[str, Any]], documents: Iterable[Listed], noted: Mapping[str, Noted]) -> dict[str, Any]:
    """Of what has arrived: the accounting system's amounts, those that were sent, and the difference, by currency."""
    listed = {one.id: one for one in documents}
    theirs, ours, difference = Sums(), Sums(), Sums()
    for row in rows:
        if Group(row["group"]) not in ARRIVED:
            continue
        one, sent = listed[row["source_id"]], noted[row["source_id"]]
        theirs.add(one.type, one.amounts)
        ours.add(sent.type, sent.amounts)
        difference.add(one.type, one.amounts)
        difference.add(sent.type, sent.amounts, -1)
    return {"listed": theirs.to_json(), "sent": ours.to_json(), "difference": difference.to_json()}


def _explained(books: Books) -> list[dict[str, str]]:
    """Numbers of the period that are in no group because they are drafts or were voided."""
    taken = [one for one in books.taken if one.state != APPROVED and books.first <= one.day <= books.last]
    rows = [{"number": one.number, "type": one.type, "state": one.state, "source_id": one.id} for one in taken]
    return sorted(rows, key=lambda row: (_number_key(row["number"]), row["source_id"]))


def _duplicates(books: Books, rows: Sequence[Mapping[str, Any]], noted: Mapping[str, Noted]) -> list[dict[str, Any]]:
    """A number that several approved documents have, of which one is of the period; what was really delivered twice; and
    what has left although the accounting system (``source``) or another adaptor (``adaptor``) had sent it."""
    own = {one.id for one in books.documents}
    numbers = {(one.type, one.number, one.id) for one in books.documents}
    numbers |= {(one.type, one.number, one.id) for one in books.taken if one.state == APPROVED}
    names = {one: number for _kind, number, one in numbers}
    found: list[dict[str, Any]] = [
        {"kind": "number", "number": names[ids[0]], "type": kind, "source_ids": ids, "count": len(ids)}
        for kind, _number, ids in series.twice(numbers)
        if own & set(ids)
    ]
    for row in rows:
        one = noted.get(row["source_id"])
        has_left = one is not None and Group(row["group"]) in ARRIVED | {Group.UNKNOWN}
        doubles = {
            "delivery": row["real"] if row["real"] > 1 else 0,
            "source": 2 if has_left and one and one.also_by_source else 0,
            "adaptor": 2 if has_left and one and one.also_elsewhere else 0,
        }
        found += [
            {
                "kind": kind,
                "number": row["number"],
                "type": row["type"],
                "source_ids": [row["source_id"]],
                "count": count,
            }
            for kind, count in doubles.items()
            if count
        ]
    return sorted(found, key=lambda one: (one["kind"], _number_key(one["number"]), one["source_ids"]))
