"""A machine that does not answer is left alone for a while."""

from datetime import timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState, Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.models import Attempt, Delivery, Gateway, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.daily import tick as tick_module
from invoiceapp.services.export import breaker, delivery

S = DeliveryState
NO = Text("nej", "no")


def silent(retry_after=None):
    return Unavailable(NO, "silent", retry_after)


def states():
    return sorted(row.state.value for row in db.session.query(Delivery))


def fresh(gateway):
    return db.session.get_one(Gateway, gateway.id, populate_existing=True)


def rest_ends(gateway):
    db.session.get_one(Gateway, gateway.id).retry_at = utcnow() - timedelta(seconds=1)
    db.session.query(Delivery).update({"next_at": utcnow() - timedelta(seconds=1)})
    db.session.commit()


def test_after_five_failures_in_a_row_the_rest_waits_without_losing_a_try(ready, gateway, partner):
    rows = [ready(str(number)) for number in range(8)]
    partner.outcomes += [silent()] * 5
    assert delivery.deliver_due() == 8
    assert len(partner.sent) == 5 and fresh(gateway).failures == 5
    tries = sorted(db.session.get_one(Delivery, row.id, populate_existing=True).tries for row in rows)
    assert tries == [0, 0, 0, 1, 1, 1, 1, 1] and states() == ["pending"] * 8
    assert fresh(gateway).retry_at > utcnow() + timedelta(seconds=50)
    assert delivery.deliver_due() == 0, "it rests"


def test_one_is_tried_when_the_rest_ends_and_its_failure_makes_the_next_rest_longer(ready, gateway, partner):
    for number in range(8):
        ready(str(number))
    partner.outcomes += [silent()] * 6
    delivery.deliver_due()
    rest_ends(gateway)
    delivery.deliver_due()
    assert len(partner.sent) == 6 and fresh(gateway).failures == 6
    assert fresh(gateway).retry_at > utcnow() + timedelta(seconds=100)
    rest_ends(gateway)
    delivery.deliver_due()
    assert states() == ["delivered"] * 8
    found = fresh(gateway)
    assert (found.failures, found.failing_since, found.retry_at) == (0, None, None)


@pytest.mark.parametrize("answer", [Rejected(NO), "received"])
def test_an_answer_ends_the_row_of_failures(ready, gateway, partner, answer):
    for number in range(9):
        ready(str(number))
    partner.outcomes += [silent()] * 4 + [answer if answer != "received" else partner.received] + [silent()] * 4
    delivery.deliver_due()
    assert len(partner.sent) == 9 and fresh(gateway).failures == 4 and fresh(gateway).retry_at is None


def test_lost_answers_count_too(ready, gateway, partner, monkeypatch):
    monkeypatch.setattr(partner, "replays", Replay.UNSAFE)
    for number in range(7):
        ready(str(number))
    partner.outcomes += [Unknown(NO)] * 5
    delivery.deliver_due()
    assert len(partner.sent) == 5 and states() == ["outcome_unknown"] * 5 + ["pending"] * 2


def test_refused_credentials_pause_and_do_not_count(ready, gateway, partner):
    ready()
    partner.outcomes.append(Refused(NO))
    delivery.deliver_due()
    assert fresh(gateway).is_paused and fresh(gateway).failures == 0


def test_the_partners_wish_to_wait_holds_for_the_whole_gateway_and_has_a_limit(ready, gateway, partner):
    ready("1"), ready("2")
    partner.outcomes.append(silent(retry_after=90))
    delivery.deliver_due()
    assert len(partner.sent) == 1 and fresh(gateway).retry_at > utcnow() + timedelta(seconds=80)
    rest_ends(gateway)
    partner.outcomes.append(silent(retry_after=10**9))
    delivery.deliver_due()
    assert fresh(gateway).retry_at < utcnow() + timedelta(seconds=breaker.LONGEST_WISH + 1)


def test_after_five_days_of_silence_it_is_paused_with_words(ready, gateway, partner):
    ready()
    gateway.failures, gateway.failing_since = 40, utcnow() - timedelta(days=5, minutes=1)
    db.session.commit()
    partner.outcomes.append(silent())
    delivery.deliver_due()
    assert fresh(gateway).is_paused and "fem døgn" in fresh(gateway).paused_reason["da"]


def test_starting_it_again_forgets_the_failures(ready, gateway, partner):
    ready()
    gateway.failures, gateway.retry_at = 9, utcnow() + timedelta(hours=1)
    db.session.commit()
    gateways.resume(gateway.id)
    assert fresh(gateway).failures == 0 and delivery.deliver_due() == 1 and states() == ["delivered"]


def test_the_clock_wakes_nobody_for_a_gateway_that_rests(ready, gateway, partner, monkeypatch):
    rung = []
    monkeypatch.setattr(tick_module.bell, "ring", lambda task, *ids: task == "note_problems" or rung.append(task))
    ready()
    gateway.retry_at = utcnow() + timedelta(minutes=1)
    db.session.commit()
    tick_module.tick()
    assert rung == []
    rest_ends(gateway)
    tick_module.tick()
    assert rung == ["deliver"]


def test_a_partner_of_another_gateway_goes_on(ready, gateway, partner, subscription):
    other = Gateway(
        subscription_id=gateway.subscription_id, name="Anden", kind="fake", config={"host": "other"}, secrets={}
    )
    db.session.add(other)
    gateway.failures, gateway.retry_at = 7, utcnow() + timedelta(minutes=5)
    db.session.commit()
    ready("1"), ready("2")
    db.session.query(Delivery).order_by(Delivery.id.desc()).first().gateway_id = other.id
    db.session.commit()
    delivery.deliver_due()
    assert len(partner.sent) == 1 and states() == ["delivered", "pending"]
    assert db.session.query(Attempt).count() == 1
