"""What Billy changes of a document that has left is noted once, told to a person, and never resent."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import Adaptor, Delivery, Document, Event, Problem, Stage, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.daily import causes, problems
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import comparison, runs
from invoiceapp.services.proof import advice, changes, reconciled, reconciling
from invoiceapp.services.proof.changes import Kind

from ..conftest import smaller

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def company() -> Company:
    """A few documents are enough."""
    return smaller(demo_company(date(2026, 11, 22)), 12)


@pytest.fixture(autouse=True)
def _in_august(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "today", lambda: date(2026, 8, 9))


@pytest.fixture
def sent(connected: Adaptor, make_delivery: Any) -> Document:
    """Everything was read, and the first document has left and arrived."""
    runs.execute(runs.start(connected.id, trigger="schedule").id)
    document = db.session.scalars(
        select(Document).where(Document.type == DocumentType.INVOICE).order_by(Document.issue_date, Document.id)
    ).first()
    assert document is not None
    document.stage = Stage.CONVERTED
    make_delivery(document, DeliveryState.DELIVERED, first_sent_at=utcnow(), next_at=None)
    return document


def look(document: Document) -> changes.Change | None:
    """A night's look at it."""
    job_id = reconciling.start(document.adaptor_id)
    while background.execute(job_id, HANDLERS):
        pass
    db.session.rollback()
    db.session.refresh(document)
    return changes.of(document)


def record_of(billy: Any, document: Document) -> dict[str, Any]:
    return billy.api.store.tables["invoices"][document.source_id]  # type: ignore[no-any-return]


def contact_of(billy: Any, document: Document) -> dict[str, Any]:
    return billy.api.store.tables["contacts"][document.customer_source_id]  # type: ignore[no-any-return]


def told(document: Document, kind: str = "source_changed") -> list[str]:
    query = select(Event).where(Event.document_id == document.id, Event.kind == kind).order_by(Event.id)
    return [str(one.data.get("what", "")) for one in db.session.scalars(query)]


def open_problem() -> Problem | None:
    return db.session.scalar(
        select(Problem).where(Problem.rule == causes.CHANGED, Problem.resolved_at.is_(None))
    )  # fmt: skip


def test_what_is_as_it_was_is_looked_at_and_nothing_is_said(sent, billy):
    record_of(billy, sent)["isPaid"] = True
    record_of(billy, sent)["downloadUrl"] = "another.pdf"
    assert look(sent) is None
    assert sent.source_looked_at is not None and told(sent) == [] and open_problem() is None


def test_a_voided_document_is_told_of_once_and_not_sent_again(sent, billy):
    billy.api.store.void(sent.source_id)
    found = look(sent)
    assert found is not None and found.kinds == (Kind.VOIDED,)
    seen_at = found.seen_at
    assert look(sent).seen_at == seen_at and told(sent) == ["voided"]
    assert sent.stage is Stage.CONVERTED
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 1
    problem = open_problem()
    assert problem is not None and (problem.documents, problem.numbers) == (1, [sent.number])
    first, second = reconciled.newest(sent.adaptor_id)[::-1]
    (said,) = [one for one in first.notes if one["kind"] == "changed"]
    assert (said["da"], said["number"]) == ("Annulleret i Billy", sent.number)
    assert reconciled.result(first)[0].da.endswith("alle fundet, 1 ændret efter afsendelse")
    assert "ændret" not in reconciled.result(second)[0].da, "that was the night before"


def test_a_void_is_noticed_however_old_the_document_is(sent, billy, monkeypatch):
    monkeypatch.setattr(reconciling, "days_back", lambda: 0)
    monkeypatch.setattr(reconciling, "today", lambda: date(2028, 8, 9))
    billy.api.store.void(sent.source_id)
    assert look(sent).kinds == (Kind.VOIDED,)
    assert changes.asking(sent.adaptor_id, 9) == [sent] and changes.how_many_ask(sent.adaptor_id) == 1


def test_a_document_that_billy_has_no_more_is_gone_and_comes_back(sent, billy):
    record = billy.api.store.tables["invoices"].pop(sent.source_id)
    assert look(sent).kinds == (Kind.GONE,)
    billy.api.store.tables["invoices"][sent.source_id] = record
    assert look(sent) is None
    assert len(told(sent, "source_as_before")) == 1 and open_problem() is None


_INVOICE_CHANGES = [
    ("contactMessage", "Rettet tekst", Kind.CONTENT),
    ("orderNo", "PO-99", Kind.CONTENT),
    ("attachmentIds", ["a-new-file"], Kind.PDF),
    ("templateId", "another-layout", Kind.PDF),
]
_CONTACT_CHANGES = [
    ("name", "Et nyt navn A/S", Kind.CONTACT),
    ("street", "Nygade 7", Kind.CONTACT),
    ("ean", "5790000000005", Kind.CONTACT),
    ("registrationNo", "10150817", Kind.CONTACT),
]


def test_each_kind_of_change_is_called_by_its_name(sent, billy):
    for record, cases in ((record_of(billy, sent), _INVOICE_CHANGES), (contact_of(billy, sent), _CONTACT_CHANGES)):
        for name, value, kind in cases:
            before, record[name] = record.get(name), value
            assert _decided(sent) == [kind], name
            record[name] = before
            assert _decided(sent) == [], name


def _decided(document: Document) -> list[Kind]:
    """What a comparison by hand notes, too."""
    compared = comparison.compare(document)
    changes.note_one(document.id, changes.Now(compared.read, compared.state))
    db.session.refresh(document)
    found = changes.of(document)
    return list(found.kinds) if found else []


def test_a_change_of_the_seller_or_of_a_product_makes_no_document_another_one(sent, billy):
    billy.api.store.organization["street"] = "Flyttevej 1"
    for product in billy.api.store.tables["products"].values():
        product["name"] += " (ny)"
    assert _decided(sent) == []


def test_a_customer_who_moves_is_shown_and_asks_nobody(sent, billy):
    contact_of(billy, sent)["street"] = "Nygade 7"
    assert look(sent).kinds == (Kind.CONTACT,)
    assert not changes.asks(sent) and open_problem() is None


def test_what_a_credit_note_takes_back_asks_until_the_credit_note_is_on_its_way(sent, billy):
    credit = db.session.scalars(select(Document).where(Document.stage == Stage.LISTED)).first()
    credit.type, credit.credits_source_id = DocumentType.CREDIT_NOTE, sent.source_id
    db.session.commit()
    assert look(sent).kinds == (Kind.CREDITED,)
    assert changes.asks(sent) and open_problem() is not None
    assert [one.id for one in changes.credit_notes(sent)] == [credit.id]
    assert "Åbn den" in advice.of(changes.of(sent), [credit]).da
    credit.stage = Stage.QUEUED
    db.session.commit()
    problems.refresh(sent.adaptor_id)
    assert not changes.asks(sent) and open_problem() is None
    assert changes.asking(sent.adaptor_id, 9) == [] and changes.how_many_ask(sent.adaptor_id) == 0
    db.session.refresh(credit)
    assert "er på vej" in advice.of(changes.of(sent), [credit]).da


def test_what_somebody_has_seen_to_asks_no_more_until_something_else_changes(sent, billy):
    billy.api.store.tables["invoices"][sent.source_id]["contactMessage"] = "Rettet tekst"
    look(sent)
    with pytest.raises(ServiceError):
        changes.acknowledge(sent, "bo@example.com", "  ")
    changes.acknowledge(sent, "bo@example.com", "Aftalt med kunden")
    with pytest.raises(Conflict):
        changes.acknowledge(sent, "bo@example.com", "Igen")
    found = look(sent)
    assert found.known is not None and (found.known.by, found.known.note) == ("bo@example.com", "Aftalt med kunden")
    assert not changes.asks(sent) and open_problem() is None
    billy.api.store.void(sent.source_id)
    found = look(sent)
    assert found.kinds == (Kind.VOIDED,) and found.known is None and changes.asks(sent)


def test_what_never_left_is_nobodys_change(sent, billy):
    other = db.session.scalars(select(Document).where(Document.stage == Stage.LISTED)).first()
    billy.api.store.void(other.source_id)
    assert look(other) is None and told(other) == []
