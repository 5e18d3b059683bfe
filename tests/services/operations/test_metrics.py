"""The figures: what is counted, by which labels, and that nothing of a customer is in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import fakeredis
import pytest
from flask import Flask
from prometheus_client import parser
from sqlalchemy import event, func, select, text, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    ArchiveCheck,
    Attempt,
    Damage,
    DamagedFile,
    Delivery,
    Gateway,
    Job,
    Run,
    Stage,
    db,
    new_id,
    utcnow,
)
from invoiceapp.models.types import id_at
from invoiceapp.services import bell
from invoiceapp.services.operations import counts
from invoiceapp.services.operations.metrics import Figures

S = DeliveryState


@pytest.fixture
def redis(app: Flask) -> fakeredis.FakeStrictRedis:
    """The app's Redis, in this process."""
    connection = fakeredis.FakeStrictRedis(version=(7,))
    app.extensions["invoiceapp.redis"] = app.extensions["invoiceapp.bell"] = connection
    return connection


def figures() -> dict[str, dict[tuple[str, ...], float]]:
    """By name without prefix, then by the labels' values in the order of the labels' names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parser.text_string_to_metric_families(Figures().text().decode()):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            found.setdefault(sample.name.removeprefix("invoiceapp_"), {})[labels] = sample.value
    return found


def attempt(delivery: Delivery, outcome: str | None, *, ago: float = 60, **columns: Any) -> None:
    begun = utcnow() - timedelta(seconds=ago)
    number = columns.pop("number", 1)
    row = Attempt(
        id=id_at(begun) + new_id()[10:], delivery_id=delivery.id, number=number, fence=1, outcome=outcome, **columns
    )
    db.session.add(row)
    db.session.commit()


def test_documents_are_counted_by_where_they_are(make_customer, make_document, make_delivery):
    customer = make_customer()
    for number in ("1", "2"):
        make_document(customer, number, stage=Stage.QUEUED)
    make_delivery(make_document(customer, "3"), S.FAILED)
    found = figures()
    assert found["documents"][("queued",)] == 2 and found["documents"][("failed",)] == 1
    assert found["documents_to_convert"][()] == 2


def test_deliveries_that_are_not_over_are_counted_by_gateway_and_state_with_the_age_of_the_first(
    make_customer, make_document, make_delivery
):
    customer, now = make_customer(), utcnow()
    make_delivery(make_document(customer, "1"), next_at=now - timedelta(seconds=300))
    make_delivery(make_document(customer, "2"), next_at=now + timedelta(hours=1))
    make_delivery(
        make_document(customer, "3"), S.OUTCOME_UNKNOWN, transport="as2", updated_at=now - timedelta(seconds=50)
    )
    make_delivery(make_document(customer, "4"), S.DELIVERED, next_at=None)
    make_delivery(make_document(customer, "5"), S.ACCEPTED, transport="as2")
    make_delivery(make_document(customer, "6"), S.ACCEPTED, next_at=None)
    found = figures()
    assert found["deliveries"] == {("fake", "pending"): 2, ("as2", "outcome_unknown"): 1}
    assert found["deliveries_awaiting_receipt"] == {("as2",): 1}
    assert found["oldest_delivery_seconds"][("fake", "pending")] == pytest.approx(300, abs=60)
    assert found["oldest_delivery_seconds"][("as2", "outcome_unknown")] == pytest.approx(50, abs=40)


def test_attempts_of_the_last_minutes_are_counted_by_gateway_and_outcome(make_customer, make_document, make_delivery):
    delivery = make_delivery(make_document(make_customer()), S.SENDING)
    for number, (outcome, ago) in enumerate(
        [
            ("accepted", 10),
            ("accepted", 250),
            ("rejected", 20),
            ("unavailable", 20),
            ("unknown", 20),
            (None, 5),
            ("accepted", 900),
        ]
    ):
        attempt(delivery, outcome, ago=ago, number=number)
    assert figures()["recent_attempts"] == {
        ("fake", "accepted"): 2, ("fake", "rejected"): 1, ("fake", "unavailable"): 1, ("fake", "unknown"): 1, ("fake", "running"): 1,
    }  # fmt: skip


def test_the_time_since_booking_is_told_of_what_waits_and_of_what_has_arrived(
    adaptor, make_customer, make_document, make_delivery
):
    customer, now = make_customer(), utcnow()
    db.session.execute(update(Adaptor).values(created_at=now - timedelta(days=1)))
    booked = (now - timedelta(seconds=1000)).isoformat()
    arrived = make_delivery(make_document(customer, "1", approved_at=booked), S.DELIVERED)
    attempt(arrived, "accepted", finished_at=now - timedelta(seconds=100))
    before_us = make_document(
        customer, "2", approved_at=(now - timedelta(days=9)).isoformat(), created_at=now - timedelta(days=9)
    )
    attempt(make_delivery(before_us, S.DELIVERED), "accepted", finished_at=now)
    make_delivery(
        make_document(customer, "3", approved_at=(now - timedelta(seconds=500)).replace(tzinfo=None).isoformat())
    )
    make_document(customer, "4", stage=Stage.QUEUED, approved_at="whenever")
    found = figures()
    assert found["booking_to_acceptance_seconds"] == {
        (share,): pytest.approx(900, abs=1) for share in ("0.5", "0.95", "1.0")
    }
    assert found["oldest_since_booking_seconds"][()] == pytest.approx(500, abs=60)


def test_runs_jobs_sources_gateways_archive_and_what_is_stuck(
    adaptor, gateway, make_customer, make_document, make_delivery
):
    of = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id}
    db.session.add(Run(**of, trigger="manual"))
    db.session.add(Job(**of, kind="bulk"))
    db.session.add(DamagedFile(sha256="0" * 64, damage=Damage.MISSING))
    db.session.add(ArchiveCheck(day=utcnow().date(), until="f" * 64, finished_at=utcnow() - timedelta(hours=3)))
    make_delivery(make_document(make_customer()), next_at=utcnow() - timedelta(days=1))
    adaptor.source_error = {"da": "Nej.", "en": "No."}
    db.session.add(
        Gateway(
            subscription_id=adaptor.subscription_id, name="B", kind="as2", paused_at=utcnow(), expiry_level=14, config={}, secrets={}
        )
    )  # fmt: skip
    db.session.commit()
    found = figures()
    assert found["runs"] == {("queued",): 1} and found["jobs"] == {("bulk", "queued"): 1}
    assert found["source_errors"][()] == 1 and found["working_adaptors"][()] == 1
    assert found["gateways"] == {("works", "fake"): 1, ("paused", "as2"): 1}
    assert found["gateways_expiring"] == {("14",): 1}
    assert found["archive_damaged_files"][()] == 1
    assert found["archive_check_age_seconds"][()] == pytest.approx(3 * 3600, abs=60)
    assert found["stuck_deliveries"] == {("pending",): 1}


def test_what_redis_knows(redis):
    bell.ring("deliver"), bell.ring("convert")
    redis.sadd("rq:workers", "rq:worker:alive", "rq:worker:died")
    redis.hset("rq:worker:alive", "queues", "tick,deliver,convert")
    found = figures()
    waiting, workers = found["queue_jobs"], found["workers"]
    assert (waiting[("deliver",)], waiting[("convert",)], waiting[("fetch",)]) == (1, 1, 0)
    assert (workers[("deliver",)], workers[("tick",)], workers[("fetch",)]) == (1, 1, 0)
    assert found["queue_failed_jobs"][("deliver",)] == 0
    assert found["up"] == {("database",): 1, ("redis",): 1} and "clock_tick_age_seconds" not in found


def test_without_redis_the_rest_is_told(app):
    found = figures()
    assert found["up"] == {("database",): 1, ("redis",): 0}
    assert "queue_jobs" not in found and "runs" not in found and "working_adaptors" in found


def test_labels_name_kinds_and_states_and_nothing_of_customers(adaptor, make_customer, make_document, make_delivery):
    make_delivery(make_document(make_customer("Hemmelig Kunde"), "F-98123"), S.FAILED, next_at=None)
    text = Figures().text().decode()
    assert not [one for one in (adaptor.id, adaptor.subscription_id, "Hemmelig", "F-98123", "Eksempel") if one in text]


def test_more_deliveries_need_no_more_queries(make_customer, make_document, make_delivery):
    def queries() -> int:
        seen: list[str] = []

        def note(_connection, _cursor, statement, *_more) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        Figures().text()
        event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    customer = make_customer()
    make_delivery(make_document(customer, "1"))
    few = queries()
    for number in range(2, 8):
        attempt(make_delivery(make_document(customer, str(number)), S.FAILED), "rejected")
    assert queries() == few < 40


@pytest.mark.parametrize(
    "query",
    [
        select(func.count()).where(Delivery.state.in_(counts.OPEN)),
        select(func.count()).where(Delivery.state == S.ACCEPTED, Delivery.next_at.is_not(None)),
        select(func.count()).where(Attempt.id >= "01M"),
        counts._queued(func.count()),
    ],
    ids=["open", "receipts", "attempts", "queued"],
)
def test_what_is_over_is_not_read(app, query):
    """There is very much of it."""
    if db.engine.dialect.name != "sqlite":
        pytest.skip("plans of empty tables say nothing there")
    compiled = query.compile(db.engine, compile_kwargs={"literal_binds": True})
    plan = " ".join(row.detail for row in db.session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
    # Of adaptors there are few.
    assert "SEARCH" in plan and "SCAN" not in plan.replace("SCAN adaptor", ""), plan
