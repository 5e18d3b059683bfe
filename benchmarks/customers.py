"""The list of customers and their activation, with many customers in one adaptor: ``python -m benchmarks.customers``.

Builds a database in a temporary folder and asks for pages as a browser would: the whole request, template and all.
"""

from __future__ import annotations

import argparse
import base64
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from invoiceapp import create_app
from invoiceapp.config import Config
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import (
    Adaptor,
    Customer,
    Document,
    ExportRule,
    Gateway,
    Job,
    JobState,
    Membership,
    Readiness,
    Role,
    SignInKind,
    Stage,
    Subscription,
    User,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import background, bell
from invoiceapp.services.configuration import customers
from invoiceapp.services.sign_in import sessions

from . import results
from .measure import QUICK

CUSTOMERS, RULES, DOCUMENTS = 20_000, 15_000, 60_000
REQUESTS = 10 if QUICK else 30
#: Milliseconds within which 95 of 100 answers come.
GOAL = 300
TOWNS = ("Aarhus", "Odense", "København", "Ålborg", "Esbjerg", "Randers", "Kolding", "Horsens")
COUNTRIES = ("DK",) * 17 + ("SE", "DE", "NO")
PROBLEM = {
    "rule": "IA-ENDPOINT", "text": {"da": "Kunden mangler et EAN-nummer.", "en": "The customer has no EAN number."},
    "turn": "here", "fix": "customer.endpoint", "documents": 3,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of one kind of request."""

    median: float
    p95: float
    largest: float


def application(folder: Path, database_url: str | None, **settings: Any) -> Flask:
    """The product on a database of its own; ``settings`` replace those of its configuration."""
    config = Config(
        production=False, secret_key="b" * 20 + "enchmark-only-0123456789", password_salt="only-for-the-benchmark-0123456789",
        encryption_keys=("k1:" + base64.b64encode(bytes(range(32))).decode(),),
        database_url=database_url or f"sqlite:///{folder / 'bench.sqlite3'}", redis_url=f"unix://{folder / 'none.sock'}",
        instance_dir=folder, archive_dir=folder / "archive", rules_dir=folder / "rules", base_url="http://localhost",
        trusted_hosts=("localhost",), proxies=0, require_official_rules=False, demo=False, testing=True, **settings,
    )  # fmt: skip
    return create_app(config)


def _customer(number: int, owner: dict[str, str]) -> dict[str, Any]:
    needs = number % 9 == 0
    return {
        **owner, "id": new_id(), "source_id": f"c{number}", "name": f"Kunde {number * 7_919 % CUSTOMERS:05} A/S",
        "number": str(10_000 + number), "registration_no": f"{10_000_000 + number}" if number % 5 else None,
        "gln": f"57980{number:08}" if number % 3 else None, "country": COUNTRIES[number % len(COUNTRIES)],
        "city": TOWNS[number % len(TOWNS)], "email": None, "raw": {}, "is_archived": number % 200 == 0,
        "is_new": number % 4_000 == 1, "problems": [PROBLEM] if needs else [],
        "readiness": Readiness.NEEDS if needs else Readiness.READY if number % 9 < 6 else Readiness.UNCHECKED,
    }  # fmt: skip


def _document(number: int, owner: dict[str, str], customer: dict[str, Any]) -> dict[str, Any]:
    return {
        **owner, "id": new_id(), "customer_id": customer["id"], "source_id": f"d{number}", "number": str(number),
        "type": DocumentType.INVOICE, "issue_date": date.today() - timedelta(days=number % 700), "currency": "DKK",
        "customer_source_id": customer["source_id"], "customer_name": customer["name"], "net": Decimal(100),
        "vat": Decimal(25), "bundle": {}, "bundle_sha256": "0" * 64,
        "stage": Stage.CONVERTED if number % 4 else Stage.LISTED,
    }  # fmt: skip


def build() -> tuple[Adaptor, Gateway, User]:
    """One tenant with ``CUSTOMERS``, ``RULES`` and ``DOCUMENTS``."""
    subscription, user = Subscription(name="Bench ApS"), User(
        email="bench@example.com", name="Bench", password="x", active=True, fs_uniquifier=new_id()
    )  # fmt: skip
    db.session.add_all((subscription, user))
    db.session.flush()
    gateway = Gateway(subscription_id=subscription.id, name="SFTP", kind="sftp", config={}, secrets={})
    adaptor = Adaptor(subscription_id=subscription.id, name="Billy", source_kind="billy", organization={"id": "o"})
    membership = Membership(subscription_id=subscription.id, user_id=user.id, role=Role.OWNER)
    db.session.add_all((gateway, adaptor, membership))
    db.session.flush()
    owner = {"subscription_id": subscription.id, "adaptor_id": adaptor.id}
    rows = [_customer(number, owner) for number in range(CUSTOMERS)]
    rule = {**owner, "active": True, "format": "peppol-bis-3", "gateway_id": gateway.id, "settings": {}}
    db.session.execute(insert(Customer), rows)
    db.session.execute(insert(ExportRule), [{**rule, "customer_id": row["id"]} for row in rows[:RULES]])
    documents = [_document(number, owner, rows[number * 31 % CUSTOMERS]) for number in range(DOCUMENTS)]
    db.session.execute(insert(Document), documents)
    db.session.commit()
    return adaptor, gateway, user


def sign_in(app: Flask, user: User) -> tuple[FlaskClient, str]:
    """A browser of that person, and its token for forms."""
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(
            {"_user_id": user.fs_uniquifier, "_fresh": True, "fs_cc": "set", "identity.auth_type": "session"}
        )
        session["fs_paa"] = utcnow().timestamp()
        session["sign_in"] = sessions.begin(user.id, SignInKind.PASSWORD, "127.0.0.1", "benchmark")
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/customers").text)
    if found is None:
        raise SystemExit("the benchmark is not signed in")
    return client, found[1]


def times(work: Callable[[int], int]) -> Times:
    """``REQUESTS`` answers after one to warm up; ``work`` gets a number and returns the status."""
    found = []
    for number in range(REQUESTS + 1):
        started = time.perf_counter()
        status = work(number)
        found.append((time.perf_counter() - started) * 1_000)
        if status not in (200, 303):
            raise SystemExit(f"the benchmark got {status}")
    found = sorted(found[1:])
    return Times(statistics.median(found), found[int(len(found) * 0.95)], found[-1])


def pages(client: FlaskClient, adaptor: Adaptor, gateway: Gateway) -> dict[str, Times]:
    """The list as it opens, narrowed, searched, in every order and far behind."""
    orders = {f"order {sort}": f"sort={sort}" for sort in customers.SORTS if sort != "name"}
    middle = customers.page(adaptor.id, customers.Filter(), after=customers.page(adaptor.id, customers.Filter()).next)
    addresses = {
        "list": "", **{f"filter {show}": f"show={show}" for show in customers.SHOWN if show != "all"},
        "filter country": "country=DE", "filter format": "format=peppol-bis-3", "filter gateway": f"gateway={gateway.id}",
        "search, many found": "q=Kunde", "search, few found": "q=12345", "search, nobody found": "q=Ærøskøbing",
        "search and filters": "q=odense&show=needs&country=DK&format=peppol-bis-3", **orders,
        "next page": f"after={middle.next}", "previous page": f"before={middle.next}",
        "next page by volume": f"sort=-volume&after={middle.next}",
    }  # fmt: skip
    return {
        name: times(lambda _, query=query: client.get(f"/customers?{query}").status_code)
        for name, query in addresses.items()
    }  # type: ignore[misc]


def changes(client: FlaskClient, token: str, adaptor: Adaptor, gateway: Gateway) -> dict[str, Times]:
    """A page of customers, and the most that one request takes."""
    ids = customers.matching_ids(adaptor.id, customers.Filter(show="inactive"))
    db.session.rollback()

    def post(action: str, size: int) -> Callable[[int], int]:
        def work(number: int) -> int:
            start = number * size % (len(ids) - size)
            data = {
                "csrf_token": token,
                "ids": ids[start : start + size],
                "format": "peppol-bis-3",
                "gateway": gateway.id,
            }
            return client.post(f"/customers/{adaptor.id}/{action}", data=data).status_code

        return work

    everything = {"csrf_token": token, "everything": "1", "filter.show": "inactive"}
    return {
        "ask for all": times(lambda _: client.post(f"/customers/{adaptor.id}/activate?ask=1", data=everything).status_code),
        "activate a page (50)": times(post("activate", 50)), "deactivate a page (50)": times(post("deactivate", 50)),
        "activate 500": times(post("activate", 500)), "deactivate 500": times(post("deactivate", 500)),
        "keep off a page (50)": times(post("keep-off", 50)),
    }  # fmt: skip


def all_at_once(client: FlaskClient, token: str, adaptor: Adaptor, gateway: Gateway) -> dict[str, float]:
    """Seconds until the job is started, and until it has activated everybody."""
    data = {"csrf_token": token, "everything": "1", "format": "oioubl-2.1", "gateway": gateway.id}
    started = time.perf_counter()
    status = client.post(f"/customers/{adaptor.id}/activate", data=data).status_code
    asked = time.perf_counter() - started
    db.session.rollback()
    job_id = db.session.query(Job.id).filter_by(kind="bulk").scalar()
    db.session.rollback()
    if status != 303 or job_id is None:
        raise SystemExit(f"the job was not started: {status}")
    slices = 1
    while background.execute(job_id, HANDLERS):
        slices += 1
    took = time.perf_counter() - started - asked
    job = db.session.get_one(Job, job_id, populate_existing=True)
    if job.state is not JobState.FINISHED or job.done != job.total:
        raise SystemExit(f"the job did not end well: {job.state} {job.done} of {job.total}: {job.error}")
    return {"start": asked, "work": took, "slices": slices, "customers": job.done}


def counting(adaptor: Adaptor) -> float:
    """Seconds to count everybody's documents of a year."""
    started = time.perf_counter()
    customers.count_recent(adaptor.id)
    return time.perf_counter() - started


def measure(database_url: str | None = None) -> dict[str, Any]:
    """All figures, on SQLite or on the (empty) database of the address."""
    bell.ring = lambda *_arguments, **_options: None  # nobody listens, and waiting for nobody is not what is measured
    with tempfile.TemporaryDirectory() as folder:
        app = application(Path(folder), database_url)
        with app.app_context():
            db.create_all()
            adaptor, gateway, user = build()
            counted = counting(adaptor)
            client, token = sign_in(app, user)
            found = {**pages(client, adaptor, gateway), **changes(client, token, adaptor, gateway)}
            job = all_at_once(client, token, adaptor, gateway)
            db.session.remove()
            db.engine.dispose()
    return {"times": found, "job": job, "counting": counted}


def show(figures: dict[str, Any]) -> None:
    """Print the table."""
    found: dict[str, Times] = figures["times"]
    print(f"\n{f'{CUSTOMERS} customers, milliseconds':48}{'median':>9}{'p95':>9}{'largest':>9}")
    for name, row in found.items():
        verdict = "reached" if row.p95 <= GOAL else "MISSED"
        print(f"{name:48}{row.median:9.0f}{row.p95:9.0f}{row.largest:9.0f}  goal {GOAL}: {verdict}")
    job = figures["job"]
    print(
        f"activating {job['customers']} customers: job started in {job['start'] * 1_000:.0f} ms, done after "
        f"{job['work']:.1f} s in {job['slices']} slices; documents of a year counted in {figures['counting']:.1f} s"
    )


def keep(figures: dict[str, Any]) -> None:
    """For the report."""
    rows = [
        {"request": name, "median_ms": row.median, "p95_ms": row.p95, "largest_ms": row.largest, "goal_ms": GOAL}
        for name, row in figures["times"].items()
    ]
    job = figures["job"]
    note = (
        f"Activating {job['customers']} customers in the background: started in {job['start'] * 1_000:.0f} ms, done after "
        f"{job['work']:.1f} s. Documents of a year counted in {figures['counting']:.1f} s."
    )
    results.write("customers", results.command(), rows, note=note)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="address of an empty database (default: SQLite in a temporary folder)")
    figures = measure(parser.parse_args().database)
    show(figures)
    keep(figures)


if __name__ == "__main__":
    main()
