from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from support import population

from invoiceapp.jobs import tasks
from invoiceapp.models import Job, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.reach import matching, nights, recheck

DENMARK = ZoneInfo("Europe/Copenhagen")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture(autouse=True)
def out_there(monkeypatch):
    return population.install(monkeypatch)


def due(here):
    here.adaptor.next_match_at = utcnow() - timedelta(minutes=1)
    db.session.commit()


def jobs():
    db.session.expire_all()
    return list(db.session.scalars(select(Job).where(Job.kind == matching.KIND)))


def test_the_first_check_plans_the_night(here):
    here.customer()
    job_id = matching.start(here.adaptor.id, "anna")
    tasks.work(job_id)
    db.session.expire_all()
    planned = here.adaptor.next_match_at
    assert planned > utcnow() and planned.astimezone(DENMARK).hour == 3


def test_the_clock_starts_what_is_due_once_a_night(here):
    here.customer()
    due(here)
    tick()
    (job,) = jobs()
    assert job.parameters == {"nightly": True} and job.actor == "system"
    assert here.adaptor.next_match_at > utcnow()
    tick()
    assert len(jobs()) == 1


def test_two_clocks_start_one_check(here, monkeypatch):
    due(here)
    assert recheck.claim_due() == [here.adaptor.id] and recheck.claim_due() == []


def test_a_night_while_a_check_goes_on_starts_no_second_one(here):
    due(here)
    matching.start(here.adaptor.id, "anna")
    assert recheck.start_due() == 0 and len(jobs()) == 1


@pytest.mark.parametrize("stored", [{"lookup": "live", "recheck": False}, None])
def test_where_it_is_switched_off_or_there_is_no_network_gateway_nothing_is_asked(here, stored):
    due(here)
    if stored is None:
        here.network.kind = "sftp"
    else:
        here.network.config = stored
    db.session.commit()
    assert recheck.start_due() == 0 and jobs() == []
    db.session.expire_all()
    assert here.adaptor.next_match_at > utcnow()


def test_an_adaptor_at_rest_is_not_checked(here):
    due(here)
    here.adaptor.active = False
    db.session.commit()
    assert recheck.start_due() == 0


def test_the_hour_is_danish_and_the_minute_the_adaptors_own():
    before_summer = datetime(2026, 3, 28, 12, tzinfo=UTC)
    found = {nights.next_time(f"adaptor {number}", 4, before_summer) for number in range(40)}
    assert {one.astimezone(DENMARK).hour for one in found} == {4}
    assert {one.astimezone(DENMARK).date().isoformat() for one in found} == {"2026-03-29"}
    assert len({one.minute for one in found}) > 15


def test_the_next_night_is_never_now_or_before():
    moment = nights.next_time("adaptor", 3, datetime(2026, 11, 23, 12, tzinfo=UTC))
    following = nights.next_time("adaptor", 3, moment)
    assert following - moment == timedelta(days=1)
