"""Sending on Peppol: what each answer of the receiver's access point means."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree
from support.outbound import LOOPBACK
from support.pki import ec_key, make_pki, rsa_key
from support.receivers.as4 import RECEIVER, answer_of, holder, identity, pki

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.network import Identifier, Network
from invoiceapp.gateways.as4 import ebms, exchange, mime, receiving, sbdh, wss
from invoiceapp.gateways.as4.errors import (
    Duplicate,
    EbmsFault,
    FailedAuthentication,
    FailedDecryption,
    MimeInconsistency,
    NotServiced,
)
from invoiceapp.gateways.base import Payload, Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.peppol import PeppolTransport
from invoiceapp.outbound.guard import Guard

pytestmark = pytest.mark.server


class ConnectionFailure(EbmsFault):
    code, name = "EBMS:0005", "ConnectionFailure"


class DeliveryFailure(EbmsFault):
    code, name = "EBMS:0202", "DeliveryFailure"


def test_a_document_arrives_and_the_receipt_proves_it(access_point, addressed, send):
    consignment = addressed()
    receipt = send(consignment)
    opened = access_point.taken[0]
    assert opened.payload in consignment.payload.content
    assert opened.header.country_c1 == "DK"
    assert (opened.header.sender, opened.header.receiver) == (consignment.sender, RECEIVER)
    assert receipt.proves_arrival and receipt.final
    assert receipt.reference == opened.message.message_id


def test_the_evidence_is_the_receipt_and_what_we_signed(access_point, addressed, send):
    consignment = addressed()
    evidence = json.loads(json.dumps(send(consignment).evidence))
    assert evidence["by"] == "access-point"
    assert evidence["sha256"] == consignment.payload.sha256
    assert evidence["endpoint"]["participant"] == str(RECEIVER)
    assert "certificate" not in evidence["endpoint"]
    assert (
        evidence["endpoint"]["certificate_sha256"]
        == holder("POP000002").certificate.fingerprint(wss.hashes.SHA256()).hex()
    )
    digests = etree.fromstring(evidence["signed_info"].encode()).findall(".//{*}DigestValue")
    assert len(digests) == 3
    assert all(one.text in evidence["receipt"] for one in digests)
    assert evidence["sbdh_instance"] == access_point.taken[0].header.instance_id


def test_ids_of_the_registration_are_copied_as_they_are(access_point, addressed, send):
    process = Identifier("odd-scheme", "urn:odd%20process")
    document_id = Identifier("busdox-docid-qns", "urn:x::Invoice##odd::2.1")
    send(addressed({"process": process, "document_id": document_id}))
    message = access_point.taken[0].message
    assert (message.process, message.action) == (process, "busdox-docid-qns::urn:x::Invoice##odd::2.1")


def test_ids_come_from_the_key_alone(config, consignment):
    transport = PeppolTransport(config)
    ids = transport.wire_ids(consignment())
    assert set(ids) == {"message_id", "sbdh_instance", "conversation_id"}
    assert ids == transport.wire_ids(consignment(document_no="other"))
    other = transport.wire_ids(consignment(key="b" * 52))
    assert not set(ids.values()) & set(other.values())


def test_parties_are_the_names_in_the_certificates(access_point, addressed, send):
    send(addressed())
    message = access_point.taken[0].message
    assert (message.sender.id, message.receiver.id) == ("POP000001", "POP000002")


def test_a_repetition_is_safe():
    assert PeppolTransport({}).replay is Replay.SAFE


def test_a_lost_receipt_is_made_up_for_by_the_word_duplicate(access_point, addressed, send):
    send(addressed())
    receipt = send(addressed(may_have_arrived=True))
    # It has signed nothing, and some access points note an id before they take the document.
    assert not receipt.proves_arrival
    assert receipt.evidence["delivered"] == "earlier"
    assert "EBMS:4001" in receipt.evidence["answer"]
    assert len(access_point.taken) == 1


def test_duplicate_on_the_first_try_proves_nothing(access_point, addressed, send):
    access_point.respond = access_point.refusing(Duplicate("seen before"))
    with pytest.raises(Unknown) as unknown:
        send(addressed())
    assert unknown.value.needs_person


def test_an_access_point_that_gives_its_receipt_again_is_fine(access_point, addressed, send):
    access_point.repeats = False
    assert [send(addressed()).reference for _ in range(2)] == [access_point.taken[0].message.message_id] * 2
    assert len(access_point.taken) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (NotServiced(), Rejected),
        (EbmsFault("something else"), Rejected),
        (MimeInconsistency("our bug"), Rejected),
        (FailedAuthentication("who is that?"), Unavailable),
        (FailedDecryption("not for me"), Unavailable),
        (ConnectionFailure("later"), Unavailable),
        (DeliveryFailure("later"), Unavailable),
    ],
)
def test_each_error_of_an_access_point_has_its_meaning(access_point, addressed, send, fault, expected):
    access_point.respond = access_point.refusing(fault)
    with pytest.raises((Refused, Rejected, Unavailable, Unknown)) as raised:
        send(addressed())
    assert type(raised.value) is expected
    assert raised.value.detail.startswith(fault.code)


def test_an_error_counts_whatever_the_http_status(access_point, addressed, send):
    access_point.respond = lambda *message: (500, *access_point.refusing(NotServiced())(*message)[1:])
    with pytest.raises(Rejected, match="NOT_SERVICED"):
        send(addressed())


@pytest.mark.parametrize(
    ("status", "expected"),
    [(500, Unknown), (502, Unknown), (503, Unavailable), (429, Unavailable), (404, Unavailable), (307, Unavailable),
     (400, Rejected), (200, Unknown), (202, Unknown)],
)  # fmt: skip
def test_a_status_without_as4(access_point, addressed, send, status, expected):
    access_point.respond = lambda *_: (status, "text/html", b"<h1>hello</h1>")
    with pytest.raises(expected) as raised:
        send(addressed())
    assert "hello" not in raised.value.text.en + raised.value.detail


def test_the_words_of_a_no_are_passed_on_without_control_characters(access_point, addressed, send):
    access_point.respond = access_point.refusing(EbmsFault("line one\nline two " + "x" * 1_000))
    with pytest.raises(Rejected) as rejected:
        send(addressed())
    assert "line one line two" in rejected.value.text.da
    assert len(rejected.value.text.da) < 600


def test_a_receipt_by_another_certificate_is_unknown(access_point, addressed, send):
    def respond(headers, body):
        return answer_of(receiving.receipt(access_point.open(headers, body), identity("POP000003")))

    access_point.respond = respond
    with pytest.raises(Unknown, match="another certificate"):
        send(addressed())


def test_an_unsigned_receipt_is_unknown(access_point, addressed, send):
    def respond(headers, body):
        opened = access_point.open(headers, body)
        root = ebms.build_receipt("r@them", opened.message.message_id, opened.references, datetime.now(UTC))
        return 200, "application/soap+xml", exchange.written(root)

    access_point.respond = respond
    with pytest.raises(Unknown):
        send(addressed())


def test_a_receipt_about_other_content_is_unknown(access_point, addressed, send):
    def respond(headers, body):
        opened = access_point.open(headers, body)
        root = ebms.build_receipt("r@them", opened.message.message_id, opened.references[1:], datetime.now(UTC))
        wss.sign(root, (), access_point.identity)
        return 200, "application/soap+xml", exchange.written(root)

    access_point.respond = respond
    with pytest.raises(Unknown, match="other content"):
        send(addressed())


def test_an_answer_beyond_all_measure_is_unknown(access_point, addressed, send):
    access_point.respond = lambda *_: (200, "application/soap+xml", b"<" * 2_000_001)
    with pytest.raises(Unknown):
        send(addressed())


def test_what_is_sent_has_no_file_name_and_is_compressed(access_point, addressed, send):
    send(addressed())
    headers, body = access_point.requests[0]
    package = mime.parse(headers, body)
    clear = wss.decrypt(etree.fromstring(package.soap), package.parts, [access_point.identity.key])
    assert sbdh.read(gzip.decompress(clear[0].content))[0].receiver == RECEIVER
    assert headers["content-type"].startswith("multipart/related;")
    assert len(body) == int(headers["content-length"])
    assert b"filename" not in body


def nothing_left(access_point) -> bool:
    return access_point.requests == []


@pytest.mark.parametrize(
    "missing", [{"endpoint": None}, {"sender": None}, {"receiver": None}]
)  # fmt: skip
def test_what_is_missing_is_said_before_anything_leaves(access_point, addressed, send, missing):
    consignment = addressed()
    known = {name: getattr(consignment, name) for name in consignment.__dataclass_fields__}
    with pytest.raises(Rejected):
        send(type(consignment)(**known | missing))
    assert nothing_left(access_point)


def test_a_document_in_an_envelope_gets_no_second_one(access_point, addressed, send):
    send(addressed())
    wrapped = Payload(access_point.taken.pop().envelope, "invoice.xml", "application/xml")
    access_point.requests.clear()
    with pytest.raises(Rejected) as rejected:
        send(addressed(payload=wrapped))
    assert "kuvert" in rejected.value.text.da
    assert nothing_left(access_point)


def test_a_document_that_is_no_xml_is_rejected(access_point, addressed, send):
    with pytest.raises(Rejected):
        send(addressed(payload=Payload(b"%PDF-1.7", "invoice.pdf", "application/pdf")))
    assert nothing_left(access_point)


def test_a_document_of_nearly_20_mb_arrives_and_a_larger_one_is_rejected(access_point, addressed, send):
    lines = b"".join(b"<Line>%s</Line>" % random.Random(7).randbytes(500).hex().encode() * 100 for _ in range(190))
    content = b"<Invoice>" + lines + b"</Invoice>"
    assert 19_000_000 < len(content) < 20_000_000
    assert send(addressed(payload=Payload(content, "invoice.xml", "application/xml"))).proves_arrival
    assert access_point.taken[0].payload == content
    access_point.requests.clear()
    with pytest.raises(Rejected):
        send(addressed(payload=Payload(content + b" " * 1_000_000, "invoice.xml", "application/xml")))
    assert nothing_left(access_point)


def expired() -> str:
    start = datetime.now(UTC) - timedelta(days=300)
    return pki().holder("POP000002", valid=(start, start + timedelta(days=100))).pem


@pytest.mark.parametrize(
    "certificate",
    [
        expired,
        lambda: make_pki("Strangers").issue("POP000009", key=rsa_key("POP000002"))[0],
        lambda: pki().holder("POP000002", key=ec_key()).pem,
        lambda: "no certificate",
        lambda: "",
    ],
)
def test_nothing_is_sent_to_an_access_point_that_is_not_of_the_network(access_point, addressed, send, certificate):
    with pytest.raises(Unavailable):
        send(addressed({"certificate": certificate()}))
    assert nothing_left(access_point)


@pytest.mark.parametrize("anchors", ["", "no certificate", None])
def test_without_roots_nothing_is_sent_at_all(access_point, addressed, send, anchors):
    with pytest.raises(Refused):
        send(addressed(), anchors=anchors)
    assert nothing_left(access_point)


def test_strict_revocation_wants_an_answer_and_soft_does_not(access_point, addressed, send):
    assert send(addressed(), revocation="soft").proves_arrival
    access_point.requests.clear()
    with pytest.raises(Unavailable, match="revocation-unknown"):
        send(addressed(), revocation="strict")
    assert nothing_left(access_point)


@pytest.mark.parametrize("missing", ["own_certificate", "own_key"])
def test_without_our_certificate_nothing_is_sent(access_point, addressed, send, missing):
    with pytest.raises(Refused) as refused:
        send(addressed(), **{missing: None})
    assert "BEGIN" not in str(refused.value)
    assert nothing_left(access_point)


@pytest.mark.parametrize("url", ["http://localhost:{port}/as4", "http://198.51.100.7/as4", "ftp://127.0.0.1/as4"])
def test_an_address_without_https_is_taken_in_allowed_networks_only(access_point, addressed, send, url):
    with pytest.raises(Rejected):
        send(addressed({"url": url.format(port=access_point.port)}))
    assert nothing_left(access_point)


def test_a_private_address_in_the_register_pauses_nothing(addressed, config):
    consignment = addressed({"url": "https://127.0.0.1/as4"})
    with PeppolTransport(config, Guard()) as transport, pytest.raises(Unavailable):
        transport.send(consignment)


def test_the_next_pair_counts_from_its_day(access_point, addressed, send):
    access_point.trusted = {holder("POP000003").certificate}
    following = {"own_next_certificate": holder("POP000003").pem, "own_next_key": holder("POP000003").key_pem}
    try:
        with pytest.raises(Unavailable):
            send(addressed(), own_switch_on="2999-01-01", **following)
        assert send(addressed(), own_switch_on="2026-01-01", **following).proves_arrival
    finally:
        access_point.trusted = {holder("POP000001").certificate}


def test_one_connection_serves_several_documents(access_point, addressed, config):
    with PeppolTransport(config, LOOPBACK) as transport:
        references = {transport.send(addressed(key=letter * 52)).reference for letter in "abc"}
    assert len(references) == len(access_point.taken) == 3


def test_connections_are_counted_by_our_own_access_point(config):
    assert PeppolTransport(config).host == "peppol POP000001"
    assert PeppolTransport({}).host == "peppol"
    assert PeppolTransport(config | {"connections": 7}).most_connections == 7


def test_it_is_declared_for_what_it_can():
    assert PeppolTransport.accepts == {"peppol-bis-3"}
    assert PeppolTransport.networks == {Network.PEPPOL}
    assert PeppolTransport.wants_endpoint
    assert {field.name for field in PeppolTransport.fields if field.secret} == {"own_key", "own_next_key"}
