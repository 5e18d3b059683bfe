"""A comparison with the source in words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from invoiceapp.domain.findings import Text
from invoiceapp.formatting import NOTHING, amount, day, in_language, number, percent
from invoiceapp.services.export.comparison import Kind, Value


def shown(value: Value, kind: Kind, currency: str) -> str:
    """A value of a difference, as the reader writes such values."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, date):
        return day(value)
    if isinstance(value, Decimal):
        writers = {Kind.AMOUNT: lambda: amount(value, currency), Kind.PERCENT: lambda: percent(value)}
        return writers.get(kind, lambda: number(value))()
    return in_language(value) if isinstance(value, Text) else str(value)
