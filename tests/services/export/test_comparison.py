"""What a document was made of, against what Billy says now."""

from __future__ import annotations

import copy
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from invoiceapp.models import Customer, Delivery, Document, Event, Stage, db, utcnow
from invoiceapp.services.configuration import sources
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import comparison, documents, events
from invoiceapp.sources.base import BookState, DocumentQuery

pytestmark = pytest.mark.server


@pytest.fixture
def document(connected, billy, make_document) -> Document:
    """A document of the stand-in as a run has kept it."""
    billy.api.store.tables = copy.deepcopy(billy.api.store.tables)
    invoice = next(one for one in billy.api.store.tables["invoices"].values() if one["state"] == "approved")
    customer = db.session.scalars(select(Customer).where(Customer.source_id == invoice["contactId"])).one()
    row = make_document(customer, invoice["invoiceNo"], source_id=invoice["id"], stage=Stage.CONVERTED)
    with sources.open_source(connected) as source:
        db.session.commit()
        read = next(iter(source.documents(DocumentQuery(ids=(invoice["id"],)))))
    with transaction():
        documents.refresh(row, read)
    return row


@pytest.fixture
def invoice(document, billy):
    return billy.api.store.tables["invoices"][document.source_id]


def lines_of(billy, document):
    return [one for one in billy.api.store.tables["invoiceLines"].values() if one["invoiceId"] == document.source_id]


def told(found: comparison.Comparison) -> dict[str, tuple]:
    return {one.label.en: (one.then, one.now) for one in found.differences}


def test_the_same_is_said_to_be_the_same_and_nothing_is_kept(document):
    before = db.session.scalar(select(func.count()).select_from(Event))
    found = comparison.compare(document)
    assert found.is_same and not found.is_other_record and not found.was_sent
    assert db.session.scalar(select(func.count()).select_from(Event)) == before
    assert document.stage is Stage.CONVERTED


@pytest.mark.parametrize("paid", [True, False])
def test_being_paid_is_told_and_is_no_difference(document, invoice, paid):
    invoice["isPaid"] = paid
    found = comparison.compare(document)
    assert found.is_same and found.is_paid is paid


def test_each_field_that_changed_is_told_with_both_values(document, invoice, billy):
    old, contact = document.issue_date, billy.api.store.tables["contacts"][invoice["contactId"]]
    name = contact["name"]
    invoice["entryDate"], invoice["orderNo"], contact["name"] = "2026-01-02", "PO-NEW", "Ny Kunde ApS"
    found = comparison.compare(document)
    values = told(found)
    assert values["Issue date"] == (old, date(2026, 1, 2))
    assert values["Order number"][1] == "PO-NEW"
    assert values["Customer"] == (name, "Ny Kunde ApS")
    assert not found.is_same and found.is_other_record


def test_lines_are_told_by_what_changed_in_them(document, billy):
    line = lines_of(billy, document)[0]
    quantity = Decimal(line["quantity"])
    line["quantity"], line["unitPrice"], line["description"] = 2 * quantity, line["unitPrice"] / 2, "Ny tekst"
    values = told(comparison.compare(document))
    assert values["Line 1: quantity"] == (quantity, 2 * quantity)
    assert any(label.startswith("Line 1: ") and values[label][1] == "Ny tekst" for label in values)
    assert "Line 2" not in " ".join(values)


def test_a_line_that_was_put_in_does_not_make_the_others_differ(document, billy):
    lines = lines_of(billy, document)
    extra = {
        **lines[0],
        "id": "extra",
        "priority": 99,
        "description": "Gratis kaffe",
        "unitPrice": Decimal(0),
        "amount": Decimal(0),
        "tax": Decimal(0),
    }
    billy.api.store.tables["invoiceLines"]["extra"] = extra
    found = comparison.compare(document)
    added = [one for one in found.differences if one.then is None and one.label.en.startswith("Line")]
    assert len(added) == 1 and not any(": " in one.label.en for one in found.differences if "Line" in one.label.en)


@pytest.mark.parametrize("state", [BookState.VOIDED, BookState.DRAFT])
def test_what_is_no_longer_approved_is_said_by_its_state(document, invoice, state):
    invoice["state"] = state.value
    found = comparison.compare(document)
    assert (found.state, found.differences, found.is_same) == (state, (), False)


def test_what_billy_no_longer_has_is_said(document, billy):
    del billy.api.store.tables["invoices"][document.source_id]
    found = comparison.compare(document)
    assert found.state is None and not found.is_same


def test_a_billy_that_does_not_answer_is_an_error_in_words(document, billy):
    billy.api.faults.down = True
    with pytest.raises(ServiceError) as caught:
        comparison.compare(document)
    assert "Billy svarer ikke" in caught.value.text.da


def test_a_deactivated_adaptor_reads_nothing(document, connected):
    connected.active = False
    db.session.commit()
    with pytest.raises(Conflict):
        comparison.compare(document)


def test_records_that_cannot_be_read_as_an_invoice_are_compared_by_their_head_only(document, invoice):
    document.bundle = {**document.bundle, "invoice": {**document.bundle["invoice"], "state": "draft"}}
    document.bundle_sha256, document.number = "0" * 64, "gammel"
    db.session.commit()
    found = comparison.compare(document)
    assert not found.lines_compared and not found.is_same
    assert told(found)["Number"][0] == "gammel"


def test_whether_anything_was_sent_and_when_a_run_saw_a_change_is_told(document, gateway, make_delivery):
    assert comparison.noted_change(document.id) is None
    row: Delivery = make_delivery(document, first_sent_at=utcnow())
    events.of_document("changed_in_source", document, revision="x")
    db.session.commit()
    assert row.first_sent_at and comparison.compare(document).was_sent
    assert comparison.noted_change(document.id) is not None
