"""Sending by Sproom: one document however often it is asked for, look-up, states and what comes back."""

from __future__ import annotations

import pytest

from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import STRICT, Refused, Rejected, Unavailable, Unknown, Verdict
from invoiceapp.gateways.sproom import SproomTransport

pytestmark = pytest.mark.server

RESPONSE = b"<ApplicationResponse/>"


def test_the_document_goes_as_it_is_with_an_id_of_ours(sproom, opened, consignment):
    one = consignment()
    transport = opened()
    receipt = transport.send(one)
    [call] = sproom.calls
    assert (call.method, call.path, call.content) == ("POST", "/api/documents", one.payload.content)
    assert call.headers["x-request-id"] == transport.wire_ids(one)["request_id"] == receipt.evidence["request_id"]
    assert receipt.reference == sproom.account.newest_first()[0].id
    assert (receipt.proves_arrival, receipt.final) == (False, False)


def test_a_repetition_is_the_same_document(sproom, opened, consignment):
    first, again = opened().send(consignment()), opened().send(consignment())
    assert again.reference == first.reference and again.evidence["earlier"] is True
    assert opened().replay is Replay.SAFE and len(sproom.taken) == 1


def test_a_lost_answer_is_unknown_and_the_next_try_finds_the_document(sproom, opened, consignment):
    sproom.drop_answer = True
    with pytest.raises(Unknown):
        opened().send(consignment())
    sproom.drop_answer = False
    assert opened().send(consignment()).evidence["earlier"] is True
    assert len(sproom.taken) == 1


def test_a_conflict_that_names_no_document_is_unknown(sproom, opened, consignment):
    sproom.instead = ApiAnswer(409)
    with pytest.raises(Unknown):
        opened().send(consignment())


def test_the_id_comes_from_the_key_alone(opened, consignment):
    transport = opened()
    first = transport.wire_ids(consignment())
    assert first == transport.wire_ids(consignment(document_no="other"))
    assert first != transport.wire_ids(consignment(key="another"))


def test_what_the_validation_finds_is_told(sproom, opened, consignment):
    sproom.invalid = ["[F-INV051] Buyer is missing"]
    with pytest.raises(Rejected) as caught:
        opened().send(consignment())
    assert "[F-INV051] Buyer is missing" in caught.value.text.da
    assert sproom.taken == []


def test_a_wrong_token_pauses_the_gateway(sproom, opened, consignment):
    with pytest.raises(Refused) as caught:
        opened(token="S3CR3T-wrong").send(consignment())
    assert "S3CR3T" not in f"{caught.value} {caught.value.text}"
    assert sproom.taken == []


def test_an_address_inside_is_refused_by_the_guard(sproom, consignment):
    with SproomTransport({"base_url": sproom.base_url, "token": "x"}, STRICT) as strict, pytest.raises(Refused):
        strict.send(consignment())
    assert sproom.calls == []


@pytest.mark.parametrize(
    ("participant", "address"),
    [
        (Participant("0088", "5798000000001"), "GLN:5798000000001"),
        (Participant("0184", "12345674"), "DK:CVR:12345674"),
        (Participant("0096", "1234567890"), "DK:P:1234567890"),
        (Participant("0198", "DK12345674"), "DK:SE:DK12345674"),
    ],
)
def test_a_receiver_is_looked_up_by_its_own_scheme(sproom, opened, participant, address):
    assert opened().reaches(participant, Network.NEMHANDEL) is True
    assert sproom.calls[-1].path == f"/api/recipients/{address}"
    sproom.account.unreachable.add(address)
    assert opened().reaches(participant, Network.PEPPOL) is False


@pytest.mark.parametrize(
    "answer", [ApiAnswer(404), ApiAnswer(500), ApiAnswer(200, {"canRoute": "yes"}), ApiAnswer(200, b"<p>")]
)
def test_a_look_up_without_a_clear_answer_is_no_no(sproom, opened, answer):
    sproom.instead = answer
    with pytest.raises(Unavailable):
        opened().reaches(Participant("0184", "12345674"), Network.NEMHANDEL)


def test_foreign_receivers_cannot_be_asked_about(sproom, opened):
    with pytest.raises(Unavailable):
        opened().reaches(Participant("0192", "974760673"), Network.PEPPOL)
    assert sproom.calls == []


def test_the_state_is_asked_until_the_network_has_it(opened, consignment):
    transport = opened()
    reference = transport.send(consignment()).reference
    told = [transport.status(reference, {}) for _ in range(3)]
    assert [one.verdict for one in told] == [Verdict.ON_ITS_WAY, Verdict.ARRIVED, Verdict.ARRIVED]
    assert (told[-1].evidence["by"], told[-1].evidence["delivery_type"]) == ("network", "NemhandelEDelivery")


def test_a_rejection_is_told_with_its_reason_and_who_says_so(sproom, opened, consignment):
    transport = opened()
    reference = transport.send(consignment()).reference
    sproom.account.move(reference, "Sent")
    sproom.account.move(reference, "ApplicationReponseBusinessReject", "Wrong order number")
    later = transport.status(reference, {})
    assert (later.verdict, later.evidence["by"]) == (Verdict.REJECTED, "buyer")
    assert later.text is not None and "Wrong order number" in later.text.da


def test_a_document_without_a_state_yet_is_on_its_way(sproom, opened, consignment):
    sproom.instead = ApiAnswer(200, [])
    assert opened().status("d-1", {}).verdict is Verdict.ON_ITS_WAY


@pytest.mark.parametrize("answer", [ApiAnswer(200, {}), ApiAnswer(200, b"<html>"), ApiAnswer(404), ApiAnswer(503)])
def test_a_state_that_cannot_be_told_is_asked_again(sproom, opened, answer):
    sproom.instead = answer
    with pytest.raises(Unavailable):
        opened().status("d-1", {})


def test_responses_are_fetched_as_documents(sproom, opened, consignment):
    transport = opened()
    reference = transport.send(consignment()).reference
    assert list(transport.responses(reference)) == []
    response = sproom.respond(reference, RESPONSE)
    [incoming] = transport.responses(reference)
    assert (incoming.name, incoming.content) == (response, RESPONSE)


def test_a_response_that_is_no_xml_is_left_out(sproom, opened, consignment):
    transport = opened()
    reference = transport.send(consignment()).reference
    sproom.respond(reference, b"%PDF")
    assert list(transport.responses(reference)) == []


def test_the_connection_test_shows_the_company_and_the_key_to_paste(sproom, opened):
    steps = opened().check()
    assert all(step.ok for step in steps) and sproom.taken == []
    assert "Demofirma ApS" in steps[2].detail.da
    assert sproom.public_key.strip() in steps[3].detail.en
    [*_, pasted, _] = opened(webhook_key=sproom.public_key).check()
    assert pasted.ok and "BEGIN" not in pasted.detail.en


@pytest.mark.parametrize(
    ("webhook", "says"),
    [
        ({"type": "documentStatusChanged", "url": "https://faktura.example/inbound/1"}, "sends messages here"),
        (
            {"type": "documentReceived", "url": "https://faktura.example/inbound/1"},
            "to https://faktura.example/inbound/1",
        ),
        ({"type": "documentStatusChanged", "url": "https://other.example/"}, "sends no messages here"),
    ],
)
def test_the_connection_test_says_whether_messages_come_here(sproom, opened, webhook, says):
    sproom.webhooks = [webhook]
    step = opened(callback_url="https://faktura.example/inbound/1").check()[-1]
    assert step.ok and says in step.detail.en


def test_the_connection_test_ends_at_a_wrong_token(opened):
    steps = opened(token="wrong").check()
    assert [step.ok for step in steps] == [True, True, False]


def test_the_connection_test_does_not_end_over_a_stored_key_that_is_none(opened):
    assert all(step.ok for step in opened(webhook_key="rubbish").check())
