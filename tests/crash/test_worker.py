"""Real workers and a real Redis: killed, emptied and started again in the middle of a run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select
from support.valkey import Valkey

from invoiceapp.config import Config
from invoiceapp.demo.billy.company import demo_company
from invoiceapp.demo.billy.server import Server, serve
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Gateway,
    Receipt,
    Rendition,
    Run,
    RunState,
    Stage,
    db,
)
from invoiceapp.services.configuration import customer_reading, rules, sources
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.export import runs

from .conftest import ROOT, expire_leases, make_all_due, twice_active

S = DeliveryState
OVER = (S.DELIVERED, S.ACCEPTED, S.BLOCKED, S.OUTCOME_UNKNOWN)
pytestmark = [pytest.mark.crash, pytest.mark.server]


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, what
        db.session.rollback()
        time.sleep(0.05)
    db.session.rollback()


@pytest.fixture
def redis(config: Config, tmp_path: Path) -> Iterator[Redis]:
    """A real server on the address that the app has."""
    server = Valkey(config.redis_url, tmp_path)
    server.start()
    with Redis.from_url(config.redis_url) as connection:
        yield connection
    server.stop()


@pytest.fixture
def billy() -> Iterator[Server]:
    company = demo_company(date(2026, 11, 22))
    invoices = dict(islice(company.tables["invoices"].items(), 60))
    lines = {key: line for key, line in company.tables["invoiceLines"].items() if line["invoiceId"] in invoices}
    with serve(
        "127.0.0.1", 0, replace(company, tables=company.tables | {"invoices": invoices, "invoiceLines": lines})
    ) as server:
        yield server


@pytest.fixture
def activated(adaptor: Adaptor, billy: Server, sftp: Gateway, mail: Gateway) -> Adaptor:
    """Every third customer by mail, the others by SFTP."""
    adaptor.organization = None
    db.session.commit()
    sources.connect(adaptor.id, {"token": "demo-token", "base_url": billy.url})
    customer_reading.refresh_customers(adaptor.id)
    ids = list(db.session.scalars(select(Customer.id).where(Customer.adaptor_id == adaptor.id).order_by(Customer.name)))
    rules.activate(adaptor.id, ids, "peppol-bis-3", sftp.id)
    rules.activate(adaptor.id, ids[::3], "peppol-bis-3", mail.id)
    return adaptor


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts ``python -m invoiceapp.jobs.worker``."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "invoiceapp.jobs.worker"]
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    # An open transaction of ours would keep the last job waiting.
    db.session.rollback()
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=15)


def count(state: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(Delivery).where(Delivery.state.in_(state))) or 0


def settled(run_id: str) -> bool:
    """Whether nothing is left to do."""
    run = db.session.get_one(Run, run_id, populate_existing=True)
    waiting = db.session.scalar(select(func.count()).where(Document.stage == Stage.QUEUED)) or 0
    return run.state is RunState.FINISHED and waiting == 0 and count(set(S) - set(OVER)) == 0


def test_killed_workers_and_an_emptied_redis_lose_nothing(activated, redis, worker, partners):
    run_id = runs.start(activated.id, trigger="manual").id
    moments = (
        lambda: db.session.scalar(select(func.count()).select_from(Document)) > 0,
        lambda: count(set(S)) > 5,
        lambda: count(OVER) > 5,
        lambda: count(OVER) > 20,
    )
    for position, moment in enumerate(moments):
        process = worker()
        wait_until(moment, f"no progress before kill {position}")
        process.kill()
        process.wait(timeout=10)
        expire_leases()
        if position % 2:
            redis.flushall()
        tick()
    worker()

    def carried_on() -> bool:
        make_all_due()
        if not settled(run_id):
            tick()
            time.sleep(0.4)
        return settled(run_id)

    wait_until(carried_on, "the last worker does not finish")
    sent = dict(db.session.execute(
        select(Rendition.sha256, Delivery).join(Delivery, Delivery.rendition_id == Rendition.id)
        .where(Delivery.state != S.BLOCKED)
    ).all())  # fmt: skip
    arrived = Counter(found.sha256 for found in partners.arrivals.all() if found.name.endswith(".xml"))
    assert len(sent) > 45 and set(arrived) <= set(sent) and set(arrived.values()) == {1}
    for sha256, row in sent.items():
        if row.transport == "sftp":
            assert row.state is S.DELIVERED
        if row.state is not S.OUTCOME_UNKNOWN:
            assert sha256 in arrived
            assert db.session.scalar(select(func.count()).where(Receipt.delivery_id == row.id)) == 1
    assert twice_active() == [] and count({S.OUTCOME_UNKNOWN}) <= len(moments)
    total = db.session.scalar(select(func.count()).select_from(Document)) or 0
    assert db.session.get_one(Run, run_id).read == total >= 50
