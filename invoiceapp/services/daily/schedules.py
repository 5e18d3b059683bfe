"""Schedules: what is stored of them, and what may be asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, delete, exists, func, or_, select

from invoiceapp.domain.schedules import Occurrence, Plan, Timing, occurrences, tolerance
from invoiceapp.models import Adaptor, Outcome, Schedule, ScheduleRun, db, new_id, utcnow
from invoiceapp.services.configuration import environments, versions
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people.access import NotYours

from .calendar import CALENDAR
from .schedule_input import NEVER_RUNS, Wanted, day_of_pause

#: A due time that is not older than this is on time: a restart of the machine is no downtime.
GRACE = timedelta(minutes=10)
_INSTANT = timedelta(microseconds=1)


def zone_of(row: Schedule | Wanted) -> tzinfo:
    """Its time zone. Where the system's data no longer has that: UTC under its name, to show what was, and no ``ZoneInfo``."""
    try:
        return ZoneInfo(row.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return timezone(timedelta(), row.time_zone)


def _is_gone(zone: tzinfo) -> bool:
    """Whether nothing is due until somebody chooses another one."""
    return not isinstance(zone, ZoneInfo)


def plan_of(row: Schedule | Wanted) -> Plan:
    """The wish behind a row, or behind a form that was found good."""
    timing = row.timing if isinstance(row.timing, Timing) else Timing.from_json(row.timing)
    return Plan(timing, zone_of(row), row.holidays, row.anchor_at)


def late(row: Schedule) -> timedelta | None:
    """How late one of its due times may start a run; None for however late."""
    return tolerance(row.catch_up, row.catch_up_hours, GRACE)


def is_paused(row: Schedule, now: datetime | None = None) -> bool:
    """Whether nobody is to run it now."""
    now = now or utcnow()
    return not row.active or _when_resumed(row, now) != now


def _when_resumed(row: Schedule, after: datetime) -> datetime:
    """A moment, or the last one of a pause that lasts longer."""
    if row.paused_until is None:
        return after
    return max(after, datetime.combine(row.paused_until, time.min, zone_of(row)).astimezone(UTC) - _INSTANT)


def next_after(row: Schedule, after: datetime) -> datetime | None:
    """Its first due time after a moment and its pause; holidays that are passed over are due times too."""
    plan = plan_of(row)
    if not row.active or _is_gone(plan.zone):
        return None
    found = occurrences(plan, _when_resumed(row, after), CALENDAR)
    return next((one.at for one in found), None)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One of the next runs as a page shows it."""

    at: datetime
    """In the schedule's own zone"""
    change: int
    """Hours that the clock was set forward since the one before (negative: back); 0 mostly"""
    wished: time | None
    """The time of day that does not exist then, because of that"""


def upcoming(row: Schedule | Wanted, count: int = 5, now: datetime | None = None) -> list[Upcoming]:
    """Its next runs; none while it is paused until somebody resumes it."""
    now = now or utcnow()
    if isinstance(row, Schedule):
        if not row.active:
            return []
        now = _when_resumed(row, now)
    plan = plan_of(row)
    if _is_gone(plan.zone):
        return []
    open_ones = (one for one in occurrences(plan, now, CALENDAR) if not one.is_holiday)
    return list(_with_changes(plan, now, islice(open_ones, count)))


def _with_changes(plan: Plan, now: datetime, found: Iterable[Occurrence]) -> Iterator[Upcoming]:
    offset = now.astimezone(plan.zone).utcoffset() or timedelta()
    for one in found:
        at = one.at.astimezone(plan.zone)
        before, offset = offset, at.utcoffset() or timedelta()
        yield Upcoming(at, round((offset - before) / timedelta(hours=1)), one.wished)


def of_adaptor(adaptor_id: str) -> list[Schedule]:
    """All of an adaptor, oldest first."""
    return list(db.session.scalars(select(Schedule).where(Schedule.adaptor_id == adaptor_id).order_by(Schedule.id)))


def is_scheduled(adaptor_id: str) -> bool:
    """Whether documents of the adaptor are exported without anybody starting it."""
    return next_due(adaptor_id) is not None


def scheduled() -> ColumnElement[bool]:
    """``is_scheduled`` for queries that have ``Adaptor``."""
    return exists().where(Schedule.adaptor_id == Adaptor.id, Schedule.next_at.is_not(None))


def next_due(adaptor_id: str) -> datetime | None:
    """The next due time of the adaptor; None where it has no schedule, or all are paused."""
    return db.session.scalar(select(func.min(Schedule.next_at)).where(Schedule.adaptor_id == adaptor_id))


def outcomes(row: Schedule, count: int = 5) -> list[ScheduleRun]:
    """Its newest due times with what became of each."""
    newest = select(ScheduleRun).where(ScheduleRun.schedule_id == row.id).order_by(ScheduleRun.due_at.desc())
    return list(db.session.scalars(newest.limit(count)))


@dataclass(frozen=True, slots=True)
class Overdue:
    """A due time at which a run should have begun and did not."""

    schedule: Schedule
    due_at: datetime
    outcome: Outcome | None
    """``MISSED``; None where nobody has seen to it yet"""


def overdue(now: datetime) -> list[Overdue]:
    """Of each schedule of an adaptor that works its newest due time, where that has begun no run."""
    working = select(Adaptor.id).where(Adaptor.active, Adaptor.deleted_at.is_(None))
    unclaimed = select(Schedule).where(Schedule.next_at < now - GRACE, Schedule.adaptor_id.in_(working))
    found = {row.id: Overdue(row, row.next_at, None) for row in db.session.scalars(unclaimed) if row.next_at}
    newest = select(func.max(ScheduleRun.due_at)).where(ScheduleRun.schedule_id == Schedule.id).correlate(Schedule)
    claimed = (
        select(Schedule, ScheduleRun)
        .join(ScheduleRun, ScheduleRun.schedule_id == Schedule.id)
        .where(
            Schedule.adaptor_id.in_(working),
            ScheduleRun.due_at == newest.scalar_subquery(),
            or_(
                ScheduleRun.outcome == Outcome.MISSED,
                ScheduleRun.outcome.is_(None) & (ScheduleRun.due_at < now - GRACE),
            ),
        )
    )
    for row, claim in db.session.execute(claimed):
        found.setdefault(row.id, Overdue(row, claim.due_at, claim.outcome))
    return list(found.values())


def values(row: Schedule) -> dict[str, object]:
    """What its form shows, for ``version``."""
    return {
        "timing": row.timing, "zone": row.time_zone, "holidays": row.holidays.value, "catch_up": row.catch_up.value,
        "hours": row.catch_up_hours,
    }  # fmt: skip


def version(row: Schedule) -> str:
    """For the hidden field ``version``."""
    return versions.version(values(row))


def add(adaptor_id: str, wanted: Wanted) -> Schedule:
    """A new schedule. Raises ``InvalidInput`` where it would never run, ``AdaptorDeleted``."""
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        environments.require_kept(adaptor)
        return put(adaptor, wanted)


def put(adaptor: Adaptor, wanted: Wanted, *, active: bool = True, paused_until: date | None = None) -> Schedule:
    """``add`` inside the caller's transaction."""
    now = utcnow()
    row = Schedule(
        id=new_id(), subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, anchor_at=wanted.anchor_at,
        active=active, paused_until=paused_until, created_at=now,
    )  # fmt: skip
    _apply(row, wanted, now)
    db.session.add(row)
    return row


def save(schedule_id: str, wanted: Wanted, *, shown: str | None = None) -> Schedule:
    """Make a schedule another one; ``shown`` is ``version`` when the form was made.

    Raises ``InvalidInput`` where it would never run, ``ChangedMeanwhile``, ``AdaptorDeleted``, ``NotYours`` where it is gone.
    """
    with transaction():
        row = _locked(schedule_id)
        before = values(row)
        if row.timing != wanted.timing.to_json():
            row.anchor_at = wanted.anchor_at
        _apply(row, wanted, utcnow())
        if values(row) != before:
            versions.require(shown, before)
        return row


def _apply(row: Schedule, wanted: Wanted, now: datetime) -> None:
    row.timing, row.time_zone = wanted.timing.to_json(), wanted.time_zone
    row.holidays, row.catch_up, row.catch_up_hours = wanted.holidays, wanted.catch_up, wanted.catch_up_hours
    row.next_at = next_after(row, now)
    if not upcoming(wanted, 1, now):
        raise InvalidInput({_MEANT_BY.get(wanted.timing.kind.value, "times"): NEVER_RUNS})


#: The field that a schedule which never runs must be mended in.
_MEANT_BY = {"cron": "cron", "interval": "minutes", "hourly": "minute"}


def _locked(schedule_id: str) -> Schedule:
    """The row, held until the caller's transaction ends; the adaptor is there still."""
    row = db.session.scalar(
        select(Schedule).where(Schedule.id == schedule_id).with_for_update().execution_options(populate_existing=True)
    )
    if row is None:
        raise NotYours
    environments.require_kept(db.session.get_one(Adaptor, row.adaptor_id))
    return row


def pause(schedule_id: str, until: str) -> Schedule:
    """Run it no more: until a day (ISO 8601), or until somebody resumes it where ``until`` is empty.

    Raises ``InvalidInput`` for the field ``until``, ``NotYours``, ``AdaptorDeleted``.
    """
    with transaction():
        row = _locked(schedule_id)
        row.paused_until = day_of_pause(until, utcnow().astimezone(zone_of(row)).date())
        row.active = row.paused_until is not None
        row.next_at = next_after(row, utcnow())
        return row


def resume(schedule_id: str) -> None:
    """Run it again, from its next time on. Raises ``NotYours``, ``AdaptorDeleted``."""
    with transaction():
        row = _locked(schedule_id)
        row.active, row.paused_until = True, None
        row.next_at = next_after(row, utcnow())


def remove(schedule_id: str) -> None:
    """Delete a schedule with its due times; its runs stay. Raises ``NotYours``, ``AdaptorDeleted``."""
    with transaction():
        drop([_locked(schedule_id).id])


def drop(ids: Iterable[str]) -> None:
    """``remove`` inside the caller's transaction."""
    wanted = sorted(ids)
    # First, so that no clock can claim one in between.
    db.session.execute(select(Schedule.id).where(Schedule.id.in_(wanted)).order_by(Schedule.id).with_for_update()).all()
    db.session.execute(delete(ScheduleRun).where(ScheduleRun.schedule_id.in_(wanted)))
    db.session.execute(delete(Schedule).where(Schedule.id.in_(wanted)))
