"""Codes and numbers that D.96A writes otherwise than EN 16931."""

from __future__ import annotations

import re
from decimal import Decimal

from invoiceapp.domain.invoice import PaymentMeansCode
from invoiceapp.domain.money import divide, fixed2, multiply, plain

AMOUNT_LENGTH, PRICE_LENGTH, QUANTITY_LENGTH = 18, 15, 15
BASIS_LENGTH, PERCENT_LENGTH, RATE_LENGTH = 9, 10, 12

#: EANCOM says PCE for pieces; UN/ECE Recommendation 20 has three codes for one and the same.
_PIECES = frozenset({"EA", "C62", "H87"})
PIECE, PIECE_HERE = "PCE", "EA"

#: UNCL 4461 codes that the directory of 1996 lacks, as the nearest that it has.
_OLDER_MEANS = {
    PaymentMeansCode.CARD: PaymentMeansCode.UNDEFINED,
    PaymentMeansCode.DIRECT_DEBIT: PaymentMeansCode.DEBIT_TRANSFER,
    PaymentMeansCode.SEPA: PaymentMeansCode.CREDIT_TRANSFER,
    PaymentMeansCode.SEPA_DIRECT_DEBIT: PaymentMeansCode.DEBIT_TRANSFER,
    PaymentMeansCode.FIK: PaymentMeansCode.GIRO,
    PaymentMeansCode.NEMKONTO: PaymentMeansCode.UNDEFINED,
}

#: EANCOM demands a code of every allowance and charge (7161): »adjustment« where the invoice has none.
NO_REASON_CODE = "AJ"


#: PEPPOL-EN16931-R120
_LINE_TOLERANCE = Decimal("0.02")

#: A FIK reference in the model, and as payment slips print it: characters that every set has.
_FIK, _FIK_ON_SLIPS = re.compile(r"([0-9]{2})#([0-9]*)"), re.compile(r"\+([0-9]{2})<([0-9]*)")


def unit_code(unit: str) -> str:
    """A unit as EDIFACT writes it (6411)."""
    return PIECE if unit in _PIECES else unit


def means_code(code: PaymentMeansCode) -> PaymentMeansCode:
    """A way to pay that D.96A knows."""
    return _OLDER_MEANS.get(code, code)


def fik_on_slip(reference: str) -> str:
    """``71#…`` as ``+71<…``; anything else as it is."""
    return _FIK.sub(r"+\1<\2", reference) if _FIK.fullmatch(reference) else reference


def fik_from_slip(reference: str) -> str:
    """``+71<…`` as ``71#…``; anything else as it is."""
    return _FIK_ON_SLIPS.sub(r"\1#\2", reference) if _FIK_ON_SLIPS.fullmatch(reference) else reference


def digit_count(text: str) -> int:
    """How long a number is in EDIFACT: neither minus nor decimal point counts (ISO 9735, 10)."""
    return sum(character.isdigit() for character in text)


def number(value: Decimal, length: int) -> str:
    """A number without exponent, rounded to as many decimals as ``length`` digits leave room for."""
    text = plain(value)
    excess = digit_count(text) - length
    if excess <= 0 or "." not in text:
        return text
    decimals = max(0, len(text.partition(".")[2]) - excess)
    return plain(divide(value, Decimal(1), decimals))


def gives(quantity: Decimal, price: Decimal, basis: Decimal, amount: Decimal) -> bool:
    """Whether quantity x price / basis is the amount, as near as a price of this size can come (5118, n..15)."""
    if basis <= 0:
        return False
    whole_digits = digit_count(plain(price).partition(".")[0])
    # As many as ``net_price`` has, where there is room; not as many as are written, or a coarse price would excuse itself.
    decimals = min(max(6, quantity.adjusted() + 4), PRICE_LENGTH - whole_digits)
    rounding = multiply(abs(quantity), Decimal(5).scaleb(-decimals - 1))
    difference = multiply(quantity, price) - multiply(amount, basis)
    return abs(difference) <= multiply(_LINE_TOLERANCE, basis) + rounding


def amount(value: Decimal) -> str:
    """An amount with two decimals (5004)."""
    return fixed2(value)
