"""The contract of a transport, and the registry that finds the transports.

A transport is told what to send and answers with evidence, or raises exactly
one of four errors. It never retries and never decides what a lost answer
means: the delivery machine does, from ``replay``.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Self

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import Field
from invoiceapp.domain.file_names import safe_filename
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Identifier, Network
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.guard import Guard

from .errors import Refused, Rejected, TransportError, Unavailable, Unknown, Unreadable
from .values import (
    Authorization,
    CheckStep,
    Consignment,
    Expiry,
    Incoming,
    KeyPair,
    LaterReceipt,
    PartnerCertificate,
    Payload,
    Receipt,
    Reply,
    Unwrapped,
    Verdict,
    run_steps,
)

#: The public internet only.
STRICT = Guard()


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

    #: What is known once the partner has said yes, and once arrival is proven: for people who must not read more into it.
    yes_means: ClassVar[Text] = Text(
        "Modtagerens system har taget det; der er ikke kommet nogen senere kvittering.",
        "The receiver's system has taken it; no later receipt has come.",
    )
    proof_means: ClassVar[Text] = Text(
        "Modtagerens eller udbyderens system har kvitteret for det.",
        "The system of the receiver or the provider has given a receipt for it.",
    )

    #: Whether bytes go through it. False where it only chooses among others (``network``): then nothing calls ``send``.
    sends: ClassVar[bool] = True
    #: Networks of access points in which it can reach a registered participant.
    networks: ClassVar[frozenset[Network]] = frozenset()
    #: Whether it writes to the receiver's e-mail address: the last way to whom no network reaches.
    by_email: ClassVar[bool] = False
    #: Whether ``send`` wants ``Consignment.endpoint``; a provider's access point looks that up itself.
    wants_endpoint: ClassVar[bool] = False
    #: Document type that we ourselves must be registered to receive before anything is sent.
    must_be_registered_for: ClassVar[Identifier | None] = None
    #: Whether ``status`` can be asked until the outcome is final.
    polls: ClassVar[bool] = False
    #: Whether what is posted to us is a message of a protocol that ``unwrap`` opens and answers.
    unwraps: ClassVar[bool] = False

    #: Seconds that one ``send`` may take from the first packet to the receipt. Less than
    #: half of the delivery lease (300 s), so that a lease never expires under a sender.
    DEADLINE: ClassVar[float] = 120

    #: Ports that this protocol listens on although the guard closes them to others, such as 22.
    PORTS: ClassVar[frozenset[int]] = frozenset()

    #: Whether partners answer later by files that ``fetch`` brings, and by requests that ``read`` understands.
    fetches: ClassVar[bool] = False
    receives: ClassVar[bool] = False
    #: Beginnings of the names (lower-case) of header fields that ``read`` needs beside MIME's; others are not kept.
    header_names: ClassVar[frozenset[str]] = frozenset()
    #: Field that tells the partner our address for later receipts; where it is empty the installation fills in its own.
    inbound_field: ClassVar[str | None] = None
    #: Pairs that this program can make for the user.
    key_pairs: ClassVar[tuple[KeyPair, ...]] = ()
    #: Certificates that the partner gives to the user.
    partner_certificates: ClassVar[tuple[PartnerCertificate, ...]] = ()
    #: Whether a person must let us in at the partner's own page before it can send (``authorize``).
    authorizes: ClassVar[bool] = False
    #: Whether documents end in the account whose credentials are used, wherever the machine stands.
    credentials_decide: ClassVar[bool] = False
    #: What ``authorized`` may say besides declared fields: the partner's id of the account that let us in.
    ACCOUNT: ClassVar[str] = "account_id"

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

    def reaches(self, participant: Participant, network: Network) -> bool:
        """Ask the partner whether it can deliver to a participant. False is a proven no. Raises a ``TransportError``."""
        raise Unavailable(Text("Gatewayen kan ikke spørges.", "This gateway cannot be asked."))

    def status(self, reference: str, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """What became of a consignment that the partner knows by ``reference`` (``Receipt.reference``).

        Only transports that ``polls`` implement this. Raises a ``TransportError`` where the partner cannot say.
        """
        raise Unavailable(Text("Gatewayen kan ikke spørges.", "This gateway cannot be asked."))

    def responses(self, reference: str) -> Iterator[Incoming]:
        """Business responses (UBL ApplicationResponse) that the partner holds about a consignment. Raises a ``TransportError``."""
        yield from ()

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

    def reference_of(self, incoming: Incoming) -> str | None:
        """As ``key_of``, where the partner names its own id instead (``Receipt.reference``). Raises ``Unreadable``."""
        return None

    def unwrap(self, incoming: Incoming) -> Unwrapped:
        """Open a message, check it and say what to answer. Only transports that ``unwraps`` implement this; never raises."""
        return Unwrapped(None, Reply(404))

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
    def networks_of(cls, config: Mapping[str, Any]) -> frozenset[Network]:
        """Those of ``networks`` that a configuration reaches."""
        return cls.networks

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
    """Transports by kind. A transport is a folder here whose package exports ``TRANSPORT``; a folder without is a protocol
    that several kinds speak.
    """
    package = importlib.import_module(__package__)
    found: dict[str, type[Transport]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.ispkg:
            transport = getattr(importlib.import_module(f"{__package__}.{info.name}"), "TRANSPORT", None)
            if transport is not None:
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
    "Reply",
    "Transport",
    "TransportError",
    "Unavailable",
    "Unknown",
    "Unreadable",
    "Unwrapped",
    "Verdict",
    "registry",
    "run_steps",
    "safe_filename",
]
