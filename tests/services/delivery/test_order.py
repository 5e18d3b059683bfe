"""A credit note goes after its invoice, by itself; nobody and nothing waits for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Delivery, Document, Event, Stage, db, utcnow
from invoiceapp.services.daily import tick
from invoiceapp.services.delivery import order
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import actions, delivery

S = DeliveryState
WHO = "ejer@example.com"


@pytest.fixture
def credit(ready):
    """``credit(of, **columns)``: a due credit note of an invoice."""

    def make(of: Document, number: str = "K1", **columns: Any) -> Delivery:
        row = ready(number, **columns)
        row.document.type, row.document.credits_source_id = DocumentType.CREDIT_NOTE, of.source_id
        db.session.commit()
        return row

    return make


def is_free(row: Delivery) -> bool:
    """Whether a worker and the clock agree that it can go."""
    db.session.expire_all()
    rings = tick._any(delivery.with_work())
    db.session.rollback()
    taken = row.id in {lease.delivery_id for lease in delivery.claim()}
    assert rings is taken, "a worker is rung exactly where there is something to claim"
    return taken


def waits(row: Delivery) -> bool:
    """What the page says."""
    invoice = order.awaited(row.document, row)
    assert invoice is None or order.why_waiting(invoice).da.startswith(f"Venter på faktura {invoice.number}, som ")
    return invoice is not None


WAITS = {S.PENDING, S.LEASED, S.SENDING, S.BLOCKED, S.FAILED, S.OUTCOME_UNKNOWN}


def test_it_waits_exactly_while_its_invoice_may_still_leave_or_nobody_knows(ready, credit):
    later = utcnow() + timedelta(hours=1)
    waiting = [credit(ready(state, state, next_at=later).document, f"K-{state}") for state in sorted(WAITS)]
    assert all(waits(row) for row in waiting)
    assert not tick._any(delivery.with_work()) and delivery.claim() == [], "and no worker is rung in vain"
    free = [credit(ready(state, state, next_at=None).document, f"K-{state}") for state in sorted(set(S) - WAITS)]
    assert not any(waits(row) for row in free)
    assert tick._any(delivery.with_work())
    db.session.rollback()
    ids = {row.id for row in free}
    assert {lease.delivery_id for lease in delivery.claim()} == ids


def test_it_waits_while_its_invoice_is_made_ready_and_for_none_that_is_not_sent(make_customer, make_document, credit):
    customer = make_customer(source_id="other")
    rows = {stage: credit(make_document(customer, stage, stage=stage), f"K-{stage}") for stage in Stage}
    assert {stage for stage, row in rows.items() if waits(row)} == {Stage.QUEUED}
    ids = {row.id for stage, row in rows.items() if stage is not Stage.QUEUED}
    assert {lease.delivery_id for lease in delivery.claim()} == ids


def test_it_follows_by_itself(ready, credit, partner):
    row = credit(ready("1001", idem_key="invoice").document, idem_key="credit")
    while delivery.deliver_due():
        pass
    assert [one.key for one in partner.sent] == ["invoice", "credit"] and row.state is S.DELIVERED


def test_an_invoice_that_is_handled_outside_frees_it(ready, credit):
    invoice = ready("1001", S.BLOCKED)
    row = credit(invoice.document)
    assert not is_free(row)
    actions.handle_outside(invoice.document, WHO, "sendt som PDF")
    assert is_free(row)


def test_an_invoice_that_is_cancelled_frees_it(ready, credit):
    invoice = ready("1001", S.BLOCKED)
    row = credit(invoice.document)
    actions.cancel(invoice, WHO, "")
    assert is_free(row)


def test_a_person_may_send_it_first_with_a_reason(ready, credit, partner):
    row = credit(ready("1001", S.FAILED).document)
    with pytest.raises(ServiceError):
        actions.send_now(row, WHO)
    actions.send_now(row, WHO, "Aftalt med kunden")
    assert delivery.deliver_due() == 1 and row.state is S.DELIVERED
    told = db.session.scalars(select(Event).where(Event.kind == "sent_now")).one()
    assert told.data["note"] == "Aftalt med kunden" and told.actor == WHO


def test_what_was_tried_before_goes_on(ready, credit):
    assert is_free(credit(ready("1001", S.OUTCOME_UNKNOWN).document, first_sent_at=utcnow()))


@pytest.mark.parametrize("names", ["each other", "itself", "nothing", "what was never read"])
def test_no_names_in_the_books_make_a_deadlock(names, ready, credit):
    first = ready("K0", next_at=utcnow() + timedelta(hours=1))
    row = credit(first.document)
    first.document.type = DocumentType.CREDIT_NOTE
    first.document.credits_source_id = row.document.source_id
    row.document.credits_source_id = {
        "each other": first.document.source_id, "itself": row.document.source_id, "nothing": None,
        "what was never read": "elsewhere",
    }[names]  # fmt: skip
    db.session.commit()
    assert is_free(row)


def test_the_claim_stays_a_walk_along_indexes(ready, credit, app):
    credit(ready("1001").document)
    asked: list[Any] = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "WITH due" in statement:
            asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    delivery.claim()
    event.remove(db.engine, "before_cursor_execute", note)
    [(statement, parameters)] = asked
    connection = db.session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
    plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)]
    db.session.rollback()
    whole = [line for line in plan if line.strip(" ->").startswith(("SCAN document", "SCAN delivery", "Seq Scan"))]
    # Which of the indexes PostgreSQL takes for tables that are nearly empty, chance decides; tests/models/test_plans.py fills them.
    assert whole == [] and any("ix_delivery_" in line for line in plan), plan
