"""Invoices that have more than the small one of ``conftest``, and short ways to look into what is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from lxml import etree

from invoiceapp.domain.invoice import (
    AllowanceCharge,
    DocumentType,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
    VatInTaxCurrency,
)
from invoiceapp.domain.parties import Payee
from invoiceapp.domain.tax import DEFAULT_EXEMPTION, VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown
from invoiceapp.formats.base import Format
from invoiceapp.formats.ubl import FORMATS

PEPPOL, OIOUBL = FORMATS
INVOICE, CREDIT_NOTE = DocumentType.INVOICE, DocumentType.CREDIT_NOTE
IBAN, BIC = "DK5000400440116243", "POLRDKKK"
STANDARD = VatClass(VatCategory.STANDARD, Decimal(25))
Code = PaymentMeansCode
Make = Callable[..., Invoice]


def written(fmt: Format, invoice: Invoice, **options: str) -> etree._Element:
    return etree.fromstring(fmt.write(invoice, fmt.parameters(options)))


def found(root: etree._Element, path: str) -> list[etree._Element]:
    return root.findall("/".join(f"{{*}}{name}" for name in path.split("/")))


def texts(root: etree._Element, path: str) -> list[str | None]:
    return [element.text for element in found(root, path)]


def names(element: etree._Element) -> list[str]:
    return [etree.QName(child).localname for child in element]


def class_of(category: VatCategory) -> VatClass:
    if category is VatCategory.STANDARD:
        return STANDARD
    code, reason = DEFAULT_EXEMPTION.get(category, (None, None))
    return VatClass(category, Decimal(0), reason, code)


def line_of(vat: VatClass, number: str = "1", **fields: Any) -> Line:
    line = Line(number, Decimal(4), "EA", Decimal("400.00"), Decimal(100), vat, Item("Vare"))
    return replace(line, **fields)


def priced(invoice: Invoice, *items: AllowanceCharge, rounding: str = "0", prepaid: str = "0") -> Invoice:
    """The invoice with allowances and charges, and everything that follows from them."""
    vat = vat_breakdown(invoice.lines, items)
    totals = document_totals(invoice.lines, vat, items)
    payable = totals.gross + Decimal(rounding) - Decimal(prepaid)
    totals = replace(totals, rounding=Decimal(rounding), prepaid=Decimal(prepaid), payable=payable)
    return replace(invoice, allowances_charges=items, vat=vat, totals=totals)


def in_euro(invoice: Invoice) -> Invoice:
    return replace(
        invoice, currency="EUR", vat_in_tax_currency=VatInTaxCurrency("DKK", Decimal("1833.89"), Decimal("7.46"))
    )


DISCOUNT = AllowanceCharge(False, Decimal("50.00"), "Rabat", STANDARD, Decimal(5), Decimal(1000), "95")
FREIGHT = AllowanceCharge(True, Decimal("80.00"), "Fragt", STANDARD, reason_code="FC")
FACTORING = Payee("Faktorselskabet A/S", "20121212")
CARD = PaymentMeans(Code.CARD, card_number="1234", card_network="VISA")
DEBIT = PaymentMeans(Code.DIRECT_DEBIT, "2042", mandate="AFT-1", payer_account="0001234567")
FIK_71 = PaymentMeans(Code.FIK, "71#000000000020420", "81234567")
ACCOUNT = PaymentMeans(Code.BANK_ACCOUNT, "2042", "0440116243", "0040", "Driftskonto")
