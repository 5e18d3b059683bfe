from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import RETRY_PLAN, DeliveryState, Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Unavailable
from invoiceapp.models import Attempt, Event, Receipt, db, utcnow
from invoiceapp.services.export import delivery, outcomes, recovery, standing
from invoiceapp.services.export.delivery import LeaseLost

S = DeliveryState
LATER = timedelta(minutes=6)


def kinds(row) -> list[str]:
    return list(db.session.scalars(select(Event.kind).where(Event.delivery_id == row.id).order_by(Event.id)))


@pytest.mark.parametrize("state", [S.LEASED, S.SENDING])
def test_a_lease_that_still_runs_is_left_alone(ready, state):
    row = ready(state=state, fence=3, next_at=utcnow() + timedelta(seconds=5))
    assert recovery.reap() == 0
    assert row.state is state and row.fence == 3


def test_what_was_only_leased_is_due_again(ready):
    row = ready(state=S.LEASED, fence=3, lease_owner="dead:1", next_at=utcnow() - timedelta(seconds=1))
    assert recovery.reap() == 1
    assert row.state is S.PENDING and row.fence == 4 and row.lease_owner is None and row.next_at <= utcnow()


def test_what_was_being_sent_is_repeated_with_the_same_ids_where_that_is_safe(ready, partner, gateway):
    row = ready(idem_key="key")
    [lease] = delivery.claim()
    delivery.begin(lease, {"name": "key.xml"}, standing.opened(gateway))
    assert recovery.reap(utcnow() + LATER) == 1
    assert row.state is S.PENDING and row.error is None and kinds(row) == ["sending", "recovered"]
    delivery.deliver_due()
    assert row.state is S.DELIVERED
    tries = db.session.scalars(select(Attempt).where(Attempt.delivery_id == row.id).order_by(Attempt.number)).all()
    assert [(t.number, t.outcome, t.wire_ids) for t in tries] == [
        (1, None, {"name": "key.xml"}),
        (2, "accepted", {"name": "key.xml"}),
    ]


def test_a_document_that_kills_its_worker_every_time_does_not_do_so_for_ever(ready, partner, gateway):
    row = ready()
    for _ in range(len(RETRY_PLAN)):
        row.next_at = utcnow()
        db.session.commit()
        [lease] = delivery.claim()
        delivery.begin(lease, {}, standing.opened(gateway))
        assert recovery.reap(utcnow() + LATER) == 1
    assert row.state is S.OUTCOME_UNKNOWN and delivery.claim() == []


@pytest.mark.parametrize("replay", [Replay.UNSAFE, Replay.PROBE])
def test_what_was_being_sent_waits_for_a_person_where_repeating_is_not_safe(ready, partner, replay):
    partner.replays = replay
    row = ready(state=S.SENDING, next_at=utcnow() - timedelta(seconds=1))
    assert recovery.reap() == 1
    assert row.state is S.OUTCOME_UNKNOWN and "Vi ved ikke" in row.error["da"]
    assert (row.next_at is not None) is (replay is Replay.PROBE), "the partner is asked, where it can be"
    assert recovery.reap() == 0 and delivery.deliver_due() == 0


def test_a_transport_that_cannot_be_opened_is_no_proof_of_anything(ready, gateway):
    row = ready(state=S.SENDING, next_at=utcnow() - timedelta(seconds=1))
    gateway.kind = "pigeon"
    db.session.commit()
    assert recovery.reap() == 1
    assert row.state is S.OUTCOME_UNKNOWN


def test_a_holder_from_the_dead_changes_nothing_after_the_takeover(ready, partner, gateway):
    row = ready()
    [zombie] = delivery.claim()
    attempt = delivery.begin(zombie, {}, standing.opened(gateway))
    recovery.reap(utcnow() + LATER)
    [new] = delivery.claim()
    delivery.begin(new, {}, standing.opened(gateway))
    before = (row.state, row.fence, row.next_at, row.tries)
    no = Text("Nej.", "No.")
    with pytest.raises(LeaseLost):
        outcomes.give_back(zombie, attempt, Unavailable(no), Replay.SAFE)
    with pytest.raises(LeaseLost):
        outcomes.accept(zombie, attempt, partner.received(fake_consignment()))
    with pytest.raises(LeaseLost):
        delivery.begin(zombie, {}, standing.opened(gateway))
    assert (row.state, row.fence, row.next_at, row.tries) == before
    assert db.session.scalar(select(Receipt.attempt_id)) == attempt


def fake_consignment():
    from invoiceapp.gateways.base import Consignment, Payload

    return Consignment("key", Payload(b"x", "x.xml", "application/xml"))


def test_two_reapers_move_each_row_once(ready):
    row = ready(state=S.LEASED, fence=1, next_at=utcnow() - timedelta(seconds=1))
    [lease] = recovery._expired(S.LEASED, utcnow())
    db.session.commit()
    assert recovery._return(lease) is True
    assert recovery._return(lease) is False
    assert row.fence == 2
