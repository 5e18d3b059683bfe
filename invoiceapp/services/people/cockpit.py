"""All subscriptions of a person at a glance: how each one is, and what needs somebody next.

The same few statements for one subscription and for hundreds. Only what the person may see of each one counts.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import aliased

from invoiceapp.domain import permissions
from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Person
from invoiceapp.models import (
    Adaptor,
    Delivery,
    ExportRule,
    Gateway,
    Membership,
    Problem,
    Run,
    Schedule,
    ScheduleRun,
    Subscription,
    Tally,
    db,
    utcnow,
)
from invoiceapp.services.configuration import expiries
from invoiceapp.services.daily import health
from invoiceapp.services.daily.listing import GROUPS
from invoiceapp.services.export import standing

from . import access

#: Issue dates of what has "arrived of late".
RECENT = timedelta(days=7)
#: A source that has not been read for so long is worth a look.
OLD = timedelta(days=7)
#: Seconds after which a page is made anew whatever happened (as ``blueprints/main/freshness.py``).
_OLDEST = 60

_OLD = Text("Intet er hentet i mere end en uge; sidst", "Nothing was read for more than a week; last")


class Light(StrEnum):
    """How well, worst first."""

    RED = "red"
    """somebody has to act"""
    AMBER = "amber"
    """works; somebody should know"""
    GREEN = "green"
    REST = "rest"
    """nothing is at work: no adaptor, or all are switched off"""


_RANK = {light: rank for rank, light in enumerate(Light)}


@dataclass(frozen=True, slots=True)
class OfAdaptor:
    """One adaptor that the person may see."""

    adaptor: Adaptor
    light: Light
    person: int
    progress: int
    arrived: int
    """Issued within ``RECENT``"""
    exported_at: datetime | None
    problem: Problem | None
    """The first that is open"""
    line: health.Line | None
    """What is not well beside the documents, the worst"""
    may_see_line: bool = True
    """Whether the person may open the gateway that ``line`` is about"""

    @property
    def rank(self) -> tuple[int, int, int]:
        """Worst first. Documents that wait come before what is only late."""
        return (_RANK[self.light], -bool(self.person or self.problem), -self.person)


@dataclass(frozen=True, slots=True)
class OfSubscription:
    """One subscription, as far as the person may see it."""

    subscription: Subscription
    adaptors: tuple[OfAdaptor, ...] = ()
    """Worst first"""

    @property
    def worst(self) -> OfAdaptor | None:
        """The adaptor to look at first."""
        return self.adaptors[0] if self.adaptors else None

    @property
    def light(self) -> Light:
        """The worst adaptor's."""
        return self.worst.light if self.worst else Light.REST

    @property
    def person(self) -> int:
        """Documents that wait for somebody."""
        return sum(one.person for one in self.adaptors)

    @property
    def progress(self) -> int:
        """Documents on the way."""
        return sum(one.progress for one in self.adaptors)

    @property
    def arrived(self) -> int:
        """Documents issued within ``RECENT`` that have arrived."""
        return sum(one.arrived for one in self.adaptors)

    @property
    def exported_at(self) -> datetime | None:
        """When something was sent last."""
        return max((one.exported_at for one in self.adaptors if one.exported_at), default=None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person may see: their subscriptions, with the adaptors of each that are open to them."""

    memberships: Sequence[Membership]
    adaptors: dict[str, list[Adaptor]] = field(default_factory=dict)
    """By subscription"""

    @property
    def adaptor_ids(self) -> list[str]:
        """Of all subscriptions."""
        return [one.id for found in self.adaptors.values() for one in found]


def person_of(row: Membership) -> Person:
    """A member, as permissions see them there."""
    return Person(row.user_id, row.role, frozenset(group.id for group in row.groups))


def seen(memberships: Sequence[Membership], name: str = "") -> Seen:
    """Of these memberships, which must give access; only subscriptions with ``name`` in their name, in any case."""
    wanted = name.strip().casefold()
    kept = [row for row in memberships if wanted in row.subscription.name.casefold()]
    people = {row.subscription_id: person_of(row) for row in kept}
    found: dict[str, list[Adaptor]] = {row.subscription_id: [] for row in kept}
    query = select(Adaptor).where(Adaptor.subscription_id.in_(people), Adaptor.deleted_at.is_(None))
    for adaptor in db.session.scalars(query.order_by(Adaptor.id)):
        if access.standing(adaptor, people[adaptor.subscription_id]) is not None:
            found[adaptor.subscription_id].append(adaptor)
    return Seen(kept, found)


def not_set_up(shown: Seen) -> frozenset[str]:
    """Ids of the subscriptions without any adaptor where the person may activate the first."""
    mine = [row.subscription_id for row in shown.memberships if row.role in permissions.ADMINISTRATORS]
    has_some = select(Adaptor.subscription_id).where(Adaptor.subscription_id.in_(mine), Adaptor.deleted_at.is_(None))
    return frozenset(mine) - frozenset(db.session.scalars(has_some.distinct()))


def version(shown: Seen) -> str:
    """Changes when the page would, told from few rows: most polls need no more. Ask it before ``lines``."""
    ids = shown.adaptor_ids
    moves = select(func.count(), func.max(Tally.id), func.sum(Tally.id)).where(Tally.adaptor_id.in_(ids))
    opened = select(func.count(), func.max(Problem.id), func.max(Problem.changed_at)).where(
        Problem.adaptor_id.in_(ids), Problem.resolved_at.is_(None)
    )
    parts = (
        [(row.subscription_id, row.subscription.name) for row in shown.memberships],
        [
            (one.id, one.name, one.active, one.source_error, bool(one.organization))
            for found in shown.adaptors.values()
            for one in found
        ],
        tuple(db.session.execute(moves).one()),
        tuple(db.session.execute(opened).one()),
        int(time.time() // _OLDEST),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def lines(shown: Seen, workers: health.Line) -> list[OfSubscription]:
    """One for each subscription, worst first, then by name. ``workers``: ``health.workers()``, which only counts where
    nothing is done any more.
    """
    if workers.level is not health.Level.BAD:
        workers = health.Line(workers.part, "", health.Level.GOOD, workers.text)
    rows = _Rows(shown)
    made = []
    for member in shown.memberships:
        found = [rows.of(one, person_of(member), workers) for one in shown.adaptors[member.subscription_id]]
        made.append(OfSubscription(member.subscription, tuple(sorted(found, key=lambda one: one.rank))))
    # What is nobody's problem, such as background work that is down, sorts after what is somebody's.
    return sorted(
        made,
        key=lambda one: (
            *(one.worst.rank if one.worst else (_RANK[Light.REST], 0, 0)),
            one.subscription.name.casefold(),
        ),
    )


class _Rows:
    """What is read for all adaptors at once."""

    def __init__(self, shown: Seen) -> None:
        self.ids = shown.adaptor_ids
        self.now = utcnow()
        self.counts, self.recent = _tallies(self.ids, self.now.date() - RECENT)
        self.problems = {row.adaptor_id: row for row in db.session.scalars(_first_problems(self.ids))}
        self.schedules = defaultdict[str, list[Schedule]](list)
        for schedule in db.session.scalars(select(Schedule).where(Schedule.adaptor_id.in_(self.ids))):
            self.schedules[schedule.adaptor_id].append(schedule)
        self.claims = {row[0].adaptor_id: row for row in db.session.execute(_newest_claims(self.ids))}
        self.exported: dict[str, datetime | None] = dict(db.session.execute(_exported(self.ids)).all())
        gateways = select(Gateway).where(Gateway.subscription_id.in_(shown.adaptors))
        self.gateways = {row.id: row for row in db.session.scalars(gateways)}
        self.in_use = defaultdict[str, set[str]](set)
        rules = select(ExportRule.adaptor_id, ExportRule.gateway_id).distinct()
        for adaptor_id, gateway_id in db.session.execute(
            rules.where(ExportRule.adaptor_id.in_(self.ids), ExportRule.active, ExportRule.gateway_id.is_not(None))
        ):
            self.in_use[adaptor_id].add(gateway_id)

    def of(self, adaptor: Adaptor, person: Person, workers: health.Line) -> OfAdaptor:
        """How one adaptor is."""
        counts, recent = self.counts[adaptor.id], self.recent[adaptor.id]
        waiting, problem = _sum(counts, "person"), self.problems.get(adaptor.id)
        line = _worst([*self._health(adaptor), workers]) if standing.is_working(adaptor) else None
        gateway = self.gateways.get(line.row_id or "") if line else None
        return OfAdaptor(
            adaptor, _light(adaptor, line, is_stopped=bool(waiting or problem)), waiting, _sum(counts, "progress"),
            _sum(recent, "arrived"), self.exported.get(adaptor.id), problem, line,
            gateway is None or access.standing(gateway, person) is not None,
        )  # fmt: skip

    def _health(self, adaptor: Adaptor) -> Iterable[health.Line]:
        yield health.source(adaptor)
        schedules = self.schedules[adaptor.id]
        _claim, run = self.claims.get(adaptor.id) or (None, None)
        line = health.schedule(adaptor, "", schedules, _claim, run)
        # Somebody wanted it so, but an accountant wants to know.
        yield _watched(line) if schedules and line.level is health.Level.REST else line
        if adaptor.organization and adaptor.source_checked_at and self.now - adaptor.source_checked_at > OLD:
            yield health.Line(
                health.Part.SOURCE, "", health.Level.WATCH, _OLD, since=adaptor.source_checked_at, row_id=adaptor.id
            )
        for gateway_id in sorted({*self.in_use[adaptor.id], *filter(None, [adaptor.default_gateway_id])}):
            gateway = self.gateways[gateway_id]
            trouble = health.gateway_trouble(gateway)
            if trouble is not None:
                yield trouble
            ending = next((one for one in expiries.endings(gateway, self.now) if one.level is not None), None)
            if ending is not None:
                yield health.expiry(ending)


def _watched(line: health.Line) -> health.Line:
    return health.Line(line.part, line.name, health.Level.WATCH, line.text, line.advice, line.since, line.row_id)


def _worst(found: Iterable[health.Line]) -> health.Line | None:
    """The first of the worst level; None where all is well."""
    by_level: dict[health.Level, health.Line] = {}
    for one in found:
        by_level.setdefault(one.level, one)
    return by_level.get(health.Level.BAD) or by_level.get(health.Level.WATCH)


def _light(adaptor: Adaptor, line: health.Line | None, *, is_stopped: bool) -> Light:
    if is_stopped or (line is not None and line.level is health.Level.BAD):
        return Light.RED
    if not standing.is_working(adaptor):
        return Light.REST
    return Light.AMBER if line is not None else Light.GREEN


def _sum(counts: Counter[str], group: str) -> int:
    return sum(counts[status] for status in GROUPS[group])


def _tallies(ids: Sequence[str], since: date) -> tuple[defaultdict[str, Counter[str]], defaultdict[str, Counter[str]]]:
    """Documents by adaptor and status: all, and those issued since then."""
    late = func.sum(case((Tally.day >= since, Tally.documents), else_=0))
    every: defaultdict[str, Counter[str]] = defaultdict(Counter)
    recent: defaultdict[str, Counter[str]] = defaultdict(Counter)
    query = select(Tally.adaptor_id, Tally.status, func.sum(Tally.documents), late).where(Tally.adaptor_id.in_(ids))
    for adaptor_id, status, documents, of_late in db.session.execute(query.group_by(Tally.adaptor_id, Tally.status)):
        every[adaptor_id][status], recent[adaptor_id][status] = documents, of_late
    return every, recent


def _first_problems(ids: Sequence[str]) -> Any:
    """Of each adaptor the problem that its list shows first (``problems.of_adaptors``)."""
    place = func.row_number().over(
        partition_by=Problem.adaptor_id, order_by=(Problem.level, Problem.documents.desc(), Problem.id)
    )
    placed = (
        select(Problem.id, place.label("place"))
        .where(Problem.adaptor_id.in_(ids), Problem.resolved_at.is_(None))
        .subquery()
    )
    return select(Problem).join(placed, placed.c.id == Problem.id).where(placed.c.place == 1)


def _newest_claims(ids: Sequence[str]) -> Any:
    """Of each adaptor the newest due time that was seen to, with its run; found along an index."""
    other = aliased(ScheduleRun)
    newest = (
        select(other.id)
        .where(other.adaptor_id == Adaptor.id, other.outcome.is_not(None))
        .order_by(other.due_at.desc())
        .limit(1)
        .correlate(Adaptor)
        .scalar_subquery()
    )
    return (
        select(ScheduleRun, Run)
        .select_from(Adaptor)
        .join(ScheduleRun, ScheduleRun.id == newest)
        .outerjoin(Run, Run.id == ScheduleRun.run_id)
        .where(Adaptor.id.in_(ids))
    )


def _exported(ids: Sequence[str]) -> Any:
    """Of each adaptor when its newest delivery that has left did so; found along an index."""
    newest = (
        select(Delivery.first_sent_at)
        .where(
            Delivery.subscription_id == Adaptor.subscription_id,
            Delivery.adaptor_id == Adaptor.id,
            Delivery.first_sent_at.is_not(None),
        )
        .order_by(Delivery.id.desc())
        .limit(1)
        .correlate(Adaptor)
        .scalar_subquery()
    )
    return select(Adaptor.id, newest).where(Adaptor.id.in_(ids))
