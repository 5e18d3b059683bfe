"""``flask health``'s answer: what stops everything, what needs a person, and what is fine."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from types import SimpleNamespace

import fakeredis
import pytest
from rq.job import JobStatus
from sqlalchemy import text

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Stage, db, utcnow
from invoiceapp.services.bell import Kind
from invoiceapp.services.daily import health
from invoiceapp.services.daily.health import Level
from invoiceapp.services.operations import overall, readiness
from invoiceapp.services.operations.counts import Open
from invoiceapp.services.operations.overall import Row, Verdict

ALL = ",".join(kind.value for kind in Kind)


@pytest.fixture
def well(app, monkeypatch):
    """A database with all migrations, Redis, one worker for everything, and a clock that ticks."""
    connection = fakeredis.FakeStrictRedis(version=(7,))
    app.extensions["invoiceapp.redis"] = app.extensions["invoiceapp.bell"] = connection
    connection.sadd("rq:workers", "rq:worker:one")
    connection.hset("rq:worker:one", "queues", ALL)
    monkeypatch.setattr(readiness, "redis", lambda: readiness.OK)
    monkeypatch.setattr(readiness, "migration", lambda: readiness.OK)
    tick = SimpleNamespace(started_at=utcnow(), created_at=utcnow(), get_status=lambda refresh: JobStatus.FINISHED)
    monkeypatch.setattr(health.QueuedJob, "fetch", lambda *_arguments, **_options: tick)
    return connection


def bad(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.part, row.name) for row in rows if row.level is Level.BAD]


def test_an_installation_without_adaptors_is_fine(well):
    rows = overall.look()
    assert (bad(rows), overall.verdict(rows)) == ([], Verdict.FINE)
    parts = {row.part for row in rows}
    assert {"database", "migration", "redis", "work", "waiting", "rules", "workers", "expiry"} <= parts
    assert {row.name for row in rows if row.part == "work"} == {kind.value for kind in Kind}


def test_an_adaptor_that_nobody_has_connected_needs_a_person(well, adaptor):
    adaptor.organization = None
    db.session.commit()
    rows = overall.look()
    assert bad(rows) == [("source", "")] and overall.verdict(rows) is Verdict.NEEDS_PERSON


def test_a_deleted_adaptor_concerns_nobody(well, adaptor):
    adaptor.organization, adaptor.deleted_at = None, utcnow()
    db.session.commit()
    assert overall.verdict(overall.look()) is Verdict.FINE


def test_a_kind_of_work_that_nobody_does_means_that_it_does_not_work(well):
    well.hset("rq:worker:one", "queues", ALL.replace("convert,", ""))
    rows = overall.look()
    assert bad(rows) == [("work", "convert")] and overall.verdict(rows) is Verdict.NOT_WORKING


def test_a_database_that_is_behind_is_not_asked_for_more(well, monkeypatch):
    monkeypatch.setattr(readiness, "migration", lambda: "at 0001, needs 0024: run flask db upgrade")
    monkeypatch.setattr(overall, "reading", lambda: pytest.fail("asked"))
    rows = overall.look()
    assert bad(rows) == [("migration", "")] and overall.verdict(rows) is Verdict.NOT_WORKING


def test_without_redis_nothing_works_and_everything_else_is_told(app):
    db.session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    db.session.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    db.session.commit()
    rows = overall.look()
    assert bad(rows) == [("redis", ""), ("workers", "")] and overall.verdict(rows) is Verdict.NOT_WORKING
    assert {"waiting", "rules"} <= {row.part for row in rows}


def test_what_works_again_by_itself_needs_nobody():
    rows = [Row("gateway", Level.WATCH, "Does not answer"), Row("source", Level.REST, "Off")]
    assert overall.verdict(rows) is Verdict.FINE


def test_the_oldest_that_waits_is_told(well, adaptor, make_customer, make_document):
    make_document(make_customer(), stage=Stage.QUEUED, created_at=utcnow() - timedelta(hours=2, minutes=5, seconds=9))
    [row] = [row for row in overall.look() if row.part == "waiting"]
    assert row.text == "1 documents to convert, 0 to send; the oldest was booked 2 h 5 min ago"


def test_what_a_worker_has_taken_to_send_still_has_to_be_sent(well, adaptor, monkeypatch):
    states = (DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.SENDING, DeliveryState.FAILED)
    monkeypatch.setattr(overall.counts, "deliveries", lambda _now: [Open("http", state, 2, 0) for state in states])
    [row] = [row for row in overall.look() if row.part == "waiting"]
    assert row.text.startswith("0 documents to convert, 6 to send")


def test_missing_rules_matter_where_they_are_required(well, monkeypatch, config):
    monkeypatch.setattr(overall, "config", lambda: dataclasses.replace(config, require_official_rules=True))
    rows = overall.look()
    assert bad(rows) == [("rules", "peppol"), ("rules", "oioubl")] and overall.verdict(rows) is Verdict.NEEDS_PERSON
