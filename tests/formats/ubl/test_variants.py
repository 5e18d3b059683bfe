"""Everything the model can say, under all rules: XSD and EN 16931 always, the official packs where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from invoiceapp.domain.identifiers import GLN, P_NUMBER, SE, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Classification,
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    Item,
    PaymentMeans,
    Period,
)
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import VatCategory
from invoiceapp.formats.base import Format, Interchange
from invoiceapp.formats.ubl import FORMATS
from invoiceapp.formats.validation.validator import Validator

from .samples import (
    ACCOUNT,
    BIC,
    CARD,
    DEBIT,
    DISCOUNT,
    FACTORING,
    FIK_71,
    FREIGHT,
    IBAN,
    OIOUBL,
    STANDARD,
    Code,
    Make,
    class_of,
    in_euro,
    line_of,
    priced,
)  # fmt: skip

PLACE = Delivery(
    date(2026, 10, 30), Address("Havnen 1", "Port 3", "Aarhus", "8000", "Jylland", "DK"), "Lageret",
    Participant(GLN, "5798009811578"),
)  # fmt: skip
NUMBERS = (Participant(GLN, "5798009811578"), Participant(SE, "DK12345674"), Participant(P_NUMBER, "1012345678"))
OTHER_ACCOUNT = replace(ACCOUNT, account="0001234567")
GERMAN = Party(
    "Kunde GmbH", Participant("9930", "DE123456789"), vat_id="DE123456789",
    address=Address("Hafenstr. 1", None, "Hamburg", "20457", None, "DE"), contact=Contact(id="Einkauf"),
)  # fmt: skip
ITEM = Item("Skærm", "27 tommer", "S-27", "5701234567899", "KØB-1", (Classification("43211902", "TST", "26.08.01"),))
PDF = Attachment("2042", 'a "b".pdf', "application/pdf", b"%PDF-1.7", "Faktura (PDF)")

WAYS_TO_PAY = {
    "bank account": (ACCOUNT,),
    "two bank accounts": (ACCOUNT, OTHER_ACCOUNT),
    "slip and bank account": (FIK_71, ACCOUNT),
    "iban": (PaymentMeans(Code.SEPA, "2042", IBAN, BIC, "Driftskonto"),),
    "transfer to iban": (PaymentMeans(Code.CREDIT_TRANSFER, "2042", IBAN),),
    "transfer to account": (PaymentMeans(Code.CREDIT_TRANSFER, "2042", "0440116243", "0040"),),
    "31 to iban": (PaymentMeans(Code.DEBIT_TRANSFER, "2042", IBAN, BIC),),
    "31 to account": (PaymentMeans(Code.DEBIT_TRANSFER, "2042", "0440116243", "0040"),),
    "fik 71": (FIK_71,),
    "fik 73": (replace(FIK_71, payment_id="73#"),),
    "fik 75": (replace(FIK_71, payment_id="75#0000000000020420"),),
    "giro 01": (PaymentMeans(Code.GIRO, "01#", "12345678"),),
    "giro 04": (PaymentMeans(Code.GIRO, "04#0000000000020420", "12345678"),),
    "giro 15": (PaymentMeans(Code.GIRO, "15#0000000000020420", "1234567"),),
    "direct debit": (DEBIT,),
    "sepa direct debit": (PaymentMeans(Code.SEPA_DIRECT_DEBIT, "2042", mandate="M-1", payer_account=IBAN),),
    "card": (CARD,),
    "nemkonto": (PaymentMeans(Code.NEMKONTO),),
    "undefined": (PaymentMeans(Code.UNDEFINED),),
    "none": (),
}


def with_vat(make: Make, category: VatCategory) -> Invoice:
    """A sale of this category; sales without VAT numbers where the law wants none."""
    invoice = make(lines=(line_of(class_of(category)),))
    if category is VatCategory.INTRA_COMMUNITY:
        buyer = replace(invoice.buyer, vat_id="DE123456789")
        return replace(invoice, buyer=buyer, delivery=Delivery(date(2026, 10, 30), Address(country="DE")))
    if category is VatCategory.OUTSIDE_SCOPE:
        return replace(invoice, seller=replace(invoice.seller, vat_id=None))
    return invoice


def mixed(make: Make) -> Invoice:
    exempt = class_of(VatCategory.EXEMPT)
    charge = AllowanceCharge(True, Decimal("25.00"), "Gebyr", exempt, reason_code="ABK")
    return priced(make(lines=(line_of(STANDARD), line_of(exempt, "2"))), DISCOUNT, charge)


def line_details(make: Make) -> Invoice:
    rebate = AllowanceCharge(False, Decimal("40.00"), "Rabat", None, Decimal(10), Decimal("400.00"), "95")
    return make(
        lines=(
            line_of(
                STANDARD, net_amount=Decimal("360.00"), item=ITEM, note="Note", order_line="1", accounting_cost="4711",
                allowances_charges=(rebate,), period=Period(date(2026, 10, 1), date(2026, 10, 31)),
            ),
            line_of(STANDARD, "2", quantity=Decimal(400), unit="KGM", base_quantity=Decimal(100)),
            line_of(STANDARD, "3", quantity=Decimal(-1), net_amount=Decimal("-100.00")),
        )
    )  # fmt: skip


def references(make: Make) -> Invoice:
    return make(
        note="Tak", contract_reference="C-1", project_reference="P-1", accounting_cost="K-1", sales_order_reference="S-1",
        despatch_reference="D-1", period=Period(date(2026, 10, 1), date(2026, 10, 31)), payment_terms="Netto 14 dage",
        preceding=(DocumentReference("2000", date(2026, 10, 1)), DocumentReference("2001")), attachments=(PDF, PDF),
    )  # fmt: skip


def parties(make: Make) -> Invoice:
    invoice = make()
    return replace(
        invoice,
        seller=replace(invoice.seller, identifiers=NUMBERS, legal_form="Kapital 40.000 kr.", trading_name="Værkstedet"),
        buyer=replace(invoice.buyer, identifiers=NUMBERS, trading_name="Skolen på bakken"),
        payee=FACTORING,
        delivery=PLACE,
    )


def everything(make: Make) -> Invoice:
    full = references(make)
    lines = line_details(make).lines
    who = parties(make)
    full = replace(full, lines=lines, seller=who.seller, buyer=who.buyer, payee=who.payee, delivery=who.delivery)
    return in_euro(priced(full, DISCOUNT, FREIGHT, rounding="-0.25"))


VARIANTS: dict[str, Callable[[Make], Invoice]] = {
    **{f"paid by {name}": (lambda make, ways=ways: make(payment=ways)) for name, ways in WAYS_TO_PAY.items()},
    **{f"VAT {item.name}": (lambda make, item=item: with_vat(make, item)) for item in VatCategory},
    "mixed categories": mixed,
    "euro": lambda make: in_euro(make()),
    "euro without VAT": lambda make: replace(with_vat(make, VatCategory.EXPORT), currency="EUR"),
    "abroad": lambda make: make(buyer=GERMAN, payment=(PaymentMeans(Code.CREDIT_TRANSFER, "2042", IBAN, BIC),)),
    "allowances and charges": lambda make: priced(make(), DISCOUNT, FREIGHT),
    "a duty": lambda make: priced(make(), AllowanceCharge(True, Decimal(5), "3010", STANDARD, reason_code="ZZZ")),
    "rounded": lambda make: priced(make(), rounding="-0.16"),
    "prepaid": lambda make: priced(make(), prepaid="100"),
    "line details": line_details,
    "references": references,
    "order line without order": lambda make: make(order_reference=None, lines=(line_of(STANDARD, order_line="1"),)),
    "sales order only": lambda make: make(order_reference=None, sales_order_reference="S-1"),
    "parties": parties,
    "payee abroad": lambda make: make(payee=Payee("Factor GmbH", "HRB 1234")),
    "payee by name": lambda make: make(payee=Payee("Faktorselskabet")),
    "delivered on a day": lambda make: make(delivery=Delivery(date(2026, 10, 30))),
    "delivered to a place": lambda make: make(delivery=PLACE),
    "delivered to a number": lambda make: make(delivery=Delivery(location=PLACE.location)),
    "everything": everything,
}


#: OIOUBL has no addresses outside Denmark (F-LIB179).
CASES = [(fmt, name) for fmt in FORMATS for name in VARIANTS if (fmt, name) != (OIOUBL, "abroad")]


def check(validator: Validator, fmt: Format, invoice: Invoice, **options: str) -> None:
    content = fmt.write(invoice, fmt.parameters(options, Interchange(1, datetime(2026, 11, 2, tzinfo=UTC))))
    report = validator.validate(content, fmt, invoice.type)
    assert [(finding.rule, finding.text.en) for finding in report.findings if finding.is_fatal] == []


@pytest.mark.parametrize("kind", DocumentType)
@pytest.mark.parametrize(("fmt", "name"), CASES, ids=[f"{fmt.id} {name}" for fmt, name in CASES])
def test_every_variant_follows_schema_and_en_16931(validator, make_invoice, name, fmt, kind):
    check(validator, fmt, replace(VARIANTS[name](make_invoice), type=kind))


@pytest.mark.parametrize("kind", DocumentType)
@pytest.mark.parametrize(("fmt", "name"), CASES, ids=[f"{fmt.id} {name}" for fmt, name in CASES])
def test_every_variant_satisfies_the_official_packs(official, make_invoice, name, fmt, kind):
    check(official, fmt, replace(VARIANTS[name](make_invoice), type=kind))


@pytest.mark.parametrize("kind", DocumentType)
@pytest.mark.parametrize("profile", [choice for choice, _ in OIOUBL.options[0].choices])
@pytest.mark.parametrize("edition", [choice for choice, _ in OIOUBL.options[1].choices])
@pytest.mark.parametrize("name", ["line details", "references", "parties", "everything"])
def test_every_profile_and_edition_of_oioubl_satisfies_the_official_pack(
    official, make_invoice, name, edition, profile, kind
):
    invoice = replace(VARIANTS[name](make_invoice), type=kind)
    check(official, OIOUBL, invoice, profile=profile, customization=edition)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_document_in_an_envelope_is_judged_as_it_is_without(validator, make_invoice, fmt):
    check(validator, fmt, everything(make_invoice), envelope="true")
    with pytest.raises(AssertionError, match="XSD"):
        check(validator, fmt, replace(make_invoice(), lines=()), envelope="true")
