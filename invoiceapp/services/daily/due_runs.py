"""From a due time to its run.

The clock claims: one short transaction for a hundred schedules inserts their due times, where nobody has done so before,
and computes when they are due next. Workers start: run and outcome are one transaction, so that a worker that dies
leaves the claim open, and the clock rings for it again.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.schedules import Verdict, judge
from invoiceapp.models import ACTIVE_RUNS, Adaptor, Outcome, Run, Schedule, ScheduleRun, db, new_id, utcnow
from invoiceapp.services import bell
from invoiceapp.services.database import transaction
from invoiceapp.services.export import run_queue, standing

from . import schedules
from .calendar import CALENDAR

log = logging.getLogger(__name__)

BATCH = 100
#: What a tick claims at most, so that it stays short: the next one is five seconds away.
MOST_BATCHES = 20
#: How long due times are kept to be shown.
KEPT = timedelta(days=60)
_OUTCOMES = {Verdict.START: None, Verdict.HOLIDAY: Outcome.HOLIDAY, Verdict.MISSED: Outcome.MISSED}


def claim() -> int:
    """Claim what is due, ``MOST_BATCHES`` at most; how many due times."""
    claimed = 0
    for _ in range(MOST_BATCHES):
        found = _claim_batch(utcnow())
        claimed += found
        if found < BATCH:
            break
    return claimed


def _claim_batch(now: datetime) -> int:
    with transaction() as session:
        due = session.scalars(
            select(Schedule)
            .join(Adaptor, Adaptor.id == Schedule.adaptor_id)
            .where(standing.working(), Schedule.next_at <= now)
            .order_by(Schedule.next_at)
            .limit(BATCH)
            # Another clock takes the others.
            .with_for_update(of=Schedule, skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()
        if not due:
            return 0
        claims, later = [], []
        for row in due:
            outcome, next_at = _judged(row, row.next_at or now, now)
            claims.append(
                {
                    "id": new_id(), "created_at": now, "schedule_id": row.id, "adaptor_id": row.adaptor_id,
                    "due_at": row.next_at or now, "outcome": outcome, "run_id": None,
                }
            )  # fmt: skip
            later.append({"id": row.id, "next_at": next_at})
        session.execute(_insert_new(), claims)
        session.execute(update(Schedule), later)
        old = ScheduleRun.schedule_id.in_([row.id for row in due]) & (ScheduleRun.due_at < now - KEPT)
        session.execute(delete(ScheduleRun).where(old).execution_options(synchronize_session=False))
    return len(due)


def _insert_new() -> Any:
    """A due time that has been claimed stays as it is: a clock that was set back, or a schedule that was changed and changed back."""
    dialect = postgresql if db.session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(ScheduleRun.__table__).on_conflict_do_nothing(index_elements=["schedule_id", "due_at"])


def _judged(row: Schedule, due: datetime, now: datetime) -> tuple[Outcome | None, datetime | None]:
    """What becomes of a due time, and the next one."""
    try:
        # Of one whose zone is gone, the plan is there to be shown only.
        ZoneInfo(row.time_zone)
        verdict = judge(schedules.plan_of(row), due, now, schedules.late(row), CALENDAR)
        return _OUTCOMES[verdict], schedules.next_after(row, now)
    except Exception:
        # It stops and is told of as missed (``schedules.overdue``), and keeps nobody else's from being claimed.
        log.exception("schedule %s cannot be computed; it stays out until it is saved again", row.id)
        return Outcome.MISSED, None


def _to_start() -> Any:
    """Claims that nobody has seen to; but not while a run of something chosen is active, which leaves what is new unread."""
    in_the_way = exists().where(
        Run.adaptor_id == ScheduleRun.adaptor_id, Run.state.in_(ACTIVE_RUNS), Run.moves_watermark.is_(False)
    )
    return select(ScheduleRun.id).where(ScheduleRun.outcome.is_(None), ~in_the_way).order_by(ScheduleRun.due_at)


def waiting() -> bool:
    """Whether there is a claim for workers to see to."""
    return db.session.scalar(_to_start().limit(1)) is not None


def start_claimed() -> int:
    """See to one batch of claims; how many there were."""
    with transaction() as session:
        claims = session.scalars(_to_start().limit(BATCH)).all()
    for claim_id in claims:
        try:
            _see_to(claim_id)
        except IntegrityError:
            # Somebody has started a run in this very moment (uq_run_active): the clock rings again.
            log.info("claim %s meets a run that has just been started", claim_id)
    return len(claims)


def _see_to(claim_id: str) -> None:
    with transaction() as session:
        claim = session.scalar(
            select(ScheduleRun)
            .where(ScheduleRun.id == claim_id, ScheduleRun.outcome.is_(None))
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        if claim is None:
            return
        started = _decide(claim)
    if started:
        bell.ring("execute_run", started)


def _decide(claim: ScheduleRun) -> str | None:
    """The claim's outcome, inside the caller's transaction; the id of the run that is to be rung for."""
    schedule, adaptor = db.session.get_one(Schedule, claim.schedule_id), db.session.get_one(Adaptor, claim.adaptor_id)
    active = run_queue.active(adaptor.id)
    if schedules.is_paused(schedule):
        claim.outcome = Outcome.PAUSED
    elif not standing.is_working(adaptor) or _is_too_late(claim, schedule):
        claim.outcome = Outcome.MISSED
    elif active is None:
        run = run_queue.add(adaptor, trigger="schedule")
        claim.outcome, claim.run_id = Outcome.STARTED, run.id
        return run.id
    elif active.moves_watermark:
        claim.outcome, claim.run_id = Outcome.BUSY, active.id
    return None


def _is_too_late(claim: ScheduleRun, schedule: Schedule) -> bool:
    """Whether the machine went down between claim and start, and for longer than the schedule allows."""
    late = schedules.late(schedule)
    if late is None or utcnow() - claim.due_at <= late:
        return False
    # Waiting for another run is no downtime.
    freed = db.session.scalar(select(func.max(Run.finished_at)).where(Run.adaptor_id == claim.adaptor_id))
    return freed is None or utcnow() - max(freed, claim.due_at) > late
