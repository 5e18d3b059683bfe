"""Who gets a delivery: one worker, in order, and never while its gateway is paused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState, Mover
from invoiceapp.models import Delivery, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.export import delivery
from invoiceapp.services.export.delivery import Lease, LeaseLost

S = DeliveryState


def seconds_until_next(row: Delivery) -> float:
    return (row.next_at - utcnow()).total_seconds()


def test_claim_takes_the_oldest_first_and_leaves_what_is_not_due(ready):
    now = utcnow()
    late = ready("1", next_at=now - timedelta(seconds=1))
    early = ready("2", next_at=now - timedelta(hours=1))
    future = ready("3", next_at=now + timedelta(minutes=1))
    assert [lease.delivery_id for lease in delivery.claim(1)] == [early.id]
    assert [lease.delivery_id for lease in delivery.claim()] == [late.id]
    assert future.state is S.PENDING and delivery.claim() == []


def test_a_claimed_delivery_has_a_new_fence_an_owner_and_an_end(ready):
    row = ready(fence=6)
    [lease] = delivery.claim()
    assert lease == Lease(row.id, row.gateway_id, 7)
    assert row.state is S.LEASED and row.fence == 7 and row.lease_owner == delivery.owner()
    assert 290 < seconds_until_next(row) <= 300


def test_a_paused_gateway_is_passed_over(ready, gateway, partner):
    row = ready()
    gateway.paused_at = utcnow()
    db.session.commit()
    assert delivery.deliver_due() == 0
    assert row.state is S.PENDING and partner.sent == []
    gateways.resume(gateway.id)
    assert delivery.deliver_due() == 1 and row.state is S.DELIVERED


def test_workers_at_the_same_time_never_claim_the_same_delivery(ready, app):
    ids = {ready(str(number)).id for number in range(60)}
    db.session.commit()
    start = threading.Barrier(4)

    def worker() -> list[str]:
        with app.app_context():
            start.wait()
            claimed = []
            while batch := delivery.claim(7):
                claimed += [lease.delivery_id for lease in batch]
            return claimed

    with ThreadPoolExecutor(4) as pool:
        claimed = [one for found in [pool.submit(worker) for _ in range(4)] for one in found.result()]
    assert len(claimed) == 60 and set(claimed) == ids


def test_workers_at_the_same_time_send_each_delivery_once(ready, app, partner, gateway):
    # Who finds no free connection comes back later, which nobody waits for here.
    gateway.config = {**gateway.config, "connections": 4}
    for number in range(30):
        ready(str(number), idem_key=f"key-{number}")
    db.session.commit()

    def worker() -> None:
        with app.app_context():
            while delivery.deliver_due(4):
                pass

    with ThreadPoolExecutor(4) as pool:
        for found in [pool.submit(worker) for _ in range(4)]:
            found.result()
    assert sorted(sent.key for sent in partner.sent) == sorted(f"key-{number}" for number in range(30))
    assert set(db.session.scalars(select(Delivery.state))) == {S.DELIVERED}


@pytest.mark.parametrize("state", sorted(EXCLUSIVE))
def test_no_second_delivery_exists_while_one_is_active_or_successful(ready, make_delivery, state):
    row = ready(state=state)
    with pytest.raises(IntegrityError):
        make_delivery(row.document)
    db.session.rollback()


@pytest.mark.parametrize("state", sorted(set(DeliveryState) - EXCLUSIVE))
def test_a_new_delivery_may_follow_one_that_is_over(ready, make_delivery, state):
    row = ready(state=state)
    assert make_delivery(row.document).state is S.PENDING


def test_a_move_that_does_not_exist_is_a_fault_of_ours(ready):
    row = ready()
    lease = Lease(row.id, row.gateway_id, row.fence)
    with pytest.raises(AssertionError), transaction():
        delivery.move(lease, S.PENDING, S.DELIVERED, Mover.HOLDER)
    with pytest.raises(AssertionError), transaction():
        delivery.move(lease, S.PENDING, S.LEASED, Mover.PERSON)
    assert row.state is S.PENDING


@pytest.mark.parametrize(("state", "fence"), [(S.LEASED, 1), (S.SENDING, 0), (S.SENDING, 2)])
def test_a_mover_with_another_state_or_fence_changes_nothing(ready, state, fence):
    row = ready(state=S.SENDING, fence=1)
    with pytest.raises(LeaseLost), transaction():
        new = S.PENDING if state is S.LEASED else S.FAILED
        delivery.move(Lease(row.id, row.gateway_id, fence), state, new, Mover.HOLDER)
    assert row.state is S.SENDING and row.fence == 1


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_no_more_than_the_limit_is_claimed(ready, limit):
    """PostgreSQL once claimed more: a subquery with a limit may run several times."""
    for number in range(10):
        ready(str(number))
    assert len(delivery.claim(limit)) == limit
