"""The summary of an INVOIC: UNS to SG50."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.money import ZERO

from .codes import amount
from .header import tax
from .profiles import Profile
from .syntax import Segment, segment


def _money(qualifier: str, value: Decimal) -> Segment:
    return segment("MOA", (qualifier, amount(value)))


def _totals(invoice: Invoice, profile: Profile) -> Iterator[Segment]:
    totals, other = invoice.totals, invoice.vat_in_tax_currency
    yield _money(profile.payable_qualifier, totals.payable)
    yield _money("79", totals.lines)
    if totals.charges or totals.allowances:
        yield _money("131", totals.charges - totals.allowances)
    yield _money("125", totals.net)
    yield _money("124", totals.vat)
    if other:
        yield segment("MOA", ("124", amount(other.amount), other.currency, profile.tax_currency_code))
    if totals.prepaid != ZERO:
        yield _money("113", totals.prepaid)
    if invoice.has_rounding:
        yield _money("165", totals.rounding)


def summary(invoice: Invoice, profile: Profile) -> Iterator[Segment]:
    """All segments after the last line."""
    yield segment("UNS", "S")
    # 6069: 2 is the number of lines.
    yield segment("CNT", ("2", str(len(invoice.lines))))
    yield from _totals(invoice, profile)
    for group in invoice.vat:
        yield tax(group.vat, profile)
        yield _money("124", group.tax_amount)
        yield _money("125", group.taxable_amount)
