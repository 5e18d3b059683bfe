"""What users may set reaches the model, each alone and all together."""

from __future__ import annotations

import dataclasses
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoiceapp.demo.billy.company import demo_company
from invoiceapp.domain.fields import FieldType
from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import Classification, Delivery, Period
from invoiceapp.domain.parties import Address, Payee
from invoiceapp.domain.settings import Settings, fields_of, settings_from
from invoiceapp.sources.billy.mapping import convert

COMPANY = demo_company(date(2026, 11, 22))
OWN, OTHER = "5798000000001", "5798009811578"


def converted(name: str, data: dict[str, Any]) -> Any:
    result = convert(COMPANY.bundle(COMPANY.hard_cases[name]), settings_from(data))
    assert result.invoice is not None, [finding.text.en for finding in result.findings]
    return result.invoice


#: Setting: value, and what of the plain invoice "late_fee" it changes.
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "general.invoicingPeriod": ("previous-month", {"period": Period(date(2026, 10, 1), date(2026, 10, 31))}),
    "supplier.payeeName": ("Factor A/S", {"payee": Payee("Factor A/S")}),
    "customer.projectReference": ("P-7", {"project_reference": "P-7"}),
    "customer.deliveryName": ("Lager 3", {"delivery": Delivery(name="Lager 3")}),
    "customer.deliveryGln": (OWN, {"delivery": Delivery(location=Participant("0088", OWN))}),
    "customer.deliveryCity": ("Aalborg", {"delivery": Delivery(address=Address(city="Aalborg", country="DK"))}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_changes_its_own_term_and_nothing_else(name):
    group, _, field = name.partition(".")
    value, changed = CHANGES[name]
    plain = converted("late_fee", {})
    assert converted("late_fee", {group: {field: value}}) == dataclasses.replace(plain, **changed)


def test_a_delivery_date_is_the_invoice_date():
    invoice = converted("late_fee", {"general": {"deliveryDate": "issue-date"}})
    assert invoice.delivery == Delivery(invoice.issue_date)


def test_party_settings_reach_the_parties():
    invoice = converted(
        "late_fee",
        {"supplier": {"gln": OWN, "legalForm": "Aktiekapital 500.000 kr."}, "customer": {"gln": OTHER}},
    )  # fmt: skip
    assert (invoice.seller.gln, invoice.seller.legal_form) == (OWN, "Aktiekapital 500.000 kr.")
    assert Participant("0088", OTHER) in invoice.buyer.identifiers


def test_item_settings_reach_the_lines():
    bundle = COMPANY.bundle(COMPANY.hard_cases["late_fee"])
    bundle = bundle | {"products": [product | {"productNo": "5712345000014"} for product in bundle["products"]]}
    chosen = settings_from({"general": {"productNumberIsGtin": True}, "customer": {"unspsc": "44121600"}})
    invoice = convert(bundle, chosen).invoice
    assert invoice is not None
    for line in invoice.lines:
        assert line.item.standard_id == line.item.sellers_id == "5712345000014"
        assert line.item.classifications == (Classification("44121600", "TST", "19.05.01"),)


def test_a_chosen_way_to_pay_reaches_the_invoice_and_one_that_lacks_something_stops_it():
    invoice = converted("late_fee", {"supplier": {"paymentMethod": "fik-73", "fikCreditor": "81234567"}})
    assert [(means.code, means.payment_id) for means in invoice.payment] == [("93", "73#")]
    result = convert(
        COMPANY.bundle(COMPANY.hard_cases["late_fee"]), settings_from({"supplier": {"paymentMethod": "fik-73"}})
    )
    assert result.invoice is None
    assert [(finding.rule, finding.fix) for finding in result.findings] == [("IA-PAYMENT", "supplier.fikCreditor")]


@pytest.mark.parametrize(
    ("category", "choice"),
    [
        ("Z", {}), ("E", {"exemptionReason": "Undervisning, ML § 13"}), ("E", {"exemptionCode": "VATEX-EU-132-1I"}),
        ("AE", {"exemptionReason": "Omvendt betalingspligt", "exemptionCode": "VATEX-EU-AE"}),
        ("K", {"exemptionCode": "VATEX-EU-IC"}), ("G", {"exemptionCode": "VATEX-EU-G"}),
        ("O", {"exemptionReason": "Uden for momslovens område"}),
    ],
)  # fmt: skip
def test_a_vat_choice_reaches_lines_and_breakdown(category, choice):
    bundle = COMPANY.bundle(COMPANY.hard_cases["exempt"])
    rates = {record["taxRateId"] for record in bundle["invoice"]["lines"]}
    chosen = settings_from({"vat": {rate: {"category": category, **choice} for rate in rates}})
    result = convert(bundle, chosen)
    assert result.invoice is not None
    assert result.findings == ()
    for vat in [line.vat for line in result.invoice.lines] + [item.vat for item in result.invoice.vat]:
        assert vat.category == category
        assert (vat.exemption_reason, vat.exemption_code) == (
            choice.get("exemptionReason"),
            choice.get("exemptionCode"),
        )


# Any subset of the new settings, with any value that the form takes.

NEW = {
    "general": ("invoicingPeriod", "deliveryDate", "productNumberIsGtin"),
    "supplier": (
        "gln", "legalForm", "paymentMethod", "bankRegistration", "bankAccount", "iban", "bic", "fikCreditor", "giroAccount",
        "payeeName", "payeeCvr",
    ),
    "customer": (
        "projectReference", "unspsc", "gln", "deliveryName", "deliveryGln", "deliveryStreet", "deliveryPostalCode",
        "deliveryCity", "deliveryCountry", "mandate", "payerAccount", "cardNumber", "cardNetwork",
    ),
}  # fmt: skip
KNOWN = {
    "IA-PAYMENT", "IA-PAYMENT-ABROAD", "IA-PAYEE", "IA-BANK", "BILLY-GTIN", "PEPPOL-COMMON-R040",
    "IA-VAT-GUESSED", "DK-BR-001",
}  # fmt: skip
words = st.text(st.characters(codec="latin-1", exclude_categories=("Cc",)), min_size=1, max_size=30)


def values(field: Any) -> st.SearchStrategy[Any]:
    if field.type is FieldType.BOOLEAN:
        return st.booleans()
    if field.choices:
        return st.sampled_from([value for value, _ in field.choices])
    if field.type is FieldType.IBAN:
        return st.sampled_from(["DK5000400440116243", "DE89370400440532013000"])
    if field.name.lower().endswith("gln"):
        return st.sampled_from([OWN, OTHER])
    if field.pattern:
        return st.from_regex(re.compile(field.pattern, re.ASCII), fullmatch=True)
    if field.name == "payerAccount":
        return words | st.just("DE89 3704 0044 0532 0130 00")
    return words


CHOICES = st.fixed_dictionaries(
    {
        group: st.fixed_dictionaries(
            {}, optional={field.name: values(field) for field in fields_of(group) if field.name in names}
        )
        for group, names in NEW.items()
    }
)
PLAIN = (
    "late_fee",
    "credit_with_reference",
    "negative_total",
    "intra_community",
    "export",
    "exempt",
    "foreign_currency_eur",
)


def test_the_property_below_knows_every_new_setting():
    for group, names in NEW.items():
        assert set(names) <= {field.name for field in fields_of(group)}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PLAIN), CHOICES)
def test_any_settings_give_an_invoice_or_say_what_to_mend(name, data):
    chosen = settings_from(data)
    bundle = COMPANY.bundle(COMPANY.hard_cases[name])
    result = convert(bundle, chosen)
    assert {finding.rule for finding in result.findings} <= KNOWN
    assert (result.invoice is None) is has_fatal(result.findings)
    for finding in result.findings:
        assert finding.text.da and finding.text.en and (finding.fix or not finding.is_fatal)
    if result.invoice is not None:
        plain = convert(bundle, Settings()).invoice
        assert result.invoice.totals == plain.totals
        assert len(result.invoice.payment) <= 1
        assert result.invoice.totals.payable == abs(Decimal(bundle["invoice"]["grossAmount"]))
