from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.invoice import AllowanceCharge, Item, Line
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.domain.totals import (
    BookedTotals,
    document_totals,
    net_price,
    reconcile,
    spread_cents,
    vat_amount,
    vat_breakdown,
)

CENT = Decimal("0.01")
STANDARD = VatClass(VatCategory.STANDARD, Decimal(25))
REDUCED = VatClass(VatCategory.STANDARD, Decimal(12))
EXEMPT = VatClass(VatCategory.EXEMPT, Decimal(0), "Momsfritaget")


def line(net: Decimal | str, vat: VatClass = STANDARD) -> Line:
    amount = Decimal(net)
    return Line("1", Decimal(1), "EA", amount, abs(amount), vat, Item("Vare"))


cents = st.decimals(min_value=-(10**7), max_value=10**7, places=2)
lines_of_any_kind = st.lists(
    st.builds(line, cents, st.sampled_from([STANDARD, REDUCED, EXEMPT])), min_size=1, max_size=30
)
small = st.decimals(min_value=-2, max_value=2, places=2)


def booked_for(lines: list[Line], net_off: Decimal, vat_off: Decimal) -> BookedTotals:
    net = sum((item.net_amount for item in lines), Decimal(0))
    vat = sum((group.tax_amount for group in vat_breakdown(lines)), Decimal(0))
    return BookedTotals(net + net_off, vat + vat_off)


@given(lines_of_any_kind, small, small)
def test_the_payable_amount_is_always_what_was_booked(lines, net_off, vat_off):
    booked = booked_for(lines, net_off, vat_off)
    assert reconcile(lines, booked).totals.payable == booked.net + booked.vat


@given(lines_of_any_kind, small, small)
def test_the_totals_add_up_by_the_official_rules(lines, net_off, vat_off):
    result = reconcile(lines, booked_for(lines, net_off, vat_off))
    totals = result.totals
    assert totals.lines == sum(item.net_amount for item in result.lines)  # BR-CO-10
    assert (totals.allowances, totals.charges) == (0, 0)  # BR-CO-11, BR-CO-12
    assert totals.net == totals.lines - totals.allowances + totals.charges  # BR-CO-13
    assert totals.vat == sum(group.tax_amount for group in result.vat)  # BR-CO-14
    assert totals.gross == totals.net + totals.vat  # BR-CO-15
    assert totals.payable == totals.gross - totals.prepaid + totals.rounding  # BR-CO-16
    assert sum(group.taxable_amount for group in result.vat) == totals.net


@given(lines_of_any_kind, small, small)
def test_a_line_moves_by_a_cent_at_most_and_nothing_else_of_it_changes(lines, net_off, vat_off):
    result = reconcile(lines, booked_for(lines, net_off, vat_off))
    for before, after in zip(lines, result.lines, strict=True):
        assert abs(after.net_amount - before.net_amount) <= CENT
        assert (after.price, after.quantity, after.vat, after.item) == (
            before.price,
            before.quantity,
            before.vat,
            before.item,
        )


@given(lines_of_any_kind, small, small)
def test_vat_stays_within_the_tolerance_of_every_group(lines, net_off, vat_off):
    for group in reconcile(lines, booked_for(lines, net_off, vat_off)).vat:
        exact = group.taxable_amount * group.vat.percent / 100
        assert abs(group.tax_amount - exact) <= Decimal("0.99")
        if group.vat.category is not VatCategory.STANDARD:
            assert group.tax_amount == 0


@given(lines_of_any_kind)
def test_what_fits_is_left_alone(lines):
    result = reconcile(lines, booked_for(lines, Decimal(0), Decimal(0)))
    assert result.lines == tuple(lines)
    assert result.net_difference == 0
    assert result.totals.rounding == 0


@pytest.mark.parametrize(
    ("nets", "vat_class", "net", "vat"),
    [
        (["99.99", "0.05", "49.98"], STANDARD, "150.02", "37.51"),
        (["0.02", "0.02"], STANDARD, "0.04", "0.01"),
        (["11300"], EXEMPT, "11300", "0"),
    ],
)
def test_known_documents_have_known_vat(nets, vat_class, net, vat):
    groups = vat_breakdown([line(amount, vat_class) for amount in nets])
    assert [(group.taxable_amount, group.tax_amount) for group in groups] == [(Decimal(net), Decimal(vat))]


def test_a_cent_too_few_goes_to_the_largest_line():
    moved = spread_cents([line("10"), line("30"), line("-20")], CENT)
    assert moved is not None
    assert [item.net_amount for item in moved] == [Decimal("10"), Decimal("30.01"), Decimal("-20")]


def test_taxed_lines_take_the_cents_before_untaxed_ones():
    moved = spread_cents([line("900", EXEMPT), line("10")], -CENT)
    assert moved is not None
    assert [item.net_amount for item in moved] == [Decimal("900"), Decimal("9.99")]


def test_more_than_a_cent_a_line_is_not_spread_and_becomes_the_rounding():
    assert spread_cents([line("10"), line("0")], Decimal("0.02")) is None
    result = reconcile([line("10"), line("0")], BookedTotals(Decimal("10.02"), Decimal("2.50")))
    assert [item.net_amount for item in result.lines] == [Decimal(10), Decimal(0)]
    assert result.totals.rounding == Decimal("0.02")
    assert result.net_difference == Decimal("0.02")


def test_booked_vat_that_is_a_cent_off_stands_in_the_largest_taxed_group():
    result = reconcile(
        [line("100", EXEMPT), line("10.02"), line("80")], BookedTotals(Decimal("190.02"), Decimal("22.50"))
    )
    assert {group.vat.category: group.tax_amount for group in result.vat} == {
        VatCategory.EXEMPT: Decimal(0), VatCategory.STANDARD: Decimal("22.50"),
    }  # fmt: skip
    assert result.totals.rounding == 0


def test_vat_on_documents_without_taxed_lines_is_shown_as_a_difference():
    result = reconcile([line("100", EXEMPT)], BookedTotals(Decimal(100), Decimal(25)))
    assert result.totals.vat == 0
    assert result.totals.rounding == 25


def test_allowances_and_charges_of_the_document_count():
    extra = (
        AllowanceCharge(False, Decimal(10), "Rabat", STANDARD),
        AllowanceCharge(True, Decimal(4), "Fragt", STANDARD),
    )
    result = reconcile([line("100")], BookedTotals(Decimal(94), Decimal("23.50")), extra)
    assert (result.totals.allowances, result.totals.charges) == (10, 4)
    assert (result.totals.net, result.totals.vat, result.totals.payable) == (94, Decimal("23.50"), Decimal("117.50"))
    assert result.totals.rounding == 0


def test_groups_come_in_order_of_appearance_and_by_rate():
    groups = vat_breakdown([line("1", EXEMPT), line("2"), line("3", REDUCED), line("4")])
    assert [(g.vat.category.value, g.vat.percent, g.taxable_amount) for g in groups] == [
        ("E", 0, 1), ("S", 25, 6), ("S", 12, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(("base", "vat"), [("0.02", "0.01"), ("0.01", "0.00"), ("-0.02", "-0.01"), ("33.33", "8.33")])
def test_vat_of_a_base_is_rounded_half_away_from_zero(base, vat):
    assert vat_amount(Decimal(base), STANDARD) == Decimal(vat)


def test_totals_without_a_fixed_payable_amount_have_no_rounding():
    lines = [line("100")]
    totals = document_totals(lines, vat_breakdown(lines))
    assert (totals.payable, totals.rounding) == (125, 0)


quantities = st.decimals("0.001", 10**8, places=3).filter(bool)


@given(quantities, st.sampled_from([1, -1]), st.decimals("0.00", 10**6, places=2), st.sampled_from(["1", "100", "0.5"]))
def test_the_net_price_gives_the_line_amount_back(quantity, sign, net, base):
    allowance = AllowanceCharge(False, Decimal(10), "Rabat")
    found = replace(
        line(sign * net), quantity=sign * quantity, base_quantity=Decimal(base), allowances_charges=(allowance,)
    )
    price = net_price(found)
    assert price >= 0
    assert abs(price * found.quantity / found.base_quantity - found.net_amount) < Decimal("0.005")


def test_without_allowances_the_net_price_is_the_price():
    assert net_price(replace(line("10"), quantity=Decimal(3), price=Decimal("3.333"))) == Decimal("3.333")


def test_a_quantity_of_zero_leaves_the_price():
    allowance = AllowanceCharge(True, Decimal(10), "Gebyr")
    found = replace(line("10"), quantity=Decimal(0), price=Decimal(7), allowances_charges=(allowance,))
    assert net_price(found) == 7
