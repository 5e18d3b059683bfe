"""One message to us: opening it, and the answer that its sender waits for. Whether we serve it, the caller decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from . import compression, ebms, markup, mime, sbdh, wss
from .ebms import UserMessage
from .errors import EbmsFault, FailedAuthentication, MimeInconsistency, PolicyNoncompliance, ValueNotRecognized
from .exchange import written
from .references import Reference
from .sbdh import Header
from .wss import Identity, common_name

#: Raises ``EbmsFault`` (``FailedAuthentication``) where a certificate is none of an access point of the network.
Trust = Callable[[x509.Certificate], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that is proved to be from an access point of the network, and unchanged."""

    message: UserMessage
    header: Header
    payload: bytes = field(repr=False)
    """The document without its envelope"""
    envelope: bytes = field(repr=False)
    """The StandardBusinessDocument as it came"""
    certificate: x509.Certificate
    """Of the sending access point"""
    references: tuple[Reference, ...]
    """For the receipt"""


class MessageRefused(Exception):
    """A message that is not taken. ``ref_to``: its MessageId, where that could be read."""

    def __init__(self, fault: EbmsFault, ref_to: str | None) -> None:
        super().__init__(f"{fault.code} {fault.detail}")
        self.fault = fault
        self.ref_to = ref_to


def open_message(
    headers: Mapping[str, str],
    body: bytes,
    ours: Sequence[rsa.RSAPrivateKey],
    trust: Trust,
    *,
    checks_party: bool = True,
) -> Opened:
    """Decrypt, verify, decompress and unwrap what was posted. Names of ``headers`` are lower-case.

    ``ours``: the keys that may have been encrypted for. ``checks_party``: the PartyId of the sender is the CN of its certificate. Raises ``MessageRefused``.
    """
    ref_to: str | None = None
    try:
        package = mime.parse(headers, body)
        root = markup.parse(package.soap, ebms.LARGEST)
        claimed = ebms.parse_message(ebms.messaging_of(root))
        ref_to = claimed.message_id
        parts = wss.decrypt(root, package.parts, ours)
        verified = wss.verify(root, parts)
        trust(verified.certificate)
        message = ebms.parse_message(verified.messaging)
        if checks_party and message.sender.id != common_name(verified.certificate):
            raise FailedAuthentication("the PartyId is not the CN of the certificate")
        envelope = _document(message, parts)
        header, payload = sbdh.read(envelope)
        _require_same(message, header)
    except EbmsFault as fault:
        raise MessageRefused(fault, ref_to) from fault
    return Opened(message, header, payload, envelope, verified.certificate, verified.references)


def _document(message: UserMessage, parts: list[mime.Part]) -> bytes:
    """The one attachment, decompressed."""
    if [info.id for info in message.parts] != [part.id for part in parts]:
        raise MimeInconsistency("the header names other attachments than there are")
    if len(parts) != 1:
        raise ValueNotRecognized("more than one document")
    if message.parts[0].compression is None:
        raise PolicyNoncompliance("the document is not compressed")
    return compression.decompress(parts[0].content, sbdh.LARGEST)


def _require_same(message: UserMessage, header: Header) -> None:
    """Header and envelope say the same (Peppol AS4 profile; compared as the identifier policy says: participants' case)."""
    pairs = (
        (message.original_sender.value.lower(), str(header.sender).lower()),
        (message.final_recipient.value.lower(), str(header.receiver).lower()),
        (message.action, str(header.document_id)),
        (str(message.process), str(header.process)),
    )
    if any(one != other for one, other in pairs):
        raise ValueNotRecognized("the SBDH and the ebMS header differ")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told, with HTTP 200."""

    content: bytes
    media_type: str


def receipt(opened: Opened, ours: Identity, message_id: str | None = None) -> Answer:
    """The signed receipt. ``message_id``: of the receipt, a new one where it is None."""
    ref_to = opened.message.message_id
    root = ebms.build_receipt(message_id or new_id(), ref_to, opened.references, datetime.now(UTC))
    wss.sign(root, (), ours)
    return _answer(root)


def refusal(fault: EbmsFault, ref_to: str | None, ours: Identity | None = None) -> Answer:
    """The error; signed where ``ours`` is given."""
    root = ebms.build_error(new_id(), ref_to, fault, datetime.now(UTC))
    if ours is not None:
        wss.sign(root, (), ours)
    return _answer(root)


def _answer(root: markup.Element) -> Answer:
    media_type, content = mime.pack(written(root), ())
    return Answer(content, media_type)


def new_id() -> str:
    """A MessageId for a signal."""
    return f"{uuid4()}@as4.invoiceapp"
