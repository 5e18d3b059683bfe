"""The document signature of what comes in: noted, and no reason to refuse."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from support.outbound import LOOPBACK
from support.pki import Holder, Pki, make_pki
from support.responses import response

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.network import OIOUBL_RESPONSE
from invoiceapp.gateways.as4 import exchange, sbdh
from invoiceapp.gateways.as4.receiving import Opened
from invoiceapp.gateways.as4.sbdh import Header
from invoiceapp.gateways.as4.wss import Identity
from invoiceapp.gateways.base import Incoming, Payload
from invoiceapp.gateways.nemhandel import NemHandelTransport, asic
from invoiceapp.gateways.nemhandel.verifying import Finding, finding

from .conftest import PROCESS

RESPONSE = response("BusinessAccept")
Files = dict[str, bytes]


HEADER = Header(
    Participant(GLN, "5798000000001"),
    Participant(CVR, "12345674"),
    "0f5e3a34-9b0c-4f5b-8c37-8d8f0f6ef001",
    OIOUBL_RESPONSE,
    PROCESS,
    datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
    country_c1="DK",
)


@pytest.fixture
def envelope(consignment, config):
    """``envelope()``: a response as our own sending half wraps and signs it."""

    def make() -> bytes:
        document = consignment(payload=Payload(RESPONSE, "svar.xml", "application/xml"))
        return NemHandelTransport(config).enveloped(document, HEADER)

    return make


@pytest.fixture
def anchors(oces: Pki) -> str:
    return oces.root_pem + oces.intermediate_pem


def opened(envelope: bytes, ours: Holder) -> Opened:
    header, payload = sbdh.read(envelope)
    return Opened(None, header, payload, envelope, ours.certificate, ())  # type: ignore[arg-type]


def changed(envelope: bytes, change: Callable[[Files], object]) -> bytes:
    """With files of the container replaced."""
    header = sbdh.read(envelope)[0]
    (scope,) = header.scopes
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(scope.instance))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return envelope.replace(scope.instance.encode(), base64.b64encode(content.getvalue()))


def test_a_signature_of_ours_holds(envelope, ours, anchors):
    assert finding(opened(envelope(), ours), anchors) is Finding.VERIFIED


def test_a_message_without_one_is_told_apart_from_one_with_a_bad_one(envelope, ours, anchors):
    message = opened(envelope(), ours)
    bare = replace(message, header=replace(message.header, scopes=()))
    twice = replace(message, header=replace(message.header, scopes=message.header.scopes * 2))
    assert finding(bare, anchors) is Finding.MISSING
    assert finding(twice, anchors) is Finding.INVALID


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.update({asic.DOCUMENT: files[asic.DOCUMENT].replace(b"BusinessAccept", b"BusinessReject")}),
        lambda files: files.update({asic.DELEGATION: b"<other/>"}),
        lambda files: files.update({asic.SIGNATURES: b"<XAdESSignatures/>"}),
        lambda files: files.update({asic.SIGNATURES: b"no XML"}),
        lambda files: files.pop(asic.SIGNATURES),
        lambda files: files.pop(asic.DOCUMENT),
        lambda files: files.update({f"{number}.xml": b"" for number in range(30)}),
        lambda files: files.update({"zeros.xml": bytes(3 * sbdh.LARGEST + 1)}),
    ],
    ids=["document", "delegation", "no signature", "no XML", "no signatures", "no document", "many files", "bomb"],
)
def test_what_was_changed_or_makes_no_sense_is_invalid(envelope, ours, anchors, change):
    assert finding(opened(changed(envelope(), change), ours), anchors) is Finding.INVALID


@pytest.mark.parametrize("instance", ["no base64!", base64.b64encode(b"no archive").decode(), ""])
def test_what_is_no_container_is_invalid(envelope, ours, anchors, instance):
    message = opened(envelope(), ours)
    scope = replace(message.header.scopes[0], instance=instance)
    assert finding(replace(message, header=replace(message.header, scopes=(scope,))), anchors) is Finding.INVALID


def test_a_signature_of_another_document_is_invalid(envelope, ours, anchors):
    message = opened(envelope(), ours)
    other = replace(message, payload=message.payload.replace(b"BusinessAccept", b"BusinessReject"))
    moved = replace(message, header=replace(message.header, instance_id="another"))
    assert finding(other, anchors) is finding(moved, anchors) is Finding.INVALID


def test_a_signer_whom_nobody_vouches_for_is_invalid(envelope, ours, anchors):
    assert finding(opened(envelope(), ours), make_pki("Strangers").root_pem) is Finding.INVALID
    assert finding(opened(envelope(), ours), "") is Finding.INVALID


def signed_anew(names: list[str], key: Holder, certificate: Holder) -> Callable[[Files], None]:
    """The signature replaced by one over these files only."""

    def change(files: Files) -> None:
        chain = x509.load_pem_x509_certificates(certificate.pem.encode())
        content = asic.container([(name, files[name]) for name in names], key.key, chain, datetime.now(UTC))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files[asic.SIGNATURES] = archive.read(asic.SIGNATURES)

    return change


def test_what_is_signed_must_be_the_document(envelope, ours, anchors):
    for name, expected in ((asic.DELEGATION, Finding.INVALID), (asic.DOCUMENT, Finding.VERIFIED)):
        container = changed(envelope(), signed_anew([name], ours, ours))
        assert finding(opened(container, ours), anchors) is expected


def test_another_key_behind_a_good_certificate_is_invalid(envelope, ours, theirs, anchors):
    container = changed(envelope(), signed_anew([asic.DOCUMENT], theirs, ours))
    assert finding(opened(container, ours), anchors) is Finding.INVALID


def posted(envelope: bytes, sender: Holder, receiver: Holder) -> Incoming:
    message = exchange.user_message(HEADER, "m@them", "conversation", "87654321", "12345674")
    sealed = exchange.build_message(message, envelope, Identity(sender.certificate, sender.key), receiver.certificate)
    return Incoming("", sealed.body, {name.lower(): value for name, value in sealed.headers.items()})


@pytest.mark.parametrize("is_signed", [True, False])
def test_the_finding_is_kept_and_the_message_is_taken_either_way(envelope, config, ours, theirs, is_signed):
    whole = envelope()
    header, payload = sbdh.read(whole)
    sent = whole if is_signed else sbdh.build(payload, replace(header, scopes=()))
    with NemHandelTransport(config, LOOPBACK) as transport:
        found = transport.unwrap(posted(sent, theirs, ours))
    assert found.incoming is not None and found.incoming.content == payload
    assert found.incoming.headers["asic"] == ("verified" if is_signed else "missing")
    assert found.incoming.headers["sbdh-receiver"] == str(HEADER.receiver)
