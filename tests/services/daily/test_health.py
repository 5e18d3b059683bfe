"""How source, gateways, schedule, certificates and workers are."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisDown
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.jobs.clock import ENTRIES
from invoiceapp.models import ArchiveCheck, Damage, DamagedFile, Mail, MailState, Run, RunState, db, utcnow
from invoiceapp.models.schedule import Outcome, Schedule, ScheduleRun
from invoiceapp.services.daily import health
from invoiceapp.services.daily.health import Level, Part


@pytest.fixture(autouse=True)
def tick(monkeypatch):
    """The record of the last tick; an exception instead where ``record`` holds one."""
    kept = SimpleNamespace(record=_ticked(2))

    def fetch(*_arguments, **_options):
        if isinstance(kept.record, Exception):
            raise kept.record
        return kept.record

    monkeypatch.setattr(health.QueuedJob, "fetch", fetch)
    return kept


def _ticked(seconds: float, status: JobStatus = JobStatus.FINISHED) -> SimpleNamespace:
    return SimpleNamespace(
        started_at=utcnow() - timedelta(seconds=seconds), created_at=utcnow(), get_status=lambda refresh: status
    )


@pytest.fixture
def line(adaptor):
    """``line(part)``: how the only one of this part is."""

    def find(part: Part) -> health.Line:
        db.session.commit()
        (found,) = [one for one in health.of_adaptors([adaptor.id]) if one.part is part]
        return found

    return find


@pytest.mark.parametrize(
    ("columns", "level"),
    [
        ({"source_checked_at": utcnow()}, Level.GOOD),
        ({}, Level.WATCH),
        ({"organization": None}, Level.BAD),
        ({"source_error": {"da": "Tokenet blev afvist.", "en": "The token was refused."}}, Level.BAD),
        ({"active": False}, Level.REST),
    ],
)
def test_the_source_is_judged_by_its_last_answer(adaptor, line, columns, level):
    for name, value in columns.items():
        setattr(adaptor, name, value)
    found = line(Part.SOURCE)
    assert (found.level, found.row_id) == (level, adaptor.id)


def test_what_the_source_said_is_told(adaptor, line):
    adaptor.source_error = {"da": "Tokenet blev afvist.", "en": "The token was refused."}
    assert line(Part.SOURCE).text.en == "The token was refused."


@pytest.fixture
def schedule(adaptor):
    """``schedule(minutes)``: one that is due in so many minutes; None for a paused one."""

    def make(minutes: int | None) -> Schedule:
        due = None if minutes is None else utcnow() + timedelta(minutes=minutes)
        row = Schedule(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, timing={}, next_at=due)
        db.session.add(row)
        db.session.commit()
        return row

    return make


@pytest.mark.parametrize(
    ("minutes", "level"), [(5, Level.GOOD), (-1, Level.GOOD), (-11, Level.BAD), (None, Level.REST)]
)
def test_a_schedule_is_judged_by_its_next_run(schedule, line, minutes, level):
    schedule(minutes)
    assert line(Part.SCHEDULE).level is level


def test_an_adaptor_without_a_schedule_is_at_rest(line):
    found = line(Part.SCHEDULE)
    assert found.level is Level.REST
    assert found.advice is not None


@pytest.mark.parametrize(
    ("outcome", "state", "level"),
    [
        (Outcome.STARTED, RunState.FINISHED, Level.GOOD),
        (Outcome.STARTED, RunState.FAILED, Level.BAD),
        (Outcome.MISSED, None, Level.WATCH),
        (Outcome.HOLIDAY, None, Level.GOOD),
    ],
)
def test_the_newest_planned_time_counts(adaptor, schedule, line, outcome, state, level):
    row = schedule(5)
    run = None
    if state:
        run = Run(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="schedule", state=state,
            finished_at=utcnow(),
        )  # fmt: skip
        db.session.add(run)
        db.session.flush()
    for minutes, what, run_id in ((60, Outcome.MISSED, None), (30, outcome, run.id if run else None)):
        due = utcnow() - timedelta(minutes=minutes)
        db.session.add(ScheduleRun(schedule_id=row.id, adaptor_id=adaptor.id, due_at=due, outcome=what, run_id=run_id))
    assert line(Part.SCHEDULE).level is level


@pytest.mark.parametrize(
    ("columns", "level"),
    [
        ({}, Level.GOOD),
        ({"failing_since": utcnow(), "failures": 6}, Level.WATCH),
        ({"paused_at": utcnow(), "paused_reason": {"da": "x", "en": "x"}}, Level.BAD),
        ({"paused_at": utcnow(), "paused_reason": {"da": "x", "en": "x", "by": "ejer@example.com"}}, Level.WATCH),
    ],
)
def test_a_gateway_in_use_is_judged_by_whether_it_sends(make_customer, gateway, line, columns, level):
    make_customer()
    for name, value in columns.items():
        setattr(gateway, name, value)
    assert line(Part.GATEWAY).level is level


def test_a_gateway_that_nobody_uses_is_not_shown(adaptor, gateway, make_customer):
    make_customer(active=False)
    assert all(one.part is not Part.GATEWAY for one in health.of_adaptors([adaptor.id]))


def test_a_gateway_tells_its_last_success(make_customer, make_document, make_delivery, line):
    moment, customer = utcnow() - timedelta(hours=3), make_customer()
    today = utcnow().date()
    make_delivery(make_document(customer, issue_date=today), DeliveryState.DELIVERED, finished_at=moment)
    make_delivery(make_document(customer, "2", issue_date=today), DeliveryState.REJECTED, finished_at=utcnow())
    assert line(Part.GATEWAY).since == moment


@pytest.mark.parametrize(("days", "level"), [(90, Level.GOOD), (20, Level.WATCH), (0.5, Level.BAD), (-1, Level.BAD)])
def test_certificates_that_end_are_told_in_time(gateway, line, days, level):
    ends = (utcnow() + timedelta(days=days)).isoformat()
    gateway.expiries = [{"field": "certificate", "da": "Certifikat", "en": "Certificate", "ends": ends}]
    assert line(Part.EXPIRY).level is level


@pytest.mark.parametrize(
    ("state", "error", "level"),
    [
        (None, None, Level.GOOD),
        (MailState.SENT, {"da": "x", "en": "x"}, Level.GOOD),
        (MailState.PENDING, None, Level.GOOD),
        (MailState.PENDING, {"da": "x", "en": "x"}, Level.WATCH),
        (MailState.FAILED, {"da": "x", "en": "x"}, Level.BAD),
        (MailState.FAILED, None, Level.GOOD),
    ],
)
def test_our_mails_are_judged_by_the_newest(adaptor, line, monkeypatch, state, error, level):
    assert line(Part.MAIL).level is Level.REST
    monkeypatch.setattr(health.mailing, "is_set_up", lambda: True)
    if state:
        values = {
            "to": "a@example.com",
            "language": "da",
            "subject": "s",
            "text": "t",
            "html": "h",
            "message_id": "<m>",
        }
        db.session.add(
            Mail(subscription_id=adaptor.subscription_id, state=state, error=error, ends_at=utcnow(), **values)
        )
    assert line(Part.MAIL).level is level


@pytest.mark.parametrize(
    ("record", "level"),
    [
        (lambda: _ticked(2), Level.GOOD),
        (lambda: _ticked(60), Level.WATCH),
        (lambda: _ticked(2, JobStatus.FAILED), Level.BAD),
        (NoSuchJobError, Level.BAD),
        (RedisDown, Level.BAD),
    ],
)
def test_workers_are_judged_by_the_newest_tick(tick, line, record, level):
    tick.record = record()
    assert line(Part.WORKERS).level is level


def test_the_clock_keeps_its_ticks_where_health_looks():
    assert health.TICK in ENTRIES


def test_deliveries_that_nobody_moves_are_told_of_even_if_no_worker_works(adaptor, ready, tick, line):
    tick.record = NoSuchJobError()
    ready(next_at=utcnow() - timedelta(hours=1))
    assert [one for one in health.of_adaptors([adaptor.id]) if one.part is Part.STUCK] == []
    due = utcnow() - timedelta(hours=3)
    ready("1002", next_at=due)
    found = line(Part.STUCK)
    assert (found.level, found.since) == (Level.BAD, due)
    assert found.text.en.startswith("1 document has come to a standstill")


def test_the_archive_is_told_of_once_it_was_verified_and_again_where_it_is_damaged(adaptor, ready, line):
    ready("1001")
    assert [one for one in health.of_adaptors([adaptor.id]) if one.part is Part.ARCHIVE] == []
    now = utcnow()
    db.session.add(ArchiveCheck(day=now.date(), until="f" * 64, finished_at=now))
    found = line(Part.ARCHIVE)
    assert (found.level, found.since) == (Level.GOOD, now)
    db.session.add(DamagedFile(sha256=hashlib.sha256(b"<Invoice>1001</Invoice>").hexdigest(), damage=Damage.MISSING))
    found = line(Part.ARCHIVE)
    assert found.level is Level.BAD and "1001" in found.text.da and "driver serveren" in found.advice.da
    assert found.since == db.session.query(DamagedFile).one().found_at
