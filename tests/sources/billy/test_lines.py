from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import Classification, Item, Line
from invoiceapp.domain.settings import CustomerSettings, GeneralSettings, Settings
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.sources.billy.lines import RawLine, Reading, best_reading, price_line, read_lines
from invoiceapp.sources.billy.vat import VatMapper

STANDARD = VatClass(VatCategory.STANDARD, Decimal(25))
EXCLUSIVE, INCLUSIVE = Reading(False), Reading(True)


def raw(quantity: str, price: str, mode: str | None = None, value: str = "0", text: str | None = None) -> RawLine:
    return RawLine(Decimal(quantity), Decimal(price), mode, Decimal(value), text, STANDARD, Item("Vare"), "EA")


def priced(line: RawLine, reading: Reading = EXCLUSIVE) -> Line:
    return price_line(line, 1, reading)


@pytest.mark.parametrize(
    ("line", "reading", "net"),
    [
        (raw("3", "33.33"), EXCLUSIVE, "99.99"),
        (raw("2.5", "19.99"), EXCLUSIVE, "49.98"),
        (raw("1", "9.99"), INCLUSIVE, "7.99"),
        (raw("10", "1200", "percent", "10"), EXCLUSIVE, "10800"),
        (raw("10", "1200", "percent", "0.1"), Reading(False, percent_is_fraction=True), "10800"),
        (raw("2", "100", "cash", "50.505"), EXCLUSIVE, "149.49"),
        (raw("2", "100", "cash", "50"), INCLUSIVE, "120.00"),
        (raw("-1", "100"), EXCLUSIVE, "-100"),
        (raw("1", "-100"), EXCLUSIVE, "-100"),
        (raw("-1", "100"), Reading(False, flipped=True), "100"),
        (raw("-1", "100", "cash", "-20"), Reading(False, flipped=True), "80"),
        (raw("0", "749"), EXCLUSIVE, "0"),
        (raw("1", "100", "percent", "100"), EXCLUSIVE, "0"),
        (raw("1", "100", "percent", "150"), EXCLUSIVE, "-50"),
    ],
)
def test_net_amounts_follow_billys_rules(line, reading, net):
    assert priced(line, reading).net_amount == Decimal(net)


@pytest.mark.parametrize(
    "line", [raw("1", "-100"), raw("-2", "-3"), raw("1", "100", "percent", "150"), raw("1", "-9", "cash", "1")]
)
@pytest.mark.parametrize("reading", [EXCLUSIVE, INCLUSIVE])
def test_a_price_is_never_negative_and_the_quantity_carries_the_sign(line, reading):
    result = priced(line, reading)
    assert result.price >= 0
    assert abs(result.price * result.quantity - result.net_amount) <= Decimal("0.02")


def test_a_percent_discount_is_an_allowance_with_its_percentage():
    result = priced(raw("10", "1200", "percent", "10", "Sommerrabat"))
    (allowance,) = result.allowances_charges
    assert (allowance.amount, allowance.percent, allowance.base) == (1200, 10, 12000)
    assert allowance.reason == "Sommerrabat"
    assert result.price == 1200


def test_a_discount_without_text_is_called_rabat():
    assert priced(raw("1", "10", "cash", "1")).allowances_charges[0].reason == "Rabat"


@pytest.mark.parametrize("line", [raw("3", "561.88", "percent", "12.5"), raw("3", "561.88", "cash", "200")])
def test_discounts_of_inclusive_prices_have_no_percentage(line):
    (allowance,) = priced(line, INCLUSIVE).allowances_charges
    assert (allowance.percent, allowance.base) == (None, None)
    assert allowance.amount > 0


@pytest.mark.parametrize("line", [raw("1", "10.03", "cash", "0.01"), raw("1", "10.03", "percent", "0.1")])
def test_a_discount_of_nothing_without_vat_is_left_out(line):
    result = priced(line, INCLUSIVE)
    assert result.allowances_charges == ()
    assert abs(result.price * result.quantity - result.net_amount) <= Decimal("0.02")


@given(
    st.decimals("0.001", 500, places=3), st.decimals("0.0001", 5000, places=4), st.decimals("0.01", 2, places=2),
    st.sampled_from(["percent", "cash"]), st.booleans(),
)  # fmt: skip
def test_no_discount_is_zero_or_negative(quantity, price, value, mode, inclusive):
    result = priced(raw(str(quantity), str(price), mode, str(value)), Reading(inclusive))
    assert all(item.amount > 0 for item in result.allowances_charges)


@pytest.mark.parametrize(
    "line", [raw("1", "10", "cash", "-2"), raw("1", "10", "percent", "-20"), raw("-1", "10", "cash", "2")]
)
def test_a_discount_that_raises_the_price_goes_into_the_price(line):
    result = priced(line)
    assert result.allowances_charges == ()
    assert result.price == 12
    assert abs(result.net_amount) == 12


def test_large_quantities_get_prices_with_enough_decimals():
    result = priced(raw("123456789", "0.01"), INCLUSIVE)
    assert abs(result.price * result.quantity - result.net_amount) <= Decimal("0.02")


def test_the_header_decides_between_percent_and_fraction():
    lines = [raw("1", "100", "percent", "0.5")]
    readings = [Reading(False), Reading(False, percent_is_fraction=True)]
    assert best_reading(lines, Decimal("99.50"), readings)[1] == readings[0]
    assert best_reading(lines, Decimal("50"), readings)[1] == readings[1]


def test_the_closest_reading_is_taken_where_none_fits():
    readings = [Reading(False), Reading(False, flipped=True)]
    assert best_reading([raw("1", "100")], Decimal("-90"), readings)[1] == readings[1]


class Read:
    """``read_lines`` with one tax rate and one product."""

    def __init__(
        self, *records: dict[str, Any], product: dict[str, Any] | None = None, settings: Settings | None = None
    ) -> None:
        self.findings: list[Finding] = []
        products = {"p": product} if product else {}
        rates = {"s": {"id": "s", "name": "Salgsmoms", "rate": Decimal("0.25")}}
        filled = [{"unitPrice": 1, "taxRateId": "s"} | record for record in records]
        self.lines = read_lines(
            filled, products, VatMapper(rates, {}, "DK", True), self.findings, settings or Settings()
        )
        self.rules = [finding.rule for finding in self.findings]


def test_lines_come_in_order_of_priority_whatever_it_is():
    read = Read(
        {"description": "c", "priority": 3}, {"description": "a", "priority": Decimal("1.0")},
        {"description": "b", "priority": "2"}, {"description": "0", "priority": None},
    )  # fmt: skip
    assert [line.item.name for line in read.lines] == ["0", "a", "b", "c"]


def test_the_product_gives_name_number_and_unit_and_the_line_the_description():
    read = Read(
        {"productId": "p", "description": " Kasse\n1 "}, product={"name": "Papir", "productNo": 1001, "unit": "timer"}
    )
    (line,) = read.lines
    assert (line.item.name, line.item.description, line.item.sellers_id, line.unit) == (
        "Papir",
        "Kasse 1",
        "1001",
        "HUR",
    )
    assert read.rules == []


def test_a_line_without_product_is_named_by_its_text():
    read = Read({"productId": None, "description": "Diverse"})
    assert (read.lines[0].item.name, read.lines[0].item.description) == ("Diverse", None)
    assert read.rules == []


def test_a_deleted_product_is_told():
    assert Read({"productId": "gone", "description": "Diverse"}).rules == ["BILLY-PRODUCT"]


@pytest.mark.parametrize("text", [None, "", " \n ", "\x00", 0.5, []])
def test_a_line_without_any_name_is_fatal_and_named_by_its_position(text):
    read = Read({"description": "ok"}, {"description": text, "priority": 2})
    assert read.rules == ["BR-25"]
    assert "Linje 2" in read.findings[0].text.da
    assert "Line 2" in read.findings[0].text.en


def test_missing_numbers_are_one_and_nothing():
    (line,) = Read({"description": "a", "unitPrice": None}).lines
    assert (line.quantity, line.unit_price, line.discount_value) == (1, 0, 0)


def test_an_unknown_discount_mode_is_no_discount():
    (line,) = Read({"description": "a", "discountMode": ["percent"], "discountValue": 5}).lines
    assert line.discount_mode is None


GTIN = Settings(general=GeneralSettings(product_number_is_gtin=True))


@pytest.mark.parametrize(
    ("number", "settings", "gtin", "rules"),
    [
        ("5712345000014", GTIN, "5712345000014", []),
        ("57 12345-000014", GTIN, "5712345000014", []),
        (5712345000014, GTIN, "5712345000014", []),
        ("40170725", GTIN, "40170725", []),
        ("614141000036", GTIN, "614141000036", []),
        ("10614141000415", GTIN, "10614141000415", []),
        ("5712345000010", GTIN, None, ["BILLY-GTIN"]),
        ("R-1", GTIN, None, ["BILLY-GTIN"]),
        (None, GTIN, None, []),
        ("5712345000014", Settings(), None, []),
    ],
)
def test_a_product_number_is_a_bar_code_only_where_the_settings_say_so(number, settings, gtin, rules):
    product = {"name": "Papir", "productNo": number}
    read = Read({"productId": "p"}, product=product, settings=settings)
    item = read.lines[0].item
    assert (item.standard_id, read.rules) == (gtin, rules)
    assert item.sellers_id == (str(number) if number else None)


def test_a_wrong_bar_code_is_told_once_and_by_its_number():
    read = Read({"productId": "p"}, {"productId": "p"}, product={"name": "Papir", "productNo": "R-1"}, settings=GTIN)
    (finding,) = read.findings
    assert "»R-1«" in finding.text.da
    assert "“R-1”" in finding.text.en
    assert not finding.is_fatal


def test_a_line_without_product_has_no_bar_code_and_no_complaint():
    read = Read({"description": "Diverse"}, settings=GTIN)
    assert (read.lines[0].item.standard_id, read.rules) == (None, [])


def test_the_customers_unspsc_code_is_on_all_lines():
    chosen = Settings(customer=CustomerSettings(unspsc="44121600"))
    read = Read({"description": "a"}, {"description": "b"}, settings=chosen)
    assert [line.item.classifications for line in read.lines] == [(Classification("44121600", "TST", "19.05.01"),)] * 2
