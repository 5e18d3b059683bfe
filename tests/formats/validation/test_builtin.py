"""Each built-in rule is triggered by one document that is wrong in exactly that way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType, Invoice, VatInTaxCurrency
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.formats.base import registry as formats

check_peppol, check_oioubl, check_readable = (formats()[name].check for name in ("peppol-bis-3", "oioubl-2.1", "pdf"))

Change = Callable[[Invoice], Invoice]


def seller(**fields: object) -> Change:
    return lambda invoice: replace(invoice, seller=replace(invoice.seller, **fields))  # type: ignore[arg-type]


def buyer(**fields: object) -> Change:
    return lambda invoice: replace(invoice, buyer=replace(invoice.buyer, **fields))  # type: ignore[arg-type]


def address(scheme: str, value: str) -> Change:
    return buyer(endpoint=Participant(scheme, value))


def no_country(invoice: Invoice) -> Invoice:
    return replace(invoice, buyer=replace(invoice.buyer, address=replace(invoice.buyer.address, country=None)))


def vat(*classes: tuple[str, str], **parties: object) -> Change:
    """The categories and percentages of the breakdown, and changes of the seller or buyer."""

    def change(invoice: Invoice) -> Invoice:
        groups = tuple(
            VatBreakdown(VatClass(VatCategory(letter), Decimal(percent)), Decimal(100), Decimal(0))
            for letter, percent in classes
        )
        changed = replace(invoice, vat=groups)
        if "seller_vat" in parties:
            changed = replace(changed, seller=replace(changed.seller, vat_id=None))
        if "buyer_vat" in parties:
            changed = replace(changed, buyer=replace(changed.buyer, vat_id=str(parties["buyer_vat"])))
        if "buyer_legal" in parties:
            changed = replace(changed, buyer=replace(changed.buyer, legal_id=None))
        return changed

    return change


COMMON: list[tuple[str, Change]] = [
    ("BR-06", seller(name="")),
    ("BR-07", buyer(name="")),
    ("BR-11", no_country),
    ("BR-CL-04", lambda invoice: replace(invoice, currency="KR")),
    ("BR-CL-05", lambda invoice: replace(invoice, vat_in_tax_currency=VatInTaxCurrency("kr.", Decimal(1), Decimal(1)))),
    ("BR-S-05", vat(("S", "0"))),
    ("BR-Z-05", vat(("Z", "25"))),
    ("BR-E-05", vat(("E", "25"))),
    ("BR-AE-05", vat(("AE", "25"))),
    ("BR-IC-05", vat(("K", "25"), buyer_vat="DE999999999")),
    ("BR-G-05", vat(("G", "25"))),
    ("BR-O-05", vat(("O", "25"))),
    ("BR-O-11", vat(("O", "0"), ("S", "25"))),
    ("BR-S-02", vat(("S", "25"), seller_vat=None)),
    ("BR-Z-02", vat(("Z", "0"), seller_vat=None)),
    ("BR-E-02", vat(("E", "0"), seller_vat=None)),
    ("BR-AE-02", vat(("AE", "0"), seller_vat=None)),
    ("BR-IC-02", vat(("K", "0"), seller_vat=None, buyer_vat="DE999999999")),
    ("BR-G-02", vat(("G", "0"), seller_vat=None)),
    ("BR-IC-02", vat(("K", "0"))),
    ("BR-AE-02", vat(("AE", "0"), buyer_legal=None)),
]
ELECTRONIC: list[tuple[str, Change]] = [
    ("DK-R-002", seller(legal_id=None)),
    ("IA-CVR", seller(legal_id="12345675")),
    ("PEPPOL-EN16931-R020", seller(endpoint=None)),
    ("PEPPOL-EN16931-R010", buyer(endpoint=None)),
    ("PEPPOL-COMMON-R040", address("0088", "5798009811579")),
    ("PEPPOL-COMMON-R042", address("0184", "123")),
    ("PEPPOL-COMMON-R053", address("0198", "12345674")),
    ("PEPPOL-COMMON-R052", address("0096", "1")),
    ("PEPPOL-COMMON-R042", seller(endpoint=Participant("0184", "x"))),
]
PEPPOL: list[tuple[str, Change]] = [
    ("PEPPOL-COMMON-R049", address("0007", "5560360794")),
    ("PEPPOL-COMMON-R041", address("0192", "974760674")),
    ("PEPPOL-EN16931-CL008", address("99", "x")),
    ("PEPPOL-EN16931-R003", lambda invoice: replace(invoice, buyer_reference=None, order_reference=None)),
]


def zero_quantity(invoice: Invoice) -> Invoice:
    return replace(invoice, lines=(replace(invoice.lines[0], quantity=Decimal(0)), *invoice.lines[1:]))


OIOUBL: list[tuple[str, Change]] = [
    ("F-LIB179", address("9930", "DE999999999")),
    ("F-LIB179", seller(endpoint=Participant("0192", "974760673"))),
    ("F-INV147", zero_quantity),
    ("F-CRN088", lambda invoice: replace(zero_quantity(invoice), type=DocumentType.CREDIT_NOTE)),
    ("F-LIB315", vat(("S", "25"), ("S", "12"))),
]


def exactly(findings: list[Finding], rule: str) -> None:
    assert [finding.rule for finding in findings] == [rule]
    (finding,) = findings
    assert finding.text.da and finding.text.en
    assert finding.text.da != finding.text.en
    assert finding.term and finding.fix
    assert finding.is_fatal is (rule != "IA-CVR")


@pytest.mark.parametrize(("rule", "change"), COMMON)
@pytest.mark.parametrize("check", [check_peppol, check_oioubl, check_readable])
def test_a_rule_of_every_format_is_triggered_alone(invoice, check, rule, change):
    exactly(check(change(invoice)), rule)


@pytest.mark.parametrize(("rule", "change"), ELECTRONIC)
@pytest.mark.parametrize("check", [check_peppol, check_oioubl])
def test_a_rule_of_electronic_formats_is_triggered_alone(invoice, check, rule, change):
    exactly(check(change(invoice)), rule)
    assert check_readable(change(invoice)) == []


@pytest.mark.parametrize(("rule", "change"), PEPPOL)
def test_a_rule_of_peppol_is_triggered_alone(invoice, rule, change):
    exactly(check_peppol(change(invoice)), rule)


@pytest.mark.parametrize(("rule", "change"), OIOUBL)
def test_a_rule_of_oioubl_is_triggered_alone(invoice, rule, change):
    exactly(check_oioubl(change(invoice)), rule)
    assert check_peppol(change(invoice)) == []


@pytest.mark.parametrize("check", [check_peppol, check_oioubl, check_readable])
def test_a_good_invoice_triggers_nothing(invoice, check):
    assert check(invoice) == []


def test_outside_the_scope_of_vat_nobody_needs_a_vat_number(invoice):
    assert check_peppol(vat(("O", "0"), seller_vat=None)(invoice)) == []


def test_foreign_sellers_need_no_danish_number(invoice):
    abroad = replace(invoice.seller, legal_id=None, address=replace(invoice.seller.address, country="SE"))
    assert check_peppol(replace(invoice, seller=abroad)) == []


def test_every_rule_that_the_module_names_is_tried_here():
    import re
    from pathlib import Path

    from invoiceapp.formats.validation import builtin

    named = set(re.findall(r'"((?:BR|DK-R|PEPPOL|F|IA)-[A-Z0-9-]+\d|IA-CVR)"', Path(builtin.__file__).read_text()))
    assert named == {rule for rule, _ in (*COMMON, *ELECTRONIC, *PEPPOL, *OIOUBL)}
