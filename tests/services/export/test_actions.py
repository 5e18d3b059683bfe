from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS, DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Document, Event, Receipt, Stage, db
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, delivery, outbox
from invoiceapp.sources.base import SourceUnavailable

S = DeliveryState
WHO = "ejer@example.com"


def again(row: Delivery) -> Delivery:
    return db.session.get_one(Delivery, row.id, populate_existing=True)


def last_event(row: Delivery) -> Event:
    return db.session.scalars(select(Event).where(Event.delivery_id == row.id).order_by(Event.id.desc())).first()


def test_a_failed_one_is_tried_again_with_the_same_ids_and_all_tries(ready, partner):
    row = ready(state=S.FAILED, tries=8, idem_key="key", fence=4, next_at=None)
    actions.try_again(row, WHO)
    assert row.state is S.PENDING and row.tries == 0 and row.fence == 5 and row.finished_at is None
    assert (last_event(row).kind, last_event(row).actor) == ("tried_again", WHO)
    delivery.deliver_due()
    assert row.state is S.DELIVERED and partner.sent[0].key == "key"


@pytest.mark.parametrize("state", sorted(set(S) - {S.FAILED}))
def test_only_a_failed_one_can_be_tried_again(ready, state):
    row = ready(state=state)
    with pytest.raises(Conflict):
        actions.try_again(row, WHO)
    assert again(row).state is state


@pytest.mark.parametrize("state", [S.BLOCKED, S.PENDING, S.FAILED, S.OUTCOME_UNKNOWN])
def test_what_is_not_on_its_way_can_be_taken_out(ready, state, partner):
    row = ready(state=state)
    actions.cancel(row, WHO, "dobbelt")
    assert row.state is S.CANCELLED and row.next_at is None and row.finished_at is not None
    assert last_event(row).data == {"note": "dobbelt"}
    assert delivery.deliver_due() == 0 and partner.sent == []


@pytest.mark.parametrize("state", [S.LEASED, S.SENDING, *sorted(ARRIVED), S.REJECTED, S.SUPERSEDED])
def test_what_is_on_its_way_or_over_cannot_be_taken_out(ready, state):
    row = ready(state=state)
    with pytest.raises(Conflict) as caught:
        actions.cancel(row, WHO, "")
    assert "gået videre" in caught.value.text.da and again(row).state is state


def test_an_unclear_one_is_marked_as_received_with_a_persons_word_as_evidence(ready):
    row = ready(state=S.OUTCOME_UNKNOWN, error={"da": "?", "en": "?"})
    actions.mark_received(row, WHO, "Kunden bekræftede på telefon")
    assert row.state is S.ACCEPTED
    receipt = db.session.scalars(select(Receipt)).one()
    assert (receipt.kind, receipt.reference) == ("person", WHO)
    assert receipt.evidence == {"note": "Kunden bekræftede på telefon", "by": WHO}


def test_marking_as_received_and_its_evidence_are_one_step(ready, monkeypatch):
    row = ready(state=S.OUTCOME_UNKNOWN)

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("died")

    monkeypatch.setattr(actions.events, "of_delivery", crash)
    with pytest.raises(RuntimeError):
        actions.mark_received(row, WHO, "note")
    assert again(row).state is S.OUTCOME_UNKNOWN and db.session.scalar(select(func.count()).select_from(Receipt)) == 0


@pytest.mark.parametrize("state", sorted(set(S) - {S.OUTCOME_UNKNOWN}))
def test_nothing_else_can_be_marked_as_received(ready, state):
    row = ready(state=state)
    with pytest.raises(Conflict):
        actions.mark_received(row, WHO, "note")
    assert again(row).state is state and db.session.scalar(select(func.count()).select_from(Receipt)) == 0


@pytest.mark.parametrize("action", [actions.mark_received, actions.send_again])
@pytest.mark.parametrize("note", ["", "  "])
def test_a_reason_is_asked_for(ready, action, note):
    row = ready(state=S.OUTCOME_UNKNOWN)
    with pytest.raises(ServiceError) as caught:
        action(row, WHO, note)
    assert "begrundelse" in caught.value.text.da and again(row).state is S.OUTCOME_UNKNOWN


@pytest.mark.parametrize("state", [S.DELIVERED, S.ACKNOWLEDGED, S.REJECTED, S.FAILED, S.OUTCOME_UNKNOWN, S.CANCELLED])
def test_sending_again_makes_a_new_delivery_that_names_the_old_one(ready, state, partner):
    old = ready(state=state, idem_key="old-key")
    new = db.session.get_one(Delivery, actions.send_again(old, WHO, "modtageren har mistet den"))
    assert again(old).state is S.SUPERSEDED
    assert (new.state, new.supersedes_id, new.rendition_id) == (S.PENDING, old.id, old.rendition_id)
    assert new.idem_key != "old-key" and len(new.idem_key) == 32
    assert last_event(new).data == {"note": "modtageren har mistet den", "supersedes": old.id}
    delivery.deliver_due()
    assert [sent.key for sent in partner.sent] == [new.idem_key]


def test_sending_again_twice_gives_three_different_keys(ready, partner):
    first = ready(idem_key="a")
    delivery.deliver_due()
    second = db.session.get_one(Delivery, actions.send_again(first, WHO, "1"))
    delivery.deliver_due()
    third = db.session.get_one(Delivery, actions.send_again(second, WHO, "2"))
    assert len({first.idem_key, second.idem_key, third.idem_key}) == 3


@pytest.mark.parametrize("state", [*sorted(IN_PROGRESS), S.BLOCKED, S.SUPERSEDED])
def test_what_is_still_on_its_way_cannot_be_sent_again(ready, state):
    row = ready(state=state)
    with pytest.raises(Conflict):
        actions.send_again(row, WHO, "igen")
    assert again(row).state is state and db.session.scalar(select(func.count()).select_from(Delivery)) == 1


def test_an_old_one_cannot_be_sent_again_beside_its_successor(ready, make_delivery):
    old = ready(state=S.CANCELLED)
    make_delivery(old.document)
    with pytest.raises(Conflict):
        actions.send_again(old, WHO, "igen")
    assert again(old).state is S.CANCELLED


def test_what_breaks_the_rules_cannot_be_sent_again(ready):
    row = ready(state=S.CANCELLED, findings=[{"rule": "BR-01", "severity": "fatal"}])
    with pytest.raises(ServiceError) as caught:
        actions.send_again(row, WHO, "igen")
    assert not isinstance(caught.value, Conflict) and "reglerne" in caught.value.text.da


def test_of_two_people_at_once_one_is_told_that_it_moved_on(ready, app):
    row_id = ready(state=S.FAILED, next_at=None).id
    db.session.commit()
    start = threading.Barrier(2)

    def person(act: Any) -> str:
        with app.app_context():
            row = db.session.get_one(Delivery, row_id)
            fence, state = row.fence, row.state
            db.session.expunge(row)
            db.session.commit()
            assert (fence, state) == (0, S.FAILED)
            start.wait()
            try:
                act(row)
            except Conflict:
                return "conflict"
            return "done"

    def cancel(row: Delivery) -> None:
        actions.cancel(row, "a@example.com", "dobbelt")

    def retry(row: Delivery) -> None:
        actions.try_again(row, "b@example.com")

    with ThreadPoolExecutor(2) as pool:
        outcomes = [found.result() for found in [pool.submit(person, cancel), pool.submit(person, retry)]]
    assert sorted(outcomes) == ["conflict", "done"]
    assert db.session.scalar(select(func.count()).select_from(Event)) == 1


def test_two_people_who_send_again_at_once_make_one_new_delivery(ready, app):
    row_id = ready(state=S.DELIVERED).id
    db.session.commit()
    start = threading.Barrier(2)

    def person() -> bool:
        with app.app_context():
            row = db.session.get_one(Delivery, row_id)
            assert row.fence == 0 and row.findings == []
            db.session.expunge(row)
            db.session.commit()
            start.wait()
            try:
                actions.send_again(row, WHO, "igen")
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        done = [found.result() for found in [pool.submit(person) for _ in range(2)]]
    assert sorted(done) == [False, True]
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 2


@pytest.mark.server
def test_a_document_that_has_not_left_is_read_again_and_converted_anew(connected, billy, make_customer, make_document):
    document = _read_one(connected, billy, make_document)
    key = document.id
    invoice = next(iter(billy.api.store.tables["invoices"].values()))
    invoice["orderNo"] = "PO-NEW"
    actions.rebuild(document, WHO)
    found = db.session.get_one(Document, key, populate_existing=True)
    assert found.stage is Stage.QUEUED and found.order_number == "PO-NEW" and found.tries == 0
    assert db.session.scalars(select(Event.kind)).all()[-1] == "rebuilt"


@pytest.mark.server
@pytest.mark.parametrize("state", sorted(set(S) - {S.BLOCKED, S.SUPERSEDED, S.CANCELLED}))
def test_a_document_that_has_left_keeps_the_records_it_was_made_of(
    connected, billy, make_document, make_delivery, state
):
    document = _read_one(connected, billy, make_document)
    make_delivery(document, state)
    with pytest.raises(Conflict):
        actions.rebuild(document, WHO)


@pytest.mark.server
def test_rebuilding_says_so_where_the_source_does_not_answer_or_has_it_no_longer(connected, billy, make_document):
    document = _read_one(connected, billy, make_document)
    billy.api.faults.down = True
    with pytest.raises(ServiceError) as caught:
        actions.rebuild(document, WHO)
    assert "Billy svarer ikke" in caught.value.text.da
    billy.api.faults.down = False
    document.source_id = "gone"
    db.session.commit()
    with pytest.raises(ServiceError) as caught:
        actions.rebuild(document, WHO)
    assert not isinstance(caught.value.__cause__, SourceUnavailable) and isinstance(caught.value.text, Text)


def _read_one(connected: Any, billy: Any, make_document: Any) -> Document:
    from invoiceapp.models import Customer

    invoice = next(iter(billy.api.store.tables["invoices"].values()))
    customer = db.session.scalars(select(Customer).where(Customer.source_id == invoice["contactId"])).one()
    return make_document(customer, invoice["invoiceNo"], source_id=invoice["id"], stage=Stage.UNUSABLE)


def test_sending_a_cancelled_one_again_ends_its_waiting_conversion(ready):
    old = ready(state=S.CANCELLED)
    old.document.stage = Stage.QUEUED
    db.session.commit()
    document_id = old.document_id
    actions.send_again(old, WHO, "alligevel")
    assert db.session.get_one(Document, document_id, populate_existing=True).stage is Stage.CONVERTED


@pytest.mark.parametrize("stage", sorted(set(Stage) - {Stage.HANDLED}))
def test_no_later_conversion_sends_what_a_person_took_out(ready, stage):
    row = ready(state=S.BLOCKED)
    row.document.stage = stage
    db.session.commit()
    document_id = row.document_id
    actions.cancel(row, WHO, "dobbelt")
    assert db.session.get_one(Document, document_id, populate_existing=True).stage is Stage.CONVERTED


@pytest.mark.server
def test_a_conversion_that_ends_while_a_document_is_built_anew_does_not_send_the_old_records(
    connected, billy, make_document, make_delivery, app, monkeypatch
):
    """Building anew holds the document; whoever wants to finish it has lost it afterwards."""
    document = _read_one(connected, billy, make_document)
    document.stage, document.lease_token = Stage.QUEUED, "worker"
    db.session.commit()
    key, read = document.id, actions.read_again(document)
    real, threads = actions.documents.refresh, []

    def worker() -> None:
        with app.app_context():
            outcome.append(outbox.change_ours(key, "worker", stage=Stage.CONVERTED, lease_token=None))
            db.session.commit()
            db.session.remove()

    def refresh(*arguments: Any) -> None:
        threads.append(threading.Thread(target=worker))
        threads[0].start()
        threads[0].join(0.5)
        assert threads[0].is_alive(), "it waits for the document"
        real(*arguments)

    outcome: list[bool] = []
    monkeypatch.setattr(actions, "read_again", lambda _document: read)
    monkeypatch.setattr(actions.documents, "refresh", refresh)
    actions.rebuild(document, WHO)
    threads[0].join(20)
    assert outcome == [False] and db.session.get_one(Document, key, populate_existing=True).stage is Stage.QUEUED


@pytest.mark.server
def test_nothing_is_built_anew_from_another_companys_books(connected, billy, make_document):
    document = _read_one(connected, billy, make_document)
    key = document.id
    connected.organization = {**connected.organization, "id": "another", "name": "En anden ApS"}
    db.session.commit()
    with pytest.raises(Conflict) as caught:
        actions.rebuild(document, WHO)
    assert "En anden ApS" in caught.value.text.da
    assert db.session.get_one(Document, key, populate_existing=True).stage is Stage.UNUSABLE
