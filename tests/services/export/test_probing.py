"""Unclear deliveries whose partner can be asked."""

from datetime import timedelta

import pytest

from invoiceapp.domain.delivery import QUESTION_PLAN, DeliveryState, Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Receipt as WireReceipt
from invoiceapp.gateways.base import Unavailable, Unknown
from invoiceapp.models import Attempt, Delivery, Event, Receipt, db, utcnow
from invoiceapp.services.daily import tick as tick_module
from invoiceapp.services.export import actions, delivery, probing, recovery

S = DeliveryState
NO = Text("nej", "no")


@pytest.fixture
def asked(partner, monkeypatch):
    """Answers of a partner that can be asked: a receipt, None or an error, used up in order."""
    answers = []

    def find(_self, consignment):
        assert not db.session().in_transaction(), "no transaction may be open while a partner is asked"
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(partner, "replays", Replay.PROBE)
    monkeypatch.setattr(partner, "find", find)
    return answers


@pytest.fixture
def unclear(ready, partner):
    def make(number="1001"):
        row = ready(number)
        partner.outcomes.append(Unknown(NO))
        delivery.deliver_due()
        found = again(row)
        assert found.state is S.OUTCOME_UNKNOWN
        return found

    return make


def again(row):
    return db.session.get_one(Delivery, row.id, populate_existing=True)


def time_comes():
    db.session.query(Delivery).filter_by(state=S.OUTCOME_UNKNOWN).filter(Delivery.next_at.is_not(None)).update(
        {"next_at": utcnow() - timedelta(seconds=1)}
    )
    db.session.commit()


def test_a_lost_answer_is_asked_about_and_not_sent_again(unclear, asked, partner):
    row = unclear()
    assert probing.probe_due() == 0, "not at once: a partner may not find what it has just taken"
    time_comes()
    asked.append(WireReceipt("ref-7", {"status": 200}, proves_arrival=True))
    assert probing.probe_due() == 1
    found = again(row)
    assert found.state is S.DELIVERED and found.remote_ref == "ref-7" and len(partner.sent) == 1
    receipt = db.session.query(Receipt).filter_by(delivery_id=row.id).one()
    assert (receipt.kind, receipt.evidence) == ("found", {"status": 200})
    assert probing.probe_due() == 0


def test_what_is_only_promised_is_accepted(unclear, asked):
    row = unclear()
    time_comes()
    asked.append(WireReceipt("ref", {}, proves_arrival=False))
    probing.probe_due()
    assert again(row).state is S.ACCEPTED


def test_a_later_receipt_that_was_found_to_be_on_its_way_is_waited_for_so_long(unclear, asked):
    row = unclear()
    time_comes()
    asked.append(WireReceipt("ref", {}, proves_arrival=True, final=False, due=timedelta(hours=4)))
    probing.probe_due()
    found = again(row)
    assert found.state is S.ACCEPTED and utcnow() < found.next_at < utcnow() + timedelta(hours=5)


def test_two_proven_noes_minutes_apart_send_it_again_with_the_same_key(unclear, asked, partner):
    row = unclear()
    asked += [None, None]
    time_comes()
    probing.probe_due()
    found = again(row)
    assert found.state is S.OUTCOME_UNKNOWN and found.next_at > utcnow() + timedelta(seconds=QUESTION_PLAN[0] - 10)
    time_comes()
    probing.probe_due()
    assert again(row).state is S.PENDING
    delivery.deliver_due()
    assert again(row).state is S.DELIVERED and {one.key for one in partner.sent} == {row.idem_key}
    assert len(partner.sent) == 2


def test_noes_before_the_last_try_do_not_count(unclear, asked, partner):
    row = unclear()
    asked += [None, None, None]
    for _ in range(2):
        time_comes()
        probing.probe_due()
    partner.outcomes.append(Unknown(NO))
    delivery.deliver_due()
    time_comes()
    probing.probe_due()
    assert again(row).state is S.OUTCOME_UNKNOWN and len(partner.sent) == 2


@pytest.mark.parametrize("minutes", [-10, 10])
def test_noes_count_by_the_try_whatever_the_clock_of_the_machine_that_made_it(unclear, asked, partner, minutes):
    row = unclear()
    asked += [None] * 4
    for number in (1, 2):
        tried = db.session.query(Attempt).filter_by(delivery_id=row.id, number=number).one()
        tried.created_at += timedelta(minutes=minutes)
        db.session.commit()
        for expected in (S.OUTCOME_UNKNOWN, S.PENDING):
            time_comes()
            probing.probe_due()
            assert again(row).state is expected
        partner.outcomes.append(Unknown(NO))
        delivery.deliver_due()
    assert len(partner.sent) == 3


def test_a_partner_that_cannot_say_is_asked_for_two_days_and_then_a_person_is(unclear, asked):
    row = unclear()
    asked += [Unavailable(NO)] * 20
    for _ in range(len(QUESTION_PLAN) + 1):
        assert again(row).next_at is not None
        time_comes()
        probing.probe_due()
    assert again(row).next_at is None and again(row).state is S.OUTCOME_UNKNOWN
    assert db.session.query(Event).filter_by(kind="asked").count() == len(QUESTION_PLAN) + 1


def test_a_fault_while_asking_keeps_nobody_waiting(unclear, asked):
    first, second = unclear("1"), unclear("2")
    time_comes()
    asked += [ZeroDivisionError(), WireReceipt("ref", {}, proves_arrival=True)]
    assert probing.probe_due() == 2
    assert {again(first).state, again(second).state} == {S.OUTCOME_UNKNOWN, S.DELIVERED}
    assert probing.probe_due() == 0, "claimed for a while"


def test_two_workers_do_not_ask_at_once(unclear, asked):
    unclear()
    time_comes()
    (lease,) = probing.due()
    assert probing._claim(lease) is not None and probing._claim(lease) is None


def test_a_person_who_decides_meanwhile_wins(unclear, asked, partner, monkeypatch):
    row = unclear()
    time_comes()

    def decide(_self, _consignment):
        actions.mark_received(again(row), "anna@example.com", "set hos kunden")
        return None

    monkeypatch.setattr(partner, "find", decide)
    probing.probe_due()
    assert again(row).state is S.ACCEPTED


def test_a_partner_that_can_neither_be_asked_nor_recognises_anything_is_left_to_a_person(unclear, partner, monkeypatch):
    monkeypatch.setattr(partner, "replays", Replay.UNSAFE)
    row = unclear()
    assert row.next_at is None


def test_another_place_than_the_one_that_may_have_it_is_not_asked(unclear, asked, gateway, partner):
    row = unclear()
    gateway.config = {**gateway.config, "host": "other.example"}
    db.session.commit()
    time_comes()
    probing.probe_due()
    found = again(row)
    assert found.state is S.OUTCOME_UNKNOWN and found.next_at is None and len(partner.sent) == 1


def test_a_crash_is_asked_about_too(ready, asked):
    row = ready(state=S.SENDING, next_at=utcnow() - timedelta(seconds=1))
    recovery.reap()
    found = again(row)
    assert found.state is S.OUTCOME_UNKNOWN and found.next_at is not None


# --- receipts that do not come -----------------------------------------------------------------------------------------


@pytest.fixture
def promised(ready, partner):
    """A delivery whose partner promised a receipt within the hour."""
    row = ready()
    partner.outcomes.append(WireReceipt("ref", {}, proves_arrival=False, final=False, due=timedelta(hours=1)))
    delivery.deliver_due()
    return row


def test_a_promised_receipt_is_waited_for(promised):
    found = again(promised)
    assert found.state is S.ACCEPTED and utcnow() < found.next_at < utcnow() + timedelta(minutes=61)
    assert recovery.expire_receipts() == 0


@pytest.mark.parametrize(
    ("replay", "state"),
    [(Replay.SAFE, S.PENDING), (Replay.UNSAFE, S.OUTCOME_UNKNOWN), (Replay.PROBE, S.OUTCOME_UNKNOWN)],
)
def test_a_receipt_that_does_not_come_leaves_an_unclear_outcome(promised, partner, monkeypatch, replay, state):
    monkeypatch.setattr(partner, "replays", replay)
    db.session.get_one(Delivery, promised.id).next_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
    tick_module.tick()
    found = again(promised)
    assert found.state is S.OUTCOME_UNKNOWN and "kvittering" in found.error["da"]
    probing.probe_due()
    found = again(promised)
    assert found.state is state
    assert (found.next_at is None) == (replay is Replay.UNSAFE)
