"""Worker processes that die at every step: nothing is lost, nothing is sent twice without anybody knowing."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Attempt, Delivery, Receipt, db
from invoiceapp.services.export import delivery, recovery

from .conftest import expire_leases, make_all_due, twice_active

S = DeliveryState
pytestmark = [pytest.mark.crash, pytest.mark.server]

#: Step, and whether the process died between the first byte and the recorded answer.
STEPS = {
    "after_claim": False,
    "in_begin": False,
    "after_begin": True,
    "before_the_bytes_left": True,
    "after_the_bytes_left": True,
    "after_send": True,
    "in_accept": True,
    "after_accept": False,
}


def recover() -> None:
    expire_leases()
    recovery.reap()
    make_all_due()
    while delivery.deliver_due():
        pass


def rows() -> list[Delivery]:
    return list(db.session.scalars(select(Delivery).order_by(Delivery.id)))


def check_books() -> None:
    """What must hold whatever happened."""
    assert twice_active() == []
    for row in rows():
        attempts = db.session.scalars(
            select(Attempt).where(Attempt.delivery_id == row.id).order_by(Attempt.number)
        ).all()
        receipts = db.session.scalars(select(Receipt).where(Receipt.delivery_id == row.id)).all()
        assert [attempt.number for attempt in attempts] == list(range(1, row.tries + 1))
        assert len({str(attempt.wire_ids) for attempt in attempts}) == 1, "the ids never change"
        if row.state in (S.ACCEPTED, S.DELIVERED):
            assert len(receipts) == 1 and attempts[-1].outcome == "accepted"
        else:
            assert row.state is S.OUTCOME_UNKNOWN and receipts == [] and attempts[-1].outcome is None


@pytest.mark.parametrize("step", STEPS)
def test_a_safe_partner_has_each_file_exactly_once(step, sftp, outbox, die, partners):
    sent = outbox(sftp, 3)
    die(step, 2)
    recover()
    assert {row.state for row in rows()} == {S.DELIVERED}
    assert Counter(found.sha256 for found in partners.arrivals.all()) == Counter(sent)
    assert sum(row.tries for row in rows()) == 3 + STEPS[step]
    check_books()


@pytest.mark.parametrize(("step", "leaves_doubt"), STEPS.items())
def test_an_unsafe_partner_gets_nothing_twice_and_doubt_is_shown(step, leaves_doubt, mail, outbox, die, partners):
    sent = outbox(mail, 3)
    die(step, 2)
    recover()
    states = Counter(row.state for row in rows())
    assert states == Counter({S.ACCEPTED: 3 - leaves_doubt, **({S.OUTCOME_UNKNOWN: 1} if leaves_doubt else {})})
    arrived = Counter(found.sha256 for found in partners.arrivals.all())
    assert set(arrived) <= sent and set(arrived.values()) == {1}
    assert len(arrived) >= states[S.ACCEPTED], "what we call accepted has arrived"
    check_books()


def test_worker_after_worker_dies_and_all_arrives_once(sftp, outbox, die, partners):
    sent = outbox(sftp, 4)
    for step in ("after_the_bytes_left", "in_accept", "before_the_bytes_left"):
        die(step)
        expire_leases()
        recovery.reap()
    recover()
    assert {row.state for row in rows()} == {S.DELIVERED}
    assert Counter(found.sha256 for found in partners.arrivals.all()) == Counter(sent)
    check_books()
