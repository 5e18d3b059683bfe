"""A manual export of many documents whose workers are killed twice: each document has one outcome and one delivery.

``MANUAL_EXPORT_DOCUMENTS=5000`` for the number that the product promises; the usual run has fewer.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select, update

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.demo.billy.server import Server, serve
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    FoundDocument,
    FoundGroup,
    FoundOutcome,
    Gateway,
    Job,
    Run,
    RunState,
    db,
    utcnow,
)
from invoiceapp.services.configuration import customer_reading, rules, sources
from invoiceapp.services.daily import choosing, finding
from invoiceapp.services.daily.finding import Choice
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.export import runs

from .conftest import expire_leases, make_all_due, twice_active
from .test_worker import redis, worker  # noqa: F401 - fixtures

S = DeliveryState
DOCUMENTS = int(os.environ.get("MANUAL_EXPORT_DOCUMENTS", "40"))
#: Seconds that a document may take on a slow machine.
EACH = 2.0
PAUSE = 2.0 if DOCUMENTS > 500 else 0.4
pytestmark = [pytest.mark.crash, pytest.mark.server]


def large(company: Company, count: int) -> Company:
    """The same books with ``count`` copies of one ordinary invoice."""
    tables = company.tables
    one = next(row for row in tables["invoices"].values() if row["invoiceNo"] == "1001")
    lines = [row for row in tables["invoiceLines"].values() if row["invoiceId"] == one["id"]]
    invoices, copies = {}, {}
    for number in range(count):
        key = f"many{number:06}"
        invoices[key] = one | {"id": key, "invoiceNo": f"M{number:06}"}
        for line in lines:
            copies[f"{key}-{line['id']}"] = line | {"id": f"{key}-{line['id']}", "invoiceId": key}
    return replace(company, tables=tables | {"invoices": invoices, "invoiceLines": copies})


@pytest.fixture
def billy() -> Iterator[Server]:
    with serve("127.0.0.1", 0, large(demo_company(date(2026, 11, 22)), DOCUMENTS)) as server:
        yield server


@pytest.fixture
def activated(adaptor: Adaptor, billy: Server, sftp: Gateway) -> Adaptor:
    adaptor.organization = None
    db.session.commit()
    sources.connect(adaptor.id, {"token": "demo-token", "base_url": billy.url})
    customer_reading.refresh_customers(adaptor.id)
    ids = list(db.session.scalars(select(Customer.id).where(Customer.adaptor_id == adaptor.id)))
    rules.activate(adaptor.id, ids, "peppol-bis-3", sftp.id)
    return adaptor


def wait_until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60 + EACH * DOCUMENTS
    while not ready():
        assert time.monotonic() < deadline, what
        db.session.rollback()
        time.sleep(PAUSE / 2)
    db.session.rollback()


def check(run_id: str) -> finding.Standing:
    """What must hold at every moment."""
    db.session.rollback()
    standing = finding.standing(run_id)
    assert sum(standing.figures.values()) == standing.chosen == standing.found == DOCUMENTS
    assert standing.received <= standing.sent <= standing.converted <= standing.chosen
    return standing


def test_each_of_many_documents_is_accounted_for_although_workers_are_killed_twice(
    activated: Adaptor, redis: Redis, worker: Callable[[], subprocess.Popen[bytes]], partners: Any  # noqa: F811
) -> None:  # fmt: skip
    first = worker()
    run_id = runs.find(activated.id, "ejer@example.com", first_date=date(2000, 1, 1)).id
    wait_until(lambda: db.session.get_one(Run, run_id, populate_existing=True).state is RunState.FINISHED, "not read")
    assert finding.groups(run_id)[FoundGroup.NOT_EXPORTED].documents == DOCUMENTS

    # The export is killed in the middle: its job is half done, or a conversion is under way.
    assert choosing.export(run_id, Choice(FoundGroup.NOT_EXPORTED, everything=True), "ejer@example.com") == DOCUMENTS
    wait_until(lambda: check(run_id).figures.get(finding.WAITING, 0) < DOCUMENTS, "the export does not begin")
    _kill(first)
    _kill(_until(worker, lambda: check(run_id).received > DOCUMENTS // 4, "nothing arrives"))
    worker()

    def done() -> bool:
        make_all_due()
        if check(run_id).moving:
            tick()
            time.sleep(PAUSE)
        return not check(run_id).moving

    wait_until(done, "the last worker does not finish")
    standing = check(run_id)
    assert standing.figures == {"delivered": DOCUMENTS}
    outcomes = select(FoundDocument.outcome, func.count()).where(FoundDocument.run_id == run_id)
    assert db.session.execute(outcomes.group_by(FoundDocument.outcome)).all() == [(FoundOutcome.SENT, DOCUMENTS)]
    per_document = Counter(db.session.scalars(select(Delivery.document_id)))
    assert len(per_document) == DOCUMENTS and set(per_document.values()) == {1} and twice_active() == []
    arrived = Counter(one.name for one in partners.arrivals.all() if one.name.endswith(".xml"))
    assert len(arrived) == DOCUMENTS and set(arrived.values()) == {1}
    assert db.session.scalar(select(func.count()).select_from(Document)) == DOCUMENTS


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(timeout=10)
    expire_leases()
    db.session.execute(update(Job).where(Job.lease_until.is_not(None)).values(lease_until=utcnow()))
    db.session.commit()
    tick()


def _until(
    worker: Callable[[], subprocess.Popen[bytes]], ready: Callable[[], bool], what: str  # noqa: F811
) -> subprocess.Popen[bytes]:  # fmt: skip
    process = worker()

    def carried_on() -> bool:
        make_all_due()
        tick()
        time.sleep(PAUSE)
        return ready()

    wait_until(carried_on, what)
    return process
