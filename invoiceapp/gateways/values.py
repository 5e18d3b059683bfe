"""The values of the transport contract: what is sent, what comes back, and what a configuration holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from invoiceapp.domain.file_names import FileName
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import ReceivingEndpoint

from .errors import TransportError


@dataclass(frozen=True, slots=True)
class Payload:
    """One file."""

    content: bytes
    filename: str
    media_type: str

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Consignment:
    """What is to be sent. ``key`` never changes between attempts; every wire id derives from it."""

    key: str
    payload: Payload
    companions: tuple[Payload, ...] = ()
    """Files that travel along where the transport can carry several, such as the PDF"""
    format: str = ""
    document_no: str = ""
    document_type: str = "invoice"
    sender_name: str = ""
    receiver_name: str = ""
    sender: Participant | None = None
    receiver: Participant | None = None
    receiver_email: str | None = None
    endpoint: ReceivingEndpoint | None = None
    """Where the receiver's access point takes it, looked up just before; only for transports that ask for it (``network``)"""
    may_have_arrived: bool = False
    """An earlier try ended without an answer, and nothing else explains why the partner would call this one a repetition: then
    that is the proof that it has it"""
    file_name: FileName = field(default_factory=FileName)
    """What the customer's settings say of the names, and the values for a template of the gateway's own"""

    def stem(self, template: str) -> str:
        """The name of its files without extension: the customer's own, else by the gateway's ``template``."""
        known = {"type": self.document_type, "number": self.document_no, **self.file_name.values}
        return FileName(self.file_name.template, known).stem(template, self.key)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Evidence from the wire that the partner took it."""

    reference: str
    """The partner's or the wire's own id: remote path, Message-ID, …"""
    evidence: Mapping[str, Any]
    """JSON-ready facts: the reply line, the size, the status and body hash, …"""
    proves_arrival: bool
    """False where somebody only promised to pass it on, as a mail server's 250 does"""
    final: bool = True
    """False where a later receipt is expected"""
    due: timedelta | None = None
    """How long a later receipt may take before nobody can know what became of the consignment"""


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of a connection test, in order; the first that fails ends the test."""

    name: Text
    ok: bool
    detail: Text


def run_steps(steps: Iterable[tuple[Text, Callable[[], Text]]]) -> list[CheckStep]:
    """A connection test: each step tells what it found; the first ``TransportError`` ends the test."""
    done = []
    for name, step in steps:
        try:
            done.append(CheckStep(name, True, step()))
        except TransportError as error:
            done.append(CheckStep(name, False, error.text))
            break
    return done


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something of a configuration that ends one day: a certificate, a key, a login."""

    field: str
    """The declared field that holds it"""
    label: Text
    ends: datetime
    """Aware"""
    fingerprint: str = ""
    """SHA-256 of a certificate, lower-case hexadecimal"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something that a partner sent us, as it came."""

    name: str
    """Of the file, or of the request: tells one from another at the partner"""
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of an HTTP request; names lower-case"""


class Verdict(StrEnum):
    """What a later receipt says of a consignment."""

    ARRIVED = "arrived"
    ACKNOWLEDGED = "acknowledged"
    """the partner has read it and takes it"""
    REJECTED = "rejected"
    ON_ITS_WAY = "on its way"
    """nothing final yet"""
    HINT = "hint"
    """not proved to be the partner's: nothing follows but that the partner is asked at once (``Transport.status``)"""


@dataclass(frozen=True, slots=True)
class LaterReceipt:
    """A partner's receipt that came after ``send`` had returned."""

    verdict: Verdict
    reference: str
    """The partner's own id for the receipt"""
    evidence: Mapping[str, Any]
    """JSON-ready"""
    text: Text | None = None
    """Why it was rejected, and whose turn it is"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a partner that posted something is told at once."""

    status: int
    content: bytes = b""
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A message of a protocol that carries documents and wants a signed answer, as AS4."""

    incoming: Incoming | None
    """The document inside, proved to be from whom it says; None where the message is refused, or carries none"""
    reply: Reply
    """Once the document is stored; where it is refused, at once"""
    repeated: Reply | None = None
    """Instead of ``reply`` where the same document is stored already"""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Declared fields that hold a certificate of ours and its private key, and those that follow it one day.

    The next pair counts from the date in ``switch_on``; which one counts is the transport's own look at the day.
    """

    label: Text
    certificate: str
    """Field of the certificate (PEM)"""
    key: str
    """Field of the private key (PEM, PKCS#8, secret)"""
    next_certificate: str | None = None
    next_key: str | None = None
    switch_on: str | None = None
    is_issued: bool = False
    """An authority issues it, and others find it in a register: none is made here, and no partner is sent one. The authority's
    own certificates may follow it in its field"""


@dataclass(frozen=True, slots=True)
class PartnerCertificate:
    """Declared fields that hold a certificate of the partner's, and the one that follows it one day.

    What is sent uses the next one from the date in ``switch_on``; around that day both are accepted as the partner's.
    """

    label: Text
    certificate: str
    """Field of the certificate (PEM)"""
    next_certificate: str
    switch_on: str


@dataclass(frozen=True, slots=True)
class Authorization:
    """Where a person lets us in, by OAuth 2 with PKCE (RFC 6749, RFC 7636)."""

    url: str
    """To send the browser to"""
    state: str
    verifier: str
    """The PKCE secret; kept in the person's session until the answer comes"""
