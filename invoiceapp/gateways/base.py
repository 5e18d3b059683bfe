"""The contract of a transport, and the registry that finds the transports.

A transport is told what to send and answers with evidence, or raises exactly
one of four errors. It never retries and never decides what a lost answer
means: the delivery machine does, from ``replay``.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Self

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import Field
from invoiceapp.domain.file_names import FileName, safe_filename
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.guard import Guard

from .errors import Refused, Rejected, TransportError, Unavailable, Unknown, Unreadable

#: The public internet only.
STRICT = Guard()


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


class Transport(ABC):
    """One kind of gateway, opened with one configuration; a context manager that keeps its connection.

    ``config`` holds the declared fields' values, secrets in clear. Instances
    are used by one thread. Constructing opens nothing.
    """

    kind: ClassVar[str]
    label: ClassVar[Text]
    description: ClassVar[Text]
    fields: ClassVar[tuple[Field, ...]]
    accepts: ClassVar[frozenset[str] | None] = None
    """Format ids; None for all"""

    #: Seconds that one ``send`` may take from the first packet to the receipt. Less than
    #: half of the delivery lease (300 s), so that a lease never expires under a sender.
    DEADLINE: ClassVar[float] = 120

    #: Ports that this protocol listens on although the guard closes them to others, such as 22.
    PORTS: ClassVar[frozenset[int]] = frozenset()

    #: Whether partners answer later by files that ``fetch`` brings, and by requests that ``read`` understands.
    fetches: ClassVar[bool] = False
    receives: ClassVar[bool] = False
    #: Field that tells the partner our address for later receipts; where it is empty the installation fills in its own.
    inbound_field: ClassVar[str | None] = None
    #: Pairs that this program can make for the user.
    key_pairs: ClassVar[tuple[KeyPair, ...]] = ()
    #: Certificates that the partner gives to the user.
    partner_certificates: ClassVar[tuple[PartnerCertificate, ...]] = ()
    #: Whether a person must let us in at the partner's own page before it can send (``authorize``).
    authorizes: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        """``guard`` is what every connection goes through."""
        self.config = config
        self.guard = guard
        self.renewed: dict[str, str] = {}
        """Secrets that the partner has replaced meanwhile, by declared field: whoever opened the transport stores them"""
        self.seen: dict[str, str] = {}
        """What the partner showed of itself in the last conversation: ``host_key``, ``certificate_ends`` (ISO 8601), …"""

    @property
    def host(self) -> str | None:
        """The machine that the connections go to, for the limit of how many there are at once; None for no limit."""
        return str(self.config["host"]).casefold() if self.config.get("host") else None

    @property
    def most_connections(self) -> int:
        """How many of them there may be (``common_fields.CONNECTIONS``)."""
        return int(self.config.get("connections") or 2)

    @property
    @abstractmethod
    def replay(self) -> Replay:
        """What may happen after a lost answer, with this configuration."""

    @abstractmethod
    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """The ids that ``send`` will use, for the attempt row that is written before the first byte."""

    @abstractmethod
    def check(self) -> list[CheckStep]:
        """Try everything but sending an invoice. Never raises for a failing partner."""

    @abstractmethod
    def send(self, consignment: Consignment) -> Receipt:
        """Send once. Raises ``Refused``, ``Rejected``, ``Unavailable`` or ``Unknown`` and nothing else."""

    def find(self, consignment: Consignment) -> Receipt | None:
        """Ask the partner whether it has the consignment: a receipt, or None for a proven no.

        Only transports whose ``replay`` can be ``PROBE`` implement this. Raises
        ``Unavailable`` where the partner cannot say.
        """
        raise Unavailable(Text("Gatewayen kan ikke spørges.", "This gateway cannot be asked."))

    def fetch(self) -> Iterator[Incoming]:
        """What the partner has laid out for us and ``done`` has not taken away. Raises a ``TransportError``."""
        yield from ()

    def done(self, incoming: Incoming) -> None:  # noqa: B027 - only where it ``fetches``
        """It is stored here: take it away at the partner, so that it is not fetched again. Raises a ``TransportError``."""

    def key_of(self, incoming: Incoming) -> str | None:
        """The ``Consignment.key`` that a receipt says it is about, not yet proved; None where it is about none of ours.

        Only transports that ``receives`` implement this and ``read``. Raises ``Unreadable``.
        """
        return None

    def read(self, incoming: Incoming, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """The receipt, proved to be the partner's and about what went out with ``wire_ids``. Raises ``Unreadable``."""
        raise Unreadable(Text("Gatewayen får ingen kvitteringer.", "This gateway gets no receipts."))

    @classmethod
    def authorize(cls, config: Mapping[str, Any], redirect_uri: str) -> Authorization:
        """Begin to be let in. Only transports that ``authorizes`` implement this. Raises ``Refused``."""
        raise Refused(Text("Gatewayen kan ikke forbindes på den måde.", "This gateway cannot be connected like that."))

    def authorized(self, code: str, verifier: str, redirect_uri: str) -> dict[str, str]:
        """What the partner gave for the code, by declared field (such as ``refresh_token``). Raises a ``TransportError``."""
        raise Refused(Text("Gatewayen kan ikke forbindes på den måde.", "This gateway cannot be connected like that."))

    def close(self) -> None:  # noqa: B027 - most transports keep nothing open
        """Give the connection back; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """About a configuration that is allowed but unwise; fatal where nothing can be sent yet, as without a host key."""
        return []

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Why a configuration can never work, by field, where no single field is wrong. ``secrets``: names of those it has."""
        return {}

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        """What of a configuration (secrets in clear) ends one day. Never raises: what cannot be read has no end."""
        return []


@cache
def registry() -> dict[str, type[Transport]]:
    """Transports by kind. A transport is a folder here whose package exports ``TRANSPORT``."""
    package = importlib.import_module(__package__)
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.ispkg:
            transport: type[Transport] = importlib.import_module(f"{__package__}.{info.name}").TRANSPORT
            found[transport.kind] = transport
    return found


__all__ = [
    "STRICT",
    "Authorization",
    "CheckStep",
    "Consignment",
    "Deadline",
    "Expiry",
    "Incoming",
    "KeyPair",
    "LaterReceipt",
    "PartnerCertificate",
    "Payload",
    "Receipt",
    "Refused",
    "Rejected",
    "Transport",
    "TransportError",
    "Unavailable",
    "Unknown",
    "Unreadable",
    "Verdict",
    "registry",
    "run_steps",
    "safe_filename",
]
