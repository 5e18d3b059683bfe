"""Many companies at once over two workers: each gets its documents out, once, and none waits for another's last one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import pytest
from sqlalchemy import func, select
from support.companies import add_pending, make_companies, note_sizes
from support.valkey import Valkey

from chaos.behaviour import Act, Mood
from chaos.installation import ROOT
from chaos.ledger import Ledger, Line, lines
from chaos.partners import Books, serve_web
from invoiceapp.config import Config
from invoiceapp.domain.delivery import ARRIVED
from invoiceapp.models import Attempt, Delivery
from invoiceapp.processes import free_port
from invoiceapp.services import bell
from invoiceapp.services.database import reading

pytestmark = [pytest.mark.crash, pytest.mark.server]

OF_EACH, WORKERS = 3, 2


@pytest.fixture
def has_pages() -> bool:
    return False


class Willing(Mood):
    """A partner that takes everything."""

    def act(self, partner: str, key: str, times: int) -> Act:
        return Act.TAKE


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    """Of companies; 200 of them are claimed in ``tests/services/export/test_fairness.py``, where nothing is sent."""
    return 200 if request.config.getoption("--full-matrix") else 60


@pytest.fixture
def partner(tmp_path: Path) -> tuple[str, Path]:
    """Its address, and its ledger."""
    port, ledger = free_port(), tmp_path / "ledger.jsonl"
    serve_web(Books(Willing(1, tmp_path), Ledger(ledger)), "http-keyed", port)
    return f"http://127.0.0.1:{port}/ind", ledger


@pytest.fixture
def workers(app, config: Config, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Real ones, and their Valkey."""
    valkey = Valkey(config.redis_url, tmp_path)
    valkey.start()
    environment = {
        "PATH": "/usr/bin:/bin", "APP_ENV": "local", "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url,
        "INSTANCE_DIR": str(config.instance_dir), "ARCHIVE_DIR": str(config.archive_dir),
        "ENCRYPTION_KEYS": ",".join(config.encryption_keys), "DEMO": "0",
    }  # fmt: skip
    started = []
    with (tmp_path / "worker.log").open("ab") as log:
        command = [sys.executable, "-m", "invoiceapp.jobs.worker"]
        for _ in range(WORKERS):
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
    yield started
    for process in started:
        process.kill()
        process.wait(timeout=15)
    valkey.stop()


def test_companies_are_served_in_turns(app, count, partner, workers):
    url, ledger = partner
    config = {"url": url, "recognises": True, "method": "POST", "body": "raw", "auth": "none", "connections": 20}
    companies = make_companies(count, "http", config)
    for place, one in enumerate(companies):
        add_pending(one, OF_EACH, first=f"{place}-")
    note_sizes()
    wait_for(count * OF_EACH, workers)
    seen = list(lines(ledger))
    assert len({line.key for line in seen}) == len(seen) == count * OF_EACH
    owners = owner_of(seen)
    windows = [owners[begin : begin + 20] for begin in range(0, len(owners), 20)]
    # Of documents in the order of their companies, two workers would bring seven or eight companies at a time.
    assert mean(len(set(window)) for window in windows) > 12


def wait_for(documents: int, workers: list[subprocess.Popen[bytes]]) -> None:
    """Rings as the clock does until so many have arrived."""
    found, deadline = select(func.count()).where(Delivery.state.in_(ARRIVED)), time.monotonic() + 120
    while True:
        with reading() as session:
            arrived = session.scalar(found)
        if arrived == documents:
            return
        assert time.monotonic() < deadline and not any(one.poll() for one in workers), f"{arrived} have arrived"
        bell.ring("deliver")
        time.sleep(0.2)


def owner_of(seen: list[Line]) -> list[str]:
    """Adaptors, in the order in which the partner saw documents of theirs."""
    with reading() as session:
        rows = session.execute(
            select(Attempt.wire_ids, Delivery.adaptor_id).join(Delivery, Delivery.id == Attempt.delivery_id)
        )
        owner = {wire_ids["idempotency_key"]: adaptor_id for wire_ids, adaptor_id in rows}
    return [owner[line.key] for line in seen]
