"""What partners send as messages: AS2 receipts and signatures, AS4 with its envelopes, containers of NemHandel."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from support.as2_partner import BOUNDARY, report
from support.pki import Holder, Pki, make_pki

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.network import Identifier
from invoiceapp.gateways.as2 import mdn, mime
from invoiceapp.gateways.as4 import ebms, exchange, inbound, markup, receiving, sbdh
from invoiceapp.gateways.as4 import mime as as4_mime
from invoiceapp.gateways.as4.errors import EbmsFault
from invoiceapp.gateways.as4.exchange import AnswerInvalid, ErrorAnswered, Sealed
from invoiceapp.gateways.as4.receiving import MessageRefused, Opened
from invoiceapp.gateways.as4.wss import Identity
from invoiceapp.gateways.base import Incoming
from invoiceapp.gateways.nemhandel import asic, verifying
from invoiceapp.trust import detached as signature

from ..engine import Target

INVOICE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">'
    b"<ID>2026-17</ID></Invoice>\n"
)
HEADER = sbdh.Header(
    Participant(CVR, "12345674"),
    Participant(GLN, "5798000000001"),
    "0f5e3a34-9b0c-4f5b-8c37-8d8f0f6ef001",
    Identifier("busdox-docid-qns", "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice##urn:x::2.1"),
    Identifier("cenbii-procid-ubl", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"),
    datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
    country_c1="DK",
)
GOOD = report("<key1@firma-as2>", base64.b64encode(bytes(32)).decode() + ", sha-256")


@cache
def pki() -> Pki:
    return make_pki("Fuzz")


@cache
def partner() -> Holder:
    return pki().holder("POP000002")


@cache
def identity(name: str) -> Identity:
    holder = pki().holder(name)
    return Identity(holder.certificate, holder.key)


@cache
def signed() -> bytes:
    """A detached signature over ``GOOD``."""
    builder = (
        pkcs7.PKCS7SignatureBuilder().set_data(GOOD).add_signer(partner().certificate, partner().key, hashes.SHA256())
    )
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary])


def _with_headers(content: bytes) -> tuple[dict[str, str], bytes]:
    """An HTTP message as one input: header lines, an empty line, the body."""
    head, _, body = content.partition(b"\r\n\r\n")
    headers = dict(line.split(b":", 1) for line in head.split(b"\r\n") if b":" in line)
    return {name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, value in headers.items()}, body


def receipt(content: bytes) -> object:
    headers, body = _with_headers(content)
    mdn.is_mdn(headers)
    try:
        found = mdn.read(headers, body, [partner().certificate], signed=True)
    except mdn.MdnInvalid:
        found = mdn.read(headers, body, (), signed=False)
    found.evidence()
    return found


def detached(content: bytes) -> object:
    return signature.verify(GOOD, content, [partner().certificate])


def _receipts() -> Iterator[bytes]:
    yield GOOD
    kind = f'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="{BOUNDARY}"'
    part = b"Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    line = f"--{BOUNDARY}".encode()
    shown = mime.base64_lines(signed())
    body = line + b"\r\n" + GOOD + b"\r\n" + line + b"\r\n" + part + shown + b"\r\n" + line + b"--\r\n"
    yield f"Content-Type: {kind}\r\nMessage-ID: <mdn-1@partner>\r\n\r\n".encode() + body


@cache
def sealed(content: bytes | None = None) -> Sealed:
    message = exchange.user_message(HEADER, "key@as4.invoiceapp", "conversation", "POP000001", "POP000002")
    envelope = sbdh.build(INVOICE, HEADER) if content is None else content
    return exchange.build_message(message, envelope, identity("POP000001"), identity("POP000002").certificate)


def _joined(headers: Any, body: bytes) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items()) + b"\r\n" + body


def as4_message(content: bytes) -> object:
    """As another access point posts it to us, up to what it is told."""
    headers, body = _with_headers(content)
    return inbound.unwrapped(Incoming("", body, headers), [identity("POP000002")], lambda _: None)


def as4_header(content: bytes) -> object:
    """The SOAP part alone, which a signature would else hide."""
    messaging = ebms.messaging_of(markup.parse(content, ebms.LARGEST))
    try:
        return ebms.parse_message(messaging)
    except EbmsFault:
        return ebms.parse_signal(messaging)


def as4_inside(content: bytes) -> object:
    """Properly sealed, whatever it is: decryption, signature, gzip, then the envelope."""
    made = sealed.__wrapped__(content)
    headers = {name.lower(): value for name, value in made.headers.items()}
    return receiving.open_message(headers, made.body, [identity("POP000002").key], lambda _: None)


def as4_answer(content: bytes) -> object:
    headers, body = _with_headers(content)
    return exchange.check_answer(headers, body, sealed(), identity("POP000002").certificate)


@cache
def opened() -> Opened:
    made = sealed()
    headers = {name.lower(): value for name, value in made.headers.items()}
    return receiving.open_message(headers, made.body, [identity("POP000002").key], lambda _: None)


def _answers() -> Iterator[bytes]:
    for answer in (
        receiving.receipt(opened(), identity("POP000002")),
        receiving.refusal(EbmsFault("no"), "key@as4.invoiceapp"),
    ):
        yield _joined({"Content-Type": answer.media_type}, answer.content)


def _headers() -> Iterator[bytes]:
    for headers, body in (_with_headers(one) for one in (_joined(sealed().headers, sealed().body), *_answers())):
        yield as4_mime.parse(headers, body).soap


def container(content: bytes) -> object:
    """A message that is fine, with this as the container of its document signature."""
    scope = sbdh.Scope(asic.SIGNATURE_SCOPE, base64.b64encode(content).decode())
    message = replace(opened(), header=replace(opened().header, scopes=(scope,)))
    return verifying.finding(message, pki().root_pem)


def _containers() -> Iterator[bytes]:
    chain = [partner().certificate, pki().intermediate.certificate]
    files = [(asic.DOCUMENT, opened().envelope)]
    yield asic.container(files, partner().key, chain, datetime.now(UTC))


TARGETS = (
    Target("as2-receipt", receipt, _receipts, (mdn.MdnInvalid,), "lines", (b"\r\n\r\n", b"--", b"boundary=", b"Content-Type: ", b"; ", b'"')),
    Target("as2-signature", detached, lambda: [signed()], (signature.NotSigned,), "der"),
    Target("as4-message", as4_message, lambda: [_joined(sealed().headers, sealed().body)], (), "lines", (b"\r\n\r\n", b"--", b"cid:", b"<eb:")),
    Target("as4-header", as4_header, _headers, (EbmsFault,), "xml"),
    Target("as4-inside", as4_inside, lambda: [sbdh.build(INVOICE, HEADER)], (MessageRefused,), "xml"),
    Target("as4-envelope", sbdh.read, lambda: [sbdh.build(INVOICE, HEADER)], (EbmsFault,), "xml"),
    Target("as4-answer", as4_answer, _answers, (AnswerInvalid, ErrorAnswered), "lines", (b"\r\n\r\n", b"--", b"<eb:", b"cid:")),
    Target("nemhandel-container", container, _containers, (), "zip"),
)  # fmt: skip
