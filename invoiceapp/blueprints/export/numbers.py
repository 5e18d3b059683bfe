"""Document numbers as people list them: commas, lines, ranges, or a column pasted from a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_NUMBERS = 5_000
_RANGE = re.compile(r"(\d{1,18})[-–](\d{1,18})")
#: "1001 - 1003" is one range and not three words.
_SPACED_DASH = re.compile(r"(?<=\d)[ \t]*[-–][ \t]*(?=\d)")
_LONGEST = 100


class TooMany(ValueError):
    """More than ``MOST_NUMBERS``."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a person typed or pasted."""

    understood: tuple[str, ...]
    """Each number once, in order"""
    not_understood: tuple[str, ...]
    """Words without a digit, and ranges that end before they begin"""


def _is_number(part: str) -> bool:
    return len(part) <= _LONGEST and any(character.isdigit() for character in part)


def is_reversed(part: str) -> bool:
    """Whether it was meant as a range and is the wrong way round: 1010-1001. 2026-15 and 2026-0015 are numbers of their own."""
    found = _RANGE.fullmatch(part)
    if found is None or int(found[2]) >= int(found[1]):
        return False
    return len(found[1]) == len(found[2]) and not found[2].startswith("0")


def _expanded(part: str) -> Iterator[str] | None:
    """The numbers of a range, or the number itself; None for a range that ends before it begins."""
    found = _RANGE.fullmatch(part)
    if found is None:
        return iter((part,))
    first, last = int(found[1]), int(found[2])
    if last < first:
        return None if is_reversed(part) else iter((part,))
    if last - first >= MOST_NUMBERS:
        raise TooMany
    # A leading zero belongs to the number: 0098-0102 has 0100, not 100.
    return (str(number).zfill(len(found[1])) for number in range(first, last + 1))


def parse_numbers(text: str) -> Numbers:
    """``"1001-1003, 1007"``, or a column of a spreadsheet with its heading. Raises ``TooMany``."""
    understood: dict[str, None] = {}
    not_understood: dict[str, None] = {}
    for part in re.split(r"[,;\s]+", _SPACED_DASH.sub("-", text)):
        numbers = _expanded(part) if _is_number(part) else None
        if numbers is not None:
            understood.update(dict.fromkeys(numbers))
        elif part:
            not_understood[part[:_LONGEST]] = None
        if len(understood) > MOST_NUMBERS:
            raise TooMany
    return Numbers(tuple(understood), tuple(not_understood))
