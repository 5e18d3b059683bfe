"""Peppol and NemHandel as data: which document travels by which network under which ids, and where a receiver takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from .identifiers import Participant
from .invoice import DocumentType

#: Scheme of the participant identifiers of both networks (Peppol identifier policy, POLICY 5).
PARTICIPANT_SCHEME = "iso6523-actorid-upis"
#: The only active transport profile of Peppol (code list 9.7); NemHandel's registrations show the same.
AS4_PROFILE = "peppol-transport-as4-v2_0"


class Network(StrEnum):
    """A network of access points."""

    NEMHANDEL = "nemhandel"
    PEPPOL = "peppol"

    @property
    def label(self) -> str:
        """Its name in sentences, the same in Danish and English."""
        return {Network.NEMHANDEL: "NemHandel", Network.PEPPOL: "Peppol"}[self]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A document type or a process as a register names it: never percent-encoded."""

    scheme: str
    value: str

    def __str__(self) -> str:
        return f"{self.scheme}::{self.value}"

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """Of ``scheme::value``; the value may hold ``::`` itself."""
        scheme, _, value = text.partition("::")
        return cls(scheme, value)


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of document that we can make, as a receiver's registration names it."""

    network: Network
    format: str
    """Format id"""
    document_type: DocumentType
    document_id: Identifier
    processes: tuple[str, ...]
    """Values of processes in which it may travel, preferred first; registers write the scheme in more than one way"""
    register_profiles: tuple[str, ...] = ()
    """Names by which NemHandelsregisteret lists receivers of it"""

    def fits(self, process: Identifier) -> bool:
        """Whether a registered process is one of ours: ``cenbii-procid-ubl::oioubl-procid-ubl::urn:…`` is ``urn:…``."""
        return process.value.rpartition("oioubl-procid-ubl::")[2] in self.processes


_UBL = "urn:oasis:names:specification:ubl:schema:xsd:{0}-2::{0}##{1}::2.1"
_ROOTS = {DocumentType.INVOICE: "Invoice", DocumentType.CREDIT_NOTE: "CreditNote"}
#: In names of profiles that are for one kind of document.
_NAMES = {DocumentType.INVOICE: "Invoice", DocumentType.CREDIT_NOTE: "Credit Note"}
_OIOUBL_PROCESSES = (
    "urn:www.nesubl.eu:profiles:profile5:ver2.0",
    "Procurement-BilSim-1.0",
    "Procurement-BilSimR-1.0",
)
_BILLING = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_BILLING_WITH_RESPONSE = "urn:fdc:peppol.eu:2017:poacc:billing_with_response:01:1.0"


def _services(
    networks: tuple[Network, ...], format_id: str, customization: str, processes: tuple[str, ...],
    profiles: tuple[str, ...],
) -> tuple[Service, ...]:  # fmt: skip
    return tuple(
        Service(
            network, format_id, document_type, Identifier("busdox-docid-qns", _UBL.format(root, customization)),
            processes, tuple(profile.format(_NAMES[document_type]) for profile in profiles),
        )
        for network in networks
        for document_type, root in _ROOTS.items()
    )  # fmt: skip


#: OIOUBL invoices do not travel on Peppol (code list 9.7); Peppol BIS travels there, also between Danish companies.
SERVICES = (
    *_services((Network.NEMHANDEL,), "oioubl-2.1", "OIOUBL-2.1", _OIOUBL_PROCESSES, _OIOUBL_PROCESSES),
    *_services(
        (Network.PEPPOL,), "peppol-bis-3",
        "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
        (_BILLING, _BILLING_WITH_RESPONSE),
        (_BILLING, "Peppol BIS3 Billing", "Peppol BIS3 {0}"),
    ),
)  # fmt: skip


#: Answers to OIOUBL documents. Whoever sends on NemHandel must be registered to receive them.
OIOUBL_RESPONSE = Identifier("busdox-docid-qns", _UBL.format("ApplicationResponse", "OIOUBL-2.1"))


def service_for(network: Network, format_id: str, document_type: DocumentType) -> Service | None:
    """The service by which a network carries a document; None where it does not."""
    found = (
        one for one in SERVICES if (one.network, one.format, one.document_type) == (network, format_id, document_type)
    )
    return next(found, None)


@dataclass(frozen=True, slots=True)
class ReceivingEndpoint:
    """Where a participant takes one kind of document, as its signed registration (SMP) says."""

    network: Network
    participant: Participant
    document_id: Identifier
    process: Identifier
    """Both as the registration spells them: they are copied onto the message"""
    transport_profile: str
    url: str
    certificate: str
    """Of the receiving access point, PEM: what is encrypted for, and who must sign the receipt"""
    asked_at: datetime
    active_from: datetime | None = None
    active_until: datetime | None = None
    country: str | None = None
    """Of the receiver where it is known, ISO 3166-1"""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "network": self.network.value,
            "participant": str(self.participant),
            "document_id": str(self.document_id),
            "process": str(self.process),
            "transport_profile": self.transport_profile,
            "url": self.url,
            "certificate": self.certificate,
            "asked_at": self.asked_at.isoformat(),
            "active_from": self.active_from and self.active_from.isoformat(),
            "active_until": self.active_until and self.active_until.isoformat(),
            "country": self.country,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ReceivingEndpoint:
        """Of ``to_dict``."""
        scheme, _, value = str(stored["participant"]).partition(":")
        return cls(
            Network(stored["network"]),
            Participant(scheme, value),
            Identifier.parse(stored["document_id"]),
            Identifier.parse(stored["process"]),
            stored["transport_profile"],
            stored["url"],
            stored["certificate"],
            datetime.fromisoformat(stored["asked_at"]),
            _moment(stored.get("active_from")),
            _moment(stored.get("active_until")),
            stored.get("country"),
        )

    def asked(self, at: datetime) -> ReceivingEndpoint:
        """The same, confirmed at another time."""
        return replace(self, asked_at=at)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True)
class Registers:
    """Where a set of networks is looked up."""

    zones: Mapping[Network, str]
    """SML zones (DNS)"""
    register_url: str
    """NemHandelsregisteret"""
    directory_url: str
    """Peppol Directory"""


#: Peppol's zones since March 2026; NemHandel's as its participants are published. Both may change: "other addresses" in
#: the gateway's settings replaces them.
REGISTERS = {
    "live": Registers(
        {Network.PEPPOL: "participant.sml.prod.tech.peppol.org", Network.NEMHANDEL: "edel.sml.dataudveksling.dk"},
        "https://api.nemhandel.dk/nemhandel-api",
        "https://directory.peppol.eu",
    ),
    "test": Registers(
        {Network.PEPPOL: "participant.sml.test.tech.peppol.org", Network.NEMHANDEL: "edel.sml-demo.dataudveksling.dk"},
        "https://api-demo.nemhandel.dk/nemhandel-api",
        "https://test-directory.peppol.eu",
    ),
}
