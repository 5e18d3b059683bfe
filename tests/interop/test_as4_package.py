"""AS4 with the package ``as4`` (PyPI), in a virtual environment of its own under ``build/``: it wants an older cryptography.

Its 0.2.0 recognises no repetition and reads no chunked requests.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.as4_peers import AccessPoint, Tamperer
from support.fetching import FETCHED, one_at_a_time
from support.pki import make_pki
from support.responses import invoice_response

from invoiceapp.gateways.base import Rejected, Unavailable, Unknown

pytestmark = pytest.mark.server

VENV = FETCHED / "as4"
PEER = Path(__file__).with_name("as4_peer.py")


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python of an environment with the package; made where there is none."""
    python, stamp = VENV / "bin" / "python", VENV / "installed"
    with one_at_a_time():
        if not stamp.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "as4==0.2.0"], check=True)
            stamp.touch()
    return python


@pytest.fixture(scope="session")
def peer(python: Path, access_points: Callable[..., AccessPoint]) -> AccessPoint:
    return access_points("POP000003", python, PEER)


@pytest.fixture
def in_mood(peer: AccessPoint) -> Iterator[Callable[[str], None]]:
    """What the peer answers to a flawless message in this test."""
    yield lambda mood: peer.do("mood", mood=mood)
    peer.do("mood", mood="WILLING")


def test_it_arrives_and_the_signed_receipt_proves_it(peer, as4_transport, as4_consignment):
    consignment = as4_consignment(peer)
    with as4_transport() as ours:
        receipt = ours.send(consignment)
    facts, envelope = peer.taken(receipt.reference)
    assert receipt.proves_arrival
    assert receipt.evidence["receipt_id"].endswith("@as4")
    assert consignment.payload.content.partition(b"?>")[2].strip() in envelope
    assert facts == {
        "message_id": ours.wire_ids(consignment)["message_id"],
        "from": "POP000001",
        "to": "POP000003",
        "document": str(consignment.endpoint.document_id),
        "process": str(consignment.endpoint.process),
        "sender": "iso6523-actorid-upis::0184:12345674",
        "receiver": "iso6523-actorid-upis::0088:5798009811578",
    }


def test_each_repetition_gets_a_receipt_of_its_own(peer, as4_transport, as4_consignment):
    consignment = as4_consignment(peer)
    with as4_transport() as ours:
        receipts = [ours.send(consignment) for _ in range(2)]
    assert len({receipt.reference for receipt in receipts}) == 1
    assert len({receipt.evidence["receipt_id"] for receipt in receipts}) == 2


def test_a_receiver_whom_it_does_not_serve_is_rejected(peer, as4_transport, as4_consignment, in_mood):
    in_mood("NOT_SERVICED")
    with as4_transport() as ours, pytest.raises(Rejected, match="PEPPOL:NOT_SERVICED"):
        ours.send(as4_consignment(peer))


def test_another_certificate_than_its_own_is_told_from_it(peer, as4_transport, as4_consignment, pki):
    with as4_transport() as ours, pytest.raises(Unavailable, match="EBMS:0102"):
        ours.send(as4_consignment(peer, certificate=pki.issue("POP000009")[0]))


def test_a_sender_whom_it_does_not_trust_is_told_so(peer, as4_transport, as4_consignment):
    stranger = make_pki("Somebody else").holder("POP000001")
    changes = {"own_certificate": stranger.pem, "own_key": stranger.key_pem}
    with as4_transport(**changes) as ours, pytest.raises(Unavailable, match="EBMS:0101"):
        ours.send(as4_consignment(peer))


@pytest.mark.parametrize(
    ("spot", "code"),
    [
        ((b"application/octet-stream", 300), "EBMS:0102"),
        ((b"</eb:ConversationId>", -21), "EBMS:0101"),
        ((b"</xenc:CipherValue>", -50), "EBMS:0102"),
        ((b"</ds:SignatureValue>", -50), "EBMS:0101"),
    ],
    ids=["document", "header", "key", "signature"],
)
def test_an_octet_that_changes_on_the_way_is_noticed(peer, as4_transport, as4_consignment, spot, code):
    with Tamperer(peer, request=spot) as line, as4_transport() as ours:
        consignment = as4_consignment(peer, url=line.url)
        with pytest.raises(Unavailable, match=code):
            ours.send(consignment)
    assert peer.taken(ours.wire_ids(consignment)["message_id"]) is None


@pytest.mark.parametrize("marker", [b":RefToMessageId>", b":DigestValue>", b":SignatureValue>"], ids=bytes.decode)
def test_an_octet_that_changes_in_the_receipt_is_noticed(peer, as4_transport, as4_consignment, marker):
    with Tamperer(peer, answer=(marker, 5)) as line, as4_transport() as ours, pytest.raises(Unknown):
        ours.send(as4_consignment(peer, url=line.url))


def test_a_response_gets_in_once(peer, as4_mailbox, as4_command, canonical, tmp_path):
    (tmp_path / "response.xml").write_bytes(invoice_response("AP", sender_name="Lillestræde Skole"))
    command = as4_command(as4_mailbox.url, "response@test", tmp_path / "response.xml")
    first, second = (peer.do("send", **command) for _ in range(2))
    assert first["receipt"] and first["references"] == "ours"
    assert [error["code"] for error in second["errors"]] == ["EBMS:4001"]
    (document,) = as4_mailbox.stored.values()
    assert canonical(document.content) == canonical((tmp_path / "response.xml").read_bytes())


def test_it_understands_that_we_take_no_invoices(peer, as4_mailbox, as4_command):
    answer = peer.do("send", **as4_command(as4_mailbox.url, "invoice@test"))
    assert not answer["receipt"] and answer["signed"]
    assert [error["code"] for error in answer["errors"]] == ["EBMS:0004"]
    assert answer["errors"][0]["detail"].startswith("PEPPOL:NOT_SERVICED")
    assert not as4_mailbox.stored


def test_what_is_not_encrypted_for_us_is_not_opened(peer, as4_mailbox, as4_command, pki):
    """The package does not read our error: it is not signed by the certificate that it knows."""
    command = as4_command(as4_mailbox.url, "wrong@test") | {"certificate": pki.issue("POP000009")[0]}
    with pytest.raises(AssertionError, match="signed by CN=POP000001"):
        peer.do("send", **command)
    assert not as4_mailbox.stored
