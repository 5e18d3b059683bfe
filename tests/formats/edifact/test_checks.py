from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from invoiceapp.domain.findings import Finding, Severity
from invoiceapp.domain.identifiers import GLN, Participant
from invoiceapp.domain.invoice import AllowanceCharge, Delivery, DocumentReference, Invoice, Item, Line
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.formats.base import registry

FORMAT = registry()["edifact-d96a"]
STANDARD = VatClass(VatCategory.STANDARD, Decimal(25))
Make = Callable[..., Invoice]


def findings(invoice: Invoice, **options: str) -> list[Finding]:
    return FORMAT.check(invoice, FORMAT.parameters({"senderGln": "5790000000012", **options}))


def rules(invoice: Invoice, **options: str) -> list[str]:
    return [finding.rule for finding in findings(invoice, **options)]


def one_line(**fields: object) -> Line:
    return replace(Line("1", Decimal(2), "EA", Decimal("900.00"), Decimal(450), STANDARD, Item("Cykel")), **fields)


def test_an_ordinary_invoice_has_nothing_to_complain_of(invoice):
    assert findings(invoice) == []


def test_both_mailboxes_must_be_known(invoice):
    bare = replace(invoice, buyer=replace(invoice.buyer, endpoint=None))
    sender, receiver = FORMAT.check(bare)
    assert (sender.rule, sender.fix) == ("EDI-SENDER-GLN", "supplier.gln")
    assert (receiver.rule, receiver.fix) == ("EDI-RECEIVER-GLN", "customer.gln")
    assert "Skolen" in receiver.text.da
    assert rules(bare, receiverGln="5798009811578") == []


def test_a_gln_with_a_wrong_check_digit_is_mended_where_it_was_typed(invoice):
    wrong = Participant(GLN, "5790000000013")
    seller, buyer = replace(invoice.seller, identifiers=(wrong,)), replace(invoice.buyer, endpoint=wrong)
    odd = replace(invoice, seller=seller, buyer=buyer, delivery=Delivery(None, None, None, wrong))
    typed = {"receiverGln": "5790000000014", "invoiceeGln": "5790000000015"}
    assert {finding.fix: "5790000000013" in finding.text.en for finding in findings(odd, **typed)} == {
        "supplier.gln": True,
        "formats.edifact-d96a.receiverGln": False,
        "customer.gln": True,
        "formats.edifact-d96a.invoiceeGln": False,
        "customer.deliveryGln": True,
    }


def test_danish_retail_demands_order_delivery_note_and_delivery_date_and_asks_for_bar_codes(make_invoice):
    bare = make_invoice(lines=(one_line(),), order_reference=None)
    found = findings(bare, profile="dk-retail")
    assert [(item.rule, item.severity) for item in found] == [
        ("EDI-ORDER", Severity.FATAL),
        ("EDI-DELIVERY-NOTE", Severity.FATAL),
        ("EDI-DELIVERY-DATE", Severity.FATAL),
        ("EDI-GTIN-MISSING", Severity.WARNING),
    ]
    assert all("STRUFAKT" in item.text.da for item in found)
    full = replace(
        bare, order_reference="4512345678", delivery=Delivery(date(2026, 11, 1)), lines=(one_line(item=Item("x", None, None, "96385074")),)
    )  # fmt: skip
    assert rules(full, profile="dk-retail", deliveryNote="order") == []


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ({"number": "9" * 36}, "BT-1"),
        ({"order_reference": "9" * 36}, "BT-13"),
        ({"buyer_reference": "9" * 36}, "BT-10"),
        ({"preceding": (DocumentReference("9" * 36),)}, "BT-25"),
        ({"lines": (one_line(order_line="9" * 36),)}, "BT-132"),
        ({"lines": (one_line(item=Item("x", sellers_id="9" * 36)),)}, "BT-155"),
    ],
)
def test_numbers_that_are_too_long_are_never_cut(make_invoice, changes, term):
    (found,) = findings(make_invoice(**changes))
    assert (found.rule, found.severity, found.term) == ("EDI-REFERENCE-LENGTH", Severity.FATAL, term)
    assert "36" in found.text.da


def test_an_invoice_number_that_the_set_lacks_is_refused(make_invoice):
    (found,) = findings(make_invoice(number="日本"))
    assert (found.rule, found.fix) == ("EDI-NUMBER", "formats.edifact-d96a.characterSet")


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ({"note": "Mange ord her. " * 200}, "BT-22"),
        ({"payment_terms": "Mange ord her. " * 30}, "BT-20"),
        ({"lines": (one_line(item=Item("Mange ord her. " * 30)),)}, "BT-153"),
        ({"lines": (one_line(item=Item("x", "Mange ord her. " * 40)),)}, "BT-154"),
        ({"lines": (one_line(note="Mange ord her. " * 200),)}, "BT-127"),
    ],
)
def test_a_text_that_is_cut_says_after_which_words(make_invoice, changes, term):
    (found,) = findings(make_invoice(**changes))
    assert (found.rule, found.severity, found.term) == ("EDI-TEXT-CUT", Severity.WARNING, term)
    assert "ord her." in found.text.da.rpartition("efter")[2]


def test_a_long_city_is_told_where_addresses_are_written(make_invoice, invoice):
    buyer = replace(
        invoice.buyer, address=replace(invoice.buyer.address, city="Llanfairpwllgwyngyllgogerychwyrndrobwll")
    )
    assert [item.term for item in findings(make_invoice(buyer=buyer))] == ["BT-52"]
    assert rules(make_invoice(buyer=buyer), profile="eancom-gln") == []


def test_an_invoice_without_lines_and_one_with_too_many_are_refused(make_invoice):
    assert len(rules(make_invoice(lines=()))) == 1
    many = tuple(one_line(id=str(number)) for number in range(2001))
    (found,) = findings(make_invoice(lines=many))
    assert found.rule == "EDI-TOO-MANY-LINES"
    assert "2001" in found.text.da


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (one_line(item=Item("Cykel", standard_id="5712345000020")), "EDI-GTIN"),
        (one_line(item=Item("日本")), "EDI-ITEM-NAME"),
        (one_line(quantity=Decimal("1.000000000000001")), "EDI-NUMBER-LENGTH"),
        (one_line(price=Decimal("1234567890123456")), "EDI-NUMBER-LENGTH"),
        (one_line(allowances_charges=(AllowanceCharge(False, Decimal(1), "x"),) * 16), "EDI-ALLOWANCES"),
    ],
)
def test_a_line_that_cannot_be_written_is_named(make_invoice, line, rule):
    (found,) = findings(make_invoice(lines=(line,)))
    assert (found.rule, found.severity, found.location) == (rule, Severity.FATAL, "BG-25[1]")


def test_a_price_with_many_decimals_is_rounded_and_not_refused(make_invoice):
    assert rules(make_invoice(lines=(one_line(price=Decimal("33.333333333333333333")),))) == []


def test_a_negative_amount_to_pay_is_refused(invoice):
    negative = replace(invoice, totals=replace(invoice.totals, gross=Decimal(-5), payable=Decimal("-5.00")))
    (found,) = findings(negative)
    assert found.rule == "EDI-NEGATIVE"
    assert "-5,00 DKK" in found.text.da
    assert "-5.00 DKK" in found.text.en


def test_amounts_beyond_their_field_are_refused(invoice):
    huge = replace(invoice, totals=replace(invoice.totals, gross=Decimal("1e15"), net=Decimal("1e15")))
    assert rules(huge) == ["EDI-AMOUNT-LENGTH"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"vat": tuple(VatBreakdown(VatClass(VatCategory.STANDARD, Decimal(n)), Decimal(1), Decimal(0)) for n in range(1, 12))},
         "EDI-VAT-GROUPS"),
        ({"allowances_charges": (AllowanceCharge(False, Decimal(1), "x", STANDARD),) * 1000}, "EDI-DOCUMENT-ALLOWANCES"),
        ({"preceding": (DocumentReference("1"),) * 51}, "EDI-PRECEDING"),
    ],
)  # fmt: skip
def test_more_than_a_message_holds_is_refused(invoice, changes, rule):
    assert rules(replace(invoice, **changes)) == [rule]


def test_a_category_that_is_written_as_another_is_told(make_invoice):
    vat = VatClass(VatCategory.OUTSIDE_SCOPE, Decimal(0))
    sale = make_invoice(lines=(one_line(vat=vat),))
    (found,) = findings(sale, profile="generic-un")
    assert (found.rule, found.severity) == ("EDI-VAT-CODE", Severity.INFO)
    assert rules(sale) == []


def test_what_no_reader_could_use_is_told_as_for_all_formats(make_invoice, invoice):
    nameless = make_invoice(buyer=replace(invoice.buyer, name="", address=replace(invoice.buyer.address, country=None)))
    assert rules(nameless) == ["BR-07", "BR-11"]
