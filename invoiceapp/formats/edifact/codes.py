"""Codes and numbers that D.96A writes otherwise than EN 16931."""

from __future__ import annotations

from decimal import Decimal

from invoiceapp.domain.invoice import PaymentMeansCode
from invoiceapp.domain.money import divide, fixed2, plain

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


def unit_code(unit: str) -> str:
    """A unit as EDIFACT writes it (6411)."""
    return PIECE if unit in _PIECES else unit


def means_code(code: PaymentMeansCode) -> PaymentMeansCode:
    """A way to pay that D.96A knows."""
    return _OLDER_MEANS.get(code, code)


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


def amount(value: Decimal) -> str:
    """An amount with two decimals (5004)."""
    return fixed2(value)
