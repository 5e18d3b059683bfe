"""Billy's arithmetic: lines rounded, VAT per line not, VAT of the document rounded once.

All results are ``Decimal`` in the document's currency; rounding is half away from zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from invoiceapp.domain.money import HUNDRED, ZERO, divide, multiply, round2

#: Digits kept of a VAT-inclusive line's tax, which Billy does not round.
_TAX_DECIMALS = 10


def line_amount(
    quantity: Decimal, unit_price: Decimal, discount_mode: str | None = None, discount_value: Decimal | None = None
) -> Decimal:
    """Quantity x price less discount; with VAT where prices are VAT-inclusive.

    ``discount_mode`` is ``percent`` (25 means 25 %), ``cash`` or None.
    """
    full = round2(multiply(quantity, unit_price))
    if discount_mode == "percent" and discount_value is not None:
        return full - round2(multiply(full, discount_value) / HUNDRED)
    if discount_mode == "cash" and discount_value is not None:
        return full - round2(discount_value)
    return full


def line_tax(amount: Decimal, rate: Decimal, tax_mode: str) -> Decimal:
    """VAT of a line amount, not rounded; ``rate`` is a fraction, ``tax_mode`` is ``excl`` or ``incl``."""
    tax = multiply(amount, rate)
    return divide(tax, 1 + rate, _TAX_DECIMALS).normalize() if tax_mode == "incl" else tax


def document_totals(lines: Iterable[tuple[Decimal, Decimal]], tax_mode: str) -> tuple[Decimal, Decimal]:
    """Net and VAT of a document from its lines' (amount, tax)."""
    amount, tax = ZERO, ZERO
    for line, vat in lines:
        amount, tax = amount + line, tax + vat
    tax = round2(tax)
    return (amount - tax if tax_mode == "incl" else amount), tax
