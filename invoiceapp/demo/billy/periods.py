"""Billy's period expressions, such as ``month:2025-06`` or ``dates:2025-06-23...2025-06-24``."""

from __future__ import annotations

import calendar
import re
from datetime import date

_FIRST, _LAST = date.min, date.max
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "halfYear": 6, "year": 12, "fiscalYear": 12}


def _months(text: str, length: int) -> tuple[date, date]:
    """The ``length`` months that ``2025-2`` numbers within its year; a year has no number."""
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?", text)
    if match is None or (match[2] is None) != (length == 12):
        raise ValueError(text)
    year, last = int(match[1]), length * int(match[2] or 1)
    if not length <= last <= 12:
        raise ValueError(text)
    return date(year, last - length + 1, 1), date(year, last, calendar.monthrange(year, last)[1])


def parse_period(text: str) -> tuple[date, date]:
    """First and last day of a period, both included. Raises ``ValueError`` where it is none.

    The demo company's fiscal year is the calendar year.
    """
    kind, _, value = text.partition(":")
    if kind == "all":
        return _FIRST, _LAST
    if kind == "day":
        return date.fromisoformat(value), date.fromisoformat(value)
    if kind == "from":
        return date.fromisoformat(value), _LAST
    if kind == "through":
        return _FIRST, date.fromisoformat(value)
    if kind == "dates":
        first, _, last = value.partition("...")
        return date.fromisoformat(first), date.fromisoformat(last)
    if kind in _MONTHS:
        return _months(value, _MONTHS[kind])
    raise ValueError(text)
