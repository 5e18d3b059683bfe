"""The drill: a backup in the middle of a run, work that goes on after it, and a restore elsewhere.

What the partner has in its own log tells whether anybody got anything twice.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import select

from invoiceapp.demo.billy.server import Server, serve
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.jobs import tasks
from invoiceapp.models import Adaptor, Customer, Delivery, Document, FoundDocument, FoundGroup, Run, Stage, db
from invoiceapp.services import background
from invoiceapp.services.configuration import rules
from invoiceapp.services.daily import choosing, exporting, finding
from invoiceapp.services.daily.finding import Choice
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.export import conversion, delivery, probing, runs, selection
from invoiceapp.services.keeping import backup, restore

pytestmark = pytest.mark.server

S = DeliveryState
#: Long after everything that the demo company has booked.
RESTORED = datetime(2026, 12, 24, 12, tzinfo=UTC)
BEFORE, AFTER = "2026-12-24T09:00:00", "2026-12-25T09:00:00"


@pytest.fixture
def billy(company: Any) -> Iterator[Server]:
    """With fewer documents, whose PDFs take most of the time."""
    invoices = dict(islice(company.tables["invoices"].items(), 14))
    lines = {key: line for key, line in company.tables["invoiceLines"].items() if line["invoiceId"] in invoices}
    few = dataclasses.replace(company, tables=company.tables | {"invoices": invoices, "invoiceLines": lines})
    with serve("127.0.0.1", 0, few) as server:
        yield server


@pytest.fixture
def activated(stamped: Any, connected: Adaptor, gateway: Any) -> Adaptor:
    ids = list(db.session.scalars(select(Customer.id).where(Customer.adaptor_id == connected.id)))
    rules.activate(connected.id, ids, "peppol-bis-3", gateway.id)
    return connected


def run_now(adaptor_id: str) -> Run:
    run_id = runs.start(adaptor_id, trigger="schedule").id
    runs.execute(run_id)
    return db.session.get_one(Run, run_id, populate_existing=True)


def work_on() -> None:
    """Everything that ticks and workers do, to its end."""
    for _ in range(3):
        tick()
        while conversion.convert_due() or delivery.deliver_due():
            pass
        probing.probe_due()
        tasks.note_problems()


def book(billy: Server, approved: str) -> str:
    """A new invoice in the accounts; its id."""
    before = set(billy.api.store.tables["invoices"])
    billy.api.store.book_random()
    (new,) = set(billy.api.store.tables["invoices"]) - before
    billy.api.store.tables["invoices"][new]["approvedTime"] = approved
    return new


def test_nobody_gets_anything_twice_after_a_restore(activated, billy, partner, elsewhere, tmp_path, monkeypatch):
    adaptor_id = activated.id
    run_now(adaptor_id)
    conversion.convert_due(6)
    delivery.deliver_due(2)
    waiting = set(db.session.scalars(select(Document.stage)))
    assert waiting == {Stage.QUEUED, Stage.CONVERTED} and len(partner.sent) == 2
    assert set(db.session.scalars(select(Delivery.state))) >= {S.PENDING, S.DELIVERED}
    backup.write(tmp_path / "mid-run")
    # The world moves on: the rest leaves, and so does what is approved later.
    work_on()
    late = book(billy, BEFORE)
    assert run_now(adaptor_id).queued == 1
    work_on()
    log = Counter(consignment.payload.content for consignment in partner.sent)
    assert len(partner.sent) > 6 and set(log.values()) == {1}
    assert db.session.scalar(select(Document.status).where(Document.source_id == late)) == "delivered"

    monkeypatch.setattr(restore, "utcnow", lambda: RESTORED)
    with elsewhere():
        restore.restore(tmp_path / "mid-run")
        work_on()
        second = run_now(adaptor_id)
        work_on()
        assert Counter(consignment.payload.content for consignment in partner.sent) == log
        # It is there, listed, and says why; the run tells of it too.
        kept = db.session.scalars(select(Document).where(Document.source_id == late)).one()
        assert (kept.stage, selection.why_listed([kept])[kept.id]) == (Stage.LISTED, selection.RESTORED)
        assert second.queued == 0
        assert late in {one["id"] for one in second.problems if "gendannet" in one["da"]}
        # What is approved afterwards leaves by itself.
        book(billy, AFTER)
        assert run_now(adaptor_id).queued == 1
        work_on()
        assert len(partner.sent) == sum(log.values()) + 1
        # And a person releases what the receiver does not have.
        release(adaptor_id, kept)
        work_on()
        assert len(partner.sent) == sum(log.values()) + 2
        assert db.session.scalar(select(Document.status).where(Document.id == kept.id)) == "delivered"


def release(adaptor_id: str, document: Document) -> None:
    """By a manual export, as a person does it."""
    number = document.number
    run_id = runs.find(adaptor_id, "anna@nordlys.dk", numbers=(number,)).id
    runs.execute(run_id)
    row = db.session.scalars(select(FoundDocument).where(FoundDocument.run_id == run_id)).one()
    assert row.group is FoundGroup.NOT_EXPORTED and "gendannet" in row.text["da"]
    choosing.export(run_id, Choice(FoundGroup.NOT_EXPORTED, everything=True), "anna@nordlys.dk")
    job = background.active(adaptor_id, finding.EXPORT)
    while background.execute(job.id, {finding.EXPORT: exporting.run}):
        pass
