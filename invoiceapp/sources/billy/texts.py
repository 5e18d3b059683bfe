"""Tidying of texts that people typed into Billy."""

from __future__ import annotations

import re
from decimal import Decimal

from invoiceapp.domain.money import plain

#: Everything that XML 1.0 cannot carry (section 2.2), and the other control characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(value: object) -> str | None:
    """One line of text without control characters and doubled blanks; None where nothing is left.

    A number is its digits, because old records hold postal codes, CVR and order numbers as JSON numbers.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain(Decimal(value))
    if not isinstance(value, str):
        return None
    return " ".join(_FORBIDDEN.sub("", value).split()) or None


def clean_lines(value: object) -> str | None:
    """Several lines as one, joined by `` / ``, because Peppol takes one note of one line."""
    if not isinstance(value, str):
        return None
    lines = (clean(line) for line in value.splitlines())
    return " / ".join(line for line in lines if line) or None
