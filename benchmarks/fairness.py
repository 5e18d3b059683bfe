"""How long a small company waits behind a big one: ``python -m benchmarks.fairness [--big 50000] [--small 5] [--workers 2]``.

Real workers over a private PostgreSQL (``--sqlite``: a file) and Valkey, a stand-in Billy and a partner on loopback. The big
company's documents are queued and being worked on when the small one's come; each is converted, validated and delivered.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, insert, select

from chaos.behaviour import Act, Mood
from chaos.ledger import Ledger
from chaos.partners import Books, serve_web
from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.demo.billy.server import serve
from invoiceapp.domain.delivery import ARRIVED
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.jobs import clock
from invoiceapp.models import Adaptor, Customer, Delivery, Document, Stage, Subscription, db, new_id, number_key
from invoiceapp.outbound.guard import networks
from invoiceapp.processes import die_with_parent, free_port
from invoiceapp.services import bell
from invoiceapp.services.configuration import customer_reading, gateways, rules, sources
from invoiceapp.services.database import reading, transaction
from tests.support.postgres import PostgresCluster
from tests.support.valkey import Valkey

from . import results
from .customers import application

BIG, SMALL, WORKERS = 50_000, 5, 2
#: Seconds until the small company's documents have been accepted.
PROMISE = 30.0
#: An ordinary invoice of the demo company, of which all are copies.
ORDINARY = "1001"
_PIECE = 2_000
_LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds that the small company waited, and what the big one had delivered meanwhile and in all."""

    seconds: float
    meanwhile: int
    before: int


class _Willing(Mood):
    """A partner that takes everything."""

    def act(self, partner: str, key: str, times: int) -> Act:
        return Act.TAKE


def measure(big: int = BIG, small: int = SMALL, workers: int = WORKERS, *, sqlite: bool = False) -> Result:
    """Build, let the workers begin with the big company, then give them the small one."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, books = Path(name), demo_company(date.today())
        url = None if sqlite else stack.enter_context(PostgresCluster()).new_database()
        app = application(folder, url, outbound_networks=networks(["127.0.0.0/8"]))
        config = app.extensions["invoiceapp.config"]
        valkey = Valkey(config.redis_url, folder)
        valkey.start()
        stack.callback(valkey.stop)
        stack.enter_context(app.app_context())
        stack.callback(db.engine.dispose)
        stack.callback(db.session.remove)
        db.create_all()
        port = free_port()
        serve_web(Books(_Willing(1, folder), Ledger(folder / "ledger.jsonl")), "http-keyed", port)
        billy = stack.enter_context(serve("127.0.0.1", 0, books))
        owners = [_adaptor(billy.url, port) for _ in range(2)]
        _queue(owners[0], books, big)
        stack.enter_context(_workers(app, folder, workers))
        return _waited(owners[0], owners[1], books, small)


def _waited(big: str, little: str, books: Company, small: int) -> Result:
    _until(lambda: _arrived(big) > 0)
    before, began = _arrived(big), time.monotonic()
    _queue(little, books, small)
    _until(lambda: _arrived(little) >= small)
    return Result(time.monotonic() - began, _arrived(big) - before, before)


def _until(ready: Any) -> None:
    deadline = time.monotonic() + _LONGEST
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {_LONGEST:.0f} s")
        time.sleep(0.05)


def _arrived(adaptor_id: str) -> int:
    with reading() as session:
        found = select(func.count()).where(Delivery.adaptor_id == adaptor_id, Delivery.state.in_(ARRIVED))
        return session.scalar(found) or 0


def _adaptor(billy: str, port: int) -> str:
    """A company's adaptor, whose customers are all served by the one partner."""
    with transaction() as session:
        subscription = Subscription(name="Bench ApS")
        session.add(subscription)
        session.flush()
        adaptor = Adaptor(
            subscription_id=subscription.id, name="Billy", source_kind="billy", source_config={}, settings={}
        )
        session.add(adaptor)
        session.flush()
        owner, made = subscription.id, adaptor.id
    form = {"url": f"http://127.0.0.1:{port}/ind", "recognises": "yes", "method": "POST", "body": "raw", "auth": "none"}
    gateway = gateways.save(owner, "http", "Kunde", form)
    sources.connect(made, {"token": "demo-token", "base_url": billy})
    customer_reading.refresh_customers(made)
    with reading() as session:
        ids = list(session.scalars(select(Customer.id).where(Customer.adaptor_id == made)))
    rules.activate(made, ids, "peppol-bis-3", gateway.id)
    return made


def _queue(adaptor_id: str, books: Company, count: int) -> None:
    """Copies of one invoice, each with a number of its own, as a run queues them."""
    invoice = next(one for one in books.tables["invoices"].values() if one["invoiceNo"] == ORDINARY)
    bundle = books.bundle(invoice["id"])
    with reading() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        found = (Customer.adaptor_id == adaptor_id, Customer.source_id == invoice["contactId"])
        customer = session.scalars(select(Customer).where(*found)).one()
        same = {
            "subscription_id": adaptor.subscription_id, "adaptor_id": adaptor_id, "customer_id": customer.id,
            "customer_source_id": customer.source_id, "customer_name": customer.name, "type": DocumentType.INVOICE,
            "issue_date": date.fromisoformat(invoice["entryDate"]), "currency": "DKK", "net": invoice["amount"],
            "vat": invoice["tax"], "stage": Stage.QUEUED, "status": Stage.QUEUED.value, "bundle_sha256": "0" * 64,
        }  # fmt: skip
    for first in range(0, count, _PIECE):
        rows = []
        for place in range(first, min(first + _PIECE, count)):
            number = f"F{place:06}"
            own = bundle | {"invoice": bundle["invoice"] | {"invoiceNo": number}}
            key = {"id": new_id(), "source_id": invoice["id"] if place == 0 else f"{invoice['id']}-{place}"}
            rows.append({**same, **key, "number": number, "number_key": number_key(number), "bundle": own})
        with transaction() as session:
            session.execute(insert(Document), rows)
    bell.ring("convert")


@contextmanager
def _workers(app: Flask, folder: Path, count: int) -> Iterator[None]:
    """So many workers and a clock, as processes of their own."""
    config = app.extensions["invoiceapp.config"]
    environment = os.environ | {
        "APP_ENV": "local", "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url, "DEMO": "0",
        "INSTANCE_DIR": str(config.instance_dir), "ARCHIVE_DIR": str(config.archive_dir), "RULES_DIR": str(config.rules_dir),
        "ENCRYPTION_KEYS": ",".join(config.encryption_keys),
    }  # fmt: skip
    modules = ["invoiceapp.jobs.worker"] * count + [clock.__name__]
    started = []
    try:
        with (folder / "processes.log").open("ab") as log:
            for module in modules:
                command = [sys.executable, "-m", module]
                started.append(
                    subprocess.Popen(command, env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent)
                )
        yield
    finally:
        for process in started:
            process.kill()
            process.wait(timeout=15)


def show(result: Result, big: int, small: int, workers: int) -> None:
    """Print the lines."""
    verdict = "reached" if result.seconds < PROMISE else "MISSED"
    print(
        f"{small} documents of a small company behind {big} of a big one, {workers} workers: accepted after "
        f"{result.seconds:.1f} s (promise < {PROMISE:g} s: {verdict}); meanwhile {result.meanwhile} of the big one's"
    )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--big", type=int, default=BIG)
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--sqlite", action="store_true")
    asked = parser.parse_args()
    result = measure(asked.big, asked.small, asked.workers, sqlite=asked.sqlite)
    show(result, asked.big, asked.small, asked.workers)
    row = {
        "documents_of_the_small_company": asked.small, "behind_of_a_big_one": asked.big, "workers": asked.workers,
        "seconds_until_the_last_is_accepted": result.seconds, "goal_seconds": PROMISE, "of_the_big_one_meanwhile": result.meanwhile,
    }  # fmt: skip
    results.write("fairness", results.command(), [row])


if __name__ == "__main__":
    main()
