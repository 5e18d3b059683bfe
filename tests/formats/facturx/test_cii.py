"""CII: what is written satisfies XSD and Schematron, and says the same when it is read back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from support.cii_carried import CARRIED, NOT_CARRIED

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Classification,
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
    Period,
    VatInTaxCurrency,
)
from invoiceapp.domain.money import divide
from invoiceapp.domain.parties import Address, Contact, Payee
from invoiceapp.domain.tax import DEFAULT_EXEMPTION, VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.facturx import FORMATS
from tests.support.generated import invoices

CII = next(item for item in FORMATS if item.id == "cii")
PDF = b"%PDF-1.7 not really"
GERMAN = Address("Hafenstraße 1", "Hinterhaus", "Hamburg", "20457", "HH", "DE")
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"

Variant = Callable[[Invoice], Invoice]


def vat_of(category: VatCategory, percent: str = "0") -> VatClass:
    code, reason = DEFAULT_EXEMPTION.get(category, (None, None))
    return VatClass(category, Decimal(percent), reason, code)


def taxed(invoice: Invoice, vat: VatClass) -> Invoice:
    lines = tuple(replace(line, vat=vat) for line in invoice.lines)
    return counted(replace(invoice, lines=lines))


def counted(invoice: Invoice) -> Invoice:
    """Breakdown and totals anew."""
    vat = vat_breakdown(invoice.lines, invoice.allowances_charges)
    return replace(invoice, vat=vat, totals=document_totals(invoice.lines, vat, invoice.allowances_charges))


def abroad(invoice: Invoice, category: VatCategory) -> Invoice:
    buyer = replace(invoice.buyer, address=GERMAN, vat_id="DE123456789")
    delivery = Delivery(date(2026, 11, 1), GERMAN)
    return taxed(replace(invoice, buyer=buyer, delivery=delivery), vat_of(category))


def outside_scope(invoice: Invoice) -> Invoice:
    # BR-O-02: no VAT numbers where nothing is subject to VAT.
    return taxed(replace(invoice, seller=replace(invoice.seller, vat_id=None)), vat_of(VatCategory.OUTSIDE_SCOPE))


def discounts(invoice: Invoice) -> Invoice:
    standard = invoice.lines[0].vat
    document = (
        AllowanceCharge(False, Decimal("50.00"), "Mængderabat", standard, Decimal(5), Decimal("1000.00"), "95"),
        AllowanceCharge(False, Decimal("1.50"), "Afslag", standard),
        AllowanceCharge(True, Decimal("25.00"), "Fragt", standard, reason_code="FC"),
    )
    on_line = (AllowanceCharge(False, Decimal("10.00"), "Rabat"), AllowanceCharge(True, Decimal("2.00"), "Gebyr"))
    first = replace(invoice.lines[0], allowances_charges=on_line, net_amount=Decimal("892.00"))
    return counted(replace(invoice, lines=(first, *invoice.lines[1:]), allowances_charges=document))


def euros(invoice: Invoice) -> Invoice:
    return replace(
        invoice,
        currency="EUR",
        vat_in_tax_currency=VatInTaxCurrency("DKK", Decimal("1833.89"), Decimal("7.46")),
    )


def everything(invoice: Invoice) -> Invoice:
    item = Item(
        "Reparation", "Cykel", "R-1", "5790000000012", "K-77",
        (Classification("78181500", "TST", "26.0801"), Classification("0401", "HS")),
    )  # fmt: skip
    line = replace(
        invoice.lines[0], item=item, note="Hastende", order_line="10", accounting_cost="4711",
        period=Period(date(2026, 10, 1), date(2026, 10, 31)), price=Decimal("45000"), base_quantity=Decimal(100),
    )  # fmt: skip
    return replace(
        invoice,
        lines=(line, *invoice.lines[1:]),
        seller=replace(
            invoice.seller, legal_form="ApS, kapital 40.000 kr.", identifiers=(Participant(GLN, "5790000000036"),),
            contact=Contact(name="Ida", phone="+45 66112233", email="ida@v.example"),
        ),
        buyer=replace(
            invoice.buyer, trading_name="Skolen på bakken", vat_id="DK10150817",
            identifiers=(Participant(GLN, "5798009811578"),), contact=Contact(name="Mette", phone="1", email="m@s.example"),
            address=replace(invoice.buyer.address, additional="Baghuset", subdivision="Fyn"),
        ),
        note="Tak for handlen",
        sales_order_reference="SO-1", despatch_reference="F-9", contract_reference="K-1", project_reference="P-1",
        accounting_cost="4711-22",
        period=Period(date(2026, 10, 1), date(2026, 10, 31)),
        preceding=(DocumentReference("2000", date(2026, 1, 5)), DocumentReference("2001")),
        payee=Payee("Factoring A/S", "87654321"),
        delivery=Delivery(date(2026, 10, 30), GERMAN, "Lageret", Participant(GLN, "5790000000043")),
        payment_terms="Netto 14 dage",
        attachments=(Attachment("b-1", "bilag.pdf", "application/pdf", PDF, "Timeseddel"),),
    )  # fmt: skip


def paid(code: PaymentMeansCode, **fields: str) -> Variant:
    return lambda invoice: replace(invoice, payment=(PaymentMeans(code, **fields),))


def credit(invoice: Invoice) -> Invoice:
    return replace(invoice, type=DocumentType.CREDIT_NOTE, preceding=(DocumentReference("2000"),))


def delivered(*, date_only: bool) -> Variant:
    delivery = Delivery(date(2026, 11, 1)) if date_only else Delivery(address=GERMAN)
    return lambda invoice: replace(invoice, delivery=delivery)


def rounded(invoice: Invoice) -> Invoice:
    payable = invoice.totals.gross + Decimal("0.09")
    totals = document_totals(invoice.lines, invoice.vat, payable=payable)
    return replace(invoice, totals=totals)


VARIANTS: dict[str, Variant] = {
    "plain": lambda invoice: invoice,
    "credit": credit,
    "zero_rated": lambda invoice: taxed(invoice, vat_of(VatCategory.ZERO_RATED)),
    "exempt": lambda invoice: taxed(invoice, vat_of(VatCategory.EXEMPT)),
    "reverse_charge": lambda invoice: abroad(invoice, VatCategory.REVERSE_CHARGE),
    "intra_community": lambda invoice: abroad(invoice, VatCategory.INTRA_COMMUNITY),
    "export": lambda invoice: abroad(invoice, VatCategory.EXPORT),
    "outside_scope": outside_scope,
    "discounts": discounts,
    "credit_discounts": lambda invoice: credit(discounts(invoice)),
    "euros": euros,
    "everything": everything,
    "credit_everything": lambda invoice: credit(everything(invoice)),
    "rounded": rounded,
    "delivered_on_a_day": delivered(date_only=True),
    "delivered_to_an_address": delivered(date_only=False),
    "nothing_to_pay": lambda invoice: replace(invoice, payment=(), due_date=None, payment_terms="Betalt"),
    "transfer": paid(PaymentMeansCode.CREDIT_TRANSFER, account="DK5000400440116243", branch="DABADKKK"),
    "debit_transfer": paid(PaymentMeansCode.DEBIT_TRANSFER, account="DK5000400440116243"),
    "bank": paid(PaymentMeansCode.BANK_ACCOUNT, account="0440116243", branch="0040", account_name="Drift"),
    "card": paid(PaymentMeansCode.CARD, card_number="1234"),
    "direct_debit": paid(PaymentMeansCode.DIRECT_DEBIT, mandate="M-1", payer_account="DK5000400440116243"),
    "giro": paid(PaymentMeansCode.GIRO, payment_id="01#", account="12345678"),
    "sepa": paid(PaymentMeansCode.SEPA, account="DK5000400440116243", payment_id="2042"),
    "sepa_debit": paid(PaymentMeansCode.SEPA_DIRECT_DEBIT, mandate="M-1", payer_account="DK5000400440116243"),
    "fik": paid(PaymentMeansCode.FIK, payment_id="71#000000000020420", account="81234567"),
    "nemkonto": paid(PaymentMeansCode.NEMKONTO),
    "undefined": paid(PaymentMeansCode.UNDEFINED),
}  # fmt: skip


def carried(invoice: Invoice) -> Invoice:
    """The invoice without what ``NOT_CARRIED`` names."""
    other, owed = invoice.vat_in_tax_currency, invoice.totals.vat
    rate = divide(other.amount, owed, 6) if other and owed else Decimal(0)
    return replace(
        invoice,
        source_id=invoice.number,
        payment=tuple(replace(means, card_network=None) for means in invoice.payment[:1]),
        seller=replace(invoice.seller, contact=replace(invoice.seller.contact, id=None)),
        buyer=replace(invoice.buyer, contact=replace(invoice.buyer.contact, id=None)),
        vat_in_tax_currency=replace(other, rate=rate) if other else None,
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_satisfies_the_official_rules(validator, invoice, name):
    variant = VARIANTS[name](invoice)
    report = validator.validate(CII.write(variant), CII, variant.type)
    assert [finding for finding in report.findings if finding.is_fatal] == []
    assert [rule_set.name for rule_set in report.rule_sets] == ["facturx-en16931"]
    assert report.is_complete


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_read_back_as_it_was(invoice, name):
    variant = VARIANTS[name](invoice)
    assert CII.reader(CII.write(variant)) == carried(variant)


@settings(max_examples=60, deadline=None)
@given(generated=invoices())
def test_a_generated_invoice_is_valid_and_comes_back(validator, generated):
    content = CII.write(generated)
    report = validator.validate(content, CII, generated.type)
    assert [finding for finding in report.findings if finding.is_fatal] == []
    assert CII.reader(content) == carried(generated)


@pytest.mark.parametrize(
    ("variant", "rule"),
    [
        (lambda i: replace(i, totals=replace(i.totals, payable=Decimal("1.00"))), "BR-CO-16"),
        (lambda i: taxed(i, VatClass(VatCategory.EXEMPT, Decimal(0))), "BR-E-10"),
    ],
)
def test_the_rules_really_judge(validator, invoice, variant, rule):
    report = validator.validate(CII.write(variant(invoice)), CII, DocumentType.INVOICE)
    assert rule in {finding.rule for finding in report.findings if finding.is_fatal}


def test_what_is_lost_is_named_and_the_first_of_many_is_kept(invoice):
    first, second = (
        PaymentMeans(PaymentMeansCode.SEPA, account="DK5000400440116243"),
        PaymentMeans(PaymentMeansCode.FIK),
    )
    kinds = (Classification("1", "TST"), Classification("2", "TST"))
    numbers = (Participant(GLN, "5790000000036"), Participant(GLN, "5790000000043"))
    many = replace(
        invoice,
        payment=(first, second),
        buyer=replace(invoice.buyer, identifiers=numbers),
        lines=(replace(invoice.lines[0], item=replace(invoice.lines[0].item, classifications=kinds)),),
    )
    back = CII.reader(CII.write(many))
    assert back.payment == (first,)
    assert back.buyer.identifiers == numbers[:1]
    assert back.lines[0].item.classifications == kinds[:1]
    assert {"payment[1:]", "buyer.contact.id", "vat_in_tax_currency.rate"} <= set(NOT_CARRIED)
    assert len(CARRIED) == len(set(CARRIED))


def test_the_same_invoice_gives_the_same_bytes_and_is_not_changed(invoice):
    variant = everything(invoice)
    first = CII.write(variant)
    assert first == CII.write(everything(invoice))
    assert variant == everything(invoice)


def test_the_library_has_nothing_to_complain_about(invoice, caplog):
    with caplog.at_level(logging.INFO, "factur-x"):
        for variant in VARIANTS.values():
            CII.write(variant(invoice))
    assert caplog.records == []


def test_prices_keep_their_decimals_and_have_at_least_two(invoice):
    lines = (replace(invoice.lines[0], price=Decimal("0.12345678")), replace(invoice.lines[1], price=Decimal("5")))
    text = CII.write(replace(invoice, lines=lines)).decode()
    assert "<ram:ChargeAmount>0.12345678</ram:ChargeAmount>" in text
    assert "<ram:ChargeAmount>5.00</ram:ChargeAmount>" in text


def test_an_iban_and_another_account_have_elements_of_their_own(invoice):
    assert b"<ram:IBANID>DK5000400440116243</ram:IBANID>" in CII.write(VARIANTS["sepa"](invoice))
    assert b"<ram:ProprietaryID>0440116243</ram:ProprietaryID>" in CII.write(VARIANTS["bank"](invoice))


def test_an_address_without_a_name_gets_none(invoice):
    content = CII.write(VARIANTS["delivered_to_an_address"](invoice)).decode()
    ship_to = content[content.index("<ram:ShipToTradeParty>") : content.index("</ram:ShipToTradeParty>")]
    assert "Hafenstraße 1" in ship_to
    assert "ram:Name" not in ship_to


@pytest.mark.parametrize("text", ["a\x00b", "a\x0bb", "a\ud800b", "a\uffffb"])
def test_what_xml_cannot_carry_is_left_out(invoice, text):
    line = replace(invoice.lines[0], item=Item(text))
    assert CII.reader(CII.write(replace(invoice, lines=(line,), note=text))).note == "ab"


def test_markup_and_very_long_texts_come_back_as_they_were(invoice):
    note = "<b>&amp;</b>]]>" + "æ" * 200_000
    assert CII.reader(CII.write(replace(invoice, note=note))).note == note


def test_an_invoice_without_lines_is_written_and_refused(validator, make_invoice):
    empty = make_invoice(lines=())
    report = validator.validate(CII.write(empty), CII, DocumentType.INVOICE)
    assert any(finding.is_fatal for finding in report.findings)
    assert CII.reader(CII.write(empty)).lines == ()


def test_an_unknown_currency_is_a_value_error(invoice):
    with pytest.raises(ValueError, match="XX1"):
        CII.write(replace(invoice, currency="XX1"))


def edited(invoice: Invoice, old: bytes, new: bytes) -> bytes:
    content = CII.write(invoice)
    assert old in content
    return content.replace(old, new)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00", b"<a", b"<a/>", b"%PDF-1.7", b"{}", b"<a>" * 100_000,
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        b'<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"/>',
    ],
)  # fmt: skip
def test_what_is_no_cii_is_unreadable(content):
    with pytest.raises(Unreadable) as raised:
        CII.reader(content)
    assert raised.value.text.da
    assert raised.value.text.en


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b">20261102<", b">20261399<"),
        (b"<ram:LineTotalAmount>900.00<", b"<ram:LineTotalAmount>many<"),
        (b"<ram:CategoryCode>S<", b"<ram:CategoryCode>?<"),
        (b"<ram:InvoiceCurrencyCode>DKK</ram:InvoiceCurrencyCode>", b""),
        (b"<ram:ID>2042</ram:ID>", b""),
        (b"<ram:BilledQuantity unitCode=\"HUR\">2<", b"<ram:BilledQuantity unitCode=\"HUR\">1e999999999<"),
    ],
)  # fmt: skip
def test_broken_values_are_unreadable(invoice, old, new):
    with pytest.raises(Unreadable):
        CII.reader(edited(invoice, old, new))


def test_a_way_to_pay_that_danes_do_not_use_is_still_read(invoice):
    content = edited(invoice, b"<ram:TypeCode>42<", b"<ram:TypeCode>57<")
    means = CII.reader(content).payment[0]
    assert (means.code, means.account) == (PaymentMeansCode.UNDEFINED, "0440116243")


def test_a_documents_second_way_to_pay_does_not_confuse_the_first(invoice):
    block = "<ram:SpecifiedTradeSettlementPaymentMeans><ram:TypeCode>58</ram:TypeCode></ram:SpecifiedTradeSettlementPaymentMeans>"
    end = b"</ram:SpecifiedTradeSettlementPaymentMeans>"
    assert CII.reader(edited(invoice, end, end + block.encode())).payment[0].code is PaymentMeansCode.BANK_ACCOUNT


def test_a_company_number_keeps_its_scheme(invoice):
    back = CII.reader(CII.write(invoice))
    assert (back.seller.legal_id, back.seller.legal_scheme) == ("12345674", CVR)


def test_no_vat_line_has_a_percentage_outside_the_scope(invoice):
    content = CII.write(outside_scope(invoice))
    assert b"RateApplicablePercent" not in content


def test_line_fields_survive_in_a_document_of_many(invoice):
    lines: tuple[Line, ...] = tuple(replace(invoice.lines[0], id=str(n), quantity=Decimal(n)) for n in range(1, 400))
    assert CII.reader(CII.write(counted(replace(invoice, lines=lines)))).lines == lines
