from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from invoiceapp.blueprints.schedules.words import note
from invoiceapp.domain.schedules import Holidays, Kind, Timing
from invoiceapp.models import Adaptor, Outcome, Run, RunState, Schedule, ScheduleRun, db, utcnow
from invoiceapp.services.daily.schedules import Upcoming

Make = Callable[..., Any]
COMMON = {"holidays": "skip", "catch_up": "once", "time_zone": "Europe/Copenhagen"}
WEEKDAYS = {"kind": "weekdays", "times": "8.00, 16.00", **COMMON}


def rows() -> list[Schedule]:
    db.session.expire_all()
    return list(db.session.scalars(select(Schedule)))


def test_without_a_schedule_the_page_offers_one(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    page = signed_in.get("/schedules").text
    assert "Intet kører af sig selv" in page and f'href="/schedules/{adaptor.id}/new"' in page


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_asks_for_its_own_fields_only(signed_in: FlaskClient, adaptor: Adaptor, kind: Kind) -> None:
    page = signed_in.get(f"/schedules/{adaptor.id}/new?kind={kind.value}").text
    shown = {name for name in ("minutes", "minute", "times", "month_day", "cron") if f'id="field-{name}"' in page}
    expected = {
        Kind.INTERVAL: {"minutes"}, Kind.HOURLY: {"minute"}, Kind.MONTHLY: {"times", "month_day"}, Kind.CRON: {"cron"},
    }  # fmt: skip
    assert shown == expected.get(kind, {"times"})
    assert ('id="field-weekdays"' in page) is (kind is Kind.WEEKLY)
    assert ('value="next"' in page) is (kind not in (Kind.INTERVAL, Kind.HOURLY))


def test_a_schedule_is_made_shown_in_words_changed_and_deleted(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    answer = submit(signed_in, f"/schedules/{adaptor.id}/new", WEEKDAYS)
    assert (answer.status_code, answer.location) == (303, f"/schedules?adaptor={adaptor.id}")
    assert "Hver hverdag kl. 08.00 og 16.00, ikke på helligdage" in signed_in.get("/schedules").text
    [row] = rows()
    page = signed_in.get(f"/schedules/{row.id}/edit").text
    assert 'value="08.00, 16.00"' in page
    form = {"kind": "weekly", "times": "9.00", "weekdays": ["0", "4"], **COMMON}
    assert submit(signed_in, f"/schedules/{row.id}/edit", form).status_code == 409, "without what the form showed"
    version = page.split('name="version" value="')[1].split('"')[0]
    assert submit(signed_in, f"/schedules/{row.id}/edit", {**form, "version": version}).status_code == 303
    assert rows()[0].timing["weekdays"] == [0, 4]
    assert submit(signed_in, f"/schedules/{row.id}/delete").status_code == 303
    assert rows() == []


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    form = {"kind": "weekly", "times": "klokken otte", **COMMON, "catch_up": "late", "catch_up_hours": ""}
    answer = submit(signed_in, f"/schedules/{adaptor.id}/new", form)
    assert answer.status_code == 422 and rows() == []
    for name in ("times", "weekdays", "catch_up_hours"):
        assert f'href="#field-{name}"' in answer.text and f'id="field-{name}-error"' in answer.text
    assert 'value="klokken otte"' in answer.text


def test_the_next_runs_can_be_seen_before_anything_is_saved(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    page = submit(signed_in, f"/schedules/{adaptor.id}/new", {**WEEKDAYS, "preview": "1"})
    assert page.status_code == 200 and rows() == []
    assert "Ikke gemt endnu" in page.text and page.text.count(" kl. 08.00") + page.text.count(" kl. 16.00") >= 5
    never = {"kind": "cron", "cron": "0 8 25 12 *", **COMMON}
    assert "Den ville aldrig køre." in submit(signed_in, f"/schedules/{adaptor.id}/new", {**never, "preview": "1"}).text
    assert submit(signed_in, f"/schedules/{adaptor.id}/new", never).status_code == 422


def test_it_can_be_paused_until_a_day_and_resumed(signed_in: FlaskClient, make_schedule: Make, submit: Any) -> None:
    row = make_schedule()
    key, until = row.id, (utcnow() + timedelta(days=9)).date().isoformat()
    wrong = submit(signed_in, f"/schedules/{key}/pause", {"until": "2020-01-01"})
    assert wrong.status_code == 422 and f'href="#until-{key}"' in wrong.text
    assert "På pause til" in submit(signed_in, f"/schedules/{key}/pause", {"until": until}, follow_redirects=True).text
    submit(signed_in, f"/schedules/{key}/resume")
    submit(signed_in, f"/schedules/{key}/pause")
    assert "På pause, indtil nogen genoptager den" in signed_in.get("/schedules").text and rows()[0].next_at is None
    submit(signed_in, f"/schedules/{key}/resume")
    assert rows()[0].next_at is not None


def test_outcomes_are_told_in_words(signed_in: FlaskClient, adaptor: Adaptor, make_schedule: Make) -> None:
    row = make_schedule(Timing(Kind.DAILY, times=(time(8),)), holidays=Holidays.SKIP)
    christmas = datetime(2025, 12, 24, 7, tzinfo=UTC)
    for number, outcome in enumerate((Outcome.HOLIDAY, Outcome.MISSED, Outcome.BUSY, Outcome.PAUSED, None)):
        due = christmas + timedelta(days=number)
        db.session.add(ScheduleRun(schedule_id=row.id, adaptor_id=adaptor.id, due_at=due, outcome=outcome))
    db.session.commit()
    page = signed_in.get("/schedules").text
    for words in ("Ikke kørt: Juleaftensdag", "Ikke kørt: serveren var nede", "En anden kørsel var i gang", "Ikke kørt: på pause",
                  "Venter på at starte"):  # fmt: skip
        assert words in page
    assert "ons. 24. dec. 2025 kl. 08.00" in page


def test_of_a_run_that_was_started_it_is_told_how_it_went(
    signed_in: FlaskClient, adaptor: Adaptor, make_schedule: Make
) -> None:
    row = make_schedule()
    wrong = [{"id": "7", "da": "Kan ikke læses", "en": "Cannot be read"}]
    runs = [
        Run(state=RunState.FINISHED, read=1200), Run(state=RunState.FINISHED, read=3, problems=wrong),
        Run(state=RunState.FAILED), Run(state=RunState.RUNNING),
    ]  # fmt: skip
    for number, run in enumerate(runs):
        run.subscription_id, run.adaptor_id, run.trigger = adaptor.subscription_id, adaptor.id, "schedule"
        db.session.add(run)
        db.session.flush()
        due = utcnow() - timedelta(hours=9 - number)
        claim = ScheduleRun(
            schedule_id=row.id, adaptor_id=adaptor.id, due_at=due, outcome=Outcome.STARTED, run_id=run.id
        )
        db.session.add(claim)
    db.session.commit()
    page = signed_in.get("/schedules").text
    told = ("Færdig, 1.200 hentet", "Færdig, 3 hentet, 1 kunne ikke læses", "Stoppet af en fejl", "Kører")
    for run, words in zip(runs, told, strict=True):
        assert f'href="/runs/{run.id}">{words}</a>' in page


@pytest.mark.parametrize(
    ("change", "wished", "at", "by_the_hour", "expected"),
    [
        (1, None, "2027-03-31T08:00+02:00", False, ""),
        (1, time(2, 30), "2027-03-28T03:00+02:00", False, "02.30 findes ikke den nat"),
        (0, None, "2027-10-31T02:30+02:00", False, "02.30 kommer to gange den nat"),
        (-1, None, "2027-11-01T08:00+01:00", False, ""),
        (1, None, "2027-03-28T03:00+02:00", True, "stillet frem"),
        (-1, None, "2027-10-31T02:00+01:00", True, "stillet tilbage"),
    ],
)
def test_the_clock_is_told_of_at_the_very_run_that_it_moves(
    app: Flask, change: int, wished: time | None, at: str, by_the_hour: bool, expected: str
) -> None:
    one = Upcoming(datetime.fromisoformat(at).astimezone(ZoneInfo("Europe/Copenhagen")), change, wished)
    with app.test_request_context():
        told = note(one, follows_real_time=by_the_hour)
    assert expected in told and bool(told) is bool(expected)


def test_members_look_and_do_not_touch(member: FlaskClient, adaptor: Adaptor, make_schedule: Make, submit: Any) -> None:
    key = make_schedule().id
    page = member.get("/schedules").text
    assert "Hvert 15. minut" in page and "/edit" not in page and "/delete" not in page
    for path in (f"/schedules/{adaptor.id}/new", f"/schedules/{key}/edit"):
        assert member.get(path).status_code == 403
    for path in (f"{adaptor.id}/new", f"{key}/edit", f"{key}/pause", f"{key}/resume", f"{key}/delete"):
        assert submit(member, f"/schedules/{path}", WEEKDAYS).status_code == 403
    assert len(rows()) == 1


def test_strangers_find_nothing(stranger: FlaskClient, adaptor: Adaptor, make_schedule: Make, submit: Any) -> None:
    key = make_schedule().id
    for path in (f"/schedules?adaptor={adaptor.id}", f"/schedules/{adaptor.id}/new", f"/schedules/{key}/edit"):
        assert stranger.get(path).status_code == 404
    for path in (f"{adaptor.id}/new", f"{key}/edit", f"{key}/pause", f"{key}/resume", f"{key}/delete"):
        assert submit(stranger, f"/schedules/{path}", WEEKDAYS).status_code == 404
    assert len(rows()) == 1
