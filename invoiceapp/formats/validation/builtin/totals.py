"""Document totals (BG-22) add up, as they are written: with two decimals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.money import ZERO, round2, total

from .checks import Problem, rules
from .parties import between_danes


def line_sum(invoice: Invoice) -> Decimal:
    """Σ line net amounts."""
    return total(round2(line.net_amount) for line in invoice.lines)


def allowance_sum(invoice: Invoice, *, charges: bool) -> Decimal:
    """Σ allowances or Σ charges on the document."""
    return total(round2(item.amount) for item in invoice.allowances_charges if item.is_charge is charges)


def vat_sum(invoice: Invoice) -> Decimal:
    """Σ VAT of the breakdown."""
    return total(round2(group.tax_amount) for group in invoice.vat)


@rules("BR-CO-10", "BR-CO-11", "BR-CO-12", "BR-CO-13", "BR-CO-14", "BR-CO-15", "BR-CO-16")
def sums(invoice: Invoice) -> Iterator[Problem]:
    """Each total is what EN 16931 computes of the amounts before it."""
    said = invoice.totals
    net, gross = round2(said.net), round2(said.gross)
    lines, vat = round2(said.lines), round2(said.vat)
    allowances, charges = round2(said.allowances), round2(said.charges)
    for rule, stated, expected in (
        ("BR-CO-10", lines, line_sum(invoice)),
        ("BR-CO-11", allowances, allowance_sum(invoice, charges=False)),
        ("BR-CO-12", charges, allowance_sum(invoice, charges=True)),
        ("BR-CO-13", net, lines - allowances + charges),
        # Without a breakdown there is nothing to compare with, and BR-CO-18 says so.
        ("BR-CO-14", vat, vat_sum(invoice) if invoice.vat else vat),
        ("BR-CO-15", gross, net + vat),
        ("BR-CO-16", round2(said.payable), gross - round2(said.prepaid) + round2(said.rounding)),
    ):
        if stated != expected:
            yield Problem(rule, stated=stated, expected=expected)


@rules("DK-R-016")
def danish_credit_note(invoice: Invoice) -> Iterator[Problem]:
    """A credit note between Danes is never negative."""
    if invoice.is_credit_note and between_danes(invoice) and round2(invoice.totals.payable) < ZERO:
        yield Problem("DK-R-016", value=invoice.totals.payable)
