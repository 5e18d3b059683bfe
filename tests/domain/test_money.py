from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.money import danish, danish_digits, divide, fixed2, multiply, plain, round2, to_decimal, total

amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=8)


def half_away_from_zero(value: Decimal) -> Decimal:
    """Whole-number arithmetic, independent of the code under test."""
    cents = int((abs(Fraction(value)) * 100 + Fraction(1, 2)) // 1)
    return Decimal(-cents if value < 0 else cents) / 100


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("0.0049999", "0.00"),
        ("-0.0049999", "0.00"),
        ("2.675", "2.68"),
        ("-2.675", "-2.68"),
        ("1.005", "1.01"),
        ("0.015", "0.02"),
        ("0.025", "0.03"),
        ("999999999999999.995", "1000000000000000.00"),
    ],
)
def test_halves_are_rounded_away_from_zero(value, rounded):
    assert round2(Decimal(value)) == Decimal(rounded)


@given(amounts)
def test_rounding_agrees_with_whole_number_arithmetic(value):
    assert round2(value) == half_away_from_zero(value)
    assert round2(value).as_tuple().exponent == -2
    assert abs(round2(value) - value) <= Decimal("0.005")


@given(amounts)
def test_rounding_is_symmetric_and_rounds_once(value):
    assert round2(-value) == -round2(value)
    assert round2(round2(value)) == round2(value)


@given(amounts, st.decimals(min_value=-(10**6), max_value=10**6, places=8))
def test_products_lose_no_digit(a, b):
    assert Fraction(multiply(a, b)) == Fraction(a) * Fraction(b)


@given(amounts, st.decimals(min_value=Decimal("0.0001"), max_value=10**6, places=4))
def test_quotients_are_rounded_once_at_the_wanted_place(a, b):
    quotient = divide(a, b, 6)
    assert quotient.as_tuple().exponent == -6
    assert abs(Fraction(quotient) - Fraction(a) / Fraction(b)) <= Fraction(1, 2_000_000)


def test_the_sum_of_nothing_is_an_exact_zero():
    assert total([]) == 0
    assert isinstance(total([]), Decimal)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Decimal("1.50"), "1.5"),
        (7, "7"),
        ("12.5", "12.5"),
        ("-3", "-3"),
        (Decimal("1.1102230246251565e-16"), "1.1102230246251565e-16"),
    ],
)
def test_json_numbers_become_decimals(value, number):
    assert to_decimal(value) == Decimal(number)


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 1.5, "", "x", "1,5", "NaN", "Infinity", "-Infinity", "sNaN", [], {},
        Decimal("NaN"), Decimal("Infinity"), Decimal("1e-999999"), Decimal("1e999999"), 10**40,
    ],
)  # fmt: skip
def test_what_is_no_number_of_any_books_is_refused(value):
    assert to_decimal(value) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+2", "100"), ("1.50", "1.5"), ("-0", "0"), ("0.00", "0"), ("-0.10", "-0.1"), ("1200", "1200"), ("1e-7", "0.0000001")],
)  # fmt: skip
def test_plain_writes_digits_without_exponent(value, text):
    assert plain(Decimal(value)) == text


@given(amounts)
def test_plain_keeps_the_value(value):
    assert Decimal(plain(value)) == value
    assert "E" not in plain(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [("1234.5", "1.234,50"), ("-1234567.895", "-1.234.567,90"), ("0", "0,00"), ("-0.001", "0,00"), ("-0", "0,00"),
     ("-0.005", "-0,01")],
)  # fmt: skip
def test_danish_writes_points_and_a_comma(value, text):
    assert danish(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "least", "text"),
    [("0.0045", 2, "0,0045"), ("1234.50", 2, "1.234,50"), ("1234.50", 0, "1.234,5"), ("1E+4", 0, "10.000"), ("25.0", 0, "25"),
     ("-0.5", 0, "-0,5"), ("-0.00", 0, "0"), ("-0.00", 2, "0,00"), ("450", 2, "450,00")],
)  # fmt: skip
def test_danish_digits_keeps_every_decimal(value, least, text):
    assert danish_digits(Decimal(value), least) == text


@given(amounts)
def test_danish_digits_keeps_the_value(value):
    assert Decimal(danish_digits(value).replace(".", "").replace(",", ".")) == value


@pytest.mark.parametrize(
    ("value", "text"), [("1", "1.00"), ("-0.001", "0.00"), ("-1.005", "-1.01"), ("1E+3", "1000.00")]
)
def test_fixed2_writes_exactly_two_decimals(value, text):
    assert fixed2(Decimal(value)) == text
