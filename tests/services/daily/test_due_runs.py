from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.schedules import CatchUp, Holidays, Kind, Timing
from invoiceapp.models import Adaptor, Outcome, Run, RunState, ScheduleRun, db, new_id, utcnow
from invoiceapp.services import bell
from invoiceapp.services.daily import due_runs, schedules
from invoiceapp.services.daily.calendar import BankCalendar
from invoiceapp.services.export import runs
from invoiceapp.sources.base import DocumentQuery

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def rung(monkeypatch):
    """What was rung for."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(bell, "ring", lambda task, *ids: bool(found.append((task, *ids))) or True)
    return found


def claims() -> list[ScheduleRun]:
    db.session.expire_all()
    return list(db.session.scalars(select(ScheduleRun).order_by(ScheduleRun.due_at)))


def outcomes() -> list[Outcome | None]:
    return [claim.outcome for claim in claims()]


def count(model) -> int:
    return db.session.scalar(select(func.count()).select_from(model))


def end(run_id: str) -> None:
    run = db.session.get_one(Run, run_id)
    run.state, run.finished_at = RunState.FINISHED, utcnow()
    db.session.commit()


def many(subscription, make_schedule, number: int) -> None:
    for _ in range(number):
        owner = Adaptor(id=new_id(), subscription_id=subscription.id, name="A", source_kind="billy", settings={})
        db.session.add(owner)
        db.session.flush()
        make_schedule(of=owner, next_at=utcnow() - MINUTE)


def test_a_due_time_becomes_one_run_and_the_next_time_lies_ahead(make_schedule, rung):
    row = make_schedule(next_at=utcnow() - MINUTE)
    due = row.next_at
    assert [due_runs.claim(), due_runs.claim()] == [1, 0]
    assert row.next_at > utcnow() and due_runs.waiting()
    assert [due_runs.start_claimed(), due_runs.start_claimed()] == [1, 0]
    [claim] = claims()
    run = db.session.scalars(select(Run)).one()
    assert (claim.due_at, claim.outcome, claim.run_id) == (due, Outcome.STARTED, run.id)
    assert rung == [("execute_run", run.id)] and not due_runs.waiting()


@pytest.mark.parametrize("change", [{"active": False}, {"deleted_at": utcnow()}])
def test_an_adaptor_that_is_off_claims_nothing(adaptor, make_schedule, change):
    make_schedule(next_at=utcnow() - MINUTE)
    for name, value in change.items():
        setattr(adaptor, name, value)
    db.session.commit()
    assert due_runs.claim() == 0


def test_a_run_that_reads_all_that_is_new_serves_the_due_time_that_meets_it(adaptor, make_schedule, rung):
    active = runs.start(adaptor.id, trigger="manual").id
    make_schedule(next_at=utcnow() - MINUTE)
    due_runs.claim()
    due_runs.start_claimed()
    [claim] = claims()
    assert (claim.outcome, claim.run_id) == (Outcome.BUSY, active) and count(Run) == 1


def test_a_run_of_something_chosen_is_waited_for(adaptor, make_schedule):
    chosen = runs.start(adaptor.id, trigger="manual", query=DocumentQuery(numbers=("1",))).id
    make_schedule(next_at=utcnow() - MINUTE, catch_up=CatchUp.NEVER)
    due_runs.claim()
    assert not due_runs.waiting() and due_runs.start_claimed() == 0 and outcomes() == [None]
    end(chosen)
    assert due_runs.waiting() and due_runs.start_claimed() == 1
    assert outcomes() == [Outcome.STARTED]


def test_two_schedules_of_one_adaptor_due_at_once_are_one_run(make_schedule):
    for _ in range(2):
        make_schedule(next_at=utcnow() - MINUTE)
    assert due_runs.claim() == 2
    due_runs.start_claimed()
    assert sorted(outcomes()) == [Outcome.BUSY, Outcome.STARTED] and count(Run) == 1


def test_clocks_at_the_same_time_claim_each_due_time_once(app, subscription, make_schedule, monkeypatch):
    monkeypatch.setattr(due_runs, "BATCH", 4)
    many(subscription, make_schedule, 20)
    at_once = threading.Barrier(2)

    def clock() -> int:
        with app.app_context():
            at_once.wait()
            return sum(due_runs.claim() for _ in range(8))

    with ThreadPoolExecutor(2) as pool:
        found = [one.result() for one in [pool.submit(clock) for _ in range(2)]]
    assert sum(found) == count(ScheduleRun) == 20


def test_workers_at_the_same_time_start_each_run_once(app, subscription, make_schedule):
    many(subscription, make_schedule, 8)
    due_runs.claim()
    at_once = threading.Barrier(3)

    def worker() -> None:
        with app.app_context():
            at_once.wait()
            due_runs.start_claimed()

    with ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(worker) for _ in range(3)]:
            one.result()
    assert set(outcomes()) == {Outcome.STARTED} and count(Run) == 8
    assert len({claim.run_id for claim in claims()}) == 8


def test_a_tick_claims_no_more_than_its_share(subscription, make_schedule, monkeypatch):
    monkeypatch.setattr(due_runs, "BATCH", 2)
    monkeypatch.setattr(due_runs, "MOST_BATCHES", 2)
    many(subscription, make_schedule, 5)
    assert [due_runs.claim(), due_runs.claim(), due_runs.claim()] == [4, 1, 0]


def test_a_worker_killed_between_claim_and_start_loses_nothing(make_schedule, monkeypatch):
    make_schedule(next_at=utcnow() - MINUTE)
    due_runs.claim()

    class Killed(BaseException):
        pass

    def killed(*_arguments, **_options) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        # After the run was written, before anything is committed.
        patch.setattr(runs.events, "of_run", killed)
        with pytest.raises(Killed):
            due_runs.start_claimed()
    assert count(Run) == 0 and outcomes() == [None] and due_runs.waiting()
    due_runs.start_claimed()
    assert count(Run) == 1 and outcomes() == [Outcome.STARTED]


def test_a_clock_killed_while_it_claims_has_claimed_nothing(make_schedule, monkeypatch):
    row = make_schedule(next_at=utcnow() - MINUTE)
    with monkeypatch.context() as patch:
        patch.setattr(due_runs, "delete", lambda _model: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            due_runs.claim()
    db.session.expire_all()
    assert claims() == [] and row.next_at < utcnow()
    assert due_runs.claim() == 1


@pytest.mark.parametrize(
    ("catch_up", "hours", "outcome"),
    [(CatchUp.ONCE, None, None), (CatchUp.NEVER, None, Outcome.MISSED), (CatchUp.LATE, 30, None), (CatchUp.LATE, 1, Outcome.MISSED)],
)  # fmt: skip
def test_after_a_day_of_downtime_one_run_or_none(make_schedule, catch_up, hours, outcome):
    due = utcnow() - timedelta(hours=25)
    daily = Timing(Kind.INTERVAL, minutes=24 * 60 * 3)
    row = make_schedule(daily, next_at=due, anchor_at=due, catch_up=catch_up, catch_up_hours=hours)
    due_runs.claim()
    assert outcomes() == [outcome] and row.next_at > utcnow()
    due_runs.start_claimed()
    assert count(Run) == (outcome is None)


@pytest.mark.parametrize(("catch_up", "started"), [(CatchUp.ONCE, True), (CatchUp.NEVER, False)])
def test_a_claim_that_outlived_the_machine_obeys_the_policy_too(adaptor, make_schedule, catch_up, started):
    row = make_schedule(catch_up=catch_up, next_at=None)
    db.session.add(ScheduleRun(schedule_id=row.id, adaptor_id=adaptor.id, due_at=utcnow() - timedelta(hours=5)))
    db.session.commit()
    due_runs.start_claimed()
    assert outcomes() == [Outcome.STARTED if started else Outcome.MISSED]


def test_what_was_paused_or_switched_off_after_the_claim_does_not_run(adaptor, make_schedule):
    row = make_schedule(next_at=utcnow() - MINUTE)
    due_runs.claim()
    row.active = False
    db.session.commit()
    due_runs.start_claimed()
    row.active, row.next_at = True, utcnow() - MINUTE
    db.session.commit()
    due_runs.claim()
    adaptor.active = False
    db.session.commit()
    due_runs.start_claimed()
    assert sorted(outcomes()) == [Outcome.MISSED, Outcome.PAUSED] and count(Run) == 0


def test_a_holiday_is_claimed_told_and_runs_nothing(make_schedule, monkeypatch):
    monkeypatch.setattr(BankCalendar, "is_holiday", lambda _self, _day: True)
    make_schedule(next_at=utcnow() - MINUTE, holidays=Holidays.SKIP)
    due_runs.claim()
    assert outcomes() == [Outcome.HOLIDAY] and not due_runs.waiting()


def test_a_due_time_is_claimed_once_even_if_the_clock_is_set_back(make_schedule):
    row = make_schedule(next_at=utcnow() - MINUTE)
    due = row.next_at
    due_runs.claim()
    due_runs.start_claimed()
    row.next_at = due
    db.session.commit()
    due_runs.claim()
    assert outcomes() == [Outcome.STARTED] and row.next_at > utcnow()


def test_old_due_times_are_forgotten(adaptor, make_schedule):
    row = make_schedule(next_at=utcnow() - MINUTE)
    for days in (59, 61):
        due = utcnow() - timedelta(days=days)
        db.session.add(ScheduleRun(schedule_id=row.id, adaptor_id=adaptor.id, due_at=due, outcome=Outcome.HOLIDAY))
    db.session.commit()
    due_runs.claim()
    assert outcomes() == [Outcome.HOLIDAY, None]


@pytest.mark.parametrize("broken", [{"time_zone": "Europe/Gone"}, {"timing": {"kind": "never"}}])
def test_a_schedule_that_cannot_be_computed_keeps_no_other_from_running(make_schedule, broken, caplog):
    gone = make_schedule(next_at=utcnow() - 2 * MINUTE)
    good = make_schedule(next_at=utcnow() - MINUTE)
    for name, value in broken.items():
        setattr(gone, name, value)
    db.session.commit()
    assert due_runs.claim() == 2
    assert outcomes() == [Outcome.MISSED, None] and good.next_at > utcnow()
    assert gone.next_at is None and gone.id in caplog.text
    assert [one.schedule for one in schedules.overdue(utcnow())] == [gone]
