"""What a credit note is told about its invoice when it is converted, and from where it knows which one that is."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Customer, Delivery, Document, Stage, db
from invoiceapp.services.configuration import sources
from invoiceapp.services.export import clearance, conversion, documents
from invoiceapp.sources.base import DocumentQuery

S = DeliveryState


@pytest.mark.server
def test_the_demo_books_name_the_invoice_of_each_credit_note(connected, make_customer, make_document):
    with sources.open_source(connected) as source:
        read = list(source.documents(DocumentQuery()))
    notes = {one.id: one for one in read if one.type is DocumentType.CREDIT_NOTE}
    invoices = {one.id for one in read} - notes.keys()
    named = {one.credits_id for one in notes.values() if one.credits_id}
    assert named & invoices and not any(one.credits_id for one in read if one.id not in notes)
    note = next(one for one in notes.values() if one.credits_id in invoices)
    row = make_document(make_customer(), "K")
    documents.refresh(row, note)
    assert row.credits_source_id == note.credits_id


@pytest.fixture
def warnings(queued, make_document, make_delivery):
    """``warnings(stage, state)``: rules about its order, told of a credit note whose invoice has come that far; and the invoice."""

    def convert(stage: Stage, state: S | None = None) -> tuple[list[dict[str, str]], str]:
        row = queued()
        key, customer = row.id, db.session.get_one(Customer, row.customer_id)
        invoice = make_document(customer, "900", stage=stage).id
        if state is not None:
            make_delivery(db.session.get_one(Document, invoice), state, next_at=None)
        db.session.get_one(Document, key).credits_source_id = db.session.get_one(Document, invoice).source_id
        db.session.commit()
        conversion.convert_due()
        db.session.expire_all()
        delivery = db.session.scalars(select(Delivery).where(Delivery.document_id == key)).one()
        assert delivery.state is S.PENDING, "it is told, and nothing is blocked"
        return [one for one in delivery.findings if one["rule"] == "IA-BEFORE-INVOICE"], invoice

    return convert


@pytest.mark.parametrize(
    ("stage", "state"), [(Stage.LISTED, None), (Stage.CONVERTED, S.REJECTED), (Stage.CONVERTED, S.CANCELLED)]
)
def test_an_invoice_that_its_receiver_does_not_get_from_here_is_named_with_a_link(stage, state, warnings):
    [found], invoice = warnings(stage, state)
    assert found["severity"] == "warning" and "900" in found["text"]["da"] and found["fix"] == f"document.{invoice}"


@pytest.mark.parametrize(
    ("stage", "state"), [(Stage.SKIPPED, None), (Stage.HANDLED, None), (Stage.CONVERTED, S.DELIVERED)]
)
def test_one_that_the_receiver_has_is_no_news(stage, state, warnings):
    assert warnings(stage, state)[0] == []


def test_an_invoice_of_before_the_first_date_is_no_news(warnings, adaptor, make_document, monkeypatch):
    monkeypatch.setattr(clearance.selection, "is_too_old", lambda document, _adaptor: document.number == "900")
    assert warnings(Stage.LISTED)[0] == []
