from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from invoiceapp.domain.schedules import CatchUp, Holidays, Kind, Plan, Timing, occurrences, tolerance
from invoiceapp.models import Outcome, ScheduleRun, db, utcnow
from invoiceapp.services.configuration.environments import AdaptorDeleted
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.daily import schedule_input, schedules
from invoiceapp.services.daily.calendar import CALENDAR, holiday_name
from invoiceapp.services.daily.schedule_words import in_words
from invoiceapp.services.errors import InvalidInput

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
EIGHT = (time(8),)
FORM = {"holidays": "run", "catch_up": "once"}


def wanted(**raw: str) -> schedule_input.Wanted:
    return schedule_input.read({**FORM, **raw})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=COPENHAGEN).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2023-05-05", "Store bededag"), ("2024-04-26", None), ("2026-05-14", "Kristi himmelfartsdag"),
        ("2026-05-15", "Dagen efter Kristi himmelfartsdag"), ("2026-05-16", None), ("2026-06-05", "Grundlovsdag"),
        ("2026-12-24", "Juleaftensdag"), ("2026-12-31", "Nytårsaftensdag"), ("2027-01-01", "Nytårsdag"),
        ("2026-05-01", None), ("2026-04-02", "Skærtorsdag"), ("2026-12-23", None),
    ],
)  # fmt: skip
def test_danish_bank_holidays(day, name):
    found = holiday_name(date.fromisoformat(day))
    assert (found and found.da) == name and CALENDAR.is_holiday(date.fromisoformat(day)) is (name is not None)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00", "2026-03-30T02:30"]),
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T02:30", "2026-10-26T02:30"]),
        ("*/30 2 * * *", "2026-03-28T12:00", ["2026-03-29T03:00", "2026-03-30T02:00", "2026-03-30T02:30"]),
        ("15 * * * *", "2026-03-29T01:00", ["2026-03-29T01:15", "2026-03-29T03:15"]),
        ("0 8 29 2 *", "2026-01-01T00:00", ["2028-02-29T08:00", "2032-02-29T08:00"]),
        ("0 0 L * *", "2026-02-01T00:00", ["2026-02-28T00:00"]),
        ("0 8 24 * *", "2026-12-01T00:00", ["2027-01-24T08:00"]),
    ],
)
def test_a_cron_expression_is_a_wish_like_any_other(expression, after, expected):
    plan = Plan(Timing(Kind.CRON, cron=expression), COPENHAGEN, Holidays.SKIP)
    found = (one.at for one in occurrences(plan, at(after), CALENDAR) if not one.is_holiday)
    assert [next(found) for _ in expected] == [at(text) for text in expected]


def test_an_hourly_cron_runs_in_both_hours_of_the_autumn():
    plan = Plan(Timing(Kind.CRON, cron="0,30 * * * *"), COPENHAGEN)
    found = occurrences(plan, at("2026-10-25T01:30"), CALENDAR)
    moments = [next(found).at for _ in range(5)]
    assert {later - earlier for earlier, later in pairwise(moments)} == {timedelta(minutes=30)}


@pytest.mark.parametrize(
    ("timing", "da", "en"),
    [
        (Timing(Kind.INTERVAL, minutes=15), "Hvert 15. minut", "Every 15 minutes"),
        (Timing(Kind.INTERVAL, minutes=1), "Hvert minut", "Every minute"),
        (Timing(Kind.INTERVAL, minutes=120), "Hver 2. time", "Every 2 hours"),
        (Timing(Kind.HOURLY, minute=5), "Hver time på minuttal 05", "Every hour at minute 05"),
        (Timing(Kind.DAILY, times=EIGHT), "Hver dag kl. 08.00", "Every day at 08:00"),
        (Timing(Kind.WEEKDAYS, times=(time(8), time(16))), "Hver hverdag kl. 08.00 og 16.00", "Every weekday at 08:00 and 16:00"),
        (
            Timing(Kind.WEEKLY, times=EIGHT, weekdays=(0, 2, 4)), "Hver mandag, onsdag og fredag kl. 08.00",
            "Every Monday, Wednesday and Friday at 08:00",
        ),
        (Timing(Kind.MONTHLY, times=EIGHT, month_day="15"), "Den 15. i måneden kl. 08.00", "On day 15 of the month at 08:00"),
        (
            Timing(Kind.MONTHLY, times=EIGHT, month_day="31"), "Den 31. i måneden (i korte måneder den sidste dag) kl. 08.00",
            "On day 31 of the month (in short months the last day) at 08:00",
        ),
        (
            Timing(Kind.MONTHLY, times=EIGHT, month_day="last-weekday"), "Den sidste hverdag i måneden kl. 08.00",
            "On the last weekday of the month at 08:00",
        ),
        (
            Timing(Kind.CRON, cron="0 8 * * 1-5"), "Hver mandag, tirsdag, onsdag, torsdag og fredag kl. 08.00",
            "Every Monday, Tuesday, Wednesday, Thursday and Friday at 08:00",
        ),
        (Timing(Kind.CRON, cron="0 8 * * 0,7"), "Hver søndag kl. 08.00", "Every Sunday at 08:00"),
        (
            Timing(Kind.CRON, cron="*/15 8-16 * * *"), "Hver dag, hvert 15. minut fra kl. 08 til 16.59",
            "Every day, every 15 minutes from 08:00 to 16:59",
        ),
        (Timing(Kind.CRON, cron="* * * * *"), "Hver dag, hvert minut i alle timer", "Every day, every minute of every hour"),
        (
            Timing(Kind.CRON, cron="5,40 */3 * * *"), "Hver dag, på minuttal 05 og 40 i timerne 00, 03, 06, 09, 12, 15, 18 og 21",
            "Every day, at minute 05 and 40 in the hours 00, 03, 06, 09, 12, 15, 18 and 21",
        ),
        (
            Timing(Kind.CRON, cron="0 6 1,15 1,7 *"), "Den 1. og 15. i måneden i januar og juli kl. 06.00",
            "On the 1st and 15th of the month in January and July at 06:00",
        ),
        (
            Timing(Kind.CRON, cron="0 6 1 * 1"), "Den 1. i måneden og hver mandag kl. 06.00",
            "On the 1st of the month and every Monday at 06:00",
        ),
        (
            Timing(Kind.CRON, cron="0 6 */2 * 1"), None, None,
        ),
        (Timing(Kind.CRON, cron="0 6 LW * *"), "Den sidste hverdag i måneden kl. 06.00", "On the last weekday of the month at 06:00"),
        (
            Timing(Kind.CRON, cron="0 6 * * 5L"), "Hver sidste fredag i måneden kl. 06.00",
            "Every last Friday of the month at 06:00",
        ),
        (
            Timing(Kind.CRON, cron="0 6 * * 1#2"), "Hver 2. mandag i måneden kl. 06.00",
            "Every second Monday of the month at 06:00",
        ),
    ],
)  # fmt: skip
def test_schedules_are_told_in_words(timing, da, en):
    words = in_words(Plan(timing, COPENHAGEN))
    if da is None:
        assert "når det er mandag" in words.da and "if it is Monday" in words.en
    else:
        assert (words.da, words.en) == (da, en)


def test_words_tell_of_holidays_and_other_zones():
    timing = Timing(Kind.WEEKDAYS, times=EIGHT)
    assert in_words(Plan(timing, COPENHAGEN, Holidays.SKIP)).da == "Hver hverdag kl. 08.00, ikke på helligdage"
    moved = in_words(Plan(timing, ZoneInfo("America/Nuuk"), Holidays.NEXT))
    assert moved.da == "Hver hverdag kl. 08.00, på helligdage i stedet næste arbejdsdag (tidszone America/Nuuk)"
    monthly = in_words(Plan(Timing(Kind.MONTHLY, times=EIGHT, month_day="1"), COPENHAGEN, Holidays.NEXT))
    assert monthly.da == "Den 1. i måneden kl. 08.00, på helligdage og i weekender næste arbejdsdag i stedet"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"kind": "never"}, "kind"), ({"kind": "interval", "minutes": "0"}, "minutes"), ({"kind": "interval"}, "minutes"),
        ({"kind": "hourly", "minute": "60"}, "minute"), ({"kind": "daily", "times": ""}, "times"),
        ({"kind": "daily", "times": "25.00"}, "times"), ({"kind": "daily", "times": "8"}, "times"),
        ({"kind": "daily", "times": ",".join(f"{h}.{m}" for h in range(10, 23) for m in (10, 20))}, "times"),
        ({"kind": "weekly", "times": "8.00", "weekdays": "7"}, "weekdays"),
        ({"kind": "monthly", "times": "8.00", "month_day": "32"}, "month_day"),
        ({"kind": "cron", "cron": "0 8 * *"}, "cron"), ({"kind": "cron", "cron": "0 0 8 * * *"}, "cron"),
        ({"kind": "cron", "cron": "0 8 30 2 *"}, "cron"), ({"kind": "cron", "cron": "x * * * *"}, "cron"),
        ({"kind": "daily", "times": "8.00", "time_zone": "../etc"}, "time_zone"),
        ({"kind": "interval", "minutes": "5", "holidays": "next"}, "holidays"),
        ({"kind": "daily", "times": "8.00", "catch_up": "late"}, "catch_up_hours"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_told_at_its_field(raw, field):
    with pytest.raises(InvalidInput) as caught:
        wanted(**raw)
    assert list(caught.value.errors) == [field] and caught.value.errors[field].da


def test_times_are_read_as_people_write_them():
    for text in (" 16:30;8.00, 08:00 ", "8.00 og 16.30", "kl. 08.00 OG 16.30", "at 08:00 and 16:30"):
        assert schedule_input.parse_times(text) == (time(8), time(16, 30))


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("61 8 * * *", "Feltet for minut kan ikke læses: 61."), ("0 25 * * *", "Feltet for time kan ikke læses: 25."),
        ("0 8 32 2 *", "Feltet for dag i måneden kan ikke læses: 32."), ("0 8 1 13 *", "Feltet for måned kan ikke læses: 13."),
        ("0 8 * * man", "Feltet for ugedag kan ikke læses: man."), ("0 8 31 2,4 *", "Datoen findes ikke"),
        (f"{'6' * 60} 8 * * *", "Feltet for minut kan ikke læses: 66666666666666666666…"),
    ],
)  # fmt: skip
def test_the_part_of_a_cron_expression_that_is_wrong_is_named(expression, told):
    with pytest.raises(InvalidInput) as caught:
        wanted(kind="cron", cron=expression)
    assert caught.value.errors["cron"].da.startswith(told) and "Bad" not in caught.value.errors["cron"].en


@pytest.mark.parametrize("timing", [
    Timing(Kind.INTERVAL, minutes=7), Timing(Kind.HOURLY, minute=0), Timing(Kind.CRON, cron="0 8 * * 1-5"),
    Timing(Kind.WEEKLY, times=(time(8), time(16, 5)), weekdays=(0, 6)), Timing(Kind.MONTHLY, times=EIGHT, month_day="last"),
])  # fmt: skip
def test_what_a_form_shows_is_what_was_stored(timing):
    assert wanted(**schedule_input.raw_of(timing)).timing == timing


def test_an_interval_begins_when_it_is_made_and_is_kept_through_other_changes(adaptor):
    row = schedules.add(adaptor.id, wanted(kind="interval", minutes="15"))
    anchor = row.anchor_at
    assert timedelta(minutes=13) < row.next_at - utcnow() <= timedelta(minutes=15)
    schedules.save(row.id, wanted(kind="interval", minutes="15", holidays="skip"))
    assert (row.anchor_at, row.next_at) == (anchor, anchor + timedelta(minutes=15))
    schedules.save(row.id, wanted(kind="daily", times="8.00"))
    assert row.next_at.astimezone(COPENHAGEN).time() == time(8)


def test_a_schedule_that_would_never_run_is_refused(adaptor):
    with pytest.raises(InvalidInput) as caught:
        schedules.add(adaptor.id, wanted(kind="cron", cron="0 8 25 12 *", holidays="skip"))
    assert "cron" in caught.value.errors and schedules.of_adaptor(adaptor.id) == []


def test_the_second_of_two_who_change_it_is_told(adaptor):
    row = schedules.add(adaptor.id, wanted(kind="daily", times="8.00"))
    shown = schedules.version(row)
    schedules.save(row.id, wanted(kind="daily", times="9.00"), shown=shown)
    schedules.save(row.id, wanted(kind="daily", times="9.00"), shown=shown)
    with pytest.raises(ChangedMeanwhile):
        schedules.save(row.id, wanted(kind="daily", times="10.00"), shown=shown)


def test_a_pause_lasts_until_its_day_or_until_somebody_resumes(adaptor):
    row = schedules.add(adaptor.id, wanted(kind="daily", times="8.00"))
    schedules.pause(row.id, "")
    assert row.next_at is None and schedules.upcoming(row) == [] and not schedules.is_scheduled(adaptor.id)
    schedules.resume(row.id)
    assert schedules.next_due(adaptor.id) == row.next_at and not schedules.is_paused(row)
    until = (utcnow() + timedelta(days=40)).astimezone(COPENHAGEN).date()
    schedules.pause(row.id, until.isoformat())
    expected = datetime.combine(until, time(8), COPENHAGEN).astimezone(UTC)
    assert row.next_at == expected and schedules.is_paused(row) and schedules.is_scheduled(adaptor.id)
    assert schedules.upcoming(row, 1)[0].at == expected and not schedules.is_paused(row, expected)
    for wrong in ("i morgen", utcnow().date().isoformat()):
        with pytest.raises(InvalidInput):
            schedules.pause(row.id, wrong)


def test_the_next_runs_tell_of_the_clock_and_leave_holidays_out(make_schedule):
    row = make_schedule(Timing(Kind.DAILY, times=(time(2, 30),)), holidays=Holidays.SKIP)
    spring = schedules.upcoming(row, 3, at("2026-03-27T12:00"))
    assert [(one.at.day, one.change, one.wished) for one in spring] == [
        (28, 0, None),
        (29, 1, time(2, 30)),
        (30, 0, None),
    ]
    autumn = schedules.upcoming(row, 3, at("2026-10-24T12:00"))
    assert [one.change for one in autumn] == [0, -1, 0]
    assert [one.at.day for one in schedules.upcoming(row, 2, at("2026-12-23T12:00"))] == [27, 28]


def test_nothing_is_changed_of_an_adaptor_that_is_deleted(adaptor, make_schedule):
    row = make_schedule()
    adaptor.deleted_at = utcnow()
    db.session.commit()
    for change in (
        lambda: schedules.add(adaptor.id, wanted(kind="daily", times="8.00")),
        lambda: schedules.save(row.id, wanted(kind="daily", times="8.00")),
        lambda: schedules.pause(row.id, ""), lambda: schedules.resume(row.id), lambda: schedules.remove(row.id),
    ):  # fmt: skip
        with pytest.raises(AdaptorDeleted):
            change()


def test_a_deleted_schedule_leaves_nothing_behind(adaptor, make_schedule):
    row = make_schedule()
    db.session.add(ScheduleRun(schedule_id=row.id, adaptor_id=adaptor.id, due_at=utcnow()))
    db.session.commit()
    schedules.remove(row.id)
    assert schedules.of_adaptor(adaptor.id) == []


def test_what_should_have_run_and_did_not_is_overdue(adaptor, make_schedule):
    now = utcnow()
    fine, late, missed, waiting, again = (make_schedule(next_at=now + timedelta(hours=1)) for _ in range(5))
    late.next_at = now - timedelta(hours=1)

    def claim(row, hours, outcome):
        db.session.add(
            ScheduleRun(schedule_id=row.id, adaptor_id=adaptor.id, due_at=now - timedelta(hours=hours), outcome=outcome)
        )

    claim(fine, 2, Outcome.HOLIDAY)
    claim(missed, 3, Outcome.MISSED)
    claim(waiting, 4, None)
    claim(again, 6, Outcome.MISSED)
    claim(again, 5, Outcome.STARTED)
    db.session.commit()
    found = {one.schedule.id: (one.due_at, one.outcome) for one in schedules.overdue(now)}
    assert found == {
        late.id: (now - timedelta(hours=1), None), missed.id: (now - timedelta(hours=3), Outcome.MISSED),
        waiting.id: (now - timedelta(hours=4), None),
    }  # fmt: skip
    adaptor.active = False
    db.session.commit()
    assert schedules.overdue(now) == []


def test_how_late_is_late():
    late = {CatchUp.ONCE: None, CatchUp.NEVER: schedules.GRACE, CatchUp.LATE: timedelta(hours=3)}
    assert {policy: tolerance(policy, 3, schedules.GRACE) for policy in CatchUp} == late


def test_a_schedule_whose_zone_is_gone_is_shown_and_is_never_due(make_schedule):
    row = make_schedule(time_zone="Europe/Gone")
    assert schedules.upcoming(row) == [] and schedules.next_after(row, utcnow()) is None
    assert "Europe/Gone" in in_words(schedules.plan_of(row)).da
    schedules.pause(row.id, "")
    schedules.resume(row.id)
    assert row.active and row.next_at is None


def test_schedules_that_are_dropped_are_held_first(adaptor, make_schedule):
    row, asked = make_schedule(), list[str]()
    listen = lambda *arguments: asked.append(arguments[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    schedules.drop([row.id])
    event.remove(db.engine, "before_cursor_execute", listen)
    assert [one.split()[0] for one in asked[-3:]] == ["SELECT", "DELETE", "DELETE"]
    if db.engine.dialect.name == "postgresql":
        assert asked[-3].endswith("FOR UPDATE")
