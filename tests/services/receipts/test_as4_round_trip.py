"""A document leaves through an access point of our own, and what the other side answers comes in by AS4 as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support import told_registers
from support.pki import make_pki
from support.receivers.as4 import RECEIVER, NemHandelReceiver, PeppolReceiver, holder
from support.responses import INVOICE_RESPONSE, MLR, invoice_response, message_response, response

from invoiceapp.discovery.base import Offer, Registered
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.identifiers import CVR, Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import OIOUBL_RESPONSE, Identifier, Network
from invoiceapp.gateways.as4 import exchange, sbdh
from invoiceapp.gateways.as4.exchange import ErrorAnswered, Sealed
from invoiceapp.gateways.as4.sbdh import Header
from invoiceapp.gateways.as4.wss import Identity
from invoiceapp.models import Delivery, Event, IncomingMessage, IncomingState, Rendition, db
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import delivery
from invoiceapp.services.receipts import queries

S = DeliveryState
pytestmark = pytest.mark.server

SELLER = Participant(CVR, "12345674")
FORMATS = {Network.PEPPOL: "peppol-bis-3", Network.NEMHANDEL: "oioubl-2.1"}


@dataclass
class Sent:
    """A document that its receiver's access point has, and the line back."""

    row: Delivery
    gateway_id: str
    instance: str
    """Of its envelope"""
    client: Any

    def post(self, sealed: Sealed) -> Any:
        """As the receiver's access point posts it."""
        return self.client.post(f"/inbound/{self.gateway_id}", data=sealed.body, headers=dict(sealed.headers))

    def proof(self, sealed: Sealed) -> exchange.Proof:
        """What the receiver's access point is answered, checked as it would."""
        answer = self.post(sealed)
        assert answer.status_code == 200
        ours = holder("POP000001").certificate
        return exchange.check_answer({"content-type": answer.content_type}, answer.data, sealed, ours)

    def told(self) -> list[tuple[str, str]]:
        """Kind and speaker of each line of the timeline since it left."""
        db.session.rollback()
        rows = db.session.query(Event).filter_by(delivery_id=self.row.id).order_by(Event.id)
        return [(row.kind, row.data["by"]) for row in rows if "says" in row.data]


def answer(
    content: bytes, kind: str, message_id: str = "answer-1@them", signer: Identity | None = None, **changes: Any
) -> Sealed:
    """A message of the receiver's access point to ours."""
    known = {
        "sender": RECEIVER, "receiver": SELLER, "instance_id": "0b9a3b4e-0000-4000-8000-000000000001",
        "document_id": Identifier("busdox-docid-qns", f"urn:x::ApplicationResponse##{kind}::2.1"),
        "process": Identifier("cenbii-procid-ubl", "urn:response"), "created": datetime.now(UTC), "country_c1": "DK",
    }  # fmt: skip
    header = Header(**known | changes)
    message = exchange.user_message(header, message_id, "conversation", "POP000002", "POP000001")
    theirs = signer or Identity(holder("POP000002").certificate, holder("POP000002").key)
    return exchange.build_message(message, sbdh.build(content, header), theirs, holder("POP000001").certificate)


@pytest.fixture
def has_pages() -> bool:
    """Other access points post to us."""
    return True


@pytest.fixture
def send(ready, client, adaptor, tmp_path, monkeypatch) -> Any:
    """``send(PeppolReceiver)``: one delivery through a gateway of that kind, as workers send it."""
    started = []
    registers = told_registers.install(monkeypatch)
    registration = Registered(SELLER, offers=(Offer(Network.NEMHANDEL, OIOUBL_RESPONSE),))
    registers.said[(Network.NEMHANDEL, SELLER)] = [registration]

    def run(kind: Callable[..., PeppolReceiver]) -> Sent:
        receiver = kind(tmp_path)
        started.append(receiver)
        network = receiver.network
        registers.said[(network, RECEIVER, DocumentType.INVOICE)] = receiver.access_point.endpoint(network)
        values = {name: str(value) for name, value in receiver.config().items() if name != "url of the register"}
        made = gateways.save(adaptor.subscription_id, receiver.kind, "Access point", values)
        row = ready("1001")
        row.gateway_id, row.transport, row.format = made.id, made.kind, FORMATS[network]
        db.session.get_one(Rendition, row.rendition_id).format = FORMATS[network]
        db.session.commit()
        gateway_id = made.id
        delivery.deliver_due()
        (opened,) = receiver.access_point.taken
        return Sent(row, gateway_id, opened.header.instance_id, client)

    yield run
    for receiver in started:
        receiver.close()


@pytest.fixture
def peppol(send) -> Sent:
    return send(PeppolReceiver)


def test_the_signed_receipt_says_that_it_was_received_and_not_that_it_was_accepted(peppol, left):
    found = left(peppol.row)
    assert (found.state, found.kinds) == (S.DELIVERED, ["wire"])
    assert found.events[-1] == "delivered"


def test_the_buyers_answer_moves_it_and_is_receipted(peppol, left):
    assert peppol.proof(answer(invoice_response("AP"), INVOICE_RESPONSE))
    assert left(peppol.row).state is S.ACKNOWLEDGED
    assert peppol.told() == [("acknowledged", "buyer")]


def test_the_buyers_no_is_told_in_the_timeline(peppol, left):
    peppol.proof(answer(invoice_response("RE", texts=("Forkert pris",)), INVOICE_RESPONSE))
    assert left(peppol.row).state is S.REJECTED
    assert peppol.told() == [("rejected", "buyer")]


def test_what_the_network_says_of_the_message_is_matched_by_its_envelope(peppol, left):
    peppol.proof(answer(message_response("RE", peppol.instance), MLR))
    assert left(peppol.row).state is S.REJECTED
    assert peppol.told() == [("rejected", "network")]


def test_nemhandels_answer_moves_it_and_its_missing_signature_is_noted(send, left):
    sent = send(NemHandelReceiver)
    sent.proof(answer(response("BusinessReject", texts=("Rabat mangler",)), "OIOUBL-2.1"))
    assert left(sent.row).state is S.REJECTED
    assert sent.told() == [("rejected", "buyer")]
    assert db.session.query(IncomingMessage).one().headers["asic"] == "missing"


def test_the_same_message_again_gets_a_receipt_again_and_is_one_message(peppol, left):
    sealed = answer(invoice_response("AP"), INVOICE_RESPONSE)
    assert all(peppol.proof(sealed) for _ in range(2))
    assert left(peppol.row).kinds.count("invoice_response") == 1
    assert [row.times for row in db.session.query(IncomingMessage)] == [2]


def test_another_content_under_the_same_id_is_called_a_duplicate(peppol, left):
    peppol.proof(answer(invoice_response("AP"), INVOICE_RESPONSE))
    with pytest.raises(ErrorAnswered, match="EBMS:4001"):
        peppol.proof(answer(invoice_response("RE"), INVOICE_RESPONSE))
    assert left(peppol.row).state is S.ACKNOWLEDGED
    assert db.session.query(IncomingMessage).count() == 1


def test_somebody_elses_answer_is_receipted_and_shown_unmatched(peppol, left):
    stranger = ("0088", "5790000000999")
    sealed = answer(
        invoice_response("RE", sender=stranger), INVOICE_RESPONSE, sender=Participant(*stranger)
    )  # fmt: skip
    peppol.proof(sealed)
    assert left(peppol.row).state is S.DELIVERED
    (message,) = queries.newest(peppol.gateway_id)
    assert message.state is IncomingState.WAITING
    assert "was sent to another address" in message.lines[0].text["en"]


def test_an_answer_in_the_buyers_name_in_somebody_elses_envelope_does_not_count(peppol, left):
    """The access point vouches for whom the envelope names; what the document says of its sender nobody has checked."""
    stranger = Participant("0088", "5790000000999")
    peppol.proof(answer(invoice_response("AP"), INVOICE_RESPONSE, sender=stranger))
    assert left(peppol.row).state is S.DELIVERED
    (message,) = queries.newest(peppol.gateway_id)
    assert message.state is IncomingState.WAITING and "5790000000999" in message.lines[0].text["en"]
    peppol.proof(answer(invoice_response("AP"), INVOICE_RESPONSE, "answer-2@them"))
    assert left(peppol.row).state is S.ACKNOWLEDGED


def test_a_message_that_is_no_access_points_is_refused_and_not_kept(peppol, left):
    stranger = make_pki("Strangers").holder("POP000002")
    sealed = answer(
        invoice_response("AP"), INVOICE_RESPONSE, signer=Identity(stranger.certificate, stranger.key)
    )  # fmt: skip
    with pytest.raises(ErrorAnswered, match="EBMS:0101"):
        peppol.proof(sealed)
    assert left(peppol.row).state is S.DELIVERED
    assert db.session.query(IncomingMessage).count() == 0


def test_an_invoice_to_us_is_not_serviced(peppol):
    sealed = answer(invoice_response("AP").replace(b"ApplicationResponse", b"Invoice"), INVOICE_RESPONSE)
    with pytest.raises(ErrorAnswered, match="NOT_SERVICED"):
        peppol.proof(sealed)
    assert db.session.query(IncomingMessage).count() == 0


def test_more_than_any_message_has_is_not_read(peppol):
    sealed = answer(invoice_response("AP"), INVOICE_RESPONSE)
    assert peppol.post(replace(sealed, body=bytes(4_000_001))).status_code == 413


def test_garbage_is_answered_and_not_kept(peppol):
    assert peppol.client.post(f"/inbound/{peppol.gateway_id}", data=b"hello").status_code == 200
    assert db.session.query(IncomingMessage).count() == 0
