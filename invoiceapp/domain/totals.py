"""VAT breakdown and document totals, derived from lines and reconciled with the books.

The accounting system's totals are what the buyer owes and what the VAT return
says. They are reached in this order, each step only as far as it is needed:

1. Lines are rounded one by one; cents that are missing to the booked net sum
   are spread over the largest lines, one cent each (PEPPOL-EN16931-R120 allows
   0.02 a line).
2. VAT is base x rate per group; where the booked VAT differs by cents (the books round
   once over VAT-inclusive prices), the booked VAT stands in the largest taxed
   group (BR-S-09 tolerates less than 1.00).
3. What still differs becomes the rounding amount (BT-114), up to a limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from .invoice import AllowanceCharge, Line, Totals
from .money import CENT, HUNDRED, ZERO, divide, multiply, round2, total
from .tax import VatBreakdown, VatCategory, VatClass

#: BR-CO-17 and BR-S-09 accept a VAT amount that is less than 1.00 from base x rate.
LARGEST_VAT_DIFFERENCE = Decimal("0.99")


@dataclass(frozen=True, slots=True)
class BookedTotals:
    """What the accounting system says: net, VAT and gross in invoice currency."""

    net: Decimal
    vat: Decimal

    @property
    def gross(self) -> Decimal:
        """What the buyer owes."""
        return self.net + self.vat


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Lines, breakdown and totals that add up, and what is left of the difference."""

    lines: tuple[Line, ...]
    vat: tuple[VatBreakdown, ...]
    totals: Totals
    net_difference: Decimal
    """Booked net minus Σ lines as first rounded; zero where nothing had to move"""


def spread_cents(lines: Sequence[Line], difference: Decimal) -> tuple[Line, ...] | None:
    """Move ``difference`` onto the largest lines, a cent each; None where it is more than a cent a line."""
    cents = int(difference / CENT)
    if cents == 0:
        return tuple(lines)
    movable = [i for i, line in enumerate(lines) if line.net_amount != ZERO]
    if abs(cents) > len(movable):
        return None
    step = CENT if cents > 0 else -CENT
    # Untaxed lines last: a net amount out of a VAT-inclusive price is what was rounded.
    chosen = sorted(movable, key=lambda i: (lines[i].vat.percent == ZERO, -abs(lines[i].net_amount), i))[: abs(cents)]
    moved = list(lines)
    for i in chosen:
        moved[i] = replace(lines[i], net_amount=lines[i].net_amount + step)
    return tuple(moved)


def vat_amount(base: Decimal, vat: VatClass) -> Decimal:
    """VAT of a base, two decimals (BR-CO-17)."""
    return round2(multiply(base, vat.percent) / HUNDRED)


def vat_breakdown(
    lines: Sequence[Line], allowances_charges: Sequence[AllowanceCharge] = ()
) -> tuple[VatBreakdown, ...]:
    """One group per category and rate, in order of first appearance (BR-CO-18)."""
    bases: dict[tuple[str, Decimal], Decimal] = {}
    classes: dict[tuple[str, Decimal], VatClass] = {}
    for line in lines:
        bases[line.vat.key] = bases.get(line.vat.key, ZERO) + line.net_amount
        classes.setdefault(line.vat.key, line.vat)
    for item in allowances_charges:
        if item.vat is not None:
            bases[item.vat.key] = bases.get(item.vat.key, ZERO) + item.signed
            classes.setdefault(item.vat.key, item.vat)
    return tuple(VatBreakdown(classes[key], base, vat_amount(base, classes[key])) for key, base in bases.items())


def _with_booked_vat(groups: tuple[VatBreakdown, ...], booked: Decimal) -> tuple[VatBreakdown, ...]:
    """Put a difference of cents into the largest standard-rated group, else leave the groups alone."""
    difference = booked - total(group.tax_amount for group in groups)
    taxed = [g for g in groups if g.vat.category is VatCategory.STANDARD and g.taxable_amount != ZERO]
    if difference == ZERO or not taxed:
        return groups
    largest = max(taxed, key=lambda g: abs(g.taxable_amount))
    exact = multiply(largest.taxable_amount, largest.vat.percent) / HUNDRED
    if abs(largest.tax_amount + difference - exact) > LARGEST_VAT_DIFFERENCE:
        return groups
    return tuple(replace(g, tax_amount=g.tax_amount + difference) if g is largest else g for g in groups)


def document_totals(
    lines: Sequence[Line],
    groups: Sequence[VatBreakdown],
    allowances_charges: Sequence[AllowanceCharge] = (),
    *,
    payable: Decimal | None = None,
) -> Totals:
    """Totals by BR-CO-10 … BR-CO-16; ``payable`` fixes BT-115 and leaves the rest to BT-114."""
    line_sum = total(line.net_amount for line in lines)
    allowances = total(a.amount for a in allowances_charges if not a.is_charge)
    charges = total(a.amount for a in allowances_charges if a.is_charge)
    net = line_sum - allowances + charges
    vat = total(group.tax_amount for group in groups)
    gross = net + vat
    owed = gross if payable is None else payable
    return Totals(line_sum, allowances, charges, net, vat, gross, ZERO, owed - gross, owed)


def reconcile(
    lines: Sequence[Line], booked: BookedTotals, allowances_charges: Sequence[AllowanceCharge] = ()
) -> Reconciled:
    """Lines, breakdown and totals whose payable amount is the booked gross.

    ``totals.rounding`` holds what could not be placed; the caller blocks the
    document where that is above its limit.
    """
    extra = total(item.signed for item in allowances_charges)
    difference = booked.net - extra - total(line.net_amount for line in lines)
    placed = spread_cents(lines, difference)
    kept = tuple(lines) if placed is None else placed
    groups = _with_booked_vat(vat_breakdown(kept, allowances_charges), booked.vat)
    totals = document_totals(kept, groups, allowances_charges, payable=booked.gross)
    return Reconciled(kept, groups, totals, difference)


def net_price(line: Line) -> Decimal:
    """Price of ``base_quantity`` units after line allowances and charges; BT-146 where there are none.

    For formats whose lines have no allowances: price x quantity / base quantity gives the net amount to less
    than a tenth of a cent (F-INV340), so large quantities take more than the six decimals that else suffice.
    """
    if not line.allowances_charges or line.quantity == ZERO:
        return line.price
    net = multiply(line.net_amount, line.base_quantity)
    return abs(divide(net, line.quantity, max(6, line.quantity.adjusted() + 4)))
