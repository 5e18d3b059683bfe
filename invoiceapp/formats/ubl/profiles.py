"""The UBL profiles as data. A new profile is a new row and golden files.

A ``Profile`` says which customizations (BT-24) and processes (BT-23) its
documents may name, the default first; where there is a choice, the format has
a declared option. 'NemHandel BIS 4', which is to follow OIOUBL, will be one
more row here, one more line in ``FORMATS`` and golden files; where it departs
from the Peppol writer, the row gets a field for it, not a subclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text


@dataclass(frozen=True, slots=True)
class Customization:
    """An edition of the dialect."""

    id: str
    """BT-24"""
    ubl_version: str
    label: Text


@dataclass(frozen=True, slots=True)
class Process:
    """A business process."""

    id: str
    """BT-23"""
    scheme: str
    """How the network's registers call the list that the id is from"""
    label: Text


@dataclass(frozen=True, slots=True)
class Ids:
    """What one document says of its own kind, inside and on its envelope."""

    customization: Customization
    process: Process

    @property
    def is_ubl_2_0(self) -> bool:
        """Whether the receiver knows only the elements that UBL 2.0 had."""
        return self.customization.ubl_version == "2.0"

    def document_type(self, root: str) -> str:
        """The document type identifier of Peppol and NemHandel for ``Invoice`` or ``CreditNote``."""
        kind = f"{namespace(root)}::{root}"
        return f"{kind}##{self.customization.id}::{self.customization.ubl_version}"


def namespace(root: str) -> str:
    """The XML namespace of ``Invoice`` or ``CreditNote``."""
    return f"urn:oasis:names:specification:ubl:schema:xsd:{root}-2"


ENVELOPE = Field(
    "envelope",
    Text("Konvolut (SBDH) om dokumentet", "Envelope (SBDH) around the document"),
    FieldType.BOOLEAN,
    help=Text(
        "Kun for tjenesteudbydere, der vil have dokumentet i en SBDH-konvolut. Ellers lægger udbyderen den selv om.",
        "Only for service providers that want the document in an SBDH envelope. Others put it on themselves.",
    ),
    default=False,
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What distinguishes one UBL profile from another of the same dialect."""

    id: str
    label: Text
    customizations: tuple[Customization, ...]
    processes: tuple[Process, ...]

    @property
    def options(self) -> tuple[Field, ...]:
        """The choices a user has: only those where there is more than one possibility."""
        process = Field(
            "profile",
            Text("Profil", "Profile"),
            FieldType.CHOICE,
            help=Text(
                "Den profil, modtageren er tilmeldt med. Profil 5 tages af alle offentlige modtagere.",
                "The profile that the receiver is registered with. All public receivers take profile 5.",
            ),
            choices=tuple((item.id, item.label) for item in self.processes),
            default=self.processes[0].id,
        )
        customization = Field(
            "customization",
            Text("OIOUBL-version", "OIOUBL version"),
            FieldType.CHOICE,
            help=Text(
                "Vælg kun en ældre version, hvis modtageren er tilmeldt med den.",
                "Choose an older version only if the receiver is registered with it.",
            ),
            choices=tuple((item.id, item.label) for item in self.customizations),
            default=self.customizations[0].id,
        )
        return (
            *((process,) if len(self.processes) > 1 else ()),
            *((customization,) if len(self.customizations) > 1 else ()),
            ENVELOPE,
        )

    def ids(self, options: Mapping[str, Any]) -> Ids:
        """What the chosen options stand for; the first of each where nothing was chosen."""
        edition, process = options.get("customization"), options.get("profile")
        return Ids(
            next((item for item in self.customizations if item.id == edition), self.customizations[0]),
            next((item for item in self.processes if item.id == process), self.processes[0]),
        )


PEPPOL_BIS_3 = Profile(
    id="peppol-bis-3",
    label=Text("Peppol BIS Billing 3", "Peppol BIS Billing 3"),
    customizations=(
        # PEPPOL-EN16931-R004
        Customization(
            "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
            "2.1",
            Text("Peppol BIS Billing 3", "Peppol BIS Billing 3"),
        ),
    ),
    processes=(
        # PEPPOL-EN16931-R007
        Process(
            "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0",
            "cenbii-procid-ubl",
            Text("Fakturering", "Billing"),
        ),
    ),
)

OIOUBL_2_1 = Profile(
    id="oioubl-2.1",
    label=Text("OIOUBL 2.1 (NemHandel)", "OIOUBL 2.1 (NemHandel)"),
    # F-LIB002; registers name the older ones with UBL 2.0.
    customizations=(
        Customization("OIOUBL-2.1", "2.1", Text("OIOUBL 2.1", "OIOUBL 2.1")),
        Customization("OIOUBL-2.02", "2.0", Text("OIOUBL 2.02", "OIOUBL 2.02")),
        Customization("OIOUBL-2.01", "2.0", Text("OIOUBL 2.01", "OIOUBL 2.01")),
    ),
    # Profile 5 asks no ApplicationResponse of the sender, and every public body in Denmark must take it.
    processes=(
        Process(
            "urn:www.nesubl.eu:profiles:profile5:ver2.0",
            "nes-procid-ubl",
            Text("Profil 5 (faktura og kreditnota)", "Profile 5 (invoice and credit note)"),
        ),
        Process(
            "Procurement-BilSim-1.0",
            "oioubl-procid-ubl",
            Text("Procurement-BilSim-1.0 (med svar)", "Procurement-BilSim-1.0 (with response)"),
        ),
    ),
)
