"""Invoices to the demo's receivers, as far as a receiver reads them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from invoiceapp.demo.billy import customers
from invoiceapp.demo.networks.population import demo_population
from invoiceapp.domain.identifiers import CVR, GLN, Participant, cvr_from
from invoiceapp.formats.ubl.xml import document, group, leaf

CONTACTS = {one["contactNo"]: one for one in customers.contacts()}
_NAMES = {GLN: "GLN", CVR: "DK:CVR"}


@pytest.fixture(scope="session")
def receiver() -> Callable[[str], Participant]:
    """By which a customer of the demo company is registered."""
    population = demo_population()

    def find(key: str) -> Participant:
        contact = CONTACTS[key]
        known = population.get(Participant(GLN, contact["ean"]))
        return known.participant if known else Participant(CVR, cvr_from(contact["registrationNo"]))

    return find


@pytest.fixture(scope="session")
def invoice() -> Callable[..., bytes]:
    """Writes one."""
    return _invoice


def _invoice(
    to: Participant, *, oioubl: bool = True, number: str = "1001", order: str | None = "PO-1", root: str = "Invoice"
) -> bytes:
    return document(
        root,
        leaf("CustomizationID", "OIOUBL-2.1" if oioubl else "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu"),
        leaf("ID", number),
        leaf("UUID", "9756b4d0-8815-1029-857a-e388fe63f399") if oioubl else "",
        leaf("IssueDate", "2026-11-02"),
        group("OrderReference", leaf("ID", order)) if order else "",
        _party("AccountingSupplierParty", Participant(CVR, "12345674"), "Nordlys ApS", oioubl=oioubl),
        _party("AccountingCustomerParty", to, "Kunde <& Søn>", oioubl=oioubl),
    )


def _party(role: str, address: Participant, name: str, *, oioubl: bool) -> str:
    value = f"DK{address.value}" if oioubl and address.scheme == CVR else address.value
    scheme = _NAMES[address.scheme] if oioubl else address.scheme
    endpoint = leaf("EndpointID", value, schemeID=scheme)
    return group(role, group("Party", endpoint, group("PartyLegalEntity", leaf("RegistrationName", name))))
