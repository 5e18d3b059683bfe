"""The documents by which receivers answer: OIOUBL ApplicationResponse and Peppol Invoice Response (BIS 3, T111)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from invoiceapp.domain.identifiers import CVR, GLN
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.ubl.xml import document, group, leaf

from .sent_invoice import Partner, SentInvoice

_AGENCY = "320"
_OIOUBL_TYPES = {DocumentType.INVOICE: "Invoice", DocumentType.CREDIT_NOTE: "CreditNote"}
_PEPPOL_TYPES = {DocumentType.INVOICE: "380", DocumentType.CREDIT_NOTE: "381"}


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, in the words of either format."""

    oioubl: str
    """Of responsecode-1.1"""
    peppol: str
    """Of UNCL4343"""
    reason: str = ""
    reason_code: str = "OTH"
    """Of OPStatusReason; counts only with a reason"""


def write_response(response: Response, invoice: SentInvoice, number: str, at: datetime) -> bytes:
    """In the family of the document that is answered. ``number``: a UUID, the answer's own."""
    return (_oioubl if invoice.is_oioubl else _peppol)(response, invoice, number, at)


def _oioubl(response: Response, invoice: SentInvoice, number: str, at: datetime) -> bytes:
    return document(
        "ApplicationResponse",
        leaf("UBLVersionID", "2.1"),
        leaf("CustomizationID", "OIOUBL-2.1"),
        leaf("ProfileID", "Procurement-BilSim-1.0", schemeAgencyID=_AGENCY, schemeID="urn:oioubl:id:profileid-1.4"),
        leaf("ID", f"AR-{invoice.number}"),
        leaf("UUID", number),
        *_moment(at),
        _party("SenderParty", invoice.buyer),
        _party("ReceiverParty", invoice.seller),
        group(
            "DocumentResponse",
            group(
                "Response",
                leaf("ReferenceID", "1"),
                leaf("ResponseCode", response.oioubl, listAgencyID=_AGENCY, listID="urn:oioubl:codelist:responsecode-1.1"),
                leaf("Description", response.reason),
            ),
            group(
                "DocumentReference",
                leaf("ID", invoice.number),
                leaf("UUID", invoice.uuid),
                leaf("IssueDate", invoice.date),
                leaf(
                    "DocumentTypeCode", _OIOUBL_TYPES[invoice.type], listAgencyID=_AGENCY,
                    listID="urn:oioubl:codelist:responsedocumenttypecode-1.2",
                ),
            ),
        ),
    )  # fmt: skip


def _peppol(response: Response, invoice: SentInvoice, number: str, at: datetime) -> bytes:
    return document(
        "ApplicationResponse",
        leaf("CustomizationID", "urn:fdc:peppol.eu:poacc:trns:invoice_response:3"),
        leaf("ProfileID", "urn:fdc:peppol.eu:poacc:bis:invoice_response:3"),
        leaf("ID", number),
        *_moment(at),
        _party("SenderParty", invoice.buyer),
        _party("ReceiverParty", invoice.seller),
        group(
            "DocumentResponse",
            group(
                "Response",
                leaf("ResponseCode", response.peppol, listID="UNCL4343OpSubset"),
                _status(response) if response.reason else "",
            ),
            group(
                "DocumentReference",
                leaf("ID", invoice.number),
                leaf("IssueDate", invoice.date),
                leaf("DocumentTypeCode", _PEPPOL_TYPES[invoice.type], listID="UNCL1001"),
            ),
        ),
    )  # fmt: skip


def _status(response: Response) -> str:
    return group(
        "Status",
        leaf("StatusReasonCode", response.reason_code, listID="OPStatusReason"),
        leaf("StatusReason", response.reason),
    )


def _moment(at: datetime) -> tuple[str, str]:
    moment = at.astimezone(UTC)
    return leaf("IssueDate", moment.date().isoformat()), leaf("IssueTime", moment.strftime("%H:%M:%SZ"))


def _party(role: str, partner: Partner) -> str:
    """As OIOUBL and T111 both want it; only OIOUBL names the agency of a GLN and identifies the company."""
    is_oioubl = not partner.scheme.isdecimal()
    is_gln = partner.participant.scheme == GLN
    company = partner.scheme if partner.participant.scheme == CVR else None
    return group(
        role,
        leaf("EndpointID", partner.value, schemeID=partner.scheme, schemeAgencyID="9" if is_oioubl and is_gln else None),
        group("PartyIdentification", leaf("ID", partner.value, schemeID=partner.scheme)) if is_oioubl else "",
        group("PartyName", leaf("Name", partner.name)) if is_oioubl else "",
        group(
            "PartyLegalEntity",
            leaf("RegistrationName", partner.name),
            leaf("CompanyID", partner.value, schemeID=company) if is_oioubl and company else "",
        ),
    )  # fmt: skip
