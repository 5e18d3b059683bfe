"""What is taken care of outside of this product, and questions that a person asks for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS, DeliveryState, Replay
from invoiceapp.domain.findings import Turn, fatal
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Event,
    Run,
    RunState,
    Stage,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.configuration import releasing, rules
from invoiceapp.services.daily import listing, problems
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, delivery, documents, probing, resending

S = DeliveryState
WHO = "ejer@example.com"
NO_EAN = fatal("DK-R-013", "Kundens EAN mangler.", "The EAN is missing.", turn=Turn.HERE).to_dict()


def again(row: Delivery) -> Delivery:
    return db.session.get_one(Delivery, row.id, populate_existing=True)


def last_event(row: Delivery) -> Event:
    return db.session.scalars(select(Event).where(Event.delivery_id == row.id).order_by(Event.id.desc())).first()


HANDLED = [S.BLOCKED, S.FAILED, S.REJECTED, S.OUTCOME_UNKNOWN]


def _document(row: Delivery) -> Document:
    return db.session.get_one(Document, row.document_id, populate_existing=True)


@pytest.mark.parametrize("state", HANDLED)
def test_what_is_handled_outside_is_nobodys_problem_and_cannot_leave_any_more(ready, partner, state):
    row = ready(state=state, findings=[])
    actions.handle_outside(row.document, WHO, "sendt på mail")
    document = _document(row)
    assert (document.stage, document.status) == (Stage.HANDLED, "handled")
    assert again(row).state is state
    line = db.session.scalars(select(Event).order_by(Event.id.desc())).first()
    assert (line.kind, line.actor, line.data["note"]) == ("handled_outside", WHO, "sendt på mail")
    for act in (
        lambda: actions.send_again(again(row), WHO, "igen"),
        lambda: actions.try_again(again(row), WHO),
        lambda: actions.cancel(again(row), WHO, "nej"),
        lambda: actions.ask_again(again(row), WHO),
        lambda: actions.mark_received(again(row), WHO, "ja"),
        lambda: actions.handle_outside(document, WHO, "igen"),
    ):
        with pytest.raises(Conflict):
            act()
    assert delivery.deliver_due() == 0 and partner.sent == []


@pytest.mark.parametrize("stage", [Stage.LISTED, Stage.UNUSABLE, Stage.SKIPPED])
def test_a_document_without_a_delivery_is_handled_outside_and_taken_up_as_it_was(make_customer, make_document, stage):
    document = make_document(make_customer(), stage=stage, error={"da": "Kladde", "en": "Draft"})
    actions.handle_outside(document, WHO, "i orden")
    assert document.status == "handled"
    actions.take_up_again(document, WHO)
    db.session.refresh(document)
    assert (document.stage, document.status, document.error["en"]) == (stage, stage.value, "Draft")
    with pytest.raises(Conflict):
        actions.take_up_again(document, WHO)


@pytest.mark.parametrize("state", HANDLED)
def test_what_is_taken_up_again_waits_for_a_person_as_before_and_its_problem_opens_again(ready, partner, state):
    row = ready(state=state, findings=[NO_EAN], error={"da": "Nej", "en": "No"}, next_at=utcnow())
    actions.handle_outside(row.document, WHO, "i orden")
    problems.refresh(row.adaptor_id)
    assert listing.counts([row.adaptor_id])["person"] == 0 and problems.of_adaptors([row.adaptor_id]) == []
    actions.take_up_again(_document(row), WHO)
    assert (_document(row).stage, _document(row).status, again(row).state) == (Stage.CONVERTED, state.value, state)
    problems.refresh(row.adaptor_id)
    assert [one.documents for one in problems.of_adaptors([row.adaptor_id])] == [1]
    assert listing.counts([row.adaptor_id])["person"] == 1
    assert probing.due() == [] and delivery.deliver_due() == 0 and partner.sent == []


def test_what_failed_and_is_handled_outside_is_not_sent_with_the_others_of_its_gateway(ready, partner):
    row = ready(state=S.FAILED, finished_at=utcnow())
    actions.handle_outside(row.document, WHO, "i orden")
    since = utcnow() - timedelta(days=1)
    assert resending.count(row.gateway_id, since).failed == resending.resend(row.gateway_id, since, WHO) == 0
    actions.take_up_again(_document(row), WHO)
    assert resending.count(row.gateway_id, since).failed == resending.resend(row.gateway_id, since, WHO) == 1


def test_the_partner_is_not_asked_about_what_is_handled_outside(ready, partner):
    partner.replays = Replay.SAFE
    row = ready(state=S.OUTCOME_UNKNOWN, next_at=utcnow())
    asked = probing.due()
    actions.handle_outside(row.document, WHO, "i orden")
    assert probing._claim(asked[0]) is None and not actions.can_be_asked(again(row))
    # A receipt that is missed later sets a new time.
    again(row).next_at = utcnow()
    db.session.commit()
    assert probing.due() == []


@pytest.mark.parametrize("state", sorted({*IN_PROGRESS, *ARRIVED}))
def test_what_is_on_its_way_or_has_arrived_is_not_handled_outside(ready, state):
    row = ready(state=state)
    with pytest.raises(Conflict):
        actions.handle_outside(row.document, WHO, "i orden")
    assert _document(row).stage is Stage.CONVERTED and again(row).state is state


def test_a_document_that_is_being_converted_is_not_handled_outside(make_customer, make_document):
    document = make_document(make_customer(), stage=Stage.QUEUED)
    with pytest.raises(Conflict):
        actions.handle_outside(document, WHO, "i orden")


def test_handling_outside_needs_a_reason(ready):
    row = ready(state=S.BLOCKED)
    with pytest.raises(ServiceError):
        actions.handle_outside(row.document, WHO, " ")
    assert again(row).state is S.BLOCKED


def test_releasing_and_rebuilding_leave_a_handled_document_alone(ready, monkeypatch):
    row = ready(state=S.BLOCKED)
    document = row.document
    actions.handle_outside(document, WHO, "i orden")
    releasing.after_change(Document.id == document.id)
    releasing.let_go(Document.id == document.id)
    monkeypatch.setattr(actions, "read_again", lambda _document: None)
    with pytest.raises(Conflict) as caught:
        actions.rebuild(document, WHO)
    assert "udenfor" in caught.value.text.da and _document(row).stage is Stage.HANDLED


@pytest.mark.server
def test_a_run_neither_sends_a_handled_document_nor_changes_what_it_was_made_of(
    connected, billy, gateway, make_document
):
    invoice = next(iter(billy.api.store.tables["invoices"].values()))
    customer = db.session.scalars(select(Customer).where(Customer.source_id == invoice["contactId"])).one()
    rules.activate(connected.id, [customer.id], "peppol-bis-3", gateway.id)
    document = make_document(customer, invoice["invoiceNo"], source_id=invoice["id"])
    key = document.id
    db.session.add(
        Delivery(
            id=new_id(), subscription_id=document.subscription_id, adaptor_id=document.adaptor_id, document_id=key,
            gateway_id=gateway.id, format="ubl", transport="sftp", state=S.BLOCKED, idem_key="k",
        )
    )  # fmt: skip
    db.session.commit()
    actions.handle_outside(document, WHO, "i orden")
    read = actions.read_again(document)
    for query in ({}, {"numbers": [read.number]}):
        with transaction() as session:
            run = Run(id=new_id(), subscription_id=connected.subscription_id, adaptor_id=connected.id, trigger="manual")
            run.query, run.state = query, RunState.FINISHED
            session.add(run)
            tally = documents.ingest(run, session.get_one(Adaptor, connected.id), [read])
        assert (tally.queued, tally.already_exported, len(tally.left_out)) == (0, not query, len(query))
    found = db.session.get_one(Document, key, populate_existing=True)
    assert found.stage is Stage.HANDLED and found.bundle_sha256 == document.bundle_sha256


@pytest.mark.parametrize(
    ("replay", "tries", "may"),
    [(Replay.PROBE, 1, True), (Replay.PROBE, 9, True), (Replay.SAFE, 1, True), (Replay.SAFE, 9, False),
     (Replay.UNSAFE, 1, False)],
)  # fmt: skip
def test_a_person_may_ask_again_where_the_partner_can_say_or_recognises_a_repetition(
    ready, partner, replay, tries, may
):
    partner.replays = replay
    row = ready(state=S.OUTCOME_UNKNOWN, tries=tries, next_at=None)
    assert actions.can_be_asked(row) is may
    if may:
        actions.ask_again(row, WHO)
        assert again(row).next_at <= utcnow() and probing.due() != []
        assert (last_event(row).kind, last_event(row).actor) == ("asked_by_hand", WHO)
    else:
        with pytest.raises(Conflict):
            actions.ask_again(row, WHO)
        assert again(row).next_at is None


def test_nobody_is_asked_through_a_paused_gateway_or_of_what_is_clear(ready, partner):
    partner.replays = Replay.PROBE
    assert not actions.can_be_asked(ready(state=S.DELIVERED))
    row = ready("1002", S.OUTCOME_UNKNOWN)
    row.gateway.paused_at = utcnow()
    db.session.commit()
    with pytest.raises(Conflict):
        actions.ask_again(row, WHO)


def test_asking_again_asks_a_provider_for_its_status_too(ready, partner, monkeypatch):
    monkeypatch.setattr(partner, "polls", True)
    row = ready(state=S.OUTCOME_UNKNOWN, remote_ref="R-1", next_at=None)
    actions.ask_again(row, WHO)
    assert again(row).poll_at <= utcnow()


@pytest.mark.parametrize("other", [actions.handle_outside, actions.mark_received])
def test_of_two_people_who_handle_and_decide_at_once_one_is_told_that_it_moved_on(ready, app, other):
    row_id = ready(state=S.OUTCOME_UNKNOWN).id
    db.session.commit()
    start = threading.Barrier(2)

    def person(act: Any) -> bool:
        with app.app_context():
            row = db.session.get_one(Delivery, row_id)
            subject = row.document if act is actions.handle_outside else row
            db.session.refresh(subject)
            db.session.expunge_all()
            db.session.commit()
            start.wait()
            try:
                act(subject, WHO, "note")
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        done = [one.result() for one in [pool.submit(person, act) for act in (actions.handle_outside, other)]]
    assert sorted(done) == [False, True]
