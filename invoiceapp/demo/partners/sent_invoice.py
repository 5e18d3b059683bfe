"""What a receiver reads in a UBL document before it answers."""

from __future__ import annotations

from dataclasses import dataclass

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.ubl.reading.nodes import Node, open_document

#: Names of OIOUBL for schemes of the EAS list.
OIOUBL_SCHEMES = {"GLN": GLN, "DK:CVR": CVR, "DK:SE": SE, "DK:P": P_NUMBER}


@dataclass(frozen=True, slots=True)
class Partner:
    """Seller or buyer, as the document names it."""

    scheme: str
    value: str
    name: str

    @property
    def participant(self) -> Participant:
        """With the scheme of the EAS list, whatever the format calls it."""
        return Participant.of(OIOUBL_SCHEMES.get(self.scheme, self.scheme), self.value)


@dataclass(frozen=True, slots=True)
class SentInvoice:
    """An invoice or a credit note."""

    type: DocumentType
    is_oioubl: bool
    number: str
    uuid: str | None
    date: str
    """ISO 8601"""
    order: str | None
    seller: Partner
    buyer: Partner


def read_invoice(content: bytes) -> SentInvoice:
    """Raises ``Unreadable``."""
    root, kind = open_document(content)
    return SentInvoice(
        kind, root.needed_text("CustomizationID").startswith("OIOUBL"), root.needed_text("ID"), root.text("UUID"),
        root.needed_text("IssueDate"), root.text("OrderReference/ID"), _partner(root, "AccountingSupplierParty"),
        _partner(root, "AccountingCustomerParty"),
    )  # fmt: skip


def _partner(root: Node, role: str) -> Partner:
    party = root.needed(f"{role}/Party")
    name = party.text("PartyLegalEntity/RegistrationName") or party.text("PartyName/Name") or ""
    return Partner(party.attribute("EndpointID", "schemeID") or "", party.needed_text("EndpointID"), name)
