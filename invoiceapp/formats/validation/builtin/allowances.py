"""Allowances and charges, of the document (BG-20, BG-21) and of lines (BG-27, BG-28)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.invoice import AllowanceCharge, Invoice, Line
from invoiceapp.domain.money import HUNDRED, multiply, round2
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, is_blank, rules
from .parties import between_danes

#: PEPPOL-EN16931-R040
_TOLERANCE = Decimal("0.02")
_DUTY = "ZZZ"


def reason_list(item: AllowanceCharge) -> str:
    """The code list of the reason: UNCL 7161 for charges, UNCL 5189 for allowances."""
    return "charge_reasons" if item.is_charge else "allowance_reasons"


@rules("BR-32", "BR-33", "BR-37", "BR-38")
def on_document(invoice: Invoice) -> Iterator[Problem]:
    """An allowance or charge on the document has a reason and a VAT category."""
    for item in invoice.allowances_charges:
        if not item.reason and not item.reason_code:
            yield Problem("BR-38" if item.is_charge else "BR-33", value=item.amount)
        if item.vat is None:
            yield Problem("BR-37" if item.is_charge else "BR-32", value=item.amount, reason=item.reason)


@rules("BR-42", "BR-44")
def on_line(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """An allowance or charge on a line has a reason."""
    for item in line.allowances_charges:
        if not item.reason and not item.reason_code:
            yield Problem("BR-44" if item.is_charge else "BR-42", value=item.amount)


def _codes(items: tuple[AllowanceCharge, ...], rule_of_allowances: str, rule_of_charges: str) -> Iterator[Problem]:
    for item in items:
        code = item.reason_code
        if code and not is_blank(code) and code not in codes(reason_list(item)):
            yield Problem(rule_of_charges if item.is_charge else rule_of_allowances, cause=code, value=code)


def _all(invoice: Invoice) -> tuple[AllowanceCharge, ...]:
    return invoice.allowances_charges + tuple(item for line in invoice.lines for item in line.allowances_charges)


@rules("BR-CL-19", "BR-CL-20")
def reason_codes(invoice: Invoice) -> Iterator[Problem]:
    """Reason codes stand in their lists."""
    yield from _codes(_all(invoice), "BR-CL-19", "BR-CL-20")


@rules("PEPPOL-EN16931-R040", "PEPPOL-EN16931-R041", "PEPPOL-EN16931-R042")
def percentages(invoice: Invoice) -> Iterator[Problem]:
    """Percentage and base come together, and make the amount."""
    for item in _all(invoice):
        if item.percent is not None and item.base is None:
            yield Problem("PEPPOL-EN16931-R041", value=item.percent, reason=item.reason)
        elif item.base is not None and item.percent is None:
            yield Problem("PEPPOL-EN16931-R042", value=item.base, reason=item.reason)
        elif item.base is not None and item.percent is not None:
            expected = multiply(round2(item.base), item.percent) / HUNDRED
            if abs(round2(item.amount) - expected) > _TOLERANCE:
                yield Problem("PEPPOL-EN16931-R040", stated=item.amount, expected=expected, reason=item.reason)


@rules("DK-R-004")
def danish_duties(invoice: Invoice) -> Iterator[Problem]:
    """A Danish duty (code ZZZ) names itself: four digits, or text with # inside."""
    if not between_danes(invoice):
        return
    for item in _all(invoice):
        if item.reason_code == _DUTY and not re.fullmatch(
            r"\s*[0-9]{4}\s*|[^#].*#.*[^#]", item.reason or "", re.DOTALL
        ):
            yield Problem("DK-R-004", value=item.reason)
