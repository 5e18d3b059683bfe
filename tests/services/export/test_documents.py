"""What a run decides about documents that it has read before."""

from __future__ import annotations

import dataclasses
import threading
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Event, Run, RunState, Stage, db
from invoiceapp.services.database import transaction
from invoiceapp.services.export import documents
from invoiceapp.sources.base import SourceDocument
from invoiceapp.sources.billy.records import VOLATILE


@pytest.fixture
def run(adaptor: Adaptor) -> Run:
    row = Run(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", state=RunState.RUNNING)
    db.session.add(row)
    db.session.commit()
    return row


def as_read(row: Document, **invoice: Any) -> SourceDocument:
    """The document as the source has it now, with some properties of its invoice changed."""
    bundle = {"invoice": {"id": row.source_id, "isPaid": False, "lines": [{"text": "a"}], **invoice}}
    return SourceDocument(
        id=row.source_id, type=row.type, number=row.number, issue_date=row.issue_date, approved_at=None,
        customer_id=row.customer_source_id, customer_name=row.customer_name, currency="DKK", net=row.net, vat=row.vat,
        order_number=None, bundle=bundle,
    )  # fmt: skip


def ingest(run: Run, *read: SourceDocument) -> documents.Tally:
    with transaction() as session:
        current = session.get_one(Run, run.id)
        return documents.ingest(current, session.get_one(Adaptor, current.adaptor_id), read)


def changes(row: Document) -> int:
    kind = Event.kind == "changed_in_source"
    return db.session.scalar(select(func.count()).where(Event.document_id == row.id, kind)) or 0


@pytest.fixture
def left(make_customer: Any, make_document: Any, make_delivery: Any) -> Document:
    """A document that has left, with the records that the source had then."""
    row: Document = make_document(make_customer())
    with transaction():
        documents.refresh(row, as_read(row))
    make_delivery(row, DeliveryState.ACCEPTED)
    return row


def test_a_paid_and_opened_document_has_not_changed(run, left):
    paid = {
        "isPaid": True,
        "balance": Decimal(0),
        "sentState": "opened",
        "downloadUrl": "https://x",
        "attachments": [1],
    }
    assert ingest(run, as_read(left, **paid)).already_exported == 1
    assert changes(left) == 0


def test_a_change_in_what_was_sent_is_noted_once_for_each_revision(run, left):
    for text in ("b", "b", "c", "c"):
        ingest(run, as_read(left, lines=[{"text": text}]))
    assert changes(left) == 2


def test_the_revision_leaves_out_what_the_source_calls_volatile_at_any_depth(left):
    read = as_read(left)
    deep = dataclasses.replace(read, bundle={**read.bundle, "organization": {"nextInvoiceNo": 7}})
    deeper = dataclasses.replace(read, bundle={**read.bundle, "organization": {"nextInvoiceNo": 8}})
    assert documents.revision(deep, VOLATILE) == documents.revision(deeper, VOLATILE)
    assert documents.revision(deep) != documents.revision(deeper)


@pytest.mark.parametrize("stage", [Stage.LISTED, Stage.CONVERTED])
def test_a_document_that_a_person_took_out_is_not_queued_again(run, make_customer, make_document, make_delivery, stage):
    row = make_document(make_customer(), stage=stage)
    make_delivery(row, DeliveryState.CANCELLED)
    assert ingest(run, as_read(row)).queued == 0
    assert db.session.get_one(Document, row.id, populate_existing=True).stage is Stage.CONVERTED


def test_a_document_that_was_fetched_again_after_a_cancel_and_is_blocked_is_queued(
    run, make_customer, make_document, make_delivery
):
    row = make_document(make_customer())
    make_delivery(row, DeliveryState.CANCELLED), make_delivery(row, DeliveryState.BLOCKED)
    assert ingest(run, as_read(row)).queued == 1


def test_a_cancel_at_the_same_time_is_not_overridden(app, run, make_customer, make_document, make_delivery):
    """The person's transaction holds the document when the run comes; the run decides after it."""
    row = make_document(make_customer())
    delivery_id, read, run_id = make_delivery(row, DeliveryState.BLOCKED).id, as_read(row), run.id
    db.session.commit()
    tallies = []

    def runner() -> None:
        with app.app_context():
            tallies.append(ingest(db.session.get_one(Run, run_id), read))
            db.session.remove()

    with transaction() as session:
        session.execute(select(Document.id).where(Document.id == row.id).with_for_update())
        thread = threading.Thread(target=runner)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        session.get_one(Delivery, delivery_id).state = DeliveryState.CANCELLED
    thread.join(10)
    assert tallies[0].queued == 0
    assert db.session.get_one(Document, row.id, populate_existing=True).stage is Stage.CONVERTED
