"""Document numbers as people list them: commas, lines and ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_NUMBERS = 500
_RANGE = re.compile(r"(\d{1,18})\s*[-–]\s*(\d{1,18})")


class TooMany(ValueError):
    """More than ``MOST_NUMBERS``."""


class Backwards(ValueError):
    """A range whose end is before its start; the message is the range."""


def _expanded(part: str) -> Iterator[str]:
    found = _RANGE.fullmatch(part)
    if found is None:
        yield part
        return
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise Backwards(part)
    if last - first >= MOST_NUMBERS:
        raise TooMany
    # A leading zero belongs to the number: 0098-0102 has 0100, not 100.
    yield from (str(number).zfill(len(found[1])) for number in range(first, last + 1))


def parse_numbers(text: str) -> tuple[str, ...]:
    """Each number once, in order: ``"1001-1003, 1007"``. Raises ``TooMany``, ``Backwards``."""
    parts = (part.strip() for part in re.split(r"[,;\n]", text))
    numbers = tuple(dict.fromkeys(number for part in parts if part for number in _expanded(part)))
    if len(numbers) > MOST_NUMBERS:
        raise TooMany
    return numbers
