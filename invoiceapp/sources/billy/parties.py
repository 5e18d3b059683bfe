"""Seller and buyer from Billy's organization and contact, with the user's overrides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.findings import Finding, Turn, fatal, warning
from invoiceapp.domain.identifiers import (
    CVR,
    EU_COUNTRIES,
    GLN,
    NORWEGIAN,
    SWEDISH,
    VAT_SCHEMES,
    Participant,
    cvr_from,
    digits,
    is_valid_gln,
)
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.settings import CustomerSettings, SupplierSettings

from .texts import clean

Record = Mapping[str, Any]


def has_vat(organization: Record) -> bool:
    """Whether the company is registered for VAT; Billy's field may be missing in old records."""
    return organization.get("hasVat") is not False


def seller(organization: Record, settings: SupplierSettings) -> Party:
    """BG-4."""
    cvr = cvr_from(clean(organization.get("registrationNo")))
    name = settings.name or clean(organization.get("name")) or ""
    endpoint = settings.endpoint or (Participant(CVR, cvr) if cvr else None)
    return Party(
        name=name,
        endpoint=endpoint,
        trading_name=name,
        legal_id=cvr,
        legal_scheme=CVR if cvr else None,
        vat_id=settings.vat_number or (f"DK{cvr}" if cvr and has_vat(organization) else None),
        address=Address(
            street=settings.street or clean(organization.get("street")),
            city=settings.city or clean(organization.get("city")),
            postal_code=settings.postal_code or clean(organization.get("zipcode")),
            country=country_of(organization) or "DK",
        ),
        contact=Contact(
            name=settings.contact_name or name or None,
            phone=settings.phone or clean(organization.get("phone")),
            email=settings.email or clean(organization.get("email")),
        ),
        identifiers=_other_gln(settings.gln, endpoint),
        legal_form=settings.legal_form,
    )


def _other_gln(gln: str | None, endpoint: Participant | None) -> tuple[Participant, ...]:
    """The GLN where the electronic address does not say it already (BT-29, BT-46)."""
    number = Participant(GLN, gln) if gln else None
    return (number,) if number and number != endpoint else ()


def payee(seller: Party, settings: SupplierSettings, findings: list[Finding]) -> Payee | None:
    """BG-10, with complaints where it has no name, or is the seller (BR-17)."""
    name, cvr = settings.payee_name, settings.payee_cvr
    if name is None:
        findings.extend([_nameless_payee(cvr)] if cvr else [])
        return None
    if name == seller.name or (cvr is not None and cvr == seller.legal_id):
        findings.append(_own_payee())
        return None
    return Payee(name, cvr)


def _nameless_payee(cvr: str) -> Finding:
    return fatal(
        "IA-PAYEE",
        f"Betalingsmodtageren med CVR-nummer {cvr} mangler navn. Udfyld det under Leverandør, eller ryd nummeret.",
        f"The payee with CVR number {cvr} has no name. Fill it in under Supplier, or clear the number.",
        turn=Turn.HERE,
        term="BT-59",
        fix="supplier.payeeName",
    )


def _own_payee() -> Finding:
    return warning(
        "IA-PAYEE",
        "Betalingsmodtageren under Leverandør er jeres egen virksomhed og er derfor udeladt. Ryd felterne.",
        "The payee under Supplier is your own company and was therefore left out. Clear the fields.",
        turn=Turn.HERE,
        term="BT-59",
        fix="supplier.payeeName",
    )


def country_of(record: Record) -> str | None:
    """The country of a contact or organization in capitals; None where Billy has none or no ISO 3166-1 code."""
    value = clean(record.get("countryId"))
    return value.upper() if value and re.fullmatch(r"[A-Za-z]{2}", value) else None


def _vat_id(registration: str | None, country: str | None) -> str | None:
    """The VAT number of a buyer in another EU country, with prefix (BR-CO-09: Greece's is EL)."""
    if not registration or country not in EU_COUNTRIES or country == "DK":
        return None
    bare = re.sub(r"[^A-Za-z0-9]", "", registration).upper()
    prefix = "EL" if country == "GR" else country
    return bare if bare.startswith(prefix) else prefix + bare


def _found_endpoint(contact: Record, country: str | None, vat_id: str | None) -> Participant | None:
    """The address that Billy's own fields give: EAN first, then CVR, then the foreign VAT number.

    A wrong EAN is kept as it is, so that the check of the output format can say
    what is wrong with it, instead of an address that the user never chose.
    """
    ean = clean(contact.get("ean"))
    if ean:
        return Participant(GLN, digits(ean))
    registration = clean(contact.get("registrationNo"))
    if country == "DK":
        cvr = cvr_from(registration)
        return Participant(CVR, cvr) if cvr else None
    if country == "NO":
        bare = re.sub(r"\D", "", registration or "")
        return Participant(NORWEGIAN, bare) if len(bare) == 9 else None
    if country == "SE" and vat_id and re.fullmatch(r"SE\d{10}01", vat_id):
        # A Swedish VAT number is SE + the organisation number + 01; Peppol addresses are organisation numbers.
        return Participant(SWEDISH, vat_id[2:12])
    scheme = VAT_SCHEMES.get(country or "")
    number = vat_id or (re.sub(r"[^A-Za-z0-9]", "", registration or "").upper() if country == "GB" else "")
    return Participant(scheme, number) if scheme and number else None


def buyer(contact: Record, person: Record | None, settings: CustomerSettings) -> Party:
    """BG-7."""
    country = settings.country or country_of(contact)
    registration = clean(contact.get("registrationNo"))
    cvr = cvr_from(registration) if country == "DK" else None
    vat_id = settings.vat_number or _vat_id(registration, country)
    outside_eu = country is not None and country not in EU_COUNTRIES
    endpoint = settings.endpoint or _found_endpoint(contact, country, vat_id)
    person_name = settings.contact_name or (clean(person.get("name")) if person else None)
    return Party(
        name=settings.name or clean(contact.get("name")) or "",
        endpoint=endpoint,
        legal_id=cvr or (registration if outside_eu else None),
        legal_scheme=CVR if cvr else None,
        vat_id=vat_id,
        address=Address(
            street=settings.street or clean(contact.get("street")),
            city=settings.city or clean(contact.get("cityText")),
            postal_code=settings.postal_code or clean(contact.get("zipcodeText")),
            country=country,
        ),
        contact=Contact(
            id=settings.buyer_reference or person_name,
            name=person_name,
            phone=clean(contact.get("phone")),
            email=settings.email or (clean(person.get("email")) if person else None),
        ),
        identifiers=_other_gln(settings.gln or _ean(contact), endpoint),
    )


def _ean(contact: Record) -> str | None:
    """Billy's EAN number, where it is one: beside a chosen address a wrong one would only do harm."""
    ean = digits(clean(contact.get("ean")) or "")
    return ean if is_valid_gln(ean) else None
