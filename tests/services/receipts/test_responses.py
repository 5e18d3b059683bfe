"""What buyers, their systems and the network answer: matched by ids and addresses, never guessed, and told apart."""

from __future__ import annotations

from typing import ClassVar

import pytest
from support import responses as written
from support.responses import invoice_response, message_response, response

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import registry
from invoiceapp.models import (
    Attempt,
    Delivery,
    Environment,
    Event,
    Gateway,
    IncomingState,
    Receipt,
    Rendition,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.services.export import archive
from invoiceapp.services.receipts import queries

S = DeliveryState
MATCHED, WAITING, UNREADABLE = IncomingState.MATCHED, IncomingState.WAITING, IncomingState.UNREADABLE
INSTANCE = "7c0a6f2e-5f0c-5b1c-9d0e-0c1d0a6f7e21"


@pytest.fixture
def gone(ready):
    """``gone(number, state)``: a delivery that has left for the buyer's GLN, with its attempt."""

    def make(number="1001", state=S.ACCEPTED, **columns):
        delivery = ready(number, state, next_at=None, first_sent_at=utcnow(), remote_ref=f"ref-{number}", **columns)
        wire_ids = {"sbdh_instance": INSTANCE if number == "1001" else f"other-{number}"}
        db.session.add(Attempt(delivery_id=delivery.id, number=1, fence=1, wire_ids=wire_ids, outcome="accepted"))
        db.session.commit()
        return delivery

    return make


@pytest.fixture
def networked(partner, monkeypatch):
    """The fake partner is an access point: what is posted to it is opened and proved before it is kept."""

    class AccessPoint(partner):
        unwraps: ClassVar[bool] = True
        networks: ClassVar[frozenset[Network]] = frozenset({Network.NEMHANDEL})

    monkeypatch.setitem(registry(), "fake", AccessPoint)
    return AccessPoint


@pytest.fixture
def other_gateway(gateway):
    row = Gateway(
        subscription_id=gateway.subscription_id, name="Anden", kind="fake", config={"host": "x"}, secrets={},
        environment=gateway.environment,
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def last_event(delivery):
    return db.session.query(Event).filter_by(delivery_id=delivery.id).order_by(Event.id.desc()).first()


def now(delivery):
    db.session.rollback()
    return db.session.get_one(Delivery, delivery.id, populate_existing=True)


@pytest.mark.parametrize(
    ("content", "state", "event", "by"),
    [
        (response("TechnicalAccept"), S.DELIVERED, "delivered", "receiver_system"),
        (response("ProfileAccept"), S.DELIVERED, "delivered", "receiver_system"),
        (response("TechnicalReject", texts=("F-INV127",)), S.REJECTED, "rejected", "receiver_system"),
        (response("ProfileReject"), S.REJECTED, "rejected", "receiver_system"),
        (response("BusinessAccept"), S.ACKNOWLEDGED, "acknowledged", "buyer"),
        (response("BusinessReject", texts=("Forkert pris",)), S.REJECTED, "rejected", "buyer"),
        (response("Whatever"), S.ACCEPTED, "said", "receiver_system"),
        (invoice_response("AB"), S.DELIVERED, "delivered", "receiver_system"),
        (invoice_response("IP"), S.ACCEPTED, "said", "buyer"),
        (invoice_response("UQ"), S.ACCEPTED, "said", "buyer"),
        (invoice_response("CA"), S.ACCEPTED, "said", "buyer"),
        (invoice_response("AP"), S.ACKNOWLEDGED, "acknowledged", "buyer"),
        (invoice_response("PD"), S.ACKNOWLEDGED, "acknowledged", "buyer"),
        (invoice_response("RE"), S.REJECTED, "rejected", "buyer"),
        (message_response("AB", INSTANCE), S.DELIVERED, "delivered", "network"),
        (message_response("AP", INSTANCE.upper()), S.DELIVERED, "delivered", "network"),
        (message_response("RE", INSTANCE), S.REJECTED, "rejected", "network"),
        (message_response("AP", INSTANCE, kind=written.MLS, sender=("0242", "000777")), S.DELIVERED, "delivered", "network"),
        (message_response("AB", INSTANCE, kind=written.MLS, sender=("0242", "000777")), S.ACCEPTED, "said", "network"),
        (message_response("RE", INSTANCE, kind=written.MLS, sender=None), S.REJECTED, "rejected", "network"),
        (message_response("AP", "ref-1001"), S.DELIVERED, "delivered", "network"),
    ],
)  # fmt: skip
def test_each_answer_moves_what_it_may_move_and_says_who_said_it(gone, arrive, content, state, event, by):
    delivery = gone()
    message = arrive(content)
    assert message.state is MATCHED
    found = last_event(delivery)
    assert (now(delivery).state, found.kind, found.data["by"]) == (state, event, by)
    assert found.data["da"] and found.data["en"]
    assert db.session.query(Receipt).filter_by(delivery_id=delivery.id).one().evidence["sha256"] == message.sha256


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            response("TechnicalReject", texts=("F-INV127",)),
            "could not use the document: “F-INV127”. Correct it and send",
        ),
        (response("ProfileReject"), "Choose another format"),
        (response("BusinessReject", texts=("Rabat mangler",)), "The buyer says no: “Rabat mangler”"),
        (invoice_response("RE", statuses=written.status("PRI")), "credit note or a new invoice"),
        (message_response("RE", INSTANCE), "the buyer does not have it"),
    ],
)
def test_a_rejection_says_why_whose_turn_it_is_and_what_to_do(gone, arrive, content, words):
    delivery = gone()
    arrive(content)
    error = now(delivery).error
    assert error["class"] == "Rejected" and words in error["en"]
    assert error["by"] in ("buyer", "receiver_system", "network")


def test_the_steps_of_a_buyer_end_with_the_last_one(gone, arrive):
    delivery = gone(state=S.DELIVERED)
    for code in ("AB", "IP", "UQ", "AP", "PD"):
        arrive(invoice_response(code, id_=code))
    assert now(delivery).state is S.ACKNOWLEDGED
    kinds = [event.kind for event in db.session.query(Event).filter_by(delivery_id=delivery.id).order_by(Event.id)]
    assert kinds == ["late_receipt", "said", "said", "acknowledged", "late_receipt"]


@pytest.mark.parametrize(
    ("first", "then", "state"),
    [("RE", "AP", S.REJECTED), ("AP", "IP", S.ACKNOWLEDGED), ("PD", "RE", S.ACKNOWLEDGED), ("UQ", "IP", S.ACCEPTED)],
)
def test_a_step_that_comes_after_a_later_or_a_last_one_is_only_kept(gone, arrive, left, first, then, state):
    delivery = gone()
    arrive(invoice_response(first, id_="a"))
    assert arrive(invoice_response(then, id_="b")).state is MATCHED
    found = left(delivery)
    assert (found.state, found.events[-1], len(found.kinds)) == (state, "late_receipt", 2)


def test_a_no_after_a_yes_is_kept_and_said_clearly(gone, arrive):
    delivery = gone()
    arrive(response("BusinessAccept"))
    arrive(response("BusinessReject", texts=("Alligevel ikke",)))
    assert now(delivery).state is S.ACKNOWLEDGED
    found = last_event(delivery)
    assert found.kind == "late_receipt" and found.data["says"] == "rejected"
    assert "had been accepted" in found.data["en"] and "Alligevel ikke" in found.data["en"]


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (invoice_response("IP"), S.ACCEPTED),
        (response("TechnicalAccept"), S.DELIVERED),
        (message_response("AB", INSTANCE, kind=written.MLS), S.OUTCOME_UNKNOWN),
    ],
)
def test_an_outcome_that_nobody_knew_is_known_once_somebody_must_have_it(gone, arrive, content, state):
    delivery = gone(state=S.OUTCOME_UNKNOWN)
    arrive(content)
    assert now(delivery).state is state


@pytest.mark.parametrize(
    "content",
    [
        response(sender=("GLN", "5790000000999")),
        response(sender=None),
        invoice_response("AP", sender=("0184", "99999999")),
        message_response("RE", INSTANCE, sender=("0088", "5790000000999")),
    ],
)
def test_somebody_elses_answer_about_our_invoice_changes_nothing_and_is_shown(gone, arrive, left, gateway, content):
    delivery = gone()
    assert arrive(content).state is WAITING
    assert left(delivery) == type(left(delivery))(S.ACCEPTED, [], [])
    words = queries.newest(gateway.id)[0].lines[0].text
    assert "was sent to another address" in words["en"] and "anden adresse" in words["da"]


@pytest.mark.parametrize(
    "content",
    [
        response(reference="9999"),
        response(date="2020-01-01"),
        response(type_code="CreditNote"),
        invoice_response("AP", type_code="381"),
        message_response("AP", "no-message-of-ours"),
    ],
)
def test_what_fits_no_document_of_ours_is_shown_unmatched(gone, arrive, left, gateway, content):
    delivery = gone()
    message = arrive(content)
    assert message.state is WAITING
    assert left(delivery).kinds == []
    assert "fits not exactly one document" in queries.newest(gateway.id)[0].lines[0].text["en"]


def test_what_never_left_is_not_answered(ready, arrive):
    ready("1001", S.ACCEPTED)
    assert arrive(response()).state is WAITING


def test_two_documents_of_one_number_are_told_apart_by_their_uuid_and_never_guessed(gone, arrive, make_document, left):
    first, second = gone("1001"), gone("1002")
    uuids = {}
    for delivery, uuid in ((first, "1" * 8), (second, "2" * 8)):
        uuids[delivery.id] = f"{uuid}-8815-1029-857a-e388fe63f399"
        content = f"<Invoice><cbc:ID>x</cbc:ID><cbc:UUID>{uuids[delivery.id]}</cbc:UUID></Invoice>".encode()
        db.session.get_one(Rendition, delivery.rendition_id).sha256 = archive.store(content)
    second.document.number = "1001"
    db.session.commit()
    assert arrive(response(uuid=None, id_="a")).state is WAITING
    assert arrive(response(uuid="3" * 8 + "-8815-1029-857a-e388fe63f399", id_="b")).state is WAITING
    assert arrive(response(uuid=uuids[second.id].upper(), date=None, id_="c")).state is MATCHED
    assert (left(first).state, left(second).state) == (S.ACCEPTED, S.ACKNOWLEDGED)


def test_a_uuid_that_nobody_has_leaves_number_and_date_to_decide(gone, arrive):
    delivery = gone()
    arrive(response(uuid="9756b4d0-8815-1029-857a-e388fe63f399"))
    assert now(delivery).state is S.ACKNOWLEDGED


def test_the_newest_sending_of_a_document_is_answered(gone, arrive, make_delivery, left):
    older = gone(state=S.SUPERSEDED)
    newer = make_delivery(
        older.document, S.ACCEPTED, rendition_id=older.rendition_id, next_at=None, first_sent_at=utcnow()
    )
    arrive(response())
    assert (left(older).state, left(newer).state) == (S.SUPERSEDED, S.ACKNOWLEDGED)


@pytest.mark.parametrize("content", [response(), message_response("AP", INSTANCE)])
def test_a_network_answers_at_whichever_gateway_the_sender_is_registered(
    gone, arrive, networked, other_gateway, content
):
    delivery = gone()
    assert arrive(content, {"content-type": "application/xml"}, at=other_gateway).state is MATCHED
    assert now(delivery).state in (S.ACKNOWLEDGED, S.DELIVERED)


def test_a_mailbox_answers_only_for_what_went_through_it(gone, arrive, other_gateway):
    delivery = gone()
    assert arrive(response(), at=other_gateway).state is WAITING
    assert now(delivery).state is S.ACCEPTED


@pytest.mark.parametrize("content", [response(), message_response("RE", INSTANCE)])
def test_a_test_network_never_answers_for_what_was_sent_for_real(gone, arrive, networked, other_gateway, content):
    delivery = gone(environment=Environment.LIVE)
    other_gateway.environment = Environment.TEST
    db.session.commit()
    assert arrive(content, {"content-type": "application/xml"}, at=other_gateway).state is WAITING
    assert now(delivery).state is S.ACCEPTED


def test_another_subscriptions_invoice_is_never_answered(gone, arrive, networked, gateway, other_gateway):
    delivery = gone()
    stranger = Subscription(name="Anden")
    db.session.add(stranger)
    db.session.flush()
    other_gateway.subscription_id = stranger.id
    db.session.commit()
    for content in (response(), message_response("RE", INSTANCE)):
        assert arrive(content, {"content-type": "application/xml"}, at=other_gateway).state is WAITING
    assert now(delivery).state is S.ACCEPTED


def test_a_response_that_a_stranger_posts_is_not_believed(gone, arrive, left, posting):
    """Anybody can write one: only what was fetched, asked for, or opened by an access point counts."""
    delivery = gone()
    for headers in (
        {"content-type": "application/xml"},
        {"content-type": "application/xml", "x-delivery": delivery.id},
    ):
        message = arrive(response(id_=str(len(headers))), headers)
        assert message.state is not MATCHED
    assert left(delivery).kinds == []


def test_an_access_point_that_gets_something_else_says_so(arrive, networked):
    message = arrive(b"<Invoice/>", {"content-type": "application/xml"})
    assert message.state is UNREADABLE
    assert "is no response" in message.outcome[0]["en"]


def test_an_answer_in_an_envelope_is_read(gone, arrive):
    delivery = gone()
    sbdh = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"
    inner = response().partition(b"?>")[2]
    content = (
        f'<StandardBusinessDocument xmlns="{sbdh}"><StandardBusinessDocumentHeader/>'.encode()
        + inner + b"</StandardBusinessDocument>"
    )  # fmt: skip
    assert arrive(content).state is MATCHED
    assert now(delivery).state is S.ACKNOWLEDGED


def test_an_answer_that_overtakes_our_own_record_counts_once_it_is_sent(gone, arrive, left):
    delivery = gone(state=S.SENDING)
    message = arrive(response())
    assert message.state is WAITING and "being sent" in message.outcome[0]["en"]
    assert left(delivery).kinds == []
