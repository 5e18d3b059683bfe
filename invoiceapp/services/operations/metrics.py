"""The figures of ``/metrics``: gauges of Prometheus, read from database and Redis when somebody asks.

Every process would answer the same, because none counts by itself; so it is enough to ask one of many. Labels name kinds of
gateways, states and kinds of work, never a company, a customer or a document.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.models import utcnow
from invoiceapp.services.daily import health
from invoiceapp.services.database import reading

from . import counts, queues

log = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
#: Seconds for which figures are given again: several who scrape cost no more than one.
KEPT = 5.0
_PREFIX = "invoiceapp_"
_SHARES = (50, 95, 100)


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> GaugeMetricFamily:
    """``values`` by the label's value, or by those of all labels."""
    family = GaugeMetricFamily(_PREFIX + name, text, labels=labels)
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else list(key), value)
    return family


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


class Collector:
    """What a registry asks for figures."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of them; where database or Redis does not answer, ``up`` says so and theirs are missing."""
        started, up = time.monotonic(), {"database": 1.0, "redis": 1.0}
        try:
            with reading():
                yield from list(_of_database())
        except SQLAlchemyError as error:
            log.warning("no figures from the database: %s", type(error).__name__)
            up["database"] = 0.0
        try:
            yield from list(_of_redis())
        except RedisError as error:
            log.warning("no figures from Redis: %s", type(error).__name__)
            up["redis"] = 0.0
        yield _gauge("up", "Whether it answers.", ("part",), up)
        yield _one("collection_seconds", "Time to read these figures.", time.monotonic() - started)


def _of_database() -> Iterator[GaugeMetricFamily]:
    yield from _documents()
    yield from _deliveries()
    yield from _surroundings()


def _documents() -> Iterator[GaugeMetricFamily]:
    now = utcnow()
    number, since = counts.to_convert(now)
    yield _gauge("documents", "Documents by where they are.", ("status",), counts.documents())
    yield _one("documents_to_convert", "Documents that wait for their conversion.", number)
    yield _one("oldest_to_convert_seconds", "Seconds since the first of them was queued.", since)
    yield _one(
        "oldest_since_booking_seconds", "Seconds since the booking of what has waited longest on its way.",
        counts.oldest_since_booking(now),
    )  # fmt: skip
    taken = counts.times(now)
    quantiles = {str(share / 100): found.total_seconds() for share in _SHARES if (found := taken.within(share))}
    yield _gauge(
        "booking_to_acceptance_seconds", "From booking to the receiver's yes, of the yeses of the last 5 minutes.",
        ("quantile",), quantiles,
    )  # fmt: skip


def _deliveries() -> Iterator[GaugeMetricFamily]:
    now = utcnow()
    found = counts.deliveries(now)
    yield _gauge(
        "deliveries", "Deliveries that are not over, by kind of gateway and state.", ("kind", "state"),
        {(one.kind, one.state.value): one.number for one in found},
    )  # fmt: skip
    yield _gauge(
        "oldest_delivery_seconds", "Seconds since the first of them became due (pending) or came to its state.",
        ("kind", "state"), {(one.kind, one.state.value): one.oldest for one in found},
    )  # fmt: skip
    yield _gauge(
        "deliveries_awaiting_receipt", "Accepted deliveries for which a receipt is promised.", ("kind",),
        counts.awaiting_receipts(),
    )  # fmt: skip
    yield _gauge(
        "recent_attempts", "Attempts that began in the last 5 minutes, by kind of gateway and outcome.",
        ("kind", "outcome"), counts.attempts(now),
    )  # fmt: skip
    yield _gauge(
        "stuck_deliveries", "Deliveries that should have moved long ago; 500 at most.", ("state",),
        counts.stuck(now),
    )  # fmt: skip


def _surroundings() -> Iterator[GaugeMetricFamily]:
    yield _gauge("runs", "Active runs.", ("state",), counts.runs())
    yield _gauge("jobs", "Active long pieces of work.", ("kind", "state"), counts.jobs())
    yield _one("working_adaptors", "Adaptors that read and send.", len(counts.working_adaptors()))
    yield _one("source_errors", "Those whose accounting system did not answer or refused.", counts.source_errors())
    yield _gauge("gateways", "Gateways: works, rests, paused.", ("kind", "condition"), counts.gateways())
    yield _gauge(
        "gateways_expiring", "Gateways of which something ends within so many days; 0: has ended.", ("days",),
        counts.expiring(),
    )  # fmt: skip
    age, damaged = counts.archive(utcnow())
    if age is not None:
        yield _one("archive_check_age_seconds", "Seconds since a night's sample of the archive was done.", age)
    yield _one("archive_damaged_files", "Files of the archive that are not as they should be.", damaged)


def _of_redis() -> Iterator[GaugeMetricFamily]:
    for name, text, found in (
        ("queue_jobs", "Jobs that wait.", queues.waiting()),
        ("queue_failed_jobs", "Jobs of the last week that ended by a fault.", queues.failed()),
        ("workers", "Workers that serve it, heard of within minutes.", queues.workers()),
    ):
        yield _gauge(name, text, ("kind",), {kind.value: number for kind, number in found.items()})
    tick = health.workers().since
    if tick is not None:
        yield _one("clock_tick_age_seconds", "Since the last tick began.", (utcnow() - tick).total_seconds())


class Figures:
    """The text of ``/metrics``, made at most every ``KEPT`` seconds."""

    def __init__(self, collector: Collector | None = None) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector or Collector())
        self._lock, self._text, self._until = Lock(), b"", 0.0

    def text(self) -> bytes:
        """All figures. Who asks while they are read waits for them instead of reading them again."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._text = generate_latest(self._registry)
                self._until = time.monotonic() + KEPT
            return self._text
