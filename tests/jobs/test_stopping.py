"""SIGTERM in the middle of a batch, to a real worker that sends to a slow partner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from support.receivers.web import HttpReceiver

from invoiceapp.config import Config
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Attempt, Delivery, Gateway, Rendition, db, new_id, utcnow
from invoiceapp.services import bell
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive, delivery

ROOT = Path(__file__).resolve().parents[2]
S = DeliveryState
COUNT = 4
pytestmark = pytest.mark.server


class SlowPartner(HttpReceiver):
    """Answers the first request when ``may_answer`` is set, later ones at once."""

    def __init__(self, folder: Path) -> None:
        self.has_first, self.may_answer = threading.Event(), threading.Event()
        super().__init__(folder)

    def take(self, key: str, content: bytes) -> tuple[int, bytes]:
        self.has_first.set()
        self.may_answer.wait(60)
        return super().take(key, content)

    def close(self) -> None:
        self.may_answer.set()
        super().close()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowPartner]:
    partner = SlowPartner(tmp_path)
    yield partner
    partner.close()


@pytest.fixture
def outbox(adaptor: Adaptor, slow: SlowPartner, make_customer: Any, make_document: Any) -> None:
    """Deliveries to the slow partner that are due."""
    form = {
        name: ("yes" if value else "no") if isinstance(value, bool) else str(value)
        for name, value in slow.config().items()
    }
    gateway = gateways.save(adaptor.subscription_id, "http", "Slow", form)
    customer = make_customer()
    for number in range(COUNT):
        _delivery(gateway, make_document(customer, str(number)))
    db.session.rollback()


def _delivery(gateway: Gateway, document: Any) -> None:
    content = f"<Invoice>{document.number}</Invoice>".encode()
    owned = {"subscription_id": document.subscription_id, "document_id": document.id, "format": "peppol-bis-3"}
    rendition = Rendition(
        **owned, id=new_id(), sha256=archive.store(content), size=len(content), media_type="application/xml",
        filename=f"invoice-{document.number}.xml", sender="0184:12345674", receiver="0088:5798000000001",
    )  # fmt: skip
    row = Delivery(
        **owned, id=new_id(), adaptor_id=document.adaptor_id, gateway_id=gateway.id, rendition_id=rendition.id,
        transport=gateway.kind, state=S.PENDING, next_at=utcnow(), idem_key=os.urandom(16).hex(), findings=[],
    )  # fmt: skip
    db.session.add(rendition)
    db.session.flush()
    db.session.add(row)
    db.session.commit()


@pytest.fixture
def worker(config: Config, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts one that delivers, and does nothing else."""
    environment = {
        "PATH": "/usr/bin:/bin", "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url,
        "INSTANCE_DIR": str(config.instance_dir), "ARCHIVE_DIR": str(config.archive_dir),
        "RULES_DIR": str(config.rules_dir), "ENCRYPTION_KEYS": ",".join(config.encryption_keys),
    }  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "invoiceapp.jobs.worker", bell.Kind.DELIVER]
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    db.session.rollback()
    for process in started:
        process.kill()
        process.wait(timeout=15)


def states() -> list[DeliveryState]:
    # Nothing may be open while the worker writes.
    with transaction() as session:
        return sorted(session.scalars(select(Delivery.state)))


def test_a_worker_ends_the_delivery_in_hand_gives_back_the_rest_and_exits_with_0(
    valkey, slow, outbox, worker, tmp_path
):
    process = worker()
    assert bell.ring("deliver")
    assert slow.has_first.wait(60), (tmp_path / "worker.log").read_text()
    assert states() == sorted([S.SENDING, *[S.LEASED] * (COUNT - 1)])
    process.send_signal(signal.SIGTERM)
    slow.may_answer.set()
    assert process.wait(timeout=60) == 0, (tmp_path / "worker.log").read_text()

    assert states() == sorted([S.DELIVERED, *[S.PENDING] * (COUNT - 1)])
    assert len(slow.requests) == 1 and db.session.scalar(select(func.count()).select_from(Attempt)) == 1
    db.session.expire_all()
    waiting = db.session.scalars(select(Delivery).where(Delivery.state == S.PENDING)).all()
    assert all(row.next_at <= utcnow() and row.tries == 0 and row.lease_owner is None for row in waiting)

    # Any other worker goes on at once.
    delivery.deliver_due()
    assert states() == [S.DELIVERED] * COUNT
    assert sorted(slow.requests) == sorted(db.session.scalars(select(Delivery.idem_key)))


def test_a_worker_without_work_ends_at_once_with_0(app, valkey, worker, tmp_path):
    process, log = worker(), tmp_path / "worker.log"
    heard = threading.Event()
    while "is ready for" not in log.read_text():
        assert process.poll() is None, log.read_text()
        heard.wait(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == 0, log.read_text()
