"""The contract of a transport, and the registry that finds the transports.

A transport is told what to send and answers with evidence, or raises exactly
one of four errors. It never retries and never decides what a lost answer
means: the delivery machine does, from ``replay``.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Self

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import Field
from invoiceapp.domain.file_names import FileName, safe_filename
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.identifiers import Participant


class TransportError(Exception):
    """Why nothing (provable) arrived; ``text`` tells the user, ``detail`` the log. Never holds a secret."""

    def __init__(self, text: Text, detail: str = "") -> None:
        super().__init__(detail or text.en)
        self.text = text
        self.detail = detail


class Refused(TransportError):
    """Our credentials or settings are wrong. Pauses the gateway, so that one wrong password locks no account."""


class Rejected(TransportError):
    """The partner looked at it and says no. Final."""


class Unavailable(TransportError):
    """Provably not delivered: try again. ``retry_after`` in seconds where the partner said so."""

    def __init__(self, text: Text, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(text, detail)
        self.retry_after = retry_after


class Unknown(TransportError):
    """The bytes left and no answer came."""


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


class Deadline:
    """A moment on the monotonic clock by which one ``send`` or ``check`` must be done."""

    def __init__(self, seconds: float, step: float) -> None:
        """``step``: seconds that the partner may take for one answer."""
        self._end = time.monotonic() + seconds
        self._step = step

    def step(self, most: float | None = None) -> float:
        """Seconds that the next step may take; raises ``TimeoutError`` where none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the delivery has passed")
        return min(self._step if most is None else most, left)


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

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

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

    def close(self) -> None:  # noqa: B027 - most transports keep nothing open
        """Give the connection back; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """Warnings about a configuration that is allowed but unwise, such as an unpinned host key."""
        return []

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Why a configuration can never work, by field, where no single field is wrong. ``secrets``: names of those it has."""
        return {}


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
    "CheckStep",
    "Consignment",
    "Deadline",
    "Payload",
    "Receipt",
    "Refused",
    "Rejected",
    "Transport",
    "TransportError",
    "Unavailable",
    "Unknown",
    "registry",
    "run_steps",
    "safe_filename",
]
