"""The list of documents with a million of them: ``python -m benchmarks.listing [--database postgresql]``.

Fills a database, starts the web process on it as production does, and asks for pages over HTTP while ten people's dashboards
poll. A day's moves go on meanwhile, so that the polls have something to tell.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests
from flask import Flask
from sqlalchemy import func, select, update

from invoiceapp import create_app
from invoiceapp.config import load
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Delivery, Document, SignInKind, User, db, utcnow
from invoiceapp.processes import free_port
from invoiceapp.services import bell
from invoiceapp.services.daily import listing, problems
from invoiceapp.services.sign_in import sessions
from tests.support.postgres import PostgresCluster

from . import million, results
from .customers import Times

DOCUMENTS = 1_000_000
POLLERS = 10
#: Seconds between two polls of one dashboard.
POLL = 5.0
REQUESTS = 40
#: Milliseconds within which 95 of 100 answers come.
GOAL = 150
ROOT = Path(__file__).resolve().parents[1]
S = DeliveryState


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one database."""

    documents: int
    filled: float
    """Seconds"""
    bytes_each: float
    """Of the whole database, per document with its delivery"""
    services: dict[str, Times]
    http: dict[str, Times]
    polls: Times
    is_exact: bool
    """Whether the figures are what counting the rows says, before and after the moves"""
    triggers: dict[str, float]
    """Microseconds of one insert of document and delivery and one move, with and without"""
    tick: dict[str, float]
    """Milliseconds: who has moved, looking for problems"""


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    with PostgresCluster() as cluster:
        yield cluster.new_database()


def environment(folder: Path, url: str, port: int) -> dict[str, str]:
    """Of a web process that names nothing outside this folder."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return {
        **kept, "DATABASE_URL": url, "INSTANCE_DIR": str(folder), "BASE_URL": f"http://127.0.0.1:{port}", "DEMO": "0",
        "REDIS_URL": f"unix://{folder / 'none.sock'}", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip


@contextmanager
def web(settings: dict[str, str], port: int, folder: Path) -> Iterator[str]:
    """The web process of the Procfile; its address."""
    command = [
        sys.executable, "-m", "gunicorn", "app:app", "--no-control-socket", "--worker-class", "gthread", "--workers", "2",
        "--threads", "8", "--bind", f"127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            with suppress(requests.RequestException):
                if requests.get(f"http://127.0.0.1:{port}/login", timeout=5).ok:
                    break
            time.sleep(0.2)
        else:
            raise SystemExit(f"the web process did not start:\n{(folder / 'web.log').read_text()[-3000:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def cookie(app: Flask, user: User) -> dict[str, str]:
    """Of somebody who has signed in."""
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(
            {"_user_id": user.fs_uniquifier, "_fresh": True, "fs_cc": "set", "identity.auth_type": "session"}
        )
        session["fs_paa"] = utcnow().timestamp()
        session["sign_in"] = sessions.begin(user.id, SignInKind.PASSWORD, "127.0.0.1", "benchmark")
    found = client.get_cookie("session")
    if found is None:
        raise SystemExit("the benchmark is not signed in")
    return {"session": found.value}


def times(work: Callable[[], object], count: int = REQUESTS) -> Times:
    """After one to warm up."""
    work()
    found = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1_000)
    return summary(found)


def summary(found: list[float]) -> Times:
    """Of milliseconds."""
    found = sorted(found)
    return Times(statistics.median(found), found[int(len(found) * 0.95)], found[-1])


def looks(largest: str) -> dict[str, dict[str, str]]:
    """What is asked for, as the address has it."""
    place = (
        select(Document.issue_date, Document.id)
        .where(Document.adaptor_id == largest)
        .order_by(Document.issue_date.desc(), Document.id.desc())
    )
    count = db.session.scalar(select(func.count()).where(Document.adaptor_id == largest)) or 0
    row = db.session.execute(place.offset(min(10_000 * listing.PAGE, count * 5 // 6)).limit(1)).one()
    middle = db.session.execute(
        select(Document.number, Document.customer_order, Document.supplier_order)
        .where(Document.adaptor_id == largest, Document.customer_order.is_not(None), Document.id > row.id)
        .limit(1)
    ).one()
    far = f"{row.issue_date}~{row.id}"
    db.session.rollback()
    return {
        "first page": {}, "page 10 000": {"after": far}, "the page before it": {"before": far},
        "needs a person": {"status": "person"}, "arrived, far behind": {"status": "arrived", "after": far},
        "by amount": {"sort": "-amount"}, "by customer": {"sort": "customer"}, "one year": {"from": "2023-01-01", "to": "2023-12-31"},
        "number": {"q": middle.number}, "beginning of a number": {"q": middle.number[:4]}, "a digit": {"q": "1"},
        "order number": {"q": middle.customer_order.lower()}, "part of a name, many": {"q": "kommune"},
        "part of a name, some": {"q": "bageri"}, "one customer": {"q": "kunde 0777"}, "nobody": {"q": "ærøskøbing"},
        "oldest numbers": {"q": "100"},
    }  # fmt: skip


def by_service(adaptors: list[str], wanted: dict[str, dict[str, str]]) -> dict[str, Times]:
    """Of the service alone, nobody polling; of the largest adaptor and of all."""

    def ask(ids: list[str], args: dict[str, str]) -> None:
        listing.page(ids, listing.View.read(args))
        db.session.rollback()

    def count() -> None:
        listing.counts(adaptors)
        db.session.rollback()

    found = {name: times(partial(ask, adaptors[:1], args), 15) for name, args in wanted.items()}
    found |= {f"{name}, all adaptors": times(partial(ask, adaptors, args), 15) for name, args in wanted.items()}
    return found | {"figures, all adaptors": times(count, 15)}


def by_http(
    url: str, cookies: dict[str, str], adaptor: str, wanted: dict[str, dict[str, str]], app: Flask
) -> tuple[dict[str, Times], Times]:
    """What a person waits for while ``POLLERS`` dashboards poll and documents move."""
    stop, polls = threading.Event(), list[float]()

    def get(session: requests.Session, path: str, args: dict[str, str]) -> float:
        started = time.perf_counter()
        answer = session.get(f"{url}{path}", params={"adaptor": adaptor, **args}, allow_redirects=False, timeout=60)
        if answer.status_code not in (200, 204):
            raise SystemExit(f"{path} {args}: {answer.status_code}")
        return (time.perf_counter() - started) * 1_000

    def poll(number: int) -> None:
        session = requests.Session()
        session.cookies.update(cookies)
        stop.wait(number * POLL / POLLERS)
        while not stop.is_set():
            polls.append(get(session, "/dashboard/live", {}))
            stop.wait(POLL)

    workers = [threading.Thread(target=poll, args=(number,)) for number in range(POLLERS)]
    workers.append(threading.Thread(target=move, args=(app, adaptor, stop)))
    for worker in workers:
        worker.start()
    person = requests.Session()
    person.cookies.update(cookies)
    try:
        found = {name: times(partial(get, person, "/", args)) for name, args in wanted.items()}
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    return found, summary(polls)


def move(app: Flask, adaptor: str, stop: threading.Event) -> None:
    """Two documents a second become acknowledged, and what moved is noted as the clock's tick has it."""
    with app.app_context():
        ids = db.session.scalars(
            select(Delivery.id).where(Delivery.adaptor_id == adaptor, Delivery.state == S.DELIVERED).limit(5_000)
        ).all()
        db.session.rollback()
        for number, one in enumerate(ids):
            if stop.wait(0.5):
                break
            db.session.execute(update(Delivery).where(Delivery.id == one).values(state=S.ACKNOWLEDGED))
            db.session.commit()
            if number % 10 == 9:
                for moved in problems.dirty():
                    problems.refresh(moved)
        db.session.remove()


def is_exact(adaptors: list[str]) -> bool:
    """Whether the figures are what counting says."""
    for one in adaptors:
        counted = dict(
            db.session.execute(
                select(Document.status, func.count()).where(Document.adaptor_id == one).group_by(Document.status)
            ).all()
        )
        told = listing.counts([one])
        if any(told[status] != counted.get(status, 0) for status in listing.STATUSES) or told["total"] != sum(
            counted.values()
        ):
            return False
    db.session.rollback()
    return True


def triggers(adaptor: str) -> dict[str, float]:
    """Microseconds for a document with its delivery and one move, with the triggers and without, in turn; rolled back."""
    found: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(3):
        for name, samples in found.items():
            if name == "without":
                million.drop_triggers(db.session.connection())
            samples.append(million.one_life(adaptor, 300))
            db.session.rollback()
    return {name: min(samples) for name, samples in found.items()}


def tick(adaptors: list[str]) -> dict[str, float]:
    """Milliseconds of what the clock and its workers do with moves."""

    def took(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        work()
        db.session.commit()
        return (time.perf_counter() - started) * 1_000

    return {
        "who has moved": took(problems.dirty), "look for problems": took(lambda: problems.refresh(adaptors[0])),
        "look again": took(lambda: problems.refresh(adaptors[0])),
    }  # fmt: skip


def measure(kind: str, documents: int = DOCUMENTS) -> Figures:
    """All figures of one database."""
    bell.ring = lambda *_arguments, **_options: False  # nobody listens
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        url, port = stack.enter_context(database(kind, folder)), free_port()
        settings = environment(folder, url, port)
        app = create_app(load(settings))
        stack.enter_context(app.app_context())
        started = time.perf_counter()
        built = million.build(documents)
        filled = time.perf_counter() - started
        size = million.size() / documents
        ids = list(built.adaptors)
        wanted = looks(ids[0])
        exact = is_exact(ids)
        alone = by_service(ids, wanted)
        cookies = cookie(app, db.session.get_one(User, built.user))
        db.session.rollback()
        address = stack.enter_context(web(settings, port, folder))
        asked, polls = by_http(address, cookies, ids[0], wanted, app)
        exact = exact and is_exact(ids)
        figures = Figures(documents, filled, size, alone, asked, polls, exact, triggers(ids[0]), tick(ids))
        db.session.remove()
        db.engine.dispose()
    return figures


def show(name: str, figures: Figures) -> None:
    """Print the tables."""
    print(
        f"\n{name}: {figures.documents} documents, filled in {figures.filled:.0f} s, {figures.bytes_each:.0f} bytes each; "
        f"figures {'exact' if figures.is_exact else 'WRONG'}"
    )
    print(f"{'the service alone, milliseconds':48}{'median':>9}{'p95':>9}{'largest':>9}")
    for one, row in figures.services.items():
        print(f"{one:48}{row.median:9.1f}{row.p95:9.1f}{row.largest:9.1f}")
    print(f"{'over HTTP, ten dashboards poll':48}{'median':>9}{'p95':>9}{'largest':>9}")
    for one, row in {**figures.http, "the poll": figures.polls}.items():
        verdict = "reached" if row.p95 <= GOAL else "MISSED"
        print(f"{one:48}{row.median:9.0f}{row.p95:9.0f}{row.largest:9.0f}  goal {GOAL}: {verdict}")
    print("a document, its delivery and a move, microseconds:", {n: round(v) for n, v in figures.triggers.items()})
    print("for the clock, milliseconds:", {n: round(v, 1) for n, v in figures.tick.items()})


def plain(figures: Figures) -> dict[str, Any]:
    """For JSON: times as ``[median, p95, largest]``."""

    def row(one: Times) -> list[float]:
        return [one.median, one.p95, one.largest]

    kept = {"services": figures.services, "http": figures.http}
    return {
        **{name: {key: row(one) for key, one in found.items()} for name, found in kept.items()},
        "polls": row(figures.polls), "filled": figures.filled, "bytes_each": figures.bytes_each, "exact": figures.is_exact,
        "triggers": figures.triggers, "tick": figures.tick,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    arguments = parser.parse_args()
    figures = measure(arguments.database, arguments.documents)
    show(arguments.database, figures)
    found = plain(figures)
    rows = [
        {"look": name, "median_ms": row[0], "p95_ms": row[1], "largest_ms": row[2]}
        for name, row in found["http"].items()
    ]
    results.write(
        f"listing-{arguments.database}", results.command(), rows, documents=figures.documents, goal_ms=GOAL, **found
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
