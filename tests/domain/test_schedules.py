from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoiceapp.domain.schedules import (
    LAST_DAY,
    LAST_WEEKDAY,
    CatchUp,
    Holidays,
    Kind,
    Plan,
    Timing,
    Verdict,
    judge,
    occurrences,
    tolerance,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
CHRISTMAS = frozenset(date(2026, 12, day) for day in (24, 25, 26))
FIRST, LAST = date(2024, 1, 1), date(2034, 1, 1)


class NoCron:
    """A calendar with chosen holidays."""

    def __init__(self, *holidays: date) -> None:
        self.holidays = frozenset(holidays)

    def is_holiday(self, day: date) -> bool:
        return day in self.holidays

    def cron(self, expression: str, start: datetime) -> Iterator[datetime]:
        raise AssertionError


def plan(kind: Kind, *, holidays: Holidays = Holidays.RUN, zone: ZoneInfo = COPENHAGEN, **fields) -> Plan:
    fields.setdefault("times", (time(8),))
    return Plan(Timing(kind, **fields), zone, holidays, datetime(2026, 1, 1, 6, 10, tzinfo=UTC))


def local(text: str, fold: int = 0, zone: ZoneInfo = COPENHAGEN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def found(one: Plan, after: str, count: int = 3, calendar: NoCron | None = None) -> list[str]:
    """Local times with their offset in hours."""
    moments = islice(occurrences(one, local(after), calendar or NoCron()), count)
    return [item.at.astimezone(one.zone).strftime("%a %d %b %H:%M %z") for item in moments]


def wished(one: Plan, day: date) -> list[datetime]:
    """What the plan wishes on a day, said a second time in the plainest way."""
    timing, length = one.timing, ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day
    if timing.kind is Kind.MONTHLY:
        days = {
            LAST_DAY: length,
            LAST_WEEKDAY: max(d for d in range(1, length + 1) if day.replace(day=d).weekday() < 5),
        }
        is_day = day.day == (days[timing.month_day] if timing.month_day in days else min(int(timing.month_day), length))
    else:
        chosen = {Kind.WEEKDAYS: range(5), Kind.WEEKLY: timing.weekdays}.get(timing.kind, range(7))
        is_day = day.weekday() in chosen
    return [datetime.combine(day, at) for at in timing.times] if is_day else []


def moment(wish: datetime) -> datetime:
    """The first moment in UTC at which Copenhagen's clock shows a time, or has gone past it: on days of change minute by minute."""
    offsets = {(wish + timedelta(hours=hours)).replace(tzinfo=COPENHAGEN).utcoffset() for hours in (-12, 12)}
    at = wish.replace(tzinfo=UTC) - max(offset for offset in offsets if offset)
    if len(offsets) == 1:
        return at
    while at.astimezone(COPENHAGEN).replace(tzinfo=None) < wish:
        at += timedelta(minutes=1)
    return at


# Many of them in the nights in which the clock changes.
TIMES = st.lists(
    st.one_of(st.times(time(1), time(3, 59)), st.times()).map(lambda at: time(at.hour, at.minute)),
    min_size=1, max_size=3, unique=True,
).map(lambda times: tuple(sorted(times)))  # fmt: skip
TIMINGS = st.one_of(
    st.builds(Timing, st.sampled_from([Kind.DAILY, Kind.WEEKDAYS]), times=TIMES),
    st.builds(
        Timing, st.just(Kind.WEEKLY), times=TIMES,
        weekdays=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted({*days, 6}))),
    ),
    st.builds(
        Timing, st.just(Kind.MONTHLY), times=TIMES,
        month_day=st.sampled_from([*map(str, range(1, 32)), LAST_DAY, LAST_WEEKDAY]),
    ),
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(TIMINGS)
def test_over_ten_years_of_copenhagen_time_every_wish_comes_true_exactly_once(timing):
    one = Plan(timing, COPENHAGEN)
    start, end = local(FIRST.isoformat()) - timedelta(seconds=1), local(LAST.isoformat())
    moments = [item.at for item in takewhile(lambda item: item.at < end, occurrences(one, start, NoCron()))]
    assert all(before < after for before, after in pairwise(moments))
    days = (FIRST + timedelta(days=number) for number in range((LAST - FIRST).days))
    # Two wishes in the hour that does not exist come true together, right after it.
    assert moments == sorted({moment(wish) for day in days for wish in wished(one, day)})


@settings(max_examples=25, deadline=None)
@given(TIMINGS, st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)), st.sampled_from(Holidays))
def test_it_does_not_matter_from_where_one_looks(timing, after, holidays):
    """What is computed at each due time is what is computed once for all: nothing is lost or doubled from one to the next."""
    one, calendar = Plan(timing, COPENHAGEN, holidays), NoCron(*CHRISTMAS, date(2027, 3, 28), date(2028, 10, 29))
    at_once = list(islice(occurrences(one, after.replace(tzinfo=UTC), calendar), 40))
    at, one_by_one = after.replace(tzinfo=UTC), []
    for _ in at_once:
        one_by_one.append(next(occurrences(one, at, calendar)))
        at = one_by_one[-1].at
    assert one_by_one == at_once


def test_over_ten_years_every_hour_is_every_hour_of_real_time(minute=20):
    start, end = local("2024-01-01"), local("2034-01-01")
    items = takewhile(lambda item: item.at < end, occurrences(plan(Kind.HOURLY, minute=minute), start, NoCron()))
    moments = [item.at for item in items]
    assert {after - before for before, after in pairwise(moments)} == {timedelta(hours=1)}
    assert {at.minute for at in moments} == {minute} and len(moments) >= (end - start) // timedelta(hours=1) - 1


@pytest.mark.parametrize("minutes", [1, 7, 15, 60, 1440, 43_200])
def test_an_interval_counts_real_time_from_its_anchor(minutes):
    one = plan(Kind.INTERVAL, minutes=minutes)
    moments = [item.at for item in islice(occurrences(one, local("2026-03-28T23:00"), NoCron()), 300)]
    assert {after - before for before, after in pairwise(moments)} == {timedelta(minutes=minutes)}
    assert (moments[0] - one.anchor) % timedelta(minutes=minutes) == timedelta()
    assert next(occurrences(one, one.anchor - timedelta(hours=1), NoCron())).at > one.anchor - timedelta(hours=1)


def test_in_the_spring_gap_a_wish_runs_once_right_after_it():
    one = plan(Kind.DAILY, times=(time(2, 15), time(2, 30), time(3, 30)))
    assert found(one, "2026-03-28T12:00", 4) == [
        "Sun 29 Mar 03:00 +0200", "Sun 29 Mar 03:30 +0200", "Mon 30 Mar 02:15 +0200", "Mon 30 Mar 02:30 +0200",
    ]  # fmt: skip
    first = next(occurrences(one, local("2026-03-28T12:00"), NoCron()))
    assert first.wished == time(2, 15) and next(occurrences(one, first.at, NoCron())).wished is None


def test_in_the_autumn_overlap_a_wish_runs_once_the_first_time():
    one = plan(Kind.DAILY, times=(time(2, 30),))
    assert found(one, "2026-10-24T12:00", 2) == ["Sun 25 Oct 02:30 +0200", "Mon 26 Oct 02:30 +0100"]
    between = local("2026-10-25T02:10", fold=1)
    assert next(occurrences(one, between, NoCron())).at == local("2026-10-26T02:30")


def test_every_hour_runs_in_both_of_the_autumn_and_not_in_the_gap_of_the_spring():
    one = plan(Kind.HOURLY, minute=30)
    assert found(one, "2026-10-25T01:30", 3) == [
        "Sun 25 Oct 02:30 +0200",
        "Sun 25 Oct 02:30 +0100",
        "Sun 25 Oct 03:30 +0100",
    ]
    assert found(one, "2026-03-29T00:30", 3) == [
        "Sun 29 Mar 01:30 +0100",
        "Sun 29 Mar 03:30 +0200",
        "Sun 29 Mar 04:30 +0200",
    ]
    again = occurrences(one, local("2026-10-25T02:30"), NoCron())
    assert next(again).at == local("2026-10-25T02:30", fold=1)


@pytest.mark.parametrize(
    ("zone", "after", "at", "expected"),
    [
        ("America/Santiago", "2026-09-05T12:00", time(0, 30), "Sun 06 Sep 01:00 -0300"),
        ("Australia/Lord_Howe", "2026-10-03T12:00", time(2, 15), "Sun 04 Oct 02:30 +1100"),
        ("Pacific/Apia", "2011-12-29T12:00", time(8), "Sat 31 Dec 00:00 +1400"),
    ],
)
def test_other_zones_have_other_gaps(zone, after, at, expected):
    one = plan(Kind.DAILY, times=(at,), zone=ZoneInfo(zone))
    assert next(
        item.at.astimezone(one.zone).strftime("%a %d %b %H:%M %z")
        for item in occurrences(one, local(after, zone=ZoneInfo(zone)), NoCron())
    ) == expected  # fmt: skip


@pytest.mark.parametrize(
    ("month_day", "expected"),
    [
        ("31", ["Sat 31 Jan", "Sat 28 Feb", "Tue 31 Mar", "Thu 30 Apr"]),
        (LAST_DAY, ["Sat 31 Jan", "Sat 28 Feb", "Tue 31 Mar", "Thu 30 Apr"]),
        (LAST_WEEKDAY, ["Fri 30 Jan", "Fri 27 Feb", "Tue 31 Mar", "Thu 30 Apr"]),
        ("1", ["Thu 01 Jan", "Sun 01 Feb", "Sun 01 Mar", "Wed 01 Apr"]),
    ],
)
def test_short_months_have_their_last_day(month_day, expected):
    assert [text[:10] for text in found(plan(Kind.MONTHLY, month_day=month_day), "2026-01-01T00:00", 4)] == expected


def test_a_holiday_is_passed_over_and_told():
    one = plan(Kind.WEEKDAYS, holidays=Holidays.SKIP)
    items = list(islice(occurrences(one, local("2026-12-23T07:00"), NoCron(*CHRISTMAS)), 4))
    assert [(item.at.day, item.is_holiday) for item in items] == [(23, False), (24, True), (25, True), (28, False)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.WEEKDAYS, ["Wed 23 Dec 08:00", "Mon 28 Dec 08:00", "Tue 29 Dec 08:00"]),
        (Kind.DAILY, ["Wed 23 Dec 08:00", "Sun 27 Dec 08:00", "Mon 28 Dec 08:00"]),
    ],
)
def test_on_holidays_the_next_working_day_has_one_run_not_two(kind, expected):
    one = plan(kind, holidays=Holidays.NEXT)
    assert [text[:16] for text in found(one, "2026-12-23T07:00", 3, NoCron(*CHRISTMAS))] == expected


@pytest.mark.parametrize(
    "wish",
    [{"kind": Kind.MONTHLY, "month_day": "31"}, {"kind": Kind.MONTHLY, "month_day": LAST_DAY}],
)
def test_a_day_of_the_month_is_moved_from_weekends_too(wish):
    one = plan(**wish, times=(time(8),), holidays=Holidays.NEXT)
    expected = [
        "Mon 01 Feb 08:00 +0100", "Mon 01 Mar 08:00 +0100", "Wed 31 Mar 08:00 +0200", "Fri 30 Apr 08:00 +0200",
        "Mon 31 May 08:00 +0200",
    ]  # fmt: skip
    assert found(one, "2027-01-30T12:00", 5) == expected
    assert found(one, "2027-02-28T12:00", 1) == expected[1:2], "from within the weekend"


@pytest.mark.parametrize(
    ("timing", "is_by_date"),
    [
        (Timing(Kind.CRON, cron="0 8 1 * *"), True), (Timing(Kind.CRON, cron="0 8 * * 6"), False),
        (Timing(Kind.CRON, cron="0 8 1 * 6"), False), (Timing(Kind.CRON, cron="0 8 */2 * *"), False),
        (Timing(Kind.WEEKLY, times=(time(8),), weekdays=(5,)), False), (Timing(Kind.DAILY, times=(time(8),)), False),
    ],
)  # fmt: skip
def test_a_weekend_that_somebody_chose_stays(timing, is_by_date):
    assert Plan(timing, COPENHAGEN, Holidays.NEXT).moves_weekends is is_by_date
    assert not Plan(timing, COPENHAGEN, Holidays.SKIP).moves_weekends


def test_a_wish_moved_from_a_holiday_is_there_whenever_one_looks():
    one, calendar = plan(Kind.MONTHLY, month_day="25", holidays=Holidays.NEXT), NoCron(*CHRISTMAS)
    for after in ("2026-12-24T07:00", "2026-12-25T12:00", "2026-12-27T12:00", "2026-12-28T07:59"):
        assert found(one, after, 1, calendar) == ["Mon 28 Dec 08:00 +0100"]
    assert found(one, "2026-12-28T08:00", 1, calendar) == ["Mon 25 Jan 08:00 +0100"]


def test_what_runs_by_the_hour_is_skipped_on_holidays_not_moved():
    for one in (plan(Kind.HOURLY, holidays=Holidays.NEXT), plan(Kind.INTERVAL, minutes=60, holidays=Holidays.NEXT)):
        items = list(islice(occurrences(one, local("2026-12-26T22:30"), NoCron(*CHRISTMAS)), 3))
        assert [item.is_holiday for item in items] == [True, False, False]


def test_a_wish_that_never_comes_true_ends():
    one = plan(Kind.MONTHLY, month_day="1", holidays=Holidays.SKIP)

    class Always(NoCron):
        def is_holiday(self, day: date) -> bool:
            return True

    assert all(item.is_holiday for item in occurrences(one, local("2026-01-01T00:00"), Always()))


DUE = local("2026-11-20T08:00")
GRACE = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("catch_up", "hours", "minutes_late", "verdict"),
    [
        (CatchUp.ONCE, None, 0, Verdict.START),
        (CatchUp.ONCE, None, 60 * 24 * 30, Verdict.START),
        (CatchUp.NEVER, None, 9, Verdict.START),
        (CatchUp.NEVER, None, 60, Verdict.MISSED),
        (CatchUp.LATE, 2, 119, Verdict.START),
        (CatchUp.LATE, 2, 121, Verdict.MISSED),
        # The newest of those that were missed is not too late: 23 November at 8.
        (CatchUp.LATE, 2, 3 * 24 * 60 + 60, Verdict.START),
        (CatchUp.LATE, 2, 3 * 24 * 60 + 180, Verdict.MISSED),
    ],
)
def test_after_downtime_one_run_or_none_as_was_chosen(catch_up, hours, minutes_late, verdict):
    late = tolerance(catch_up, hours, GRACE)
    assert judge(plan(Kind.WEEKDAYS), DUE, DUE + timedelta(minutes=minutes_late), late, NoCron()) is verdict


def test_a_holiday_runs_nothing_but_the_working_day_that_was_missed_after_it_does():
    one, due = plan(Kind.DAILY, holidays=Holidays.SKIP), local("2026-12-26T08:00")
    for late in (None, GRACE):
        assert judge(one, due, due + timedelta(seconds=3), late, NoCron(*CHRISTMAS)) is Verdict.HOLIDAY
    assert judge(one, due, local("2026-12-27T12:00"), None, NoCron(*CHRISTMAS)) is Verdict.START
    assert judge(one, due, local("2026-12-27T12:00"), GRACE, NoCron(*CHRISTMAS)) is Verdict.MISSED


@settings(deadline=None)
@given(TIMINGS)
def test_a_wish_is_stored_and_read_back(timing):
    assert Timing.from_json(timing.to_json()) == timing
