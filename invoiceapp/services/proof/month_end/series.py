"""Number series: which numbers are missing, and which are there twice. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from .books import Taken

#: Numbers of invoices and of credit notes are one series where so few or fewer lie between them.
_NEAR = 50
_NUMBER = re.compile(r"(.*?)([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers in a row that nobody has, ``first`` to ``last``."""

    first: str
    last: str
    count: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A number in its series."""

    value: int
    digits: str
    is_inside: bool
    """Whether its document is of the period"""


def gaps(taken: Iterable[Taken], first: date, last: date) -> list[Gap]:
    """Numbers missing between two neighbours of which at least one is of the period.

    ``taken`` reaches beyond the period, so that its ends have neighbours too. Drafts and voided documents have their
    numbers, so those are not missing.
    """
    found: list[tuple[str, int, Gap]] = []
    for prefix, places in _series(taken, first, last):
        for one, other in pairwise(places):
            if other.value - one.value > 1 and (one.is_inside or other.is_inside):
                found.append((prefix, one.value, _gap(prefix, one, other)))
    return [gap for _prefix, _value, gap in sorted(found, key=lambda item: item[:2])]


def _gap(prefix: str, one: _Place, other: _Place) -> Gap:
    width = len(one.digits) if one.digits.startswith("0") else 0
    ends = (f"{prefix}{value:0{width}d}" for value in (one.value + 1, other.value - 1))
    return Gap(next(ends), next(ends), other.value - one.value - 1)


def _series(taken: Iterable[Taken], first: date, last: date) -> Iterable[tuple[str, list[_Place]]]:
    """Prefix and numbers, in order and each once, of each series."""
    by_prefix: dict[str, dict[str, list[_Place]]] = defaultdict(lambda: defaultdict(list))
    for one in taken:
        if parts := _NUMBER.fullmatch(one.number):
            place = _Place(int(parts[2]), parts[2], first <= one.day <= last)
            by_prefix[parts[1]][one.type].append(place)
    for prefix, by_type in by_prefix.items():
        for places in _joined(list(by_type.values())):
            yield prefix, places


def _joined(groups: list[list[_Place]]) -> list[list[_Place]]:
    """Types that count together become one series: their numbers overlap, or are close to each other."""
    joined: list[list[_Place]] = []
    for places in sorted(groups, key=lambda group: min(place.value for place in group)):
        if joined and min(one.value for one in places) <= max(one.value for one in joined[-1]) + _NEAR:
            joined[-1] += places
        else:
            joined.append(list(places))
    return [_once(places) for places in joined]


def _once(places: Iterable[_Place]) -> list[_Place]:
    """One of each number: that of the period, if there is one."""
    kept: dict[int, _Place] = {}
    for one in sorted(places, key=lambda place: (place.value, place.digits)):
        if one.value not in kept or one.is_inside:
            kept[one.value] = one
    return [kept[value] for value in sorted(kept)]


def twice(numbers: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, list[str]]]:
    """Of ``(type, number, id)``: type and number with the ids of all documents, where they are several."""
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, number, one in numbers:
        ids[kind, number.casefold()].append(one)
    return [(kind, number, sorted(found)) for (kind, number), found in sorted(ids.items()) if len(found) > 1]


class Numbers:
    """Numbers in order, so that those within a gap are found without looking at all of them."""

    def __init__(self, numbers: Iterable[str]) -> None:
        found = ((_NUMBER.fullmatch(number), number) for number in numbers)
        self._places = sorted((parts[1], int(parts[2]), number) for parts, number in found if parts)

    def within(self, gap: Gap) -> list[str]:
        """Those that lie in the gap, in order."""
        low, high = _NUMBER.fullmatch(gap.first), _NUMBER.fullmatch(gap.last)
        if not (low and high):
            return []
        start = bisect_left(self._places, (low[1], int(low[2]), ""))
        end = bisect_left(self._places, (low[1], int(high[2]) + 1, ""))
        return [number for _prefix, _value, number in self._places[start:end]]
