"""When something is to be done: wishes in local time, and the moments at which they come true.

A wish of the clock on the wall comes true once. One that daylight saving leaves out (02:30 in the spring) comes true
right after the gap; one that is there twice (02:30 in the autumn), the first time. What is wished every hour or
every N minutes follows real time instead, so that it neither pauses nor doubles in those nights.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from heapq import heappop, heappush
from itertools import takewhile
from typing import Any, Protocol

LAST_DAY, LAST_WEEKDAY = "last", "last-weekday"
#: A wish that does not come within ten years never comes: the longest wait of a calendar is eight, for a 29 February.
HORIZON = timedelta(days=3_660)
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_SATURDAY = 5


class Kind(StrEnum):
    """How a person says when."""

    INTERVAL = "interval"
    """every N minutes"""
    HOURLY = "hourly"
    """at a minute of each hour"""
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    """Monday to Friday"""
    WEEKLY = "weekly"
    """on chosen days"""
    MONTHLY = "monthly"
    CRON = "cron"


class Holidays(StrEnum):
    """What becomes of a wish that falls on a bank holiday."""

    RUN = "run"
    SKIP = "skip"
    NEXT = "next"
    """on the next working day instead, as a day of the month that is a weekend (``Plan.moves_weekends``); what runs every
    hour or more often is skipped, because it runs then anyway"""


class CatchUp(StrEnum):
    """What is done about wishes that nobody could fulfil, because the machine was down."""

    ONCE = "once"
    """one run for all of them"""
    NEVER = "never"
    LATE = "late"
    """one run, where the newest of them is not older than some hours"""


class Verdict(StrEnum):
    """What becomes of wishes whose time has come."""

    START = "start"
    HOLIDAY = "holiday"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Timing:
    """The wish itself. Only the fields of its kind count."""

    kind: Kind
    minutes: int = 0
    """Between two of ``INTERVAL``"""
    minute: int = 0
    """Of each hour, of ``HOURLY``"""
    times: tuple[time, ...] = ()
    """Of the day, ascending"""
    weekdays: tuple[int, ...] = ()
    """Of ``WEEKLY``, ascending; 0 is Monday"""
    month_day: str = ""
    """``1`` to ``31``, where short months have their last day instead, ``LAST_DAY`` or ``LAST_WEEKDAY`` (Monday to Friday)"""
    cron: str = ""
    """Five fields"""

    @property
    def follows_real_time(self) -> bool:
        """Whether it is wished by the hour or more often, whatever the clock on the wall does."""
        by_the_hour = self.kind is Kind.CRON and self.cron.split()[1] == "*"
        return by_the_hour or self.kind in (Kind.INTERVAL, Kind.HOURLY)

    @property
    def is_by_date(self) -> bool:
        """Whether it is wished on a day of the month, which falls on any day of the week."""
        if self.kind is not Kind.CRON:
            return self.kind is Kind.MONTHLY
        _minute, _hour, day, _month, weekday = self.cron.split()
        return not day.startswith("*") and weekday == "*"

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "kind": self.kind.value, "minutes": self.minutes, "minute": self.minute,
            "times": [at.isoformat("minutes") for at in self.times], "weekdays": list(self.weekdays),
            "month_day": self.month_day, "cron": self.cron,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Timing:
        """The reverse of ``to_json``."""
        values = dict(stored)
        values["kind"] = Kind(values["kind"])
        values["times"] = tuple(time.fromisoformat(at) for at in values["times"])
        values["weekdays"] = tuple(values["weekdays"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Plan:
    """A wish in its time zone."""

    timing: Timing
    zone: tzinfo
    holidays: Holidays = Holidays.RUN
    anchor: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    """From which ``INTERVAL`` counts"""

    @property
    def moves(self) -> bool:
        """Whether a wish on a holiday comes true on a later day."""
        return self.holidays is Holidays.NEXT and not self.timing.follows_real_time

    @property
    def moves_weekends(self) -> bool:
        """Whether the same holds for Saturdays and Sundays: nobody chose those who chose a day of the month."""
        return self.moves and self.timing.is_by_date


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """A moment at which a wish comes true, or would if it were no holiday."""

    at: datetime
    """UTC"""
    is_holiday: bool = False
    """It is passed over"""
    wished: time | None = None
    """What the clock on the wall was to show, where that time does not exist on the day"""


class Calendar(Protocol):
    """What needs a library: which days are holidays, and how cron expressions are read."""

    def is_holiday(self, day: date) -> bool:
        """Whether banks are closed on a day that is no weekend."""

    def cron(self, expression: str, start: datetime) -> Iterator[datetime]:
        """The local times of an expression, from ``start`` on (without zone), ascending."""


def tolerance(catch_up: CatchUp, hours: int | None, grace: timedelta) -> timedelta | None:
    """How late a wish may be fulfilled; None for however late. ``grace`` is what counts as on time."""
    if catch_up is CatchUp.ONCE:
        return None
    return timedelta(hours=hours or 0) if catch_up is CatchUp.LATE else grace


def occurrences(plan: Plan, after: datetime, calendar: Calendar) -> Iterator[Occurrence]:
    """All that come after a moment, strictly ascending; ends at ``HORIZON``."""
    if plan.timing.kind is Kind.INTERVAL:
        yield from _every(plan, after, calendar)
        return
    last, found = after, _unordered(plan, after, calendar)
    # Those whose turn has not come: a holiday's wishes come later, and the hour that is there twice comes again.
    waiting: list[Occurrence] = []
    for earliest, moments in found:
        while waiting and waiting[0].at <= earliest:
            one = heappop(waiting)
            if one.at > last:
                last = one.at
                yield one
        for one in moments:
            heappush(waiting, one)
    while waiting:
        one = heappop(waiting)
        if one.at > last:
            last = one.at
            yield one


def judge(plan: Plan, due: datetime, now: datetime, late: timedelta | None, calendar: Calendar) -> Verdict:
    """What becomes of the wishes from ``due`` until ``now``; ``late`` as ``tolerance`` gives it. One run serves them all."""
    earliest = due if late is None else max(due, now - late)
    if earliest == due and not _is_passed_over(plan, due, calendar):
        return Verdict.START
    passed = takewhile(lambda one: one.at <= now, occurrences(plan, earliest - _INSTANT, calendar))
    if any(not one.is_holiday for one in passed):
        return Verdict.START
    return Verdict.HOLIDAY if earliest == due else Verdict.MISSED


def _is_passed_over(plan: Plan, at: datetime, calendar: Calendar) -> bool:
    if plan.holidays is Holidays.RUN or plan.moves:
        return False
    return calendar.is_holiday(at.astimezone(plan.zone).date())


def _every(plan: Plan, after: datetime, calendar: Calendar) -> Iterator[Occurrence]:
    step = timedelta(minutes=plan.timing.minutes)
    at = plan.anchor + ((after - plan.anchor) // step + 1) * step
    end = after + HORIZON
    while at < end:
        yield Occurrence(at, _is_passed_over(plan, at, calendar))
        at += step


def _unordered(plan: Plan, after: datetime, calendar: Calendar) -> Iterator[tuple[datetime, list[Occurrence]]]:
    """Of each wish the earliest moment that it or a later one can have, and its moments."""
    start = _start(plan, after, calendar)
    end = start + HORIZON
    for wish in takewhile(lambda wish: wish < end, _wishes(plan.timing, start, calendar)):
        earliest, is_missing = _moment(wish, plan.zone)
        if _is_moved(plan, wish.date(), calendar):
            moved = datetime.combine(_next_working_day(wish.date(), calendar), wish.time())
            yield earliest, [_once(moved, plan, calendar)]
        elif not plan.timing.follows_real_time:
            yield earliest, [_once(wish, plan, calendar)]
        elif not is_missing:
            again = wish.replace(tzinfo=plan.zone, fold=1).astimezone(UTC)
            moments = sorted({earliest, again})
            yield earliest, [Occurrence(at, _is_passed_over(plan, at, calendar)) for at in moments]


def _is_moved(plan: Plan, day: date, calendar: Calendar) -> bool:
    if plan.moves_weekends:
        return not _is_working_day(day, calendar)
    return plan.moves and calendar.is_holiday(day)


def _once(wish: datetime, plan: Plan, calendar: Calendar) -> Occurrence:
    at, is_missing = _moment(wish, plan.zone)
    return Occurrence(at, _is_passed_over(plan, at, calendar), wish.time() if is_missing else None)


def _moment(wish: datetime, zone: tzinfo) -> tuple[datetime, bool]:
    """The first moment at which the clock on the wall shows a time, or has gone past it; whether it never shows it."""
    at = wish.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wish:
        return at, False
    # PEP 495: in a gap, fold 1 lies before it and fold 0 after it. In between is the moment at which the clock jumps.
    before, behind = wish.replace(tzinfo=zone, fold=1).astimezone(UTC), at
    offset = before.astimezone(zone).utcoffset()
    while behind - before > timedelta(seconds=1):
        middle = (before + (behind - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            behind = middle
    return behind, True


def _start(plan: Plan, after: datetime, calendar: Calendar) -> datetime:
    """The local time from which wishes can come true after a moment."""
    # Before the clock is set back, times that it has passed already come again.
    local = min(
        after.astimezone(plan.zone).replace(tzinfo=None),
        (after + _DAY).astimezone(plan.zone).replace(tzinfo=None) - _DAY,
    )
    if not plan.moves:
        return local
    # The wishes of the days off until now may have been moved to after it.
    day = first = local.date()
    while not _is_working_day(first - _DAY, calendar):
        first -= _DAY
    return local if first == day and _is_working_day(day, calendar) else datetime.combine(first, time.min)


def _is_working_day(day: date, calendar: Calendar) -> bool:
    return day.weekday() < _SATURDAY and not calendar.is_holiday(day)


def _next_working_day(day: date, calendar: Calendar) -> date:
    while not _is_working_day(day, calendar):
        day += _DAY
    return day


def _wishes(timing: Timing, start: datetime, calendar: Calendar) -> Iterator[datetime]:
    """Local times without zone, ascending, from ``start`` on."""
    if timing.kind is Kind.CRON:
        yield from calendar.cron(timing.cron, start)
        return
    times = timing.times
    if timing.kind is Kind.HOURLY:
        times = tuple(time(hour, timing.minute) for hour in range(24))
    day = start.date()
    while True:
        if _is_chosen(timing, day):
            yield from (wish for at in times if (wish := datetime.combine(day, at)) >= start)
        day += _DAY


def _is_chosen(timing: Timing, day: date) -> bool:
    match timing.kind:
        case Kind.WEEKDAYS:
            return day.weekday() < _SATURDAY
        case Kind.WEEKLY:
            return day.weekday() in timing.weekdays
        case Kind.MONTHLY:
            return day.day == _day_of_month(timing.month_day, day)
        case _:
            return True


def _day_of_month(wanted: str, day: date) -> int:
    _, length = monthrange(day.year, day.month)
    if wanted == LAST_WEEKDAY:
        return length - max(day.replace(day=length).weekday() - _SATURDAY + 1, 0)
    return length if wanted == LAST_DAY else min(int(wanted), length)
