"""Our books beside those of the partners, line by line. Pure: what is compared was read before (``books.py``, ``ledger.py``)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from invoiceapp.domain.delivery import ARRIVED, EXCLUSIVE, IN_PROGRESS, DeliveryState, moves

from .ledger import Line

S = DeliveryState


class Verdict(StrEnum):
    """What is to be thought of one document. In capitals: what must not be."""

    OK = "ok"
    REFUSED = "refused, as the partner says itself"
    GIVEN_UP = "given up, and really not arrived"
    WAITS = "waits for its invoice, which a person must see to"
    UNKNOWN_ARRIVED = "unknown, and really arrived"
    UNKNOWN_MISSING = "unknown, and really not arrived"
    LOST = "LOST"
    DUPLICATE = "DUPLICATE"
    FALSE_ACCEPTED = "FALSE-ACCEPTED"
    FALSE_REJECTED = "FALSE-REJECTED"
    DAMAGED = "DAMAGED"
    STUCK = "STUCK"

    @property
    def is_bad(self) -> bool:
        return self.value.isupper()


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt in our books."""

    wire_id: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Sending:
    """One delivery in our books."""

    id: str
    partner: str
    state: DeliveryState
    sha256: str
    tries: tuple[Try, ...] = ()
    receipts: tuple[str, ...] = ()
    """Kinds of its evidence"""
    is_asked: bool = False
    """Whether the machine will go on by itself"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document in our books."""

    id: str
    number: str
    sendings: tuple[Sending, ...] = ()
    statuses: tuple[str, ...] = ()
    """That it came to, in order"""
    credits: str | None = None
    """Number of the invoice that it takes back"""


@dataclass(slots=True)
class Judged:
    """One document of the report."""

    number: str
    partner: str
    verdict: Verdict
    state: str
    tries: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What the partner wrote"""


@dataclass(slots=True)
class Result:
    """All of it."""

    documents: list[Judged]
    violations: list[str]
    """What must not be, of whatever document"""

    @property
    def is_good(self) -> bool:
        return not self.violations and not any(one.verdict.is_bad for one in self.documents)

    def count(self) -> dict[str, int]:
        """Documents by verdict."""
        return dict(sorted(Counter(one.verdict.value for one in self.documents).items()))


@dataclass(frozen=True, slots=True)
class Planned:
    """One document that was to be delivered."""

    number: str
    partner: str
    sha256: str = ""


def compare(plan: Iterable[Planned], entries: Iterable[Entry], ledger: Iterable[Line]) -> Result:
    """Every planned document's verdict, and what is wrong besides."""
    kept = list(ledger)
    by_number: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_number[entry.number].append(entry)
    by_key: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in kept:
        by_key[line.partner, line.key].append(line)
    judged, violations = [], []
    for one in plan:
        found = by_number.get(one.number, [])
        judged.append(_judge(one, found, by_number, by_key))
        for entry in found:
            violations += _wrong(entry, by_key)
            violations += _too_early(entry, by_number, by_key)
    violations += _foreign(by_number, by_key)
    return Result(judged, violations)


def _wire_ids(sendings: Iterable[Sending]) -> dict[tuple[str, str], Sending]:
    return {(one.partner, tried.wire_id): one for one in sendings for tried in one.tries}


def _lines_of(sendings: Iterable[Sending], by_key: Mapping[tuple[str, str], list[Line]]) -> list[Line]:
    return [line for key in _wire_ids(sendings) for line in by_key.get(key, ())]


def _judge(
    one: Planned, found: Sequence[Entry], by_number: Mapping[str, list[Entry]],
    by_key: Mapping[tuple[str, str], list[Line]],
) -> Judged:  # fmt: skip
    sendings = [sending for entry in found for sending in entry.sendings]
    lines = _lines_of(sendings, by_key)
    states = [sending.state for sending in sendings]
    return Judged(
        one.number, one.partner, _verdict(found, sendings, lines, by_number),
        ", ".join(states) or "none",
        [tried.outcome or "cut off" for sending in sendings for tried in sending.tries],
        [kind for sending in sendings for kind in sending.receipts],
        [line.answer for line in lines],
    )  # fmt: skip


def _verdict(
    found: Sequence[Entry], sendings: Sequence[Sending], lines: Sequence[Line], by_number: Mapping[str, list[Entry]]
) -> Verdict:
    effects = [line for line in lines if line.takes_effect]
    if len(effects) > 1 or len(found) > 1:
        return Verdict.DUPLICATE
    if not sendings:
        return Verdict.STUCK if found and found[0].statuses[-1:] == ("queued",) else Verdict.LOST
    if any(line.sha256 not in {sending.sha256 for sending in sendings} for line in effects):
        return Verdict.DAMAGED
    state, is_there = sendings[-1].state, bool(effects)
    if state in ARRIVED:
        return Verdict.OK if is_there else Verdict.FALSE_ACCEPTED
    if state is S.OUTCOME_UNKNOWN:
        return _of_unknown(sendings[-1], is_there)
    if state in (S.FAILED, S.REJECTED, S.CANCELLED, S.SUPERSEDED):
        return _of_no(state, lines, is_there)
    return Verdict.WAITS if _waits(found[0], sendings[-1], by_number) else Verdict.STUCK


def _of_unknown(sending: Sending, is_there: bool) -> Verdict:
    if sending.is_asked:
        return Verdict.STUCK
    return Verdict.UNKNOWN_ARRIVED if is_there else Verdict.UNKNOWN_MISSING


def _of_no(state: DeliveryState, lines: Sequence[Line], is_there: bool) -> Verdict:
    if is_there:
        return Verdict.FALSE_REJECTED
    if state is S.REJECTED:
        return Verdict.REFUSED if any("refused" in line.answer for line in lines) else Verdict.FALSE_REJECTED
    return Verdict.GIVEN_UP if state is S.FAILED else Verdict.LOST


def _waits(entry: Entry, sending: Sending, by_number: Mapping[str, list[Entry]]) -> bool:
    """Whether it is a credit note that has not left because its invoice has not arrived, as far as we know."""
    invoices = by_number.get(entry.credits or "", [])
    unclear = any(one.state in (S.OUTCOME_UNKNOWN, S.FAILED) for invoice in invoices for one in invoice.sendings)
    return sending.state is S.PENDING and unclear


def _wrong(entry: Entry, by_key: Mapping[tuple[str, str], list[Line]]) -> list[str]:
    """What must hold of any document in our books."""
    said = [f"{entry.number}: moved from {old} to {new}" for old, new in _illegal(entry.statuses)]
    active = Counter(one.partner for one in entry.sendings if one.state in EXCLUSIVE)
    said += [f"{entry.number}: {count} active deliveries to {name}" for name, count in active.items() if count > 1]
    for one in entry.sendings:
        if one.state in ARRIVED and not one.receipts:
            said.append(f"{entry.number}: {one.state} without evidence")
        for wire_id, tries in Counter(tried.wire_id for tried in one.tries).items():
            seen = len(by_key.get((one.partner, wire_id), ()))
            if seen > tries and "found at the start" not in {line.answer for line in by_key[one.partner, wire_id]}:
                said.append(f"{entry.number}: {one.partner} saw {seen} sendings, our books have {tries}")
        yes = [tried for tried in one.tries if tried.outcome == "accepted"]
        said += [
            f"{entry.number}: {one.partner} has nothing of a try that was accepted"
            for tried in yes
            if (one.partner, tried.wire_id) not in by_key
        ]
    return said


_SHOWN = {state: S.PENDING if state in IN_PROGRESS else state for state in S}
#: As lists show them: what is leased or being sent is pending.
_STEPS = {(_SHOWN[old], _SHOWN[new]) for old, new in moves()}


def _illegal(statuses: Sequence[str]) -> list[tuple[str, str]]:
    known = {state.value for state in S}
    steps = pairwise(statuses)
    return [
        (old, new)
        for old, new in steps
        if old != new and old in known and new in known and (S(old), S(new)) not in _STEPS
    ]


def _too_early(
    entry: Entry, by_number: Mapping[str, list[Entry]], by_key: Mapping[tuple[str, str], list[Line]]
) -> list[str]:
    """A credit note that took effect before its invoice at the same partner."""
    first, before = _first_effect(entry, by_key), [
        _first_effect(one, by_key) for one in by_number.get(entry.credits or "", ())
    ]  # fmt: skip
    if first is None or not before:
        return []
    later = [moment for moment in before if moment is not None and moment > first]
    return [f"{entry.number}: took effect before {entry.credits}, which it takes back"] if later else []


def _first_effect(entry: Entry, by_key: Mapping[tuple[str, str], list[Line]]) -> float | None:
    return min((line.at for line in _lines_of(entry.sendings, by_key) if line.takes_effect), default=None)


def _foreign(by_number: Mapping[str, list[Entry]], by_key: Mapping[tuple[str, str], list[Line]]) -> list[str]:
    """What partners saw and no attempt of ours names."""
    ours: set[tuple[str, str]] = set()
    for entries in by_number.values():
        for entry in entries:
            ours |= _wire_ids(entry.sendings).keys()
    return [f"{partner} saw {key}, which no attempt of ours names" for partner, key in by_key.keys() - ours]
