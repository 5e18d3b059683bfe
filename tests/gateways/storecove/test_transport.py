"""Against the stand-in on loopback."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.demo.partners.storecove_api import DEMO_TOKEN
from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown, Verdict, registry
from invoiceapp.gateways.storecove import TRANSPORT

pytestmark = pytest.mark.server

BUYER = Participant("0184", "12345674")
ROUTED = {"scheme": "DK:DIGST", "id": "DK12345674"}


@pytest.fixture
def invoice(consignment):
    return consignment(receiver=BUYER)


def test_the_registry_finds_it_on_peppol_only():
    assert registry()["storecove"] is TRANSPORT
    assert TRANSPORT.networks == {Network.PEPPOL}
    assert TRANSPORT.accepts == {"peppol-bis-3"}
    assert TRANSPORT({}).replay is Replay.SAFE


def test_a_document_is_submitted_with_our_guid_to_the_receivers_address(api, opened, invoice):
    receipt = opened().send(invoice)
    guid = opened().wire_ids(invoice)["idempotency_guid"]
    assert api.taken == [(guid, invoice.payload.content)]
    assert json.loads(api.calls[0].content) == {
        "legalEntityId": 100,
        "idempotencyGuid": guid,
        "routing": {"eIdentifiers": [ROUTED], "emails": []},
        "document": {
            "documentType": "invoice",
            "rawDocumentData": {
                "document": base64.b64encode(invoice.payload.content).decode(),
                "parse": True,
                "parseStrategy": "ubl",
            },
        },
    }
    assert receipt.reference in api.submissions
    assert (receipt.proves_arrival, receipt.final, receipt.due) == (False, False, timedelta(hours=48))
    assert receipt.evidence["idempotency_guid"] == guid
    json.dumps(receipt.evidence)


def test_the_guid_belongs_to_the_key(opened, consignment, invoice):
    first = opened().wire_ids(invoice)
    assert first == opened().wire_ids(invoice) != opened().wire_ids(consignment(key="another"))
    assert str(uuid.UUID(first["idempotency_guid"])) == first["idempotency_guid"]


def test_a_lost_answer_is_unknown_and_its_repetition_was_taken_earlier(api, opened, invoice):
    api.drop_answer = True
    with pytest.raises(Unknown):
        opened().send(invoice)
    api.drop_answer = False
    receipt = opened().send(replace(invoice, may_have_arrived=True))
    assert len(api.taken) == 1
    assert receipt.reference == opened().wire_ids(invoice)["idempotency_guid"]
    assert receipt.proves_arrival is False and receipt.evidence["taken_earlier"] is True


def test_what_was_taken_earlier_becomes_a_persons_matter_in_the_end(api, opened, invoice):
    """Nobody can ask what became of it, so that it would stay accepted for ever."""
    opened().send(invoice)
    receipt = opened().send(replace(invoice, may_have_arrived=True))
    assert (receipt.final, receipt.due) == (False, timedelta(hours=48))


def test_a_used_guid_proves_nothing_where_we_have_not_sent_it(api, opened, invoice):
    opened().send(invoice)
    with pytest.raises(Unknown) as caught:
        opened().send(invoice)
    assert caught.value.needs_person


def test_a_no_that_breaks_off_may_be_about_a_repetition_and_is_asked_for_again(opened, invoice, react):
    """The reason tells a used guid from a wrong document, and it was lost."""
    half = b'HTTP/1.1 422 Unprocessable\r\nContent-Length: 900\r\n\r\n[{"source": "idem'
    partner = react(lambda client: client.sendall(half))
    with pytest.raises(Unavailable) as caught:
        opened(base_url=partner.url).send(replace(invoice, may_have_arrived=True))
    assert "the reason did not arrive" in caught.value.text.en


def test_of_what_was_taken_earlier_nothing_can_be_asked_and_that_is_said(api, opened, invoice):
    wire_ids = opened().wire_ids(invoice)
    found = opened().status(wire_ids["idempotency_guid"], wire_ids)
    assert found.verdict is Verdict.ON_ITS_WAY
    assert "does not count as delivered" in found.text.en
    assert api.calls == []


def test_another_422_is_a_no_with_place_and_reason(api, opened, invoice):
    api.unreachable = {"DK12345674"}
    with pytest.raises(Rejected) as caught:
        opened().send(invoice)
    assert "routing.eIdentifiers: no receiver could be found" in caught.value.text.en
    assert api.taken == []


@pytest.mark.parametrize("receiver", [None, Participant("0096", "1012345678")])
def test_without_an_address_that_storecove_knows_nothing_leaves(api, opened, consignment, receiver):
    with pytest.raises(Rejected) as caught:
        opened().send(consignment(receiver=receiver))
    assert "nothing was sent" in caught.value.text.en
    assert api.calls == []


def test_a_yes_without_a_guid_proves_nothing(api, opened, invoice):
    api.instead = ApiAnswer(200, {"ok": True})
    with pytest.raises(Unknown):
        opened().send(invoice)


def test_it_is_on_its_way_until_there_is_evidence(api, opened, invoice):
    reference = opened().send(invoice).reference
    api.questions_until_sent = 1
    first, second = (opened().status(reference, opened().wire_ids(invoice)) for _ in range(2))
    assert first.verdict is Verdict.ON_ITS_WAY
    assert second.verdict is Verdict.ARRIVED
    assert second.evidence["by"] == "network"
    kept = {"network", "receiver", "message_id", "transmission_id", "receiving_accesspoint", "timestamp", "xml"}
    assert kept <= set(second.evidence)
    assert "The network has taken the document" in second.text.en


@pytest.mark.parametrize("body", [b"nonsense", {"network": "peppol"}])
def test_an_answer_without_evidence_says_nothing(api, opened, body):
    api.instead = ApiAnswer(200, body)
    with pytest.raises(Unavailable):
        opened().status("a-guid", {})


def test_evidence_with_large_attachments_is_read(api, opened):
    evidence = {"evidence": {"message_id": "m1", "xml": "A" * 200_000}, "documents": [{"document": "A" * 2_000_000}]}
    api.instead = ApiAnswer(200, evidence)
    found = opened().status("a-guid", {})
    assert found.verdict is Verdict.ARRIVED
    assert len(found.evidence["xml"]) == 100_000


def test_storecove_is_asked_whether_a_receiver_is_registered(api, opened):
    assert opened().reaches(BUYER, Network.PEPPOL) is True
    question = json.loads(api.calls[0].content)
    assert (question["scheme"], question["identifier"]) == ("DK:DIGST", "DK12345674")
    api.unreachable = {"DK12345674"}
    assert opened().reaches(BUYER, Network.PEPPOL) is False


@pytest.mark.parametrize(
    ("buyer", "network"), [(BUYER, Network.NEMHANDEL), (Participant("0096", "1012345678"), Network.PEPPOL)]
)
def test_what_cannot_be_asked_is_no_no(api, opened, buyer, network):
    with pytest.raises(Unavailable):
        opened().reaches(buyer, network)
    assert api.calls == []


def test_another_word_than_ok_and_nok_is_no_no(api, opened):
    api.instead = ApiAnswer(200, {"code": "MAYBE"})
    with pytest.raises(Unavailable):
        opened().reaches(BUYER, Network.PEPPOL)


def test_the_connection_test_finds_the_company_and_sends_nothing(api, opened):
    steps = opened().check()
    assert [step.ok for step in steps] == [True, True, True]
    assert "Demofirma ApS" in steps[-1].detail.en
    assert api.taken == []


@pytest.mark.parametrize(
    ("changes", "word"), [({"token": "wrong"}, "access key"), ({"legal_entity": "7"}, "legal entity")]
)
def test_the_connection_test_tells_what_is_wrong(opened, changes, word):
    last = opened(**changes).check()[-1]
    assert not last.ok
    assert word in last.detail.en


@pytest.mark.parametrize(
    "changes", [{"legal_entity": "firma"}, {"base_url": "http://storecove.example"}, {"token": ""}]
)
def test_nothing_leaves_by_settings_that_are_not_whole(api, opened, invoice, changes):
    with pytest.raises(Refused):
        opened(**changes).send(invoice)
    assert api.calls == []


def test_the_token_is_in_no_text(api, opened, invoice):
    api.instead = ApiAnswer(422, [{"source": "header", "details": f"Bearer {DEMO_TOKEN} is strange"}])
    with pytest.raises(Rejected) as caught:
        opened().send(invoice)
    assert DEMO_TOKEN not in caught.value.text.en + caught.value.detail
