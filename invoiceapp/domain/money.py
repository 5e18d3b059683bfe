"""Exact arithmetic for amounts. Every number of an invoice is a ``Decimal``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

CENT = Decimal("0.01")
ZERO = Decimal("0")
HUNDRED = Decimal(100)

#: More digits than any invoice needs, so that only ``round2`` ever rounds.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)

#: Beyond this an amount is a typing error; EN 16931 sets no limit, books do.
LARGEST_AMOUNT = Decimal("1e15")
#: ``1e-999999999`` is a valid JSON number that takes a gigabyte to write out; floating-point noise has some 30 decimals.
MOST_DIGITS, MOST_DECIMALS = 30, 100


def round2(value: Decimal) -> Decimal:
    """Round to two decimals, half away from zero, as Danish books and Billy do."""
    return value.quantize(CENT, rounding=ROUND_HALF_UP, context=_EXACT)


def multiply(a: Decimal, b: Decimal) -> Decimal:
    """Product without loss of digits."""
    return _EXACT.multiply(a, b)


def divide(a: Decimal, b: Decimal, decimals: int) -> Decimal:
    """``a / b`` rounded half away from zero to ``decimals`` places; ``b`` is not zero."""
    return _EXACT.divide(a, b).quantize(Decimal(1).scaleb(-decimals), context=_EXACT)


def total(values: Iterable[Decimal]) -> Decimal:
    """Sum that starts from an exact zero."""
    return sum(values, ZERO)


_THOUSANDS = re.compile(r"-?\d{1,3}(?:\.\d{3})+(?:,\d{1,2})?"), re.compile(r"-?\d{1,3}(?:,\d{3})+\.\d{1,2}")
_PLAIN = re.compile(r"-?\d+(?:[.,]\d{1,2})?")


def typed_amount(text: str) -> Decimal | None:
    """What a person typed as money: ``100.000``, ``100.000,00``, ``100,000.00``, ``100 000``, ``100000,50``.

    None where it is no amount, or could be two: ``100,000`` is a hundred in Danish.
    """
    text = re.sub(r"\s", "", text)
    danish, english = _THOUSANDS
    if danish.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    elif english.fullmatch(text):
        text = text.replace(",", "")
    elif _PLAIN.fullmatch(text):
        text = text.replace(",", ".")
    else:
        return None
    return to_decimal(text)


def to_decimal(value: object) -> Decimal | None:
    """A decimal of a sensible length from a JSON value, else None.

    A JSON value is a ``Decimal``, an ``int`` or digits in a string.
    Floats are refused: JSON is parsed with ``parse_float=Decimal``, so a float
    here means that a number has already lost digits somewhere.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, int | str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            return None
    else:
        return None
    return number if _is_writable(number) else None


def _is_writable(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MOST_DECIMALS and number.adjusted() <= MOST_DIGITS


def plain(value: Decimal) -> str:
    """Digits without exponent and without superfluous zeros: ``1E+2`` -> ``100``, ``1.50`` -> ``1.5``."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if text not in ("-0", "") else "0"


def danish(value: Decimal) -> str:
    """Two decimals as Danes write them: ``-1234.5`` -> ``-1.234,50``, ``-0.001`` -> ``0,00``."""
    return danish_digits(round2(value), 2)


def danish_digits(value: Decimal, least: int = 0) -> str:
    """All decimals that there are, and at least so many: ``1234.5`` -> ``1.234,5``, ``0.0045`` -> ``0,0045``."""
    decimals = max(least, len(plain(value).partition(".")[2]))
    # abs(): a zero may have a sign.
    return f"{value or abs(value):,.{decimals}f}".translate(_DANISH)


_DANISH = str.maketrans({",": ".", ".": ","})


def fixed2(value: Decimal) -> str:
    """Exactly two decimals, as BR-DEC-* want amounts: ``-0.001`` -> ``0.00``."""
    text = format(round2(value), "f")
    return "0.00" if text == "-0.00" else text
