"""What a change of the configuration does to documents that wait: queued, held, blocked or skipped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Unavailable
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Event,
    Gateway,
    Job,
    SettingsChange,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import background
from invoiceapp.services.configuration import bulk, general, rules, saving
from invoiceapp.services.configuration.bulk import Selection
from invoiceapp.services.export import actions, conversion, delivery
from invoiceapp.services.export.documents import queue
from invoiceapp.sources.base import Channel, SentItself

S = DeliveryState
LATER = timedelta(days=30)


def again(document_id: str) -> Document:
    return db.session.get_one(Document, document_id, populate_existing=True)


def deliveries(document_id: str) -> list[Delivery]:
    query = select(Delivery).where(Delivery.document_id == document_id).order_by(Delivery.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def newest(document_id: str) -> Delivery:
    return deliveries(document_id)[-1]


def kinds(document_id: str) -> list[str]:
    return list(db.session.scalars(select(Event.kind).where(Event.document_id == document_id).order_by(Event.id)))


def due(document_id: str) -> datetime:
    found = newest(document_id).next_at
    assert found is not None
    return found


def end_holds() -> None:
    db.session.execute(update(Delivery).where(Delivery.next_at.is_not(None)).values(next_at=utcnow()))
    db.session.commit()


@pytest.fixture
def settings(adaptor: Adaptor) -> Callable[..., None]:
    adaptor_id = adaptor.id

    def keep(**values: Any) -> None:
        db.session.get_one(Adaptor, adaptor_id).settings = {"general": values}
        db.session.commit()

    return keep


@pytest.fixture
def held(queued: Any, settings: Any) -> str:
    """A document that is converted and held for ten hours; its id."""
    settings(holdMinutes=600)
    document_id: str = queued().id
    conversion.convert_due()
    assert newest(document_id).state is S.PENDING
    return document_id


@pytest.fixture
def other_gateway(gateway: Gateway) -> str:
    row = Gateway(
        subscription_id=gateway.subscription_id, name="Anden", kind="fake", config={"host": "other.example"}, secrets={}
    )
    db.session.add(row)
    db.session.commit()
    return row.id


def test_a_queued_document_older_than_a_new_start_date_goes_back_to_the_list(queued, adaptor, partner):
    adaptor_id, document = adaptor.id, queued()
    key, later = document.id, document.issue_date + LATER
    general.save(adaptor_id, {"start_date": later.isoformat()})
    conversion.convert_due()
    delivery.deliver_due()
    assert deliveries(key) == [] and again(key).stage is Stage.LISTED and partner.sent == []
    assert "ældre" in db.session.scalars(select(Event.data).where(Event.kind == "excluded")).one()["da"]


def test_a_start_date_that_comes_in_the_middle_of_a_conversion_holds(queued, adaptor, meanwhile):
    adaptor_id, document = adaptor.id, queued()
    key, later = document.id, document.issue_date + LATER
    meanwhile(lambda: general.save(adaptor_id, {"start_date": later.isoformat()}))
    conversion.convert_due()
    assert deliveries(key) == [] and again(key).stage is Stage.QUEUED
    conversion.convert_due()
    assert again(key).stage is Stage.LISTED


def test_a_blocked_document_older_than_the_start_date_is_not_let_go(queued, settings, adaptor, partner):
    adaptor_id, document = adaptor.id, queued()
    key, later = document.id, document.issue_date + LATER
    settings(approveFirst=True)
    conversion.convert_due()
    general.save(adaptor_id, {"start_date": later.isoformat()})
    assert general.save(adaptor_id, {"general.approveFirst": "false"}).released == 0
    conversion.convert_due()
    delivery.deliver_due()
    assert newest(key).state is S.BLOCKED and partner.sent == []
    assert general.save(adaptor_id, {"start_date": ""}).released == 1


def test_a_held_document_older_than_a_new_start_date_is_taken_back(held, adaptor, partner):
    later = again(held).issue_date + LATER
    general.save(adaptor.id, {"start_date": later.isoformat()})
    assert newest(held).state is S.SUPERSEDED and again(held).stage is Stage.LISTED


def test_a_stopped_customers_documents_go_back_to_the_list_and_a_manual_export_sends_them(
    held, adaptor, gateway, partner
):
    adaptor_id, gateway_id, customer_id = adaptor.id, gateway.id, again(held).customer_id
    assert bulk.summary(adaptor_id, Selection((customer_id,))).unsent == 1
    outcome = rules.deactivate_all(adaptor_id, [customer_id], "ejer@example.com")
    assert (outcome.done, outcome.stopped) == (1, 1)
    end_holds()
    assert delivery.deliver_due() == 0
    row = newest(held)
    assert (row.state, row.next_at, row.finished_at is None) == (S.SUPERSEDED, None, False)
    assert again(held).stage is Stage.LISTED and kinds(held)[-1] == "stopped"
    rules.activate(adaptor_id, [customer_id], "peppol-bis-3", gateway_id)
    assert again(held).stage is Stage.LISTED and rules.waiting(adaptor_id, [customer_id]) == 1
    queue(again(held), run_id=None)
    db.session.commit()
    conversion.convert_due()
    end_holds()
    delivery.deliver_due()
    assert newest(held).state is S.DELIVERED and len(partner.sent) == 1


def test_the_last_look_stops_what_a_worker_claimed_before_its_customer_was_stopped(held, adaptor, partner, monkeypatch):
    adaptor_id, customer_id = adaptor.id, again(held).customer_id
    end_holds()
    real = delivery.consignment_of

    def stop_meanwhile(delivery_id: str) -> Any:
        assert rules.deactivate_all(adaptor_id, [customer_id]).stopped == 0, "the worker has it"
        return real(delivery_id)

    monkeypatch.setattr(delivery, "consignment_of", stop_meanwhile)
    delivery.deliver_due()
    assert partner.sent == [] and newest(held).state is S.SUPERSEDED and again(held).stage is Stage.LISTED


def test_what_was_tried_already_goes_on_for_a_stopped_customer(held, adaptor, partner):
    adaptor_id, customer_id = adaptor.id, again(held).customer_id
    end_holds()
    partner.outcomes.append(Unavailable(Text("Nede", "Down"), "down"))
    delivery.deliver_due()
    assert rules.deactivate_all(adaptor_id, [customer_id]).stopped == 0
    end_holds()
    delivery.deliver_due()
    assert newest(held).state is S.DELIVERED


def test_what_a_person_sends_again_is_cancelled_with_its_customer_and_never_listed(held, adaptor, partner):
    adaptor_id, customer_id = adaptor.id, again(held).customer_id
    end_holds()
    delivery.deliver_due()
    actions.send_again(newest(held), "ejer@example.com", "bedt om igen")
    assert rules.deactivate_all(adaptor_id, [customer_id]).stopped == 1
    assert newest(held).state is S.CANCELLED and again(held).stage is Stage.CONVERTED
    actions.send_again(newest(held), "ejer@example.com", "alligevel")
    delivery.deliver_due()
    assert len(partner.sent) == 2, "sent again on purpose after the customer was stopped"


def test_a_job_stops_what_waits_too_and_tells_how_many(held, adaptor, monkeypatch):
    adaptor_id, customer_id = adaptor.id, again(held).customer_id
    monkeypatch.setattr(bulk, "MOST_NOW", 0)
    started = bulk.deactivate(adaptor_id, Selection((customer_id,)), "ejer@example.com")
    assert isinstance(started, bulk.Started)
    background.execute(started.job_id, HANDLERS)
    result = db.session.get_one(Job, started.job_id, populate_existing=True).result
    assert bulk.outcome_of(result).stopped == 1 and again(held).stage is Stage.LISTED


def test_a_correction_during_the_hold_is_sent_and_the_hold_does_not_start_over(held, adaptor, partner):
    before = due(held)
    assert saving.save_overrides(again(held).customer_id, {"customer.buyerReference": "NEWREF"}).released == 1
    assert again(held).stage is Stage.QUEUED and newest(held).state is S.BLOCKED
    conversion.convert_due()
    assert due(held) == before and newest(held).state is S.PENDING and len(deliveries(held)) == 1
    assert "taken_back" in kinds(held)
    actions.send_now(newest(held), "ejer@example.com")
    delivery.deliver_due()
    assert b"NEWREF" in partner.sent[0].payload.content and len(partner.sent) == 1


def test_a_shorter_hold_is_shorter_for_what_waits_and_a_longer_one_is_not(held, adaptor):
    before, adaptor_id = due(held), adaptor.id
    general.save(adaptor_id, {"general.holdMinutes": "900"})
    conversion.convert_due()
    assert due(held) == before
    general.save(adaptor_id, {"general.holdMinutes": "0"})
    conversion.convert_due()
    assert due(held) <= utcnow()


@pytest.mark.parametrize("by", ["save", "activation", "selection"])
def test_a_held_document_goes_through_the_gateway_that_is_chosen_meanwhile(
    held, adaptor, gateway, other_gateway, partner, by
):
    adaptor_id, customer_id, before = adaptor.id, again(held).customer_id, due(held)
    if by == "save":
        saving.save_overrides(customer_id, {"gateway": other_gateway})
    elif by == "activation":
        rules.activate(adaptor_id, [customer_id], "peppol-bis-3", other_gateway)
    else:
        bulk.activate(adaptor_id, Selection((customer_id,)), "peppol-bis-3", other_gateway)
    conversion.convert_due()
    old, new = deliveries(held)
    assert (old.state, old.next_at, new.state, new.gateway_id) == (S.SUPERSEDED, None, S.PENDING, other_gateway)
    assert new.next_at == before
    end_holds()
    delivery.deliver_due()
    assert newest(held).state is S.DELIVERED and len(partner.sent) == 1


def test_undoing_the_choice_of_a_gateway_takes_what_waits_back_too(held, gateway, other_gateway, partner):
    customer_id, gateway_id = again(held).customer_id, gateway.id
    saving.save_overrides(customer_id, {"gateway": other_gateway})
    conversion.convert_due()
    change = db.session.scalars(select(SettingsChange.id).order_by(SettingsChange.id.desc())).first()
    assert saving.undo(change, "ejer@example.com") == 1
    conversion.convert_due()
    assert (newest(held).gateway_id, newest(held).state) == (gateway_id, S.PENDING)


def test_what_was_tried_or_is_in_a_workers_hands_is_not_built_anew(held, adaptor, partner):
    customer_id = again(held).customer_id
    end_holds()
    [lease] = delivery.claim()
    assert saving.save_overrides(customer_id, {"customer.buyerReference": "A"}).released == 0
    assert newest(held).state is S.LEASED and newest(held).fence == lease.fence
    delivery._return([lease])
    partner.outcomes.append(Unavailable(Text("Nede", "Down"), "down"))
    delivery.deliver_due()
    assert saving.save_overrides(customer_id, {"customer.buyerReference": "B"}).released == 0
    assert again(held).stage is Stage.CONVERTED and newest(held).state is S.PENDING


def test_a_worker_that_claimed_before_the_save_cannot_move_what_was_taken_back(held, adaptor, partner):
    """The claim and the save compare and set the same row: only one of them has it."""
    customer_id = again(held).customer_id
    fence = newest(held).fence
    saving.save_overrides(customer_id, {"customer.buyerReference": "A"})
    stale = delivery.Lease(newest(held).id, newest(held).gateway_id, fence)
    with pytest.raises(delivery.LeaseLost):
        delivery.move(stale, S.PENDING, S.LEASED, delivery.Mover.DISPATCHER)
    db.session.rollback()


def test_what_the_settings_skip_no_longer_waits_for_a_manual_export(queued, adaptor, shelf, partner):
    adaptor_id = adaptor.id
    shelf.sent = [SentItself(Channel.EINVOICE, None, "received")]
    document = queued()
    key, customer_id = document.id, document.customer_id
    conversion.convert_due()
    assert again(key).stage is Stage.SKIPPED
    saving.save_overrides(customer_id, {"customer.buyerReference": "A"})
    assert general.save(adaptor_id, {"general.alreadyMailed": "skip"}).listed == 0
    assert again(key).stage is Stage.SKIPPED and again(key).error["channels"] == "einvoice"
    found = general.save(adaptor_id, {"general.alreadyEinvoiced": "warn"})
    assert (found.listed, found.released) == (1, 0) and rules.waiting(adaptor_id, [customer_id]) == 1
    assert again(key).stage is Stage.LISTED and again(key).error is None and kinds(key)[-1] == "listed_again"
    assert conversion.convert_due() == 0 and delivery.deliver_due() == 0, "nothing is sent by surprise"


def test_a_customers_change_leaves_the_documents_of_others_alone(held, make_customer):
    other = make_customer("B")
    assert saving.save_overrides(other.id, {"customer.buyerReference": "A"}).released == 0
    assert newest(held).state is S.PENDING and isinstance(db.session.get(Customer, other.id), Customer)
