"""The flow of the last thirty days in numbers: documents per day, how long they took, and how each gateway did.

Days are counted from the tally, which costs the same for a thousand documents and for a million. Times are taken of the
newest ``SAMPLE`` arrivals.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from invoiceapp.models import Adaptor, Delivery, Document, Environment, Gateway, Receipt, Tally, db, utcnow

from .listing import GROUPS

_DENMARK = ZoneInfo("Europe/Copenhagen")
DAYS = 30
#: What days and gateways are divided into, in the order in which bars are stacked: groups of statuses, and what is none.
PARTS = ("arrived", "progress", "person", "rest")
#: Arrivals of which times are taken, the newest.
SAMPLE = 5_000
FRESH = timedelta(minutes=1)
#: Upper limits of the classes of times; what took longer is a class of its own.
LIMITS = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4),
    timedelta(days=1),
)  # fmt: skip
#: Where documents seem to be booked this long after they were read, the source keeps Danish time.
_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Day:
    """Documents issued on a day, by ``PARTS``."""

    day: date
    parts: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Times:
    """How long some documents took, the quickest first."""

    sorted: list[timedelta]

    def within(self, percent: int) -> timedelta | None:
        """The time within which so many of a hundred arrived; None without any."""
        if not self.sorted:
            return None
        return self.sorted[max(0, -(-len(self.sorted) * percent // 100) - 1)]

    @property
    def classes(self) -> list[int]:
        """Documents by ``LIMITS``, and last those that took longer."""
        found = [0] * (len(LIMITS) + 1)
        for one in self.sorted:
            found[bisect_left(LIMITS, one)] += 1
        return found


@dataclass(frozen=True, slots=True)
class OfGateway:
    """What went through one gateway."""

    gateway_id: str
    name: str
    is_test: bool
    parts: dict[str, int]
    """Documents by ``PARTS``"""
    times: Times

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Flow:
    """Documents issued from ``first_day`` to ``last_day``."""

    first_day: date
    last_day: date
    days: list[Day]
    """Every day of the period, oldest first"""
    times: Times
    """From booking in the source to arrival"""
    since_booking: bool
    """False where nothing that was booked since the adaptor was made has arrived: then ``times`` are since reading"""
    is_sampled: bool
    """Whether ``times`` are of the newest ``SAMPLE`` arrivals only"""
    gateways: list[OfGateway]
    """Those that anything went through, most documents first"""

    @property
    def parts(self) -> dict[str, int]:
        """Documents by ``PARTS``."""
        return {part: sum(one.parts[part] for one in self.days) for part in PARTS}


#: What was counted, and when, by adaptors: a hundred thousand documents a month take a third of a second.
_kept: dict[tuple[str, ...], tuple[datetime, Flow]] = {}


def of_adaptors(adaptor_ids: Sequence[str]) -> Flow:
    """The flow of these adaptors, which must be the reader's; at most ``FRESH`` old."""
    key, now = tuple(adaptor_ids), utcnow()
    made_at, found = _kept.get(key, (None, None))
    if found is None or made_at is None or now - made_at > FRESH:
        found = count(adaptor_ids, now.astimezone(_DENMARK).date())
        for old in [one for one, (at, _flow) in list(_kept.items()) if now - at > FRESH]:
            _kept.pop(old, None)
        _kept[key] = now, found
    return found


def count(adaptor_ids: Sequence[str], last: date) -> Flow:
    """The flow until this day, counted now."""
    first = last - timedelta(days=DAYS - 1)
    arrivals = _arrivals(adaptor_ids, first)
    taken = _since_booking(arrivals)
    since_booking = bool(taken)
    taken = taken or [(row.gateway_id, row.arrived_at - row.created_at) for row in arrivals]
    return Flow(
        first, last, _days(adaptor_ids, first, last), _times(taken), since_booking, len(arrivals) == SAMPLE,
        _gateways(adaptor_ids, first, taken),
    )  # fmt: skip


def _part(status: str) -> str:
    return next((name for name, statuses in GROUPS.items() if status in statuses), "rest")


def _days(adaptor_ids: Sequence[str], first: date, last: date) -> list[Day]:
    days = {first + timedelta(days=n): dict.fromkeys(PARTS, 0) for n in range((last - first).days + 1)}
    counted = (
        select(Tally.day, Tally.status, func.sum(Tally.documents))
        .where(Tally.adaptor_id.in_(adaptor_ids), Tally.day >= first, Tally.day <= last)
        .group_by(Tally.day, Tally.status)
    )
    for day, status, documents in db.session.execute(counted):
        days[day][_part(status)] += int(documents)
    return [Day(day, parts) for day, parts in days.items()]


def _arrivals(adaptor_ids: Sequence[str], first: date) -> list[Any]:
    """The newest documents that have arrived: ``gateway_id``, ``approved_at``, ``created_at``, ``since``, ``arrived_at``."""
    newest = (
        select(Document.id)
        .where(Document.adaptor_id.in_(adaptor_ids), Document.status.in_(sorted(GROUPS["arrived"])), Document.issue_date >= first)
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(SAMPLE)
        .subquery()
    )  # fmt: skip
    # A receipt that comes later moves ``finished_at``; what a file of receipts told may have none of its own.
    proof = select(func.min(Receipt.created_at)).where(Receipt.delivery_id == Delivery.id).scalar_subquery()
    found = db.session.execute(
        select(
            Document.gateway_id, Document.approved_at, Document.created_at, Adaptor.created_at.label("since"),
            func.coalesce(proof, Delivery.finished_at).label("arrived_at"),
        )
        .join(newest, newest.c.id == Document.id)
        .join(Delivery, Delivery.id == Document.delivery_id)
        .join(Adaptor, Adaptor.id == Document.adaptor_id)
    )  # fmt: skip
    return [row for row in found if row.arrived_at]


#: A gateway, and how long a document took that went through it.
Taken = tuple[str, timedelta]


def _since_booking(arrivals: Sequence[Any]) -> list[Taken]:
    """Of what was booked since the adaptor was made: the rest could not be sent in time."""
    timed = [row for row in arrivals if row.approved_at]
    booked = [datetime.fromisoformat(row.approved_at) for row in timed]
    zone = _zone(timed, booked)
    moments = [one if one.tzinfo else one.replace(tzinfo=zone) for one in booked]
    return [
        (row.gateway_id, row.arrived_at - moment)
        for row, moment in zip(timed, moments, strict=True)
        if moment >= row.since
    ]


def _zone(timed: Sequence[Any], booked: Sequence[datetime]) -> tzinfo:
    """Of times that the source gives without one: UTC, unless documents would have been booked after they were read."""
    pairs = zip(timed, booked, strict=True)
    is_ahead = any(one.tzinfo is None and one.replace(tzinfo=UTC) > row.created_at + _SLACK for row, one in pairs)
    return _DENMARK if is_ahead else UTC


def _times(taken: Iterable[Taken], gateway_id: str | None = None) -> Times:
    """Of one gateway, or of all."""
    return Times(sorted(max(time, timedelta(0)) for which, time in taken if gateway_id in (None, which)))


def _gateways(adaptor_ids: Sequence[str], first: date, taken: Sequence[Taken]) -> list[OfGateway]:
    counted = (
        select(Document.gateway_id, Document.status, func.count())
        .where(Document.adaptor_id.in_(adaptor_ids), Document.issue_date >= first, Document.gateway_id.is_not(None))
        .group_by(Document.gateway_id, Document.status)
    )
    parts: dict[str, dict[str, int]] = {}
    for gateway_id, status, documents in db.session.execute(counted):
        parts.setdefault(str(gateway_id), dict.fromkeys(PARTS, 0))[_part(status)] += documents
    rows = db.session.scalars(select(Gateway).where(Gateway.id.in_(parts)))
    found = [
        OfGateway(row.id, row.name, row.environment is Environment.TEST, parts[row.id], _times(taken, row.id))
        for row in rows
    ]
    return sorted(found, key=lambda one: (-one.total, one.name))
