"""Against a stand-in on loopback that knows the repeat rules of several providers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from invoiceapp.demo.partners.accesspoint_api import DEMO_TOKEN, Repeats
from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Incoming, Refused, Rejected, Unavailable, Unknown, Unreadable, Verdict

pytestmark = pytest.mark.server

BUYER = Participant("0184", "12345674")


@pytest.fixture
def invoice(consignment):
    return consignment(sender=Participant("0088", "5798000000001"), receiver=BUYER)


def test_a_document_is_submitted_under_our_key(api, opened, invoice):
    receipt = opened().send(invoice)
    (call,) = api.calls
    assert (call.method, call.path, call.content) == ("POST", "/rest/v1/documents", invoice.payload.content)
    assert call.headers["idempotency-key"] == invoice.key
    assert call.headers["content-type"] == invoice.payload.media_type
    assert receipt.reference == "D-1"
    assert (receipt.proves_arrival, receipt.final) == (False, False)
    assert receipt.evidence["by"] == "provider"
    json.dumps(receipt.evidence)


def test_what_nobody_can_be_asked_about_is_final(opened, invoice):
    receipt = opened(status_path=None).send(invoice)
    assert (receipt.proves_arrival, receipt.final, receipt.due) == (False, True, None)


def test_as_json_the_document_stands_in_base64_among_further_fields(api, opened, invoice):
    opened(
        body="json", document_field="xml", form_fields="routing.to={receiver_scheme}:{receiver}\nnetwork=Nemhandel",
        schemes="0184=DK:CVR",
    ).send(invoice)  # fmt: skip
    assert json.loads(api.calls[0].content) == {
        "routing": {"to": "DK:CVR:12345674"},
        "network": "Nemhandel",
        "xml": base64.b64encode(invoice.payload.content).decode(),
    }
    assert api.taken == [(invoice.key, invoice.payload.content)]


def test_in_a_form_the_document_is_a_file(api, opened, invoice):
    opened(body="multipart", document_field="file", form_fields="from={sender}").send(invoice)
    assert b'name="from"\r\n\r\n5798000000001' in api.calls[0].content
    assert invoice.payload.content in api.calls[0].content
    assert len(api.taken) == 1


def test_paths_and_headers_name_the_parties(api, opened, invoice):
    opened(
        method="PUT", submit_path="documents/{sender_scheme}/{receiver}?key={key}", key_header="X-Request-Id",
        headers="X-Channel: NemHandel\nX-Recipient: {receiver_scheme} {receiver}",
    ).send(invoice)  # fmt: skip
    (call,) = api.calls
    assert (call.method, call.path, call.query) == ("PUT", "/rest/v1/documents/0088/12345674", {"key": invoice.key})
    assert call.headers["x-channel"] == "NemHandel"
    assert call.headers["x-recipient"] == "0184 12345674"
    assert call.headers["x-request-id"] == invoice.key


def test_questions_carry_the_headers_that_are_always_the_same(api, opened):
    opened(headers="X-Channel: NemHandel\nX-Recipient: {receiver}").reaches(BUYER, Network.NEMHANDEL)
    assert api.calls[0].headers["x-channel"] == "NemHandel"
    assert "x-recipient" not in api.calls[0].headers


@pytest.mark.parametrize(
    ("config", "header", "expected"),
    [
        ({"auth": "header", "auth_header": "X-Api-Key", "auth_value": "k1"}, "x-api-key", "k1"),
        ({"auth": "header", "auth_header": "Authorization", "auth_value": "licence k1"}, "authorization", "licence k1"),
        ({"auth": "basic", "username": "u", "password": "p"}, "authorization", "Basic dTpw"),
    ],
)
def test_the_provider_lets_us_in_by_the_way_it_wants(api, opened, invoice, config, header, expected):
    api.instead = ApiAnswer(201, {"data": {"id": "D-9"}})
    opened(**config).send(invoice)
    assert api.calls[0].headers[header] == expected


@pytest.mark.parametrize("repeats", [Repeats.CONFLICT, Repeats.RECOGNISED])
def test_a_repetition_after_a_lost_answer_finds_the_first_document(api, opened, invoice, repeats):
    api.repeats, api.drop_answer = repeats, True
    with pytest.raises(Unknown):
        opened(repeats=repeats.value).send(invoice)
    api.drop_answer = False
    assert opened(repeats=repeats.value).send(invoice).reference == "D-1"
    assert len(api.taken) == 1


def test_without_that_agreement_409_says_nothing(api, opened, invoice):
    opened().send(invoice)
    with pytest.raises(Unknown):
        opened(repeats="none").send(invoice)


def test_409_without_an_id_is_a_yes_and_a_persons_matter_in_the_end(api, opened, invoice):
    api.instead = ApiAnswer(409, {"status": "rejected", "data": {"state": "rejected"}})
    repeated = replace(invoice, may_have_arrived=True)
    receipt = opened().send(repeated)
    assert (receipt.reference, receipt.final, receipt.proves_arrival) == (invoice.key, False, False)
    assert receipt.evidence["taken_earlier"] is True and receipt.due
    assert not opened(status_path="documents/by-key/{key}").send(repeated).final
    assert opened(status_path="").send(repeated).final


def test_409_without_an_id_proves_nothing_where_we_have_not_sent_it(api, opened, invoice):
    """It may be about the number of another invoice."""
    api.instead = ApiAnswer(409, {"message": "The number is taken"})
    with pytest.raises(Unknown) as caught:
        opened().send(invoice)
    assert caught.value.needs_person


def test_a_provider_that_can_be_asked_is_asked_for_the_key(api, opened, invoice):
    transport = opened(repeats="asked")
    assert transport.find(invoice) is None
    transport.send(invoice)
    found = transport.find(invoice)
    assert (found.reference, found.evidence["looked_up"]) == ("D-1", True)


@pytest.mark.parametrize(
    "answer", [ApiAnswer(200, {}), ApiAnswer(200, b"<html>"), ApiAnswer(500), ApiAnswer(302), ApiAnswer(401)]
)
def test_nothing_but_404_is_a_proven_no(api, opened, invoice, answer):
    api.instead = answer
    with pytest.raises(Unavailable):
        opened(repeats="asked").find(invoice)


@pytest.mark.parametrize("header", ["X-Document-Id", "Location"])
def test_the_id_may_stand_in_a_header(api, opened, invoice, header):
    api.instead = ApiAnswer(201, None, {"X-Document-Id": "D-7", "Location": "https://p.example/documents/D-7/"})
    assert opened(id_header=header).send(invoice).reference == "D-7"


@pytest.mark.parametrize("body", [None, b"<html>", {"data": {}}, {"data": {"id": "../x"}}, {"data": {"id": {}}}])
def test_a_yes_without_an_id_proves_nothing(api, opened, invoice, body):
    api.instead = ApiAnswer(200, body)
    with pytest.raises(Unknown):
        opened().send(invoice)


def test_a_state_in_the_answer_counts_at_once(api, opened, invoice):
    api.state = "Handed Over"
    receipt = opened().send(invoice)
    assert (receipt.proves_arrival, receipt.final, receipt.evidence["by"]) == (True, True, "network")


def test_a_yes_that_says_no_is_a_no(api, opened, invoice):
    api.instead = ApiAnswer(200, {"data": {"id": "D-1", "state": "REJECTED"}, "why": "no such receiver"})
    with pytest.raises(Rejected) as caught:
        opened(reason_path="why").send(invoice)
    assert "no such receiver" in caught.value.text.en


@pytest.mark.parametrize(
    ("state", "verdict", "by"),
    [
        ("QUEUED", Verdict.ON_ITS_WAY, "provider"),
        ("delivered", Verdict.ARRIVED, "network"),
        ("Rejected", Verdict.REJECTED, "provider"),
        ("undelivered", Verdict.ON_ITS_WAY, "provider"),
    ],
)
def test_the_words_of_the_settings_say_what_became_of_it(api, opened, invoice, state, verdict, by):
    reference = opened().send(invoice).reference
    api.state = state
    found = opened().status(reference, opened().wire_ids(invoice))
    assert (found.verdict, found.evidence["by"], found.evidence["word"]) == (verdict, by, state)


def test_a_word_that_nobody_described_is_shown_and_no_delivery(api, opened, invoice):
    reference = opened().send(invoice).reference
    api.state = "ZUGESTELLT"
    found = opened().status(reference, {})
    assert "ZUGESTELLT" in found.text.en and "does not count as delivered" in found.text.en


@pytest.mark.parametrize(("path", "reference"), [(None, "D-1"), ("documents/{id}/status", "the-key")])
def test_where_nobody_can_be_asked_nothing_is_said(api, opened, path, reference):
    found = opened(status_path=path).status(reference, {"idempotency_key": "the-key"})
    assert (found.verdict, found.text) == (Verdict.ON_ITS_WAY, None)
    assert api.calls == []


@pytest.mark.parametrize("answer", [ApiAnswer(200, {}), ApiAnswer(404), ApiAnswer(503)])
def test_an_answer_without_a_state_is_asked_for_again(api, opened, answer):
    api.instead = answer
    with pytest.raises(Unavailable):
        opened().status("D-1", {})


def test_the_look_up_says_yes_or_no(api, opened):
    assert opened().reaches(BUYER, Network.PEPPOL) is True
    assert api.calls[0].path == "/rest/v1/participants/0184/12345674"
    api.unreachable = {"0184:12345674"}
    assert opened().reaches(BUYER, Network.PEPPOL) is False


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, ApiAnswer(404)),
        ({}, ApiAnswer(200, {})),
        ({}, ApiAnswer(500)),
        ({"lookup_answer": None}, ApiAnswer(500)),
        ({"lookup_path": None}, None),
        ({"reach": "nemhandel"}, None),
    ],
)
def test_what_the_look_up_cannot_say_is_no_no(api, opened, changes, answer):
    api.instead = answer
    with pytest.raises(Unavailable):
        opened(**changes).reaches(BUYER, Network.PEPPOL)


@pytest.mark.parametrize(("status", "expected"), [(200, True), (404, False)])
def test_without_a_field_the_code_says_yes_or_no(api, opened, status, expected):
    api.instead = ApiAnswer(status, {})
    assert opened(lookup_answer=None).reaches(BUYER, Network.PEPPOL) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"submit_path": "send/{receiver}"},
        {"headers": "X-To: {receiver}"},
        {"body": "json", "form_fields": "to={receiver}"},
    ],
)
def test_an_address_that_is_wanted_and_missing_is_told_before_anything_leaves(api, opened, consignment, changes):
    with pytest.raises(Rejected) as caught:
        opened(**changes).send(consignment())
    assert "{receiver} is missing" in caught.value.text.en
    assert api.calls == []


def test_an_address_that_leads_elsewhere_is_rejected_before_anything_leaves(api, opened, consignment):
    with pytest.raises(Rejected):
        opened(submit_path="documents/{receiver}/x").send(consignment(receiver=Participant("0184", "..")))
    assert api.calls == []


@pytest.mark.parametrize("changes", [{"submit_path": "../x"}, {"schemes": "0184"}, {"token": "a\nb"}, {"token": ""}])
def test_nothing_leaves_by_settings_that_are_not_whole(api, opened, invoice, changes):
    with pytest.raises(Refused):
        opened(**changes).send(invoice)
    assert api.calls == []


def test_the_connection_test_submits_nothing(api, opened):
    steps = opened().check()
    assert [step.ok for step in steps] == [True, True, True]
    assert [call.method for call in api.calls] == ["HEAD"]


def test_the_connection_test_tells_a_wrong_key(opened):
    assert not opened(token="wrong").check()[-1].ok


def post(api, state, **changes):
    headers, body = api.webhook("D-1", state)
    return Incoming("", body, headers | changes)


def test_a_signed_message_is_believed(api, opened):
    assert opened().reference_of(post(api, "delivered")) == "D-1"
    found = opened().read(post(api, "delivered"), {})
    assert found.verdict is Verdict.ARRIVED
    assert found.evidence["signed"] is True


def test_the_signature_may_name_its_algorithm(api, opened):
    incoming = post(api, "rejected")
    shown = "sha256=" + incoming.headers["x-signature"].upper()
    found = opened(webhook_header="X-Hub-Signature-256").read(
        Incoming("", incoming.content, {"x-hub-signature-256": shown}), {}
    )
    assert found.verdict is Verdict.REJECTED


@pytest.mark.parametrize("changes", [{"webhook_secret": None}, {"webhook_header": "X-Webhook-Signature"}])
def test_a_message_without_proof_is_only_a_hint(api, opened, changes):
    assert opened(**changes).read(post(api, "delivered"), {}).verdict is Verdict.HINT


def test_a_wrong_signature_is_no_message(api, opened):
    other = hmac.new(b"another", post(api, "delivered").content, hashlib.sha256).hexdigest()
    for shown in (other, "ø", "sha256="):
        with pytest.raises(Unreadable):
            opened().read(post(api, "delivered", **{"x-signature": shown}), {})


@pytest.mark.parametrize("content", [b"", b"[]", b'{"data": {"id": "a b"}}'])
def test_a_message_about_no_document_is_not_readable(opened, content):
    with pytest.raises(Unreadable):
        opened().reference_of(Incoming("", content, {}))


def test_no_secret_is_in_any_text(api, opened, invoice):
    pair = base64.b64encode(b"u:pass-canary").decode()
    api.instead = ApiAnswer(422, {"message": f"odd: {DEMO_TOKEN} pass-canary {pair}"})
    with pytest.raises(Rejected) as caught:
        opened(auth="basic", username="u", password="pass-canary").send(invoice)
    said = caught.value.text.en + caught.value.detail
    assert "odd:" in said
    assert DEMO_TOKEN not in said and "pass-canary" not in said and pair not in said
