"""Against the stand-in on loopback."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.demo.partners.recommand_api import DEMO_SECRET
from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown, registry
from invoiceapp.gateways.recommand import TRANSPORT

pytestmark = pytest.mark.server

BUYER = Participant("0184", "12345674")
SENT = {"success": True, "id": "doc_1", "sentOverPeppol": True, "peppolMessageId": "m1", "envelopeId": "e1"}


@pytest.fixture
def invoice(consignment):
    return consignment(receiver=BUYER)


def test_the_registry_finds_it_on_peppol_only_and_a_person_decides_after_a_lost_answer():
    assert registry()["recommand"] is TRANSPORT
    assert TRANSPORT.networks == {Network.PEPPOL}
    assert TRANSPORT.accepts == {"peppol-bis-3"}
    assert TRANSPORT({}).replay is Replay.UNSAFE
    assert not TRANSPORT.polls and not TRANSPORT.receives


def test_an_answer_that_comes_twice_is_not_taken_for_the_next_ones(invoice):
    """Each request has a connection of its own, for all providers."""
    body = json.dumps(SENT).encode()
    yes = b"HTTP/1.1 200 .\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    listener, may_repeat = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def answer(connection: socket.socket, first: bool) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(1_000_000)
            connection.sendall(yes if first else b"HTTP/1.1 400 .\r\nContent-Length: 0\r\n\r\n")
            may_repeat.wait(5)
            connection.sendall(yes)

    def serve_two() -> None:
        for first in (True, False):
            threading.Thread(target=answer, args=(listener.accept()[0], first), daemon=True).start()

    threading.Thread(target=serve_two, daemon=True).start()
    config = {
        "base_url": f"http://127.0.0.1:{listener.getsockname()[1]}", "company": "c", "api_key": "k", "api_secret": "s",
    }  # fmt: skip
    with listener, TRANSPORT(config, LOOPBACK) as gateway:
        assert gateway.send(invoice).reference == "doc_1"
        threading.Timer(0.05, may_repeat.set).start()
        with pytest.raises(Rejected):
            gateway.send(invoice)


def test_a_yes_is_the_networks_receipt(api, opened, invoice):
    receipt = opened().send(invoice)
    (call,) = api.calls
    assert call.path == "/api/v1/c_demo/send"
    assert json.loads(call.content) == {
        "recipient": "0184:12345674", "documentType": "xml", "document": invoice.payload.content.decode(),
    }  # fmt: skip
    assert api.taken == [(receipt.reference, invoice.payload.content)]
    assert (receipt.proves_arrival, receipt.final, receipt.due) == (True, True, None)
    assert receipt.evidence["by"] == "network"
    assert receipt.evidence["peppol_message_id"] == f"{receipt.reference}@recommand.example"
    assert receipt.evidence["envelope_id"]


def test_letters_outside_ascii_arrive_as_they_are(api, opened, consignment, invoice):
    content = "<Invoice>Ærø Brød ApS</Invoice>".encode()
    payload = type(invoice.payload)(content, "i.xml", "application/xml")
    opened().send(consignment(receiver=BUYER, payload=payload))
    assert api.taken[0][1] == content


def test_a_lost_answer_is_unknown_and_a_repetition_is_a_second_document(api, opened, invoice):
    api.drop_answer = True
    with pytest.raises(Unknown):
        opened().send(invoice)
    api.drop_answer = False
    opened().send(invoice)
    assert len(api.taken) == 2


def test_what_did_not_go_over_peppol_is_rejected(api, opened, invoice):
    api.sends = False
    with pytest.raises(Rejected) as caught:
        opened().send(invoice)
    assert "nothing was delivered" in caught.value.text.en


def test_a_no_tells_the_providers_reason(api, opened, invoice):
    api.unreachable = {"0184:12345674"}
    with pytest.raises(Rejected) as caught:
        opened().send(invoice)
    assert "The recipient is not registered on Peppol" in caught.value.text.en


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ApiAnswer(200, {"success": False, "errors": {"document": ["is odd"]}}), Rejected),
        (ApiAnswer(400, {"success": False, "errors": {"document": ["is odd"]}}), Rejected),
        (ApiAnswer(200, {"success": True}), Unknown),
        (ApiAnswer(200, {"id": "doc_1", "sentOverPeppol": True}), Unknown),
        (ApiAnswer(200, SENT | {"id": None}), Unknown),
        (ApiAnswer(200, b"<html>"), Unknown),
        (ApiAnswer(404), Refused),
        (ApiAnswer(429), Unavailable),
        (ApiAnswer(500), Unknown),
    ],
)
def test_only_a_clear_answer_is_one(api, opened, invoice, answer, expected):
    api.instead = answer
    with pytest.raises(expected):
        opened().send(invoice)


@pytest.mark.parametrize(("state", "arrived"), [("delivered", True), ("pending", False), ("brand-new", False)])
def test_a_state_that_comes_along_counts(api, opened, invoice, state, arrived):
    api.instead = ApiAnswer(200, SENT | {"deliveryStatus": state})
    receipt = opened().send(invoice)
    assert receipt.proves_arrival is arrived
    assert receipt.evidence["by"] == ("network" if arrived else "provider")


def test_without_an_address_nothing_leaves(api, opened, consignment):
    with pytest.raises(Rejected):
        opened().send(consignment())
    assert api.calls == []


@pytest.mark.parametrize("changes", [{"api_secret": ""}, {"api_secret": "æ"}, {"base_url": "http://recommand.example"}])
def test_nothing_leaves_by_settings_that_are_not_whole(api, opened, invoice, changes):
    with pytest.raises(Refused):
        opened(**changes).send(invoice)
    assert api.calls == []


def test_a_receiver_that_is_found_can_be_reached(opened):
    assert opened().reaches(BUYER, Network.PEPPOL) is True


def test_a_receiver_that_is_not_found_is_no_proven_no(api, opened):
    api.unreachable = {"0184:12345674"}
    with pytest.raises(Unavailable):
        opened().reaches(BUYER, Network.PEPPOL)


def test_about_nemhandel_nobody_is_asked(api, opened):
    with pytest.raises(Unavailable):
        opened().reaches(BUYER, Network.NEMHANDEL)
    assert api.calls == []


def test_the_connection_test_sends_nothing(api, opened):
    assert [step.ok for step in opened().check()] == [True, True, True]
    assert api.taken == []


def test_the_connection_test_tells_a_wrong_key(opened):
    last = opened(api_secret="wrong").check()[-1]
    assert not last.ok
    assert "access key" in last.detail.en


def test_the_secret_is_in_no_text(api, opened, invoice):
    sent = base64.b64encode(f"key_demo:{DEMO_SECRET}".encode()).decode()
    api.instead = ApiAnswer(400, {"errors": {"root": [f"odd: {DEMO_SECRET} {sent}"]}})
    with pytest.raises(Rejected) as caught:
        opened().send(invoice)
    assert "odd:" in caught.value.text.en
    assert DEMO_SECRET not in caught.value.text.en and sent not in caught.value.text.en + caught.value.detail
