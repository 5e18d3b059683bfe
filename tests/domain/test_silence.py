from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.silence import Silence, judge, working_days

FIRST = date(2026, 1, 5)  # a Monday


def every(step: int, count: int, first: date = FIRST) -> list[date]:
    """Weekdays, ``step`` working days apart."""
    days, day = [first], first
    while len(days) < count:
        day += timedelta(days=1)
        if working_days(days[-1], day, ()) >= step - 1 and day.weekday() < 5:
            days.append(day)
    return days


def after(days: list[date], working: int) -> date:
    """The first day on which so many working days have been silent."""
    day = days[-1]
    while working_days(days[-1], day, ()) < working:
        day += timedelta(days=1)
    return day


def test_who_invoices_daily_is_silent_after_days_and_who_does_monthly_after_weeks():
    daily, monthly = every(1, 60), every(20, 6)
    assert judge(daily, after(daily, 2)) is None
    assert judge(daily, after(daily, 3)) == Silence(daily[-1], 3, 0)
    assert judge(monthly, after(monthly, 30)) is None
    assert judge(monthly, after(monthly, 31)) == Silence(monthly[-1], 31, 19)


def test_there_must_be_eight_weeks_to_learn_from():
    days = every(1, 30)
    assert judge(days, after(days, 8)) is None
    assert judge([], FIRST) is None


def test_one_closed_month_is_no_habit():
    days = every(1, 40)
    gap = every(1, 20, days[-1] + timedelta(days=28))
    found = judge(days + gap, after(gap, 5))
    assert found is not None and found.usual < 5


def test_july_weekends_holidays_and_the_days_between_the_years_are_no_silence():
    days = [day for day in every(1, 130) if day <= date(2026, 6, 30)]
    assert judge(days, date(2026, 8, 3)) is None
    assert working_days(date(2026, 12, 23), date(2027, 1, 4), {date(2027, 1, 1)}) == 0
    assert working_days(date(2026, 4, 1), date(2026, 4, 7), {date(2026, 4, 2), date(2026, 4, 3), date(2026, 4, 6)}) == 0


@given(step=st.integers(1, 15), extra=st.integers(0, 40))
def test_a_silence_lasts_until_there_is_an_invoice_again(step, extra):
    days = every(step, 60 // step + 10)
    today = after(days, extra)
    if judge(days, today) is not None:
        assert judge(days, today + timedelta(days=30)) is not None
        assert judge([*days, today], today) is None
