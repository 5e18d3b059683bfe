from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Run, RunState, Stage, db, new_id, utcnow
from invoiceapp.services import bell
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.export import runs

S = DeliveryState


@pytest.fixture
def rung(monkeypatch):
    """What was rung for."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(bell, "ring", lambda task, *ids: bool(found.append((task, *ids))) or True)
    return found


def schedule(adaptor: Adaptor, minutes: int | None, due_in: int) -> None:
    adaptor.interval_minutes, adaptor.next_run_at = minutes, utcnow() + timedelta(minutes=due_in)
    db.session.commit()


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


def test_a_due_adaptor_starts_one_run_and_gets_its_next_time(adaptor, rung):
    schedule(adaptor, 15, -1)
    tick()
    tick()
    run = db.session.scalars(select(Run)).one()
    assert (run.trigger, run.state, run.moves_watermark) == ("schedule", RunState.QUEUED, True)
    assert rung == [("execute_run", run.id)]
    assert 14 * 60 < (adaptor.next_run_at - utcnow()).total_seconds() <= 15 * 60


@pytest.mark.parametrize("change", [{"active": False}, {"interval_minutes": None}])
def test_an_adaptor_that_is_off_or_by_hand_starts_nothing(adaptor, rung, change):
    schedule(adaptor, 15, -1)
    for name, value in change.items():
        setattr(adaptor, name, value)
    db.session.commit()
    tick()
    assert db.session.scalar(select(func.count()).select_from(Run)) == 0


def test_a_run_that_still_runs_only_moves_the_next_time(adaptor, rung):
    active = runs.start(adaptor.id, trigger="manual").id
    schedule(adaptor, 15, -1)
    tick()
    assert db.session.scalars(select(Run.id)).all() == [active] and adaptor.next_run_at > utcnow()


def test_clocks_at_the_same_time_start_one_run(adaptor, app, rung):
    schedule(adaptor, 15, -1)
    db.session.commit()
    start = threading.Barrier(3)

    def clock() -> None:
        with app.app_context():
            start.wait()
            tick()

    with ThreadPoolExecutor(3) as pool:
        for found in [pool.submit(clock) for _ in range(3)]:
            found.result()
    assert db.session.scalar(select(func.count()).select_from(Run)) == 1


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


def test_a_doubled_tick_harms_nothing(ready, adaptor, partner, rung):
    schedule(adaptor, 15, -1)
    ready(), ready("2", S.SENDING, next_at=utcnow() - timedelta(seconds=1))
    for _ in range(3):
        tick()
    assert db.session.scalar(select(func.count()).select_from(Run)) == 1
    assert set(db.session.scalars(select(Delivery.state))) == {S.PENDING} and partner.sent == []


def test_an_unknown_kind_of_gateway_does_not_stop_the_clock(ready, gateway, rung):
    ready("1", S.SENDING, next_at=utcnow() - timedelta(seconds=1))
    ready("2")
    gateway.kind = "pigeon"
    db.session.commit()
    tick()
    assert rung == [("deliver",)]
