from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.jobs import tasks
from invoiceapp.models import Adaptor, Delivery, Run, RunState, ScheduleRun, Stage, db, new_id, utcnow
from invoiceapp.services import bell
from invoiceapp.services.daily import due_runs
from invoiceapp.services.daily import tick as tick_module
from invoiceapp.services.daily.tick import tick

S = DeliveryState


@pytest.fixture
def rung(monkeypatch):
    """What was rung for, but for what every move rings for."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        bell, "ring", lambda task, *ids: task == "note_problems" or bool(found.append((task, *ids))) or True
    )
    return found


def test_nothing_due_rings_for_nothing(adaptor, rung):
    tick()
    assert rung == []


def test_a_due_delivery_and_a_queued_document_are_rung_for(ready, make_document, make_customer, rung):
    ready()
    tick()
    assert rung == [("deliver",)]
    make_document(make_customer(), "2", stage=Stage.QUEUED)
    tick()
    assert set(rung[1:]) == {("convert",), ("deliver",)}


def test_what_is_due_later_or_held_is_not_rung_for(ready, make_document, make_customer, rung):
    ready(next_at=utcnow() + timedelta(minutes=1))
    make_document(make_customer(), "2", stage=Stage.QUEUED, lease_until=utcnow() + timedelta(minutes=1))
    tick()
    assert rung == []


def test_what_waits_for_a_paused_gateway_is_not_rung_for(ready, gateway, rung):
    ready()
    gateway.paused_at = utcnow()
    db.session.commit()
    tick()
    assert rung == []


def test_expired_leases_are_returned_and_rung_for_in_one_tick(ready, rung):
    row = ready(state=S.LEASED, next_at=utcnow() - timedelta(seconds=1))
    tick()
    assert row.state is S.PENDING and rung == [("deliver",)]


def test_a_due_schedule_is_rung_for_until_somebody_has_seen_to_it(make_schedule, rung):
    make_schedule(next_at=utcnow() - timedelta(minutes=1))
    tick()
    tick()
    assert rung == [("start_runs",), ("start_runs",)]
    assert due_runs.start_claimed() == 1
    run = db.session.scalars(select(Run)).one()
    assert (run.trigger, run.state, run.moves_watermark) == ("schedule", RunState.QUEUED, True)
    del rung[:-1]
    tick()
    assert rung == [("execute_run", run.id)]


def test_ten_thousand_waiting_runs_do_not_keep_the_clock_busy(subscription, rung, monkeypatch):
    monkeypatch.setattr(tick_module, "_MOST_RINGS", 2)
    adaptors = [Adaptor(id=new_id(), subscription_id=subscription.id, name="A", source_kind="billy") for _ in range(3)]
    db.session.add_all(adaptors)
    db.session.flush()
    old = utcnow() - timedelta(minutes=1)
    kept = {"subscription_id": subscription.id, "trigger": "schedule", "state": RunState.QUEUED, "created_at": old}
    rows = [Run(id=new_id(), adaptor_id=one.id, **kept) for one in adaptors]
    db.session.add_all(rows)
    db.session.commit()
    expected = [("execute_run", row.id) for row in rows[:2]]
    tick()
    assert [one for one in rung if one[0] == "execute_run"] == expected


def test_a_stuck_run_is_looked_at_however_many_older_ones_wait_between_their_slices(subscription, rung, monkeypatch):
    monkeypatch.setattr(tick_module, "_MOST_RINGS", 2)
    adaptors = [Adaptor(id=new_id(), subscription_id=subscription.id, name="A", source_kind="billy") for _ in range(5)]
    db.session.add_all(adaptors)
    db.session.flush()
    kept = {"subscription_id": subscription.id, "trigger": "schedule", "state": RunState.RUNNING}
    leases = [timedelta(minutes=minutes) for minutes in (5, 5, 5, 30, 5)]
    rows = [
        Run(id=new_id(), adaptor_id=one.id, lease_until=utcnow() - lease, **kept)
        for one, lease in zip(adaptors, leases, strict=True)
    ]
    db.session.add_all(rows)
    db.session.commit()
    tick()
    found = [one for one in rung if one[0] == "execute_run"]
    assert found[0] == ("execute_run", rows[3].id) and len(found) == 2


@pytest.mark.parametrize(
    ("state", "age", "lease", "found"),
    [
        (RunState.QUEUED, 20, None, True),
        (RunState.QUEUED, 0, None, False),
        (RunState.RUNNING, 20, -1, True),
        (RunState.RUNNING, 20, 60, False),
        (RunState.FINISHED, 20, -1, False),
    ],
)
def test_a_run_whose_ring_or_worker_was_lost_is_rung_for(adaptor, rung, state, age, lease, found):
    run = Run(
        id=new_id(), subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", state=state,
        created_at=utcnow() - timedelta(seconds=age), lease_until=lease and utcnow() + timedelta(seconds=lease),
    )  # fmt: skip
    db.session.add(run)
    db.session.commit()
    tick()
    assert (("execute_run", run.id) in rung) is found


def test_a_doubled_tick_harms_nothing(ready, make_schedule, partner, rung):
    make_schedule(next_at=utcnow() - timedelta(minutes=1))
    ready(), ready("2", S.SENDING, next_at=utcnow() - timedelta(seconds=1))
    for _ in range(3):
        tick()
    assert db.session.scalar(select(func.count()).select_from(ScheduleRun)) == 1
    assert set(db.session.scalars(select(Delivery.state))) == {S.PENDING} and partner.sent == []


def test_an_unknown_kind_of_gateway_does_not_stop_the_clock(ready, gateway, rung):
    ready("1", S.SENDING, next_at=utcnow() - timedelta(seconds=1))
    ready("2")
    gateway.kind = "pigeon"
    db.session.commit()
    tick()
    assert rung == [("deliver",)]


def test_documents_that_moved_are_rung_for_until_their_problems_were_looked_for(ready, monkeypatch):
    found: list[str] = []
    monkeypatch.setattr(bell, "ring", lambda task, *_ids: bool(found.append(task)) or True)
    ready(next_at=utcnow() + timedelta(minutes=1))
    tick()
    tasks.note_problems()
    tick()
    assert found == ["note_problems"]


def test_a_broken_step_stops_no_other(ready, rung, monkeypatch, caplog):
    def broken() -> None:
        raise RuntimeError("broken")

    ready()
    for module in (tick_module.recovery, tick_module.recheck, tick_module.collecting, tick_module.background):
        for name in {"reap", "start_due", "due"} & set(vars(module)):
            monkeypatch.setattr(module, name, broken)
    monkeypatch.setitem(tick_module._TASKS, "convert", broken)
    tick()
    assert rung == [("deliver",)] and caplog.text.count("RuntimeError: broken") == 5
