"""Broken documents are refused in words, whatever is wrong with them."""

from __future__ import annotations

import random
from copy import deepcopy
from pathlib import Path

import pytest
from lxml import etree

from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.ubl.reading import read_oioubl, read_peppol

GOLDEN = Path(__file__).resolve().parents[3] / "golden"
CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"
CAC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
READERS = {"peppol-bis-3": read_peppol, "oioubl-2.1": read_oioubl}
CASES = ("plain", "credit_with_reference", "percent_discount", "foreign_currency_eur", "fik_and_references", "rounding")
GARBLED = (
    "", " ", "x", "-", "NaN", "1e400", "1_000", "-1", "0", "2026-13-45", "2026-W01-1", "9" * 40, "٣", "12,50", "🎉", "true",
    "\u200b", "1.", ".5", "+7", "1e5", "DK", "StandardRated", "S", "93", "AAAA", "A===",
)  # fmt: skip


def golden(format_id: str, case: str) -> etree._Element:
    return etree.fromstring((GOLDEN / format_id / f"{case}.xml").read_bytes())


def mangle(root: etree._Element, chance: random.Random) -> None:
    """Delete, repeat, empty, garble or rename one element or its attributes."""
    elements = list(root.iter("*"))[1:]
    if not elements:
        return
    element = chance.choice(elements)
    parent = element.getparent()
    action = chance.choice(("delete", "repeat", "empty", "garble", "garble", "attributes", "nest", "comment", "move"))
    if action == "delete":
        parent.remove(element)
    elif action == "repeat":
        element.addnext(deepcopy(element))
    elif action == "empty":
        element.clear()
    elif action == "garble":
        element.text = chance.choice(GARBLED)
    elif action == "attributes":
        for name in list(element.attrib):
            element.set(name, chance.choice(GARBLED))
    elif action == "nest":
        etree.SubElement(element, chance.choice((f"{CBC}ID", f"{CAC}Party", "odd"))).text = chance.choice(GARBLED)
    elif action == "comment":
        element.insert(0, etree.Comment("midt i"))
    else:
        chance.choice(elements).append(deepcopy(element))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("format_id", READERS)
def test_a_mangled_document_is_an_invoice_or_refused(format_id, case):
    chance = random.Random(f"{format_id}{case}")
    original, refused = golden(format_id, case), 0
    for _ in range(300):
        root = deepcopy(original)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            mangle(root, chance)
        content = etree.tostring(root)
        try:
            assert isinstance(READERS[format_id](content), Invoice)
        except Unreadable as error:
            refused += 1
            assert error.text.da
            assert error.text.en
    assert 30 < refused < 300


MANDATORY = {
    "peppol-bis-3": (
        "ID", "IssueDate", "DocumentCurrencyCode", "AccountingSupplierParty", "RegistrationName", "AccountingCustomerParty",
        "TaxTotal", "TaxableAmount", "LegalMonetaryTotal", "TaxExclusiveAmount", "TaxInclusiveAmount", "PayableAmount",
        "InvoiceLine", "InvoicedQuantity", "Item", "Name", "ClassifiedTaxCategory", "Price", "PaymentMeansCode",
    ),
    "oioubl-2.1": (
        "ID", "IssueDate", "DocumentCurrencyCode", "AccountingSupplierParty", "AccountingCustomerParty", "TaxTotal", "TaxCategory",
        "LegalMonetaryTotal", "TaxInclusiveAmount", "PayableAmount", "InvoiceLine", "InvoicedQuantity", "LineExtensionAmount",
        "Item", "Price",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("format_id", "name"), [(key, name) for key, names in MANDATORY.items() for name in names])
def test_a_missing_mandatory_element_is_named(format_id, name):
    root = golden(format_id, "plain")
    for element in list(root.iter(f"{CBC}{name}", f"{CAC}{name}")):
        element.getparent().remove(element)
    with pytest.raises(Unreadable) as refused:
        READERS[format_id](etree.tostring(root))
    assert name in refused.value.text.da
    assert name in refused.value.text.en


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PayableAmount", "1e5"), ("PayableAmount", "NaN"), ("PayableAmount", "1_000"), ("PayableAmount", "1,5"),
        ("PayableAmount", "9" * 20), ("TaxExclusiveAmount", "x"), ("InvoicedQuantity", "mange"), ("PriceAmount", "٣"),
        ("IssueDate", "20261102"), ("IssueDate", "2026-13-01"), ("DueDate", "i morgen"), ("Percent", "25%"),
    ],
)  # fmt: skip
def test_a_value_that_its_element_cannot_have_is_told(name, value):
    root = golden("peppol-bis-3", "plain")
    next(root.iter(f"{CBC}{name}")).text = value
    with pytest.raises(Unreadable) as refused:
        read_peppol(etree.tostring(root))
    assert name in refused.value.text.en
    assert value[:40] in refused.value.text.en


@pytest.mark.parametrize("format_id", READERS)
def test_an_amount_in_another_currency_is_not_taken_for_one_in_ours(format_id):
    root = golden(format_id, "plain")
    next(root.iter(f"{CBC}PayableAmount")).set("currencyID", "EUR")
    with pytest.raises(Unreadable, match="EUR"):
        READERS[format_id](etree.tostring(root))


def test_a_vat_category_that_no_danish_invoice_has_is_told():
    root = golden("peppol-bis-3", "plain")
    for category in root.iter(f"{CAC}TaxCategory", f"{CAC}ClassifiedTaxCategory"):
        category.find(f"{CBC}ID").text = "L"
    with pytest.raises(Unreadable, match="“L”"):
        read_peppol(etree.tostring(root))


def test_duties_are_refused_because_their_money_would_be_lost():
    root = golden("oioubl-2.1", "plain")
    for scheme in root.iter(f"{CAC}TaxScheme"):
        scheme.find(f"{CBC}ID").text = "94"
    with pytest.raises(Unreadable, match="94"):
        read_oioubl(etree.tostring(root))


@pytest.mark.parametrize(
    "content", [b"", b"x", b"<a/>", b"\xff\xfe", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<Invoice/>"]
)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_no_ubl_at_all_is_refused(read, content):
    with pytest.raises(Unreadable) as refused:
        read(content)
    assert refused.value.text.da
    assert refused.value.text.en


def test_a_comment_in_the_middle_of_a_value_does_not_cut_it():
    root = golden("peppol-bis-3", "plain")
    name = next(root.iter(f"{CBC}RegistrationName"))
    whole, name.text = name.text, name.text[:4]
    comment = etree.Comment("her")
    comment.tail = whole[4:]
    name.append(comment)
    assert read_peppol(etree.tostring(root)).seller.name == whole


def test_dates_may_have_a_time_zone():
    root = golden("peppol-bis-3", "plain")
    date = root.find(f"{CBC}IssueDate")
    written, date.text = date.text, f"{date.text}+01:00"
    assert read_peppol(etree.tostring(root)).issue_date.isoformat() == written


def test_the_total_with_the_breakdown_counts_wherever_it_stands():
    root = golden("peppol-bis-3", "foreign_currency_eur")
    expected = read_peppol(etree.tostring(root))
    own, other = root.findall(f"{CAC}TaxTotal")
    own.addprevious(other)
    assert read_peppol(etree.tostring(root)) == expected
    assert expected.vat_in_tax_currency is not None
