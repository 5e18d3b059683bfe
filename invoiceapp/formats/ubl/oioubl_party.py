"""Who sells, buys, is paid and receives the goods, as OIOUBL writes it: Danish scheme names, CVR with ``DK``."""

from __future__ import annotations

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant, cvr_from
from invoiceapp.domain.invoice import Delivery
from invoiceapp.domain.parties import Address, Contact, Party, Payee

from . import common
from .profiles import Ids
from .xml import group, leaf

AGENCY = "320"
VAT_SCHEME = group(
    "TaxScheme",
    leaf("ID", "63", schemeID="urn:oioubl:id:taxschemeid-1.5", schemeAgencyID=AGENCY),
    leaf("Name", "Moms"),
)
_SCHEMES = {GLN: "GLN", CVR: "DK:CVR", SE: "DK:SE", P_NUMBER: "DK:P"}


def seller(party: Party, ids: Ids) -> str:
    """BG-4; UBL 2.0 has no place for the legal form (BT-33)."""
    return _party(party, None if ids.is_ubl_2_0 else party.legal_form, _contact(party.contact, None))


def buyer(party: Party) -> str:
    """BG-7, with exactly one contact that has an id (F-INV046, F-INV051)."""
    return _party(party, None, _contact(party.contact, party.contact.id or "n/a"))


def payee(value: Payee | None) -> str:
    """Who is to be paid instead of the seller (BG-10)."""
    if value is None:
        return ""
    cvr = cvr_from(value.legal_id)
    return group(
        "PayeeParty",
        group("PartyIdentification", _identifier("ID", Participant(CVR, cvr)) if cvr else ""),
        group("PartyName", leaf("Name", value.name)),
        _legal_entity(value.name, f"DK{cvr}" if cvr else value.legal_id, "DK:CVR" if cvr else "ZZZ", None),
    )


def delivery(value: Delivery) -> str:
    """When, where and to whom (BG-13)."""
    return common.delivery(
        value,
        _identifier("ID", value.location) if value.location else "",
        _address("Address", value.address) if value.address else "",
    )


def _identifier(name: str, participant: Participant) -> str:
    scheme = _SCHEMES.get(participant.scheme, "ZZZ")
    value = f"DK{participant.value}" if participant.scheme == CVR else participant.value  # F-LIB180
    return leaf(name, value, schemeID=scheme, schemeAgencyID="9" if participant.scheme == GLN else None)


def _identification(party: Party) -> str:
    """The CVR number first, then the other numbers of the party (BT-29, BT-46), each once."""
    legal = (Participant(CVR, party.legal_id),) if party.legal_scheme == CVR and party.legal_id else ()
    numbers = dict.fromkeys((*legal, *party.identifiers)) if party.identifiers else legal
    return "".join(group("PartyIdentification", _identifier("ID", number)) for number in numbers)


def _legal_entity(name: str, company_id: str | None, scheme: str, legal_form: str | None) -> str:
    """Nothing for a party without registration, such as a school that only has its EAN number (F-LIB187)."""
    if not company_id:
        return ""
    return group(
        "PartyLegalEntity",
        leaf("RegistrationName", name),
        leaf("CompanyID", company_id, schemeID=scheme),
        leaf("CompanyLegalForm", legal_form),
    )


def _registration(party: Party, legal_form: str | None) -> str:
    """Legal registration; ``ZZZ`` for companies that are not Danish (F-LIB189)."""
    if party.legal_scheme == CVR and party.legal_id:
        return _legal_entity(party.name, f"DK{party.legal_id}", "DK:CVR", legal_form)
    return _legal_entity(party.name, party.legal_id or party.vat_id, "ZZZ", legal_form)


def _party(party: Party, legal_form: str | None, contact: str) -> str:
    vat_id = party.vat_id
    tax_scheme = leaf("CompanyID", vat_id, schemeID="DK:SE" if vat_id and vat_id.startswith("DK") else "ZZZ")
    return group(
        "Party",
        _identifier("EndpointID", party.endpoint) if party.endpoint else "",
        _identification(party),
        # The legal name stands with the registration; without one, this is its only place.
        group(
            "PartyName", leaf("Name", (party.trading_name if party.legal_id or party.vat_id else None) or party.name)
        ),
        _address("PostalAddress", party.address),
        group("PartyTaxScheme", tax_scheme, VAT_SCHEME) if vat_id else "",
        _registration(party, legal_form),
        contact,
    )


def _contact(contact: Contact, id_: str | None) -> str:
    return group(
        "Contact",
        leaf("ID", id_),
        leaf("Name", contact.name),
        leaf("Telephone", contact.phone),
        leaf("ElectronicMail", contact.email),
    )


def _address(name: str, address: Address) -> str:
    # F-LIB025. StructuredLax: Billy has street and number in one field, which StructuredDK forbids.
    return group(
        name,
        leaf(
            "AddressFormatCode",
            "StructuredLax",
            listID="urn:oioubl:codelist:addressformatcode-1.1",
            listAgencyID=AGENCY,
        ),
        leaf("StreetName", address.street),
        leaf("AdditionalStreetName", address.additional),
        leaf("CityName", address.city),
        leaf("PostalZone", address.postal_code),
        leaf("CountrySubentity", address.subdivision),
        group("Country", leaf("IdentificationCode", address.country)),
    )
