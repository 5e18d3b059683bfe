from __future__ import annotations

from typing import Any

import pytest

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.parties import Payee
from invoiceapp.domain.settings import CustomerSettings, SupplierSettings
from invoiceapp.sources.billy.parties import buyer, country_of, has_vat, payee, seller

ORGANIZATION = {
    "name": "Nordlys ApS", "registrationNo": "DK 12 34 56 74", "street": "Polarvej 12", "zipcode": "8000",
    "city": "Aarhus C", "countryId": "DK", "phone": "12345678", "email": "faktura@nordlys.example", "hasVat": True,
}  # fmt: skip


def contact(**properties: Any) -> dict[str, Any]:
    return {"name": "Kunde", "countryId": "DK", "registrationNo": "", "ean": "", **properties}


def address_of(**properties: Any) -> str | None:
    endpoint = buyer(contact(**properties), None, CustomerSettings()).endpoint
    return str(endpoint) if endpoint else None


def test_the_seller_is_the_company_of_the_books():
    party = seller(ORGANIZATION, SupplierSettings())
    assert (party.name, party.legal_id, party.legal_scheme, party.vat_id) == (
        "Nordlys ApS",
        "12345674",
        "0184",
        "DK12345674",
    )
    assert str(party.endpoint) == "0184:12345674"
    assert (party.address.street, party.address.postal_code, party.address.city) == ("Polarvej 12", "8000", "Aarhus C")
    assert (party.contact.name, party.contact.phone) == ("Nordlys ApS", "12345678")


def test_a_company_without_vat_has_no_vat_number():
    assert seller(ORGANIZATION | {"hasVat": False}, SupplierSettings()).vat_id is None
    assert not has_vat({"hasVat": False})
    assert has_vat({})


def test_a_company_without_number_has_no_address():
    party = seller({"name": "x"}, SupplierSettings())
    assert (party.legal_id, party.endpoint, party.vat_id, party.address.country) == (None, None, None, "DK")


def test_the_suppliers_settings_go_first():
    chosen = SupplierSettings(
        endpoint=Participant("0088", "5798000000001"), name="Nyt navn", street="Ny Gade 1", postal_code="1000", city="Kbh",
        vat_number="DK87654321", contact_name="Ida", phone="87654321", email="ida@nordlys.example",
    )  # fmt: skip
    party = seller(ORGANIZATION, chosen)
    assert (party.name, party.vat_id, str(party.endpoint)) == ("Nyt navn", "DK87654321", "0088:5798000000001")
    assert (party.address.street, party.address.postal_code, party.address.city) == ("Ny Gade 1", "1000", "Kbh")
    assert (party.contact.name, party.contact.phone, party.contact.email) == ("Ida", "87654321", "ida@nordlys.example")


@pytest.mark.parametrize(
    ("properties", "address"),
    [
        ({"ean": "57 98 00 00 00 00 1", "registrationNo": "10150817"}, "0088:5798000000001"),
        ({"ean": "579800000000", "registrationNo": "10150817"}, "0088:579800000000"),
        ({"registrationNo": "DK10150817"}, "0184:10150817"),
        ({"registrationNo": 10150817}, "0184:10150817"),
        ({"registrationNo": "101508"}, None),
        ({}, None),
        ({"countryId": "SE", "registrationNo": "SE556036079301"}, "0007:5560360793"),
        ({"countryId": "NO", "registrationNo": "NO 974 760 673 MVA"}, "0192:974760673"),
        ({"countryId": "NO", "registrationNo": "123"}, None),
        ({"countryId": "NO", "registrationNo": None}, None),
        ({"countryId": "DE", "registrationNo": "DE 999 999 999"}, "9930:DE999999999"),
        ({"countryId": "DE", "registrationNo": "999999999"}, "9930:DE999999999"),
        ({"countryId": "GR", "registrationNo": "999999999"}, "9933:EL999999999"),
        ({"countryId": "GB", "registrationNo": "GB999999999"}, "9932:GB999999999"),
        ({"countryId": "GB", "registrationNo": None}, None),
        ({"countryId": "US", "registrationNo": "99-9999999"}, None),
        ({"countryId": None, "registrationNo": "10150817"}, None),
        ({"countryId": ["DK"], "registrationNo": "10150817"}, None),
        ({"countryId": "dk", "registrationNo": "10150817"}, "0184:10150817"),
    ],
)
def test_the_buyers_address_is_found_in_billys_fields(properties, address):
    assert address_of(**properties) == address


def test_a_chosen_address_goes_first():
    party = buyer(contact(ean="5798000000001"), None, CustomerSettings(endpoint=Participant("0184", "10150817")))
    assert str(party.endpoint) == "0184:10150817"


@pytest.mark.parametrize(
    ("country", "registration", "legal", "scheme", "vat"),
    [
        ("DK", "10150817", "10150817", "0184", None),
        ("DE", "DE999999999", None, None, "DE999999999"),
        ("GR", "EL999999999", None, None, "EL999999999"),
        ("US", "99-9999999", "99-9999999", None, None),
        (None, "10150817", None, None, None),
    ],
)
def test_the_buyers_numbers_depend_on_the_country(country, registration, legal, scheme, vat):
    party = buyer(contact(countryId=country, registrationNo=registration), None, CustomerSettings())
    assert (party.legal_id, party.legal_scheme, party.vat_id) == (legal, scheme, vat)


def test_the_contact_person_is_named_and_gives_the_reference():
    party = buyer(contact(phone="1"), {"name": " Bente  Holm ", "email": "b@kunde.example"}, CustomerSettings())
    assert (party.contact.id, party.contact.name, party.contact.email) == (
        "Bente Holm",
        "Bente Holm",
        "b@kunde.example",
    )
    assert buyer(contact(), None, CustomerSettings(buyer_reference="REF")).contact.id == "REF"


def test_a_chosen_country_changes_what_the_numbers_mean():
    party = buyer(contact(countryId=None, registrationNo="10150817"), None, CustomerSettings(country="DK"))
    assert (party.address.country, str(party.endpoint)) == ("DK", "0184:10150817")


def test_a_nameless_contact_is_left_to_the_rules():
    assert buyer(contact(name=None), None, CustomerSettings()).name == ""


@pytest.mark.parametrize(
    ("value", "country"), [("DK", "DK"), (" se ", "SE"), ("DNK", None), ("ΔΚ", None), (45, None), (None, None)]
)
def test_countries_are_two_letters(value, country):
    assert country_of({"countryId": value}) == country


OWN, OTHER = "5798000000001", "5798009811578"


def test_the_sellers_gln_and_legal_form_come_from_the_settings():
    party = seller(ORGANIZATION, SupplierSettings(gln=OWN, legal_form="Aktiekapital 500.000 kr."))
    assert party.identifiers == (Participant("0088", OWN),)
    assert (party.gln, party.legal_form) == (OWN, "Aktiekapital 500.000 kr.")
    assert str(party.endpoint) == "0184:12345674"


def test_a_gln_that_is_the_address_already_is_not_repeated():
    chosen = SupplierSettings(gln=OWN, endpoint=Participant("0088", OWN))
    assert seller(ORGANIZATION, chosen).identifiers == ()
    assert seller(ORGANIZATION, SupplierSettings()).identifiers == ()


@pytest.mark.parametrize(
    ("ean", "settings", "identifiers"),
    [
        (OTHER, CustomerSettings(), ()),
        (OTHER, CustomerSettings(endpoint=Participant("0184", "10150817")), (OTHER,)),
        ("5798009811579", CustomerSettings(endpoint=Participant("0184", "10150817")), ()),
        ("", CustomerSettings(gln=OWN), (OWN,)),
        (OTHER, CustomerSettings(gln=OWN), (OWN,)),
        (OTHER, CustomerSettings(gln=OTHER), ()),
    ],
)
def test_the_buyers_gln_is_told_where_the_address_is_another(ean, settings, identifiers):
    party = buyer(contact(ean=ean, registrationNo="10150817"), None, settings)
    assert party.identifiers == tuple(Participant("0088", value) for value in identifiers)


@pytest.mark.parametrize(
    ("name", "cvr", "expected", "findings"),
    [
        (None, None, None, []),
        ("Factor A/S", "10150817", Payee("Factor A/S", "10150817"), []),
        ("Factor A/S", None, Payee("Factor A/S"), []),
        (None, "10150817", None, ["IA-PAYEE:fatal"]),
        ("Nordlys ApS", "10150817", None, ["IA-PAYEE:warning"]),
        ("Vi selv", "12345674", None, ["IA-PAYEE:warning"]),
    ],
)
def test_a_payee_has_a_name_and_is_not_the_seller(name, cvr, expected, findings):
    told: list[Finding] = []
    settings = SupplierSettings(payee_name=name, payee_cvr=cvr)
    assert payee(seller(ORGANIZATION, settings), settings, told) == expected
    assert [f"{finding.rule}:{finding.severity.value}" for finding in told] == findings
