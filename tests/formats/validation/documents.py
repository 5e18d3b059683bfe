"""Valid documents of every kind (``BASES``), and functions that make single changes to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

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
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import DEFAULT_EXEMPTION, VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown

Change = Callable[[Invoice], Invoice]
D = Decimal
STANDARD = VatClass(VatCategory.STANDARD, D(25))


def untaxed(category: VatCategory, percent: str = "0") -> VatClass:
    code, reason = DEFAULT_EXEMPTION.get(category, (None, None))
    return VatClass(category, D(percent), reason, code)


def lines_of(vat: VatClass = STANDARD) -> tuple[Line, ...]:
    return (
        Line("1", D(2), "HUR", D("900.00"), D(450), vat, Item("Reparation", "Cykel", "R-1")),
        Line("2", D("2.5"), "EA", D("83.33"), D("33.33"), vat, Item("Reservedel")),
        Line("3", D(-1), "EA", D("-10.00"), D(10), vat, Item("Retur", standard_id="5798009811578")),
    )


def build(lines: tuple[Line, ...] = lines_of(), items: tuple[AllowanceCharge, ...] = (), **fields: Any) -> Invoice:
    """A document between Danes whose breakdown and totals follow from its lines, allowances and charges."""
    vat = vat_breakdown(lines, items)
    invoice = Invoice(
        source_id="org:inv",
        type=DocumentType.INVOICE,
        number="2042",
        issue_date=date(2026, 11, 2),
        currency="DKK",
        seller=Party(
            "Værkstedet ApS", Participant(CVR, "12345674"), "Værkstedet", "12345674", CVR, "DK12345674",
            Address("Lillestræde 4", None, "Odense C", "5000", None, "DK"), Contact(name="Ida", email="ida@v.example"),
        ),
        buyer=Party(
            "Skolen", Participant(GLN, "5798009811578"), None, "10150817", CVR, None,
            Address("Skolevej 9", None, "Odense C", "5000", None, "DK"), Contact(id="Mette", name="Mette"),
        ),
        lines=lines,
        vat=vat,
        totals=document_totals(lines, vat, items),
        allowances_charges=items,
        due_date=date(2026, 11, 16),
        buyer_reference="Mette",
        order_reference="PO-1881",
        payment=(PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, "2042", "0440116243", "0040"),),
    )  # fmt: skip
    return replace(invoice, **fields)


def _paid(code: str, *numbers: str | None, **fields: Any) -> Invoice:
    return build(payment=(PaymentMeans(PaymentMeansCode(code), *numbers, **fields),))


def _abroad(invoice: Invoice, country: str = "DE") -> Invoice:
    buyer = replace(
        invoice.buyer, vat_id=f"{country}999999999", legal_id=None, legal_scheme=None,
        address=Address("Hauptstraße 1", None, "Flensburg", "24937", None, country),
    )  # fmt: skip
    return replace(invoice, buyer=buyer)


def _without_vat_ids(invoice: Invoice) -> Invoice:
    return replace(invoice, seller=replace(invoice.seller, vat_id=None), buyer=replace(invoice.buyer, vat_id=None))


_PLACE = Delivery(
    date(2026, 11, 1), Address("Hafen 2", None, "Kiel", "24103", None, "DE"), "Lager", Participant(GLN, "5798009811578")
)
_ALLOWANCES = (
    AllowanceCharge(False, D("50.00"), "Rabat", STANDARD, D(10), D("500.00"), "95"),
    AllowanceCharge(True, D("30.00"), "Fragt", STANDARD, reason_code="FC"),
)
_LINE_ALLOWANCES = (
    AllowanceCharge(False, D("90.00"), "Rabat", percent=D(10), base=D("900.00"), reason_code="95"),
    AllowanceCharge(True, D("5.00"), "Gebyr", reason_code="FC"),
)
_PERIOD = Period(date(2026, 10, 1), date(2026, 10, 31))


def _first(lines: tuple[Line, ...] = lines_of(), **fields: Any) -> tuple[Line, ...]:
    return (replace(lines[0], **fields), *lines[1:])


BASES: dict[str, Callable[[], Invoice]] = {
    "plain": build,
    "fik 71": lambda: _paid("93", "71#000000000020420", "81234567"),
    "fik 73": lambda: _paid("93", "73#", "81234567"),
    "fik 75": lambda: _paid("93", "75#0000000000204200", "81234567"),
    "giro 01": lambda: _paid("50", "01#", "1234567"),
    "giro 04": lambda: _paid("50", "04#0000000000204200", "1234567"),
    "iban": lambda: _paid("58", "2042", "DK5000400440116243", "NDEADKKK"),
    "transfer": lambda: _abroad(_paid("30", "2042", "DK5000400440116243", "NDEADKKK")),
    "card": lambda: _paid("48", card_number="1234", card_network="VISA"),
    "debit": lambda: _paid("49", mandate="AFT-1", payer_account="0440116243"),
    "sepa debit": lambda: _paid("59", mandate="AFT-1", payer_account="DK5000400440116243"),
    "nemkonto": lambda: _paid("97"),
    "no payment": lambda: build(payment=()),
    "zero": lambda: build(lines_of(untaxed(VatCategory.ZERO_RATED))),
    "exempt": lambda: build(lines_of(untaxed(VatCategory.EXEMPT))),
    "reverse": lambda: build(lines_of(untaxed(VatCategory.REVERSE_CHARGE))),
    "eu goods": lambda: replace(_abroad(build(lines_of(untaxed(VatCategory.INTRA_COMMUNITY)))), delivery=_PLACE),
    "export": lambda: _abroad(build(lines_of(untaxed(VatCategory.EXPORT))), "NO"),
    "outside": lambda: _without_vat_ids(build(lines_of(untaxed(VatCategory.OUTSIDE_SCOPE)))),
    "mixed": lambda: build(_first(vat=untaxed(VatCategory.EXEMPT))),
    "allowances": lambda: build(items=_ALLOWANCES),
    "line allowances": lambda: build(_first(net_amount=D("815.00"), allowances_charges=_LINE_ALLOWANCES)),
    "base quantity": lambda: build(_first(price=D(45000), base_quantity=D(100))),
    "euro": lambda: build(currency="EUR", vat_in_tax_currency=VatInTaxCurrency("DKK", D("1814.73"), D("7.4600"))),
    "prepaid": lambda: _with_totals(build(), prepaid=D(100), payable=D("1116.66")),
    "rounded": lambda: _with_totals(build(), rounding=D("0.34"), payable=D("1217.00")),
    "period": lambda: build(_first(period=_PERIOD), period=_PERIOD),
    "delivery": lambda: build(delivery=_PLACE),
    "payee": lambda: build(payee=Payee("Faktor A/S", "12345674")),
    "numbers": lambda: _numbered(build()),
    "attached": lambda: build(attachments=(Attachment("1", "bilag.pdf", "application/pdf", b"%PDF", "Bilag"),)),
    "classified": lambda: build(
        _first(item=Item("Cykel", classifications=(Classification("25161500", "TST", "19.05.01"),), buyers_id="K-1"))
    ),
    "references": lambda: build(
        _first(order_line="1", accounting_cost="4411", note="Note"), contract_reference="C-1", project_reference="P-1",
        sales_order_reference="S-1", despatch_reference="F-1", accounting_cost="4411", note="Note", payment_terms="14 dage",
    ),
    "refers": lambda: build(preceding=(DocumentReference("2041", date(2026, 10, 1)),)),
}  # fmt: skip


def _with_totals(invoice: Invoice, **fields: Any) -> Invoice:
    return replace(invoice, totals=replace(invoice.totals, **fields))


def _numbered(invoice: Invoice) -> Invoice:
    numbers = (Participant(GLN, "5790000436057"),)
    return replace(
        invoice, seller=replace(invoice.seller, identifiers=numbers), buyer=replace(invoice.buyer, identifiers=numbers)
    )


def document(name: str, document_type: DocumentType) -> Invoice:
    """A valid document of a type."""
    return replace(BASES[name](), type=document_type)


def doc(**fields: Any) -> Change:
    """Fields of the document."""
    return lambda invoice: replace(invoice, **fields)


def seller(**fields: Any) -> Change:
    """Fields of the seller."""
    return lambda invoice: replace(invoice, seller=replace(invoice.seller, **fields))


def buyer(**fields: Any) -> Change:
    """Fields of the buyer."""
    return lambda invoice: replace(invoice, buyer=replace(invoice.buyer, **fields))


def address(side: str, **fields: Any) -> Change:
    """Fields of a party's address."""

    def change(invoice: Invoice) -> Invoice:
        party = getattr(invoice, side)
        return replace(invoice, **{side: replace(party, address=replace(party.address, **fields))})

    return change


def endpoint(scheme: str, value: str, side: str = "buyer") -> Change:
    """A party's electronic address."""
    return lambda invoice: replace(
        invoice, **{side: replace(getattr(invoice, side), endpoint=Participant(scheme, value))}
    )


def number(scheme: str, value: str, side: str = "buyer") -> Change:
    """A party's other number."""
    return lambda invoice: replace(
        invoice, **{side: replace(getattr(invoice, side), identifiers=(Participant(scheme, value),))}
    )


def line(**fields: Any) -> Change:
    """Fields of the first line; nothing else follows."""
    return lambda invoice: replace(invoice, lines=_first(invoice.lines, **fields))


def recomputed(**fields: Any) -> Change:
    """Fields of the first line; breakdown and totals follow."""

    def change(invoice: Invoice) -> Invoice:
        lines = _first(invoice.lines, **fields)
        vat = vat_breakdown(lines, invoice.allowances_charges)
        return replace(invoice, lines=lines, vat=vat, totals=document_totals(lines, vat, invoice.allowances_charges))

    return change


def item(**fields: Any) -> Change:
    """Fields of the first line's item."""
    return lambda invoice: line(item=replace(invoice.lines[0].item, **fields))(invoice)


def totals(**fields: str) -> Change:
    """Totals as they are stated."""
    return lambda invoice: _with_totals(invoice, **{name: D(value) for name, value in fields.items()})


def pay(**fields: Any) -> Change:
    """Fields of the way to pay."""
    return lambda invoice: replace(invoice, payment=(replace(invoice.payment[0], **fields),))


def group(**fields: Any) -> Change:
    """Fields of the first group of the breakdown."""
    return lambda invoice: replace(invoice, vat=(replace(invoice.vat[0], **fields), *invoice.vat[1:]))


def vat_class(**fields: Any) -> Change:
    """Fields of the VAT class, of the first group and of all lines that have it."""

    def change(invoice: Invoice) -> Invoice:
        old = invoice.vat[0].vat
        new = replace(old, **fields)
        return replace(
            invoice,
            lines=tuple(replace(found, vat=new) if found.vat == old else found for found in invoice.lines),
            vat=(replace(invoice.vat[0], vat=new), *invoice.vat[1:]),
        )

    return change


def allowance(index: int, **fields: Any) -> Change:
    """Fields of an allowance or charge of the document; breakdown and totals follow."""

    def change(invoice: Invoice) -> Invoice:
        items = list(invoice.allowances_charges)
        items[index] = replace(items[index], **fields)
        vat = vat_breakdown(invoice.lines, items)
        return replace(
            invoice, allowances_charges=tuple(items), vat=vat, totals=document_totals(invoice.lines, vat, items)
        )

    return change


def line_allowance(index: int, **fields: Any) -> Change:
    """Fields of an allowance or charge of the first line."""

    def change(invoice: Invoice) -> Invoice:
        items = list(invoice.lines[0].allowances_charges)
        items[index] = replace(items[index], **fields)
        return line(allowances_charges=tuple(items))(invoice)

    return change


def books(**fields: Any) -> Change:
    """Fields of the VAT in the currency of the books."""

    def change(invoice: Invoice) -> Invoice:
        assert invoice.vat_in_tax_currency is not None
        return replace(invoice, vat_in_tax_currency=replace(invoice.vat_in_tax_currency, **fields))

    return change


def negated(invoice: Invoice) -> Invoice:
    """Every quantity with the other sign: what is owed goes the other way."""
    lines = tuple(replace(found, quantity=-found.quantity, net_amount=-found.net_amount) for found in invoice.lines)
    vat = vat_breakdown(lines)
    return replace(invoice, lines=lines, vat=vat, totals=document_totals(lines, vat))


def twice(invoice: Invoice) -> Invoice:
    """The first group of the breakdown once more, with nothing in it."""
    return replace(invoice, vat=(*invoice.vat, replace(invoice.vat[0], taxable_amount=D(0))))


def place(**fields: Any) -> Change:
    """Fields of the delivery."""
    return lambda invoice: replace(invoice, delivery=replace(_PLACE, **fields))


def attachment(**fields: Any) -> Change:
    """Fields of the attachment."""
    return lambda invoice: replace(invoice, attachments=(replace(invoice.attachments[0], **fields),))


def both_changes(*changes: Change) -> Change:
    """One change after the other."""

    def change(invoice: Invoice) -> Invoice:
        for step in changes:
            invoice = step(invoice)
        return invoice

    return change


def crowded(invoice: Invoice) -> Invoice:
    """Five thousand lines that give nothing, after those that are there."""
    free = replace(
        invoice.lines[0], quantity=Decimal(1), price=Decimal(0), net_amount=Decimal(0), allowances_charges=()
    )
    return replace(invoice, lines=(*invoice.lines, *(replace(free, id=str(1_000 + n)) for n in range(5_000))))
