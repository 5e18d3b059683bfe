"""The partner's receipt, a Message Disposition Notification (RFC 4130 7, RFC 3798): read it and judge it.

Nothing is read from a signed receipt but the octets whose signature was
verified. Whatever cannot be read, or is not about our message, proves nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from invoiceapp.trust.detached import NotSigned, verify

from . import mime
from .certificates import fingerprint

#: A receipt is a few kilobytes; beyond this nobody reads.
LARGEST = 256_000
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature")
_NOTIFICATION = "message/disposition-notification"
#: RFC 4130 7.4.3: action mode, sending mode; type, and a modifier with its words.
_DISPOSITION = re.compile(
    r"(?:automatic-action/mdn-sent-automatically|manual-action/mdn-sent-manually)\s*;\s*"
    r"(processed|failed)(?:/(error|failure|warning)(?:\s*:\s*(.*))?)?",
    re.IGNORECASE | re.DOTALL,
)
_DUPLICATE = "duplicate-document"


class MdnInvalid(ValueError):
    """A receipt that proves nothing. ``claim``: what an unproved one says the partner thinks, where it says no."""

    def __init__(self, detail: str, claim: str = "") -> None:
        super().__init__(detail)
        self.claim = claim


class SeenBefore(MdnInvalid):
    """A receipt that proves only that the partner has seen the Message-ID before, not that it could read the message."""


@dataclass(frozen=True, slots=True)
class Disposition:
    """What became of the message at the partner."""

    modifier: str
    """``error``, ``failure``, ``warning`` or empty"""
    words: str
    """Of the modifier, lower case: ``authentication-failed``, …"""

    @property
    def is_duplicate(self) -> bool:
        """The partner has seen the Message-ID in an earlier attempt, whatever it calls that."""
        return _DUPLICATE in self.words

    @property
    def has_arrived(self) -> bool:
        """Whether the partner says nothing against the message."""
        return self.modifier in ("", "warning") or self.is_duplicate


@dataclass(frozen=True, slots=True)
class Mic:
    """A digest over the content as the partner got it (RFC 4130 7.3.1)."""

    digest: bytes
    algorithm: str
    """``sha256``, …"""


@dataclass(frozen=True, slots=True)
class Mdn:
    """One receipt."""

    about: str
    """Original-Message-ID"""
    disposition: Disposition
    disposition_line: str
    mic: Mic | None
    message_id: str
    """The receipt's own"""
    signer: x509.Certificate | None
    """None for a receipt that is not signed"""
    original: mime.Entity
    """As it came, for whoever wants to verify it again"""

    def evidence(self) -> dict[str, Any]:
        """JSON-ready facts."""
        return {
            "mdn_message_id": self.message_id,
            "disposition": self.disposition_line,
            "duplicate": self.disposition.is_duplicate,
            "mic": base64.b64encode(self.mic.digest).decode("ascii") if self.mic else None,
            "mic_algorithm": self.mic.algorithm if self.mic else None,
            "signed_by": fingerprint(self.signer) if self.signer else None,
            "mdn_content_type": self.original.only("content-type"),
            "mdn": base64.b64encode(self.original.body).decode("ascii"),
        }


def is_mdn(headers: Mapping[str, str]) -> bool:
    """Whether an HTTP body with these headers (lower-case names) is meant as a receipt."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("multipart/signed", "multipart/report")


def read(headers: Mapping[str, str], body: bytes, signers: Sequence[x509.Certificate], *, signed: bool) -> Mdn:
    """A receipt; where ``signed``, one that a certificate of ``signers`` signed. Raises ``MdnInvalid``."""
    if len(body) > LARGEST:
        raise MdnInvalid("too large")
    try:
        entity = _entity(headers, body)
        if entity.media_type == "multipart/signed":
            report, signer = _verified(entity, signers) if signed else (_first(entity), None)
        elif signed:
            raise MdnInvalid("not signed", _claim(entity))
        else:
            report, signer = entity, None
        return _mdn(report, signer, entity, headers.get("message-id", ""))
    except (mime.NotMime, NotSigned) as error:
        raise MdnInvalid(str(error)) from error


def about(headers: Mapping[str, str], body: bytes) -> str:
    """Which Message-ID a receipt says it is about; nothing of it is proved. Raises ``MdnInvalid``."""
    return read(headers, body, (), signed=False).about


def mic_of(text: str) -> Mic | None:
    """``<base64>, sha-256`` as a partner writes it; None for what is no such thing."""
    digest, _, algorithm = text.rpartition(",")
    try:
        decoded = base64.b64decode("".join(digest.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    name = algorithm.strip().lower().replace("-", "")
    return Mic(decoded, name) if decoded and name else None


def _entity(headers: Mapping[str, str], body: bytes) -> mime.Entity:
    named = ("content-type", "content-transfer-encoding")
    return mime.Entity(tuple((name, headers[name]) for name in named if headers.get(name)), body)


def _verified(entity: mime.Entity, signers: Sequence[x509.Certificate]) -> tuple[mime.Entity, x509.Certificate]:
    """The report inside a multipart/signed (RFC 1847), and who signed it."""
    octets, signature = _two(entity)
    if signature.media_type not in _SIGNATURES:
        raise MdnInvalid("the second part is no signature")
    return mime.parse(octets), verify(octets, signature.content, signers)


def _first(entity: mime.Entity) -> mime.Entity:
    return mime.parse(_two(entity)[0])


def _two(entity: mime.Entity) -> tuple[bytes, mime.Entity]:
    found = mime.parts(entity)
    if len(found) != 2:
        raise MdnInvalid(f"{len(found)} parts instead of two")
    return found[0], mime.parse(found[1])


def _claim(entity: mime.Entity) -> str:
    """What a receipt that is not signed says against the message; empty where it says nothing against it."""
    try:
        disposition = _mdn(entity, None, entity).disposition
    except (mime.NotMime, MdnInvalid):
        return ""
    return "" if disposition.has_arrived else disposition.words or disposition.modifier


def _mdn(report: mime.Entity, signer: x509.Certificate | None, original: mime.Entity, message_id: str = "") -> Mdn:
    if report.media_type != "multipart/report":
        raise MdnInvalid("no report")
    inside = [mime.parse(octets) for octets in mime.parts(report)]
    notifications = [part for part in inside if part.media_type == _NOTIFICATION]
    if len(notifications) != 1:
        raise MdnInvalid(f"{len(notifications)} notifications instead of one")
    # RFC 3798 3.1: a body of header fields.
    fields = mime.Entity(tuple(mime.fields(notifications[0].content)), b"")
    line = fields.only("disposition")
    mic = fields.only("received-content-mic")
    return Mdn(
        fields.only("original-message-id").strip(),
        _disposition(line),
        line[:300],
        mic_of(mic),
        message_id[:300],
        signer,
        original,
    )


def _disposition(line: str) -> Disposition:
    matched = _DISPOSITION.fullmatch(line.strip())
    if not matched:
        raise MdnInvalid("no disposition that we know")
    kind, modifier, words = (group or "" for group in matched.groups())
    is_failed = kind.lower() == "failed"
    return Disposition("failure" if is_failed else modifier.lower(), words.strip().lower()[:200])
