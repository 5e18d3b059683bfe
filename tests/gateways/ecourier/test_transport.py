"""Sending by eCourier: the right network and addresses, states, look-up, and callbacks that prove nothing."""

from __future__ import annotations

import json

import pytest

from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import STRICT, Incoming, Refused, Rejected, Unavailable, Unknown, Unreadable, Verdict
from invoiceapp.gateways.ecourier import ECourierTransport

pytestmark = pytest.mark.server


@pytest.mark.parametrize(("format_id", "channel"), [("oioubl-2.1", "NemHandel"), ("peppol-bis-3", "Peppol")])
def test_the_document_goes_as_it_is_by_the_network_of_its_format(ecourier, opened, invoice, format_id, channel):
    one = invoice(format=format_id)
    receipt = opened().send(one)
    [call] = ecourier.calls
    assert (call.method, call.path, call.content) == ("POST", "/v1/documents/xml", one.payload.content)
    assert {name: value for name, value in call.headers.items() if name.startswith("ecourier-")} == {
        "ecourier-channel": channel, "ecourier-sender-scheme": "DK:CVR", "ecourier-sender-id": "12345674",
        "ecourier-recipient-scheme": "GLN", "ecourier-recipient-id": "5798000000001",
    }  # fmt: skip
    assert receipt.reference == ecourier.account.newest_first()[0].id
    assert (receipt.proves_arrival, receipt.final) == (False, False)
    assert receipt.evidence["message_uuid"] == f"e2e-{receipt.reference}"


@pytest.mark.parametrize(
    ("participant", "scheme"),
    [
        (Participant("0096", "1234567890"), "DK:P"), (Participant("0198", "DK12345674"), "DK:SE"),
        (Participant("0192", "974760673"), "NO:ORG"), (Participant("9930", "DE123456789"), "DE:VAT"),
    ],
)  # fmt: skip
def test_each_scheme_has_ecouriers_own_name(ecourier, opened, invoice, participant, scheme):
    opened().send(invoice(receiver=participant))
    headers = ecourier.calls[0].headers
    assert (headers["ecourier-recipient-scheme"], headers["ecourier-recipient-id"]) == (scheme, participant.value)


@pytest.mark.parametrize(
    "change",
    [
        {"sender": None}, {"receiver": None}, {"receiver": Participant("0221", "T1234567890123")}, {"format": "edifact-d96a"},
        {"receiver": Participant("0192", "9747\r\nX-Evil: 1")}, {"receiver": Participant("0192", "")},
    ],
)  # fmt: skip
def test_what_cannot_be_addressed_is_rejected_before_anything_is_sent(ecourier, opened, invoice, change):
    with pytest.raises(Rejected) as caught:
        opened().send(invoice(**change))
    assert ecourier.calls == [] and caught.value.text.da


def test_what_the_validation_finds_is_told(ecourier, opened, invoice):
    ecourier.invalid = ["PEPPOL-EN16931-R003: no order"]
    with pytest.raises(Rejected) as caught:
        opened().send(invoice())
    assert "PEPPOL-EN16931-R003: no order" in caught.value.text.en
    assert ecourier.taken == []


def test_a_wrong_key_pauses_the_gateway(ecourier, opened, invoice):
    with pytest.raises(Refused) as caught:
        opened(token="pk_live_S3CR3T").send(invoice())
    assert "S3CR3T" not in f"{caught.value} {caught.value.text}"


def test_an_address_inside_is_refused_by_the_guard(ecourier, invoice):
    with ECourierTransport({"base_url": ecourier.base_url, "token": "x"}, STRICT) as strict, pytest.raises(Refused):
        strict.send(invoice())
    assert ecourier.calls == []


def test_an_answer_without_an_id_is_unknown(ecourier, opened, invoice):
    ecourier.instead = ApiAnswer(201, {"e2e_message_uuid": "x"})
    with pytest.raises(Unknown):
        opened().send(invoice())


def test_the_state_is_asked_until_the_network_has_it(opened, invoice):
    transport = opened()
    reference = transport.send(invoice()).reference
    told = [transport.status(reference, {}) for _ in range(3)]
    assert [one.verdict for one in told] == [Verdict.ON_ITS_WAY, Verdict.ARRIVED, Verdict.ARRIVED]
    assert told[-1].evidence["by"] == "network"
    assert told[-1].text is not None and "buyer has not answered" in told[-1].text.en


def test_a_document_that_could_not_be_delivered_is_rejected_with_the_reason(ecourier, opened, invoice):
    transport = opened()
    reference = transport.send(invoice()).reference
    ecourier.account.move(reference, "Failed", "Receiver not found in SMP")
    later = transport.status(reference, {})
    assert (later.verdict, later.evidence["by"]) == (Verdict.REJECTED, "provider")
    assert later.text is not None and "Receiver not found in SMP" in later.text.da


def test_a_state_that_we_do_not_know_is_no_delivery(ecourier, opened, invoice):
    transport = opened()
    reference = transport.send(invoice()).reference
    ecourier.account.move(reference, "Archived")
    assert transport.status(reference, {}).verdict is Verdict.ON_ITS_WAY


@pytest.mark.parametrize(
    "answer",
    [
        ApiAnswer(404),
        ApiAnswer(503),
        ApiAnswer(200, []),
        ApiAnswer(200, {"id": "other", "status": "Delivered"}),
        ApiAnswer(200, {"id": "d-1"}),
    ],
)
def test_a_state_that_cannot_be_told_is_asked_again(ecourier, opened, answer):
    ecourier.instead = answer
    with pytest.raises(Unavailable):
        opened().status("d-1", {})


def test_a_receiver_is_looked_up_in_the_network_that_is_asked_about(ecourier, opened):
    assert opened().reaches(Participant("0184", "12345674"), Network.NEMHANDEL) is True
    assert ecourier.calls[-1].path == "/v1/lookup/participants/NemHandel/DK:CVR/12345674"
    ecourier.account.unreachable.add("GLN:5798000000001")
    assert opened().reaches(Participant("0088", "5798000000001"), Network.PEPPOL) is False
    assert ecourier.calls[-1].path == "/v1/lookup/participants/Peppol/GLN/5798000000001"


@pytest.mark.parametrize(
    "answer",
    [
        ApiAnswer(404), ApiAnswer(404, b"<html>"), ApiAnswer(404, {"message": "The route v1/x could not be found."}),
        ApiAnswer(500), ApiAnswer(200, {}), ApiAnswer(200, {"channel": "Peppol"}), ApiAnswer(429),
    ],
)  # fmt: skip
def test_a_look_up_without_a_clear_answer_is_no_no(ecourier, opened, answer):
    ecourier.instead = answer
    with pytest.raises(Unavailable):
        opened().reaches(Participant("0184", "12345674"), Network.NEMHANDEL)


def test_a_scheme_without_a_name_cannot_be_asked_about(ecourier, opened):
    with pytest.raises(Unavailable):
        opened().reaches(Participant("0221", "T1234567890123"), Network.PEPPOL)
    assert ecourier.calls == []


def test_a_callback_is_only_a_hint_whatever_it_says(ecourier, opened, invoice):
    transport = opened()
    reference = transport.send(invoice()).reference
    incoming = Incoming("", ecourier.webhook(reference), {"content-type": "application/json", "x-signature": "bm8="})
    assert transport.reference_of(incoming) == reference
    later = transport.read(incoming, {})
    assert (later.verdict, later.evidence["signed"]) == (Verdict.HINT, False)


@pytest.mark.parametrize(
    "body", [{}, {"payload": 3}, {"payload": {"document": "x"}}, {"payload": {"document": {"id": "../x"}}}, [], "x"]
)
def test_what_is_no_callback_of_ecourier_is_unreadable(opened, body):
    with pytest.raises(Unreadable):
        opened().reference_of(Incoming("", json.dumps(body).encode()))


def test_the_connection_test_shows_the_companies_and_that_it_is_a_test(opened, ecourier):
    steps = opened().check()
    assert all(step.ok for step in steps) and ecourier.taken == []
    assert steps[-1].detail.en == "The access key works (for testing). Companies: Demofirma ApS."


def test_the_connection_test_says_that_no_company_is_set_up(opened, ecourier):
    ecourier.instead = ApiAnswer(200, {"data": []})
    assert "no company yet" in opened().check()[-1].detail.en


def test_the_connection_test_ends_at_a_wrong_key(opened):
    assert [step.ok for step in opened(token="wrong").check()] == [True, True, False]


RESPONSE = b"<ApplicationResponse/>"


def test_answers_of_buyers_are_fetched_once(ecourier, opened, invoice):
    transport = opened(fetch_responses=True)
    reference = transport.send(invoice()).reference
    ids = [ecourier.respond(reference, RESPONSE + b"<!-- %d -->" % number) for number in range(2)]
    found = list(transport.fetch())
    assert [one.name for one in found] == ids
    assert [one.content for one in found] == [RESPONSE + b"<!-- 0 -->", RESPONSE + b"<!-- 1 -->"]
    assert not any(one.headers for one in found)
    transport.done(found[0])
    assert [one.name for one in transport.fetch()] == ids[1:]


def test_invoices_that_the_company_receives_are_left_to_others(ecourier, opened, invoice, ubl):
    transport = opened(fetch_responses=True)
    ecourier.respond(transport.send(invoice()).reference, ubl(number="theirs"))
    assert list(transport.fetch()) == []


def test_nothing_is_fetched_where_another_system_does_it(ecourier, opened, invoice):
    transport = opened(fetch_responses=False)
    ecourier.respond(transport.send(invoice()).reference, RESPONSE)
    ecourier.calls.clear()
    assert list(transport.fetch()) == [] and ecourier.calls == []


@pytest.mark.parametrize(
    "answer", [ApiAnswer(200, {"data": 3}), ApiAnswer(503), ApiAnswer(200, {"data": [], "meta": 3})]
)
def test_a_list_that_cannot_be_read_is_fetched_again_later(ecourier, opened, answer):
    ecourier.instead = answer
    with pytest.raises(Unavailable):
        list(opened(fetch_responses=True).fetch())


def test_what_cannot_be_taken_away_is_said(ecourier, opened):
    with pytest.raises(Unavailable):
        opened().done(Incoming("gone", RESPONSE))
