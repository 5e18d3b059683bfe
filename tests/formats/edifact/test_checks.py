from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from invoiceapp.domain.findings import Finding, Severity, Turn
from invoiceapp.domain.identifiers import GLN, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
)
from invoiceapp.domain.parties import Contact, Payee
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
        (
            one_line(net_amount=Decimal(884), allowances_charges=(AllowanceCharge(False, Decimal(1), "x"),) * 16),
            "EDI-ALLOWANCES",
        ),
        (one_line(net_amount=Decimal("899.97")), "EDI-LINE-AMOUNT"),
        (one_line(quantity=Decimal(-2)), "EDI-LINE-AMOUNT"),
        (one_line(base_quantity=Decimal(0)), "EDI-LINE-AMOUNT"),
        # The price before the discount must fit too.
        (one_line(allowances_charges=(AllowanceCharge(False, Decimal(90), "x"),)), "EDI-LINE-AMOUNT"),
    ],
)
def test_a_line_that_cannot_be_written_is_named(make_invoice, line, rule):
    (found,) = findings(make_invoice(lines=(line,)))
    assert (found.rule, found.severity, found.location) == (rule, Severity.FATAL, "BG-25[1]")


def test_a_discount_that_is_larger_than_its_line_would_need_a_negative_price(make_invoice):
    discounted = one_line(
        net_amount=Decimal("-100"), allowances_charges=(AllowanceCharge(False, Decimal(1000), "Rabat"),)
    )
    (found,) = findings(make_invoice(lines=(discounted, one_line(id="2"))))
    assert (found.rule, found.location, found.fix) == ("EDI-LINE-AMOUNT", "BG-25[1]", "source.invoice")
    assert "antal 2 til prisen 50 giver ikke -100,00" in found.text.da


def test_a_price_with_many_decimals_is_rounded_and_not_refused(make_invoice):
    line = one_line(price=Decimal("33.333333333333333333"), net_amount=Decimal("66.67"))
    assert rules(make_invoice(lines=(line,))) == []


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


@pytest.mark.parametrize("kind", DocumentType)
def test_every_test_document_says_that_nobody_books_it(make_invoice, kind):
    (found,) = findings(make_invoice(type=kind), testFlag="true")
    assert (found.rule, found.severity, found.turn) == ("EDI-TEST", Severity.WARNING, Turn.HERE)
    assert found.fix == "formats.edifact-d96a.testFlag"
    assert "bogfører det ikke" in found.text.da
    assert "does not book it" in found.text.en


SETS = ("UNOA", "UNOB", "UNOC")


@pytest.mark.parametrize(
    ("number", "refused"),
    [
        ("Ж-12", SETS), ("A_1", ("UNOA", "UNOB")), ("12#7", ("UNOA", "UNOB")), ("Æ-7", ("UNOA", "UNOB")), ("Ł7", SETS),
        ("straße", ("UNOA", "UNOB")), ("1\x077", SETS), ("", SETS), ("a-1", ()), ("K-1 <2>", ()), ("A\u030a1", ("UNOA", "UNOB")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("term", ["BT-1", "BT-25"])
def test_a_documents_number_that_the_set_would_change_is_refused(make_invoice, number, refused, term):
    changes = {"number": number} if term == "BT-1" else {"preceding": (DocumentReference(number),)}
    sale = make_invoice(**changes, payment=())
    told = [
        (characters, item.severity, item.term, item.fix)
        for characters in SETS
        for item in findings(sale, characterSet=characters)
        if item.rule == "EDI-NUMBER"
    ]
    expected = (Severity.FATAL, term, "formats.edifact-d96a.characterSet")
    assert told == [(characters, *expected) for characters in refused]


def test_a_refused_number_says_what_it_would_become(make_invoice):
    (found,) = findings(make_invoice(number="Ж-12"))
    assert found.text.en.startswith(
        "The invoice number “Ж-12” cannot be written in character set UNOC; it would become “-12”"
    )
    (found,) = findings(make_invoice(preceding=(DocumentReference("日本"),)))
    assert found.text.da.startswith("Nummeret på den krediterede faktura »日本« kan ikke skrives i tegnsættet UNOC, og")


@pytest.mark.parametrize(
    ("changes", "term", "said"),
    [
        ({"order_reference": "PO_12#7"}, "BT-13", "becomes “PO-12 7”"),
        ({"contract_reference": "§"}, "BT-12", "is left out"),
        ({"lines": (one_line(item=Item("x", sellers_id="A_1")),)}, "BT-155", "becomes “A-1”"),
        ({"lines": (one_line(order_line="#"),)}, "BT-132", "is left out"),
        ({"payment": (PaymentMeans(PaymentMeansCode.UNDEFINED, None, "K_1"),)}, "BT-84", "becomes “K-1”"),
    ],
)
def test_other_references_that_the_set_changes_are_told(make_invoice, changes, term, said):
    sale = make_invoice(**changes)
    (found,) = findings(sale, characterSet="UNOA")
    assert (found.rule, found.severity, found.term) == ("EDI-REFERENCE-CHANGED", Severity.WARNING, term)
    assert said in found.text.en
    assert findings(sale) == []


def test_the_invoices_own_number_is_told_once_wherever_it_stands(make_invoice):
    sale = make_invoice(number="A_1", payment=(PaymentMeans(PaymentMeansCode.UNDEFINED, "A_1"),))
    assert rules(sale, characterSet="UNOB", deliveryNote="invoice") == ["EDI-NUMBER"]


def test_a_payment_reference_that_is_left_out_is_told_and_one_that_is_written_otherwise_is_not(make_invoice):
    def paid_by(reference: str) -> Invoice:
        return make_invoice(payment=(PaymentMeans(PaymentMeansCode.FIK, reference, "81234567"),))

    (found,) = findings(paid_by("Kunde_7"), characterSet="UNOB")
    assert (found.rule, found.severity, found.term) == ("EDI-PAYMENT-REFERENCE", Severity.WARNING, "BT-83")
    assert findings(paid_by("71#000000000020420"), characterSet="UNOB") == []
    assert findings(paid_by("Kunde_7")) == []


@pytest.mark.parametrize(
    ("password", "refused"),
    [("KODE-12", ()), ("hemmelig", ("UNOA",)), ("p@ss_w0rd12345", ("UNOA", "UNOB")), ("x~", ("UNOA", "UNOB"))],
)
def test_a_password_that_the_set_lacks_is_refused_and_not_repeated(invoice, password, refused):
    found = [
        item for characters in SETS for item in findings(invoice, characterSet=characters, recipientReference=password)
    ]
    expected = ("EDI-RECIPIENT-REFERENCE", Severity.FATAL, "formats.edifact-d96a.recipientReference")
    assert [(item.rule, item.severity, item.fix) for item in found] == [expected] * len(refused)
    assert all(password not in item.text.da + item.text.en for item in found)


@pytest.mark.parametrize(
    ("party", "term", "fix"), [("buyer", "BT-44", "customer.name"), ("seller", "BT-27", "supplier.name")]
)
def test_a_party_of_whose_name_nothing_is_left_is_refused(make_invoice, invoice, party, term, fix):
    sale = make_invoice(**{party: replace(getattr(invoice, party), name="Ελλάς 東京")})
    (found,) = findings(sale)
    assert (found.rule, found.severity, found.term, found.fix) == ("EDI-NAME", Severity.FATAL, term, fix)
    # There the parties' names are not written.
    assert findings(sale, profile="eancom-gln") == []


def test_a_payee_without_a_name_is_refused_and_people_and_places_are_told(make_invoice, invoice):
    sale = make_invoice(
        payee=Payee("東京"), delivery=Delivery(name="東京"), seller=replace(invoice.seller, contact=Contact(name="東京")),
        buyer=replace(invoice.buyer, contact=Contact(name="東京")),
    )  # fmt: skip
    warned = [(item.severity, item.term) for item in findings(sale) if item.rule == "EDI-NAME"]
    assert sorted(warned) == [
        (Severity.FATAL, "BT-59"), (Severity.WARNING, "BT-41"), (Severity.WARNING, "BT-56"), (Severity.WARNING, "BT-70"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Ελλάς ApS", ["EDI-NAME-CHANGED"]), ("🎉 Kage", []), ("Łódź & Größe", []), ("Æbler", [])],
)
def test_a_name_that_loses_letters_is_told_and_one_that_loses_a_picture_is_not(make_invoice, invoice, name, expected):
    found = findings(make_invoice(buyer=replace(invoice.buyer, name=name)), characterSet="UNOC")
    assert [item.rule for item in found] == expected
    assert all(item.severity is Severity.WARNING and "“ApS”" in item.text.en for item in found)
