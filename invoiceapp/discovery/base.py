"""How a receiver is looked up: what may be asked, and the two answers that are never confused.

"Not registered" is an answer (``Answer.is_registered`` false) and proves something. Everything else that is no
registration raises ``CouldNotAsk`` and proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import AS4_PROFILE, Identifier, Network


class Register(StrEnum):
    """Who was asked."""

    NEMHANDELSREGISTERET = "nemhandelsregisteret"
    NEMHANDEL_SMP = "nemhandel-smp"
    """NemHandel's SML and the SMP that it names"""
    PEPPOL_SMP = "peppol-smp"
    DIRECTORY = "peppol-directory"
    """For names only: absence proves nothing"""


SMP_OF = {Network.NEMHANDEL: Register.NEMHANDEL_SMP, Network.PEPPOL: Register.PEPPOL_SMP}


class CouldNotAsk(Exception):
    """No answer that proves anything. ``retry_after`` in seconds where the register said so. Never holds a secret."""

    def __init__(self, text: Text, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(detail or text.en)
        self.text = text
        self.detail = detail
        self.retry_after = retry_after
        self.exchanges: tuple[Exchange, ...] = ()
        """What was asked until then"""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question that went out and what came back, as evidence."""

    asked: str
    """``NAPTR <name>`` or ``GET <address>``"""
    at: datetime
    outcome: str
    """``NXDOMAIN``, ``200``, ``timeout``, …"""
    content: bytes = b""
    """As it came; of DNS the answer in text form"""

    @property
    def sha256(self) -> str:
        """Of the content, lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind of document that a participant is registered to receive."""

    network: Network
    document_id: Identifier | None = None
    """None where the register only names a profile"""
    process: Identifier | None = None
    profile: str | None = None
    """The register's own name for it"""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "network": self.network.value,
            "document_id": self.document_id and str(self.document_id),
            "process": self.process and str(self.process),
            "profile": self.profile,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Offer:
        """Of ``to_dict``."""
        return cls(
            Network(stored["network"]),
            Identifier.parse(stored["document_id"]) if stored.get("document_id") else None,
            Identifier.parse(stored["process"]) if stored.get("process") else None,
            stored.get("profile"),
        )


@dataclass(frozen=True, slots=True)
class Registered:
    """One participant as a register knows it."""

    participant: Participant
    name: str | None = None
    """Registered name; None where the register tells none"""
    company: str | None = None
    """Registration number of the company that it belongs to (CVR)"""
    country: str | None = None
    offers: tuple[Offer, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "participant": str(self.participant),
            "name": self.name,
            "company": self.company,
            "country": self.country,
            "offers": [offer.to_dict() for offer in self.offers],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Registered:
        """Of ``to_dict``."""
        scheme, _, value = str(stored["participant"]).partition(":")
        return cls(
            Participant(scheme, value), stored.get("name"), stored.get("company"), stored.get("country"),
            tuple(Offer.from_dict(offer) for offer in stored.get("offers", ())),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a register said. ``found`` is empty where what was asked for is provably not registered."""

    register: Register
    question: str
    """``0184:12345678``, a CVR number, or a name"""
    asked_at: datetime
    found: tuple[Registered, ...] = ()
    company_name: str | None = None
    """Of a question by CVR: the company's name, also where nobody there is registered"""
    exchanges: tuple[Exchange, ...] = field(default=(), compare=False)

    @property
    def is_registered(self) -> bool:
        """Whether anything was found."""
        return bool(self.found)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to ask, and whom to believe."""

    zones: Mapping[Network, str]
    """SML zones; a network without one is not asked about by SMP"""
    name_servers: tuple[tuple[str, int], ...] = ()
    """(address, port); empty: those of this machine"""
    register_url: str = ""
    """NemHandelsregisteret, up to before ``/search``; empty: not asked"""
    directory_url: str = ""
    """Peppol Directory, up to before ``/search``; empty: not asked"""
    anchors: Mapping[Network, str] = field(default_factory=dict)
    """Root certificates (PEM, one or more) that SMP signatures must lead to"""
    profiles: Mapping[Network, str] = field(default_factory=lambda: dict.fromkeys(Network, AS4_PROFILE))
    """Transport profiles by which registrations name endpoints for AS4"""
    ca: str | None = None
    """Root certificate (PEM) that replaces the public ones in TLS, for registers of one's own"""
    per_second: float = 15
    """Questions to one host"""
