"""When a company that normally invoices has been silent for too long, judged by its own habit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

#: How far back a habit is learnt, from the last invoice on, and how much of it there must be.
LEARNT_FROM = timedelta(weeks=26)
SHORTEST_HISTORY = timedelta(weeks=8)
FEWEST_DAYS = 6
#: More than the usual longest gap by this factor and these working days is clearly more.
_FACTOR, _MARGIN = 1.5, 2
_SATURDAY = 5
_JULY = 7


@dataclass(frozen=True, slots=True)
class Silence:
    """A gap, in working days; July, weekends and holidays are none."""

    last: date
    """The last day with an invoice"""
    days: int
    usual: int
    """The longest gap that is a habit"""


def _is_working(day: date, holidays: Collection[date]) -> bool:
    is_between_the_years = (day.month, day.day) >= (12, 24)
    return day.weekday() < _SATURDAY and day.month != _JULY and not is_between_the_years and day not in holidays


def working_days(first: date, last: date, holidays: Collection[date]) -> int:
    """Working days after ``first`` and before ``last``."""
    between = (first + timedelta(days=number) for number in range(1, (last - first).days))
    return sum(_is_working(day, holidays) for day in between)


def judge(invoiced: Iterable[date], today: date, holidays: Collection[date] = ()) -> Silence | None:
    """The silence that lasts, where it is clearly longer than usual; None while there is too little to learn from.

    ``invoiced``: days with invoices, in any order. One single long gap, such as a closed month, is no habit.
    """
    days = sorted({day for day in invoiced if day <= today})
    if not days:
        return None
    learnt = [day for day in days if day >= days[-1] - LEARNT_FROM]
    if len(learnt) < FEWEST_DAYS or today - learnt[0] < SHORTEST_HISTORY:
        return None
    gaps = sorted(working_days(one, other, holidays) for one, other in pairwise(learnt))
    usual = gaps[-2]
    silent = working_days(learnt[-1], today, holidays)
    return Silence(learnt[-1], silent, usual) if silent > usual * _FACTOR + _MARGIN else None
