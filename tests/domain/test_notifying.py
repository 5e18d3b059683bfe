from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoiceapp.domain.notifying import SETTLING, Hours, Rhythm

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
NIGHT = Hours(quiet_from=time(18), quiet_until=time(7, 30))
times = st.times(timezones=st.none()).map(lambda at: at.replace(second=0, microsecond=0))
moments = st.datetimes(datetime(2024, 1, 1), datetime(2034, 1, 1), timezones=st.just(UTC))


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=COPENHAGEN)


@pytest.mark.parametrize(
    ("rhythm", "now", "expected"),
    [
        (Rhythm.NOW, local(2026, 11, 23, 10), local(2026, 11, 23, 10, 2)),
        (Rhythm.HOURLY, local(2026, 11, 23, 10, 0, 1), local(2026, 11, 23, 11)),
        (Rhythm.DAILY, local(2026, 11, 23, 7), local(2026, 11, 23, 7, 30)),
        (Rhythm.DAILY, local(2026, 11, 23, 7, 30), local(2026, 11, 24, 7, 30)),
        # Saturday to Sunday, when the clock goes back.
        (Rhythm.DAILY, local(2026, 10, 24, 12), local(2026, 10, 25, 7, 30)),
    ],
)
def test_each_rhythm_has_its_time(rhythm, now, expected):
    assert Hours().mail_at(rhythm, now) == expected


def test_who_wants_nothing_gets_nothing():
    assert Hours().mail_at(Rhythm.OFF, local(2026, 11, 23, 10)) is None


def test_a_daily_time_that_spring_leaves_out_comes_all_the_same():
    hours = Hours(daily_at=time(2, 30))
    assert hours.mail_at(Rhythm.DAILY, local(2026, 3, 28, 12)) == local(2026, 3, 29, 3, 30)


def test_quiet_hours_over_midnight_wait_until_the_morning():
    assert NIGHT.mail_at(Rhythm.NOW, local(2026, 11, 23, 17, 59)) == local(2026, 11, 24, 7, 30)
    assert NIGHT.mail_at(Rhythm.NOW, local(2026, 11, 23, 3)) == local(2026, 11, 23, 7, 30)
    assert NIGHT.mail_at(Rhythm.NOW, local(2026, 11, 23, 12)) == local(2026, 11, 23, 12, 2)


@pytest.mark.parametrize(
    ("minute", "expected"), [(5, 30), (35, 90)], ids=["the second time", "the second time is over"]
)
def test_quiet_hours_end_in_the_second_of_two_autumn_hours_too(minute, expected):
    hours = Hours(daily_at=time(2, 30), quiet_from=time(22), quiet_until=time(2, 30))
    now = datetime(2026, 10, 25, 1, minute, tzinfo=UTC)  # 02.05 and 02.35, for the second time
    quiet = hours.is_quiet(now)
    assert quiet is (minute == 5)
    if quiet:
        assert hours.mail_at(Rhythm.NOW, now) == now.replace(minute=expected)
    # A digest comes once a day all the same.
    assert hours.mail_at(Rhythm.DAILY, now) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@settings(deadline=None)
@given(
    rhythm=st.sampled_from([Rhythm.NOW, Rhythm.HOURLY, Rhythm.DAILY]), now=moments, daily=times, begin=times, end=times
)
def test_every_mail_leaves_outside_of_the_quiet_hours_and_within_two_days(rhythm, now, daily, begin, end):
    hours = Hours(daily_at=daily, quiet_from=begin, quiet_until=end)
    found = hours.mail_at(rhythm, now)
    assert found is not None
    # In the hour that comes twice in autumn the morning may come, and be night again.
    twice = (
        found.astimezone(COPENHAGEN).replace(fold=0).utcoffset()
        != found.astimezone(COPENHAGEN).replace(fold=1).utcoffset()
    )
    assert not hours.is_quiet(found) or twice
    assert now < found <= now + timedelta(days=2, hours=1) + SETTLING
