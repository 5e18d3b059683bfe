"""Adaptors that are switched off, and test adaptors before live gateways: nothing is read, nothing is sent."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Delivery,
    Document,
    Environment,
    Event,
    Run,
    RunState,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import bell
from invoiceapp.services.configuration.environments import not_allowed
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import actions, conversion, delivery, reach, runs, standing

S = DeliveryState


@pytest.fixture(params=["deactivated", "deleted"])
def off(adaptor, request):
    """``off()`` switches the adaptor off, either way; ``off(False)`` on again."""

    def switch(is_off=True):
        if request.param == "deleted":
            adaptor.deleted_at = utcnow() if is_off else None
        else:
            adaptor.active = not is_off
        db.session.commit()

    return switch


def again(row):
    return db.session.get_one(type(row), row.id, populate_existing=True)


def make_test(adaptor):
    adaptor.environment = Environment.TEST
    db.session.commit()


def test_no_kind_of_run_starts(adaptor, off):
    off()
    for start in (
        lambda: runs.start(adaptor.id, trigger="schedule"),
        lambda: runs.find(adaptor.id, "ejer", numbers=["1"]),
        lambda: runs.start_reading(adaptor.id, "ejer"),
    ):
        with pytest.raises(Conflict) as caught:
            start()
        assert "adaptor" in caught.value.text.en.lower() and caught.value.text.da
    assert db.session.scalars(select(Run)).all() == []


def test_a_run_that_was_queued_before_reads_nothing(adaptor, off):
    run_id = runs.start(adaptor.id, trigger="manual").id
    off()
    runs.execute(run_id)
    run = db.session.get_one(Run, run_id, populate_existing=True)
    assert run.state is RunState.FAILED and run.error["da"].startswith("Adaptoren er")


def test_nothing_is_scheduled_or_rung_for(
    adaptor, off, ready, make_customer, make_document, make_schedule, monkeypatch
):
    rung = []
    monkeypatch.setattr(bell, "ring", lambda task, *ids: bool(rung.append(task)) or True)
    ready()
    make_document(make_customer(), "2", stage=Stage.QUEUED)
    make_schedule(next_at=utcnow() - timedelta(minutes=1))
    off()
    tick()
    # What is wrong is still counted.
    assert set(rung) <= {"note_problems"}
    off(False)
    tick()
    assert sorted(set(rung)) == ["convert", "deliver", "note_problems", "start_runs"]


def test_what_is_queued_waits_and_goes_on_afterwards(queued, off):
    key = queued().id
    off()
    assert conversion.convert_due() == 0 and db.session.get_one(Document, key).stage is Stage.QUEUED
    off(False)
    assert (
        conversion.convert_due() == 1
        and db.session.get_one(Document, key, populate_existing=True).stage is Stage.CONVERTED
    )


def test_a_batch_that_was_claimed_before_is_given_back(queued, off):
    document = queued()
    [(key, token)] = conversion.claim()
    off()
    assert conversion.loading.begin(key, token) is None
    row = again(document)
    assert (row.stage, row.lease_token, row.lease_until, row.tries) == (Stage.QUEUED, None, None, 0)


def test_what_is_pending_waits_and_goes_on_afterwards(ready, off, partner):
    row = ready()
    off()
    assert delivery.deliver_due() == 0 and partner.sent == []
    off(False)
    assert delivery.deliver_due() == 1 and again(row).state is S.DELIVERED


def test_an_adaptor_switched_off_between_claim_and_sending_sends_nothing(ready, off, gateway, partner, monkeypatch):
    row = ready()
    real = delivery.consignment_of

    def switch(delivery_id):
        off()
        return real(delivery_id)

    monkeypatch.setattr(delivery, "consignment_of", switch)
    delivery.deliver_due()
    row = again(row)
    assert row.state is S.PENDING and row.tries == 0 and row.first_sent_at is None and partner.sent == []
    assert db.session.scalars(select(Attempt)).all() == []


def test_nothing_is_read_anew_for_one_document(make_customer, make_document, off):
    document = make_document(make_customer(), stage=Stage.UNUSABLE)
    off()
    with pytest.raises(Conflict):
        actions.rebuild(document, "ejer")


def test_a_test_adaptor_leaves_what_waits_for_a_live_gateway_alone(ready, adaptor, gateway, partner):
    row = ready()
    make_test(adaptor)
    assert delivery.deliver_due() == 0 and partner.sent == [] and again(row).state is S.PENDING
    gateway.environment = Environment.TEST
    db.session.commit()
    assert delivery.deliver_due() == 1


@pytest.mark.parametrize("switched", ["adaptor", "gateway"])
def test_a_switch_between_claim_and_sending_reaches_no_live_gateway(
    ready, adaptor, gateway, partner, monkeypatch, switched
):
    if switched == "gateway":
        adaptor.environment, gateway.environment = Environment.TEST, Environment.TEST
        db.session.commit()
    row = ready()
    real = delivery.consignment_of

    def switch(delivery_id):
        adaptor.environment, gateway.environment = Environment.TEST, Environment.LIVE
        db.session.commit()
        return real(delivery_id)

    monkeypatch.setattr(delivery, "consignment_of", switch)
    delivery.deliver_due()
    assert partner.sent == [] and again(row).state is S.PENDING and again(row).tries == 0
    tick()
    row = again(row)
    assert row.state is S.BLOCKED and [found["rule"] for found in row.findings] == ["IA-ENVIRONMENT"]
    assert delivery.deliver_due() == 0


def test_a_gateway_turned_into_a_test_one_is_not_reached_where_it_was_live(
    ready, adaptor, gateway, partner, monkeypatch
):
    """The connection is open to the live server while both are switched to test."""
    row = ready()
    real = delivery.consignment_of

    def switch(delivery_id):
        adaptor.environment = gateway.environment = Environment.TEST
        gateway.config = {"host": "test.example"}
        db.session.commit()
        return real(delivery_id)

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "consignment_of", switch)
        delivery.deliver_due()
    assert partner.sent == [] and again(row).state is S.PENDING
    delivery.deliver_due()
    assert len(partner.sent) == 1, "opened anew, at the test server"


def test_whoever_switches_while_a_delivery_begins_waits(ready, adaptor, gateway, app, monkeypatch):
    """The switch cannot come between the last look and the note that sending began."""
    ready()
    [lease] = delivery.claim()
    opened = standing.opened(gateway)
    adaptor_id = adaptor.id
    db.session.commit()
    looked, switched = threading.Event(), threading.Event()
    real = standing.require_to_send

    def look(*arguments):
        seen = real(*arguments)
        looked.set()
        assert not switched.wait(0.3), "nobody switches between the look and the commit"
        return seen

    monkeypatch.setattr(standing, "require_to_send", look)

    def begin():
        with app.app_context():
            delivery.begin(lease, {}, opened)

    def switch():
        with app.app_context():
            looked.wait(10)
            db.session.get_one(Adaptor, adaptor_id, with_for_update=True).environment = Environment.TEST
            db.session.commit()
            switched.set()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(begin), pool.submit(switch)]:
            future.result(30)
    assert switched.is_set()


def test_what_may_have_arrived_keeps_waiting_instead(ready, adaptor):
    row = ready(first_sent_at=utcnow(), tries=2)
    make_test(adaptor)
    assert reach.block_out_of_reach() == 0 and again(row).state is S.PENDING


def test_what_moved_on_meanwhile_is_not_blocked(ready, adaptor):
    row = ready()
    make_test(adaptor)
    lease = delivery.Lease(row.id, row.gateway_id, row.fence)
    row.state = S.CANCELLED
    db.session.commit()
    assert not reach._block(lease, not_allowed("x")) and again(row).state is S.CANCELLED
    assert db.session.scalars(select(Event)).all() == []
    assert db.session.scalars(select(Delivery)).one().findings == []
