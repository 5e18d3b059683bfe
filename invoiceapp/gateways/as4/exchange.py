"""One message from our side: making it, and judging the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from lxml import etree

from . import compression, ebms, markup, mime, wss
from .ebms import Address, ErrorSignal, PartInfo, Party, SignalError, UserMessage
from .errors import EbmsFault
from .names import GZIP_TYPE, INITIATOR, RESPONDER
from .references import Reference
from .sbdh import Header
from .wss import Identity


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message ready to be posted."""

    message_id: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    references: tuple[Reference, ...]
    """What we signed, and what the receipt must say"""
    signed_info: bytes = field(repr=False)
    """Canonical XML"""


@dataclass(frozen=True, slots=True)
class Proof:
    """A receipt that holds."""

    message_id: str
    """Of the receipt"""
    certificate: x509.Certificate


class AnswerInvalid(ValueError):
    """An answer that proves nothing: no AS4, unsigned, by somebody else, or about something else."""


class ErrorAnswered(Exception):
    """The access point's no."""

    def __init__(self, errors: tuple[SignalError, ...]) -> None:
        super().__init__("; ".join(f"{one.code} {one.description}".strip()[:300] for one in errors))
        self.errors = errors


def user_message(header: Header, message_id: str, conversation_id: str, ours: str, theirs: str) -> UserMessage:
    """The ebMS header that belongs to an SBDH: ids as the registration spells them; ``ours`` and ``theirs`` are PartyIds
    (``wss.common_name``).
    """
    return UserMessage(
        message_id,
        datetime.now(UTC),
        Party(ours, INITIATOR),
        Party(theirs, RESPONDER),
        header.process,
        str(header.document_id),
        conversation_id,
        Address(str(header.sender)),
        Address(str(header.receiver)),
        (PartInfo(f"document.{message_id}"),),
    )


def build_message(message: UserMessage, content: bytes, ours: Identity, theirs: x509.Certificate) -> Sealed:
    """Compress the enveloped document, sign, encrypt and pack it. Raises ``PolicyNoncompliance`` for a certificate that
    nothing can be encrypted for.
    """
    root = ebms.build_message(message)
    parts = [mime.Part(info.id, compression.compress(content), GZIP_TYPE) for info in message.parts]
    signed = wss.sign(root, parts, ours)
    encrypted = wss.encrypt(root, parts, theirs)
    content_type, body = mime.pack(written(root), encrypted)
    return Sealed(message.message_id, body, {"Content-Type": content_type}, signed.references, signed.signed_info)


def written(root: markup.Element) -> bytes:
    """A SOAP envelope as it goes out."""
    content: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return content


def check_answer(headers: Mapping[str, str], body: bytes, sent: Sealed, theirs: x509.Certificate) -> Proof:
    """The proof that the access point with the certificate ``theirs`` took exactly what we signed.

    ``headers`` of the answer, names lower-case. Raises ``ErrorAnswered`` (also where it is not signed, as is usual) and
    ``AnswerInvalid``.
    """
    try:
        package = mime.parse(headers, body)
        root = markup.parse(package.soap, ebms.LARGEST)
        signal = ebms.parse_signal(ebms.messaging_of(root))
        if isinstance(signal, ErrorSignal):
            raise _refusal(signal, sent)
        verified = wss.verify(root, package.parts, needs_body=False)
        # Again, from the element that was verified.
        receipt = ebms.parse_signal(verified.messaging)
    except EbmsFault as error:
        raise AnswerInvalid(f"{type(error).__name__}: {error.detail}") from error
    if isinstance(receipt, ErrorSignal) or receipt.ref_to != sent.message_id:
        raise AnswerInvalid("a receipt about another message")
    if verified.certificate != theirs:
        raise AnswerInvalid("signed by another certificate than the registered one")
    if not _same(receipt.references, sent.references):
        raise AnswerInvalid("a receipt about other content")
    return Proof(receipt.message_id, verified.certificate)


def _same(theirs: tuple[Reference, ...], ours: tuple[Reference, ...]) -> bool:
    """Digest by digest; a reference that stands twice, or one too many, is none of ours."""
    return sorted((one.uri, one.digest) for one in theirs) == sorted((one.uri, one.digest) for one in ours)


def _refusal(signal: ErrorSignal, sent: Sealed) -> Exception:
    about = {one for one in (signal.ref_to, *(error.ref_to for error in signal.errors)) if one}
    failures = tuple(error for error in signal.errors if error.is_failure)
    # A receiver that could not read the header cannot name the message; the answer came in our own connection.
    if about - {sent.message_id} or not failures:
        return AnswerInvalid("an error about another message, or only a warning")
    return ErrorAnswered(failures)
