"""The same record in two adaptors: skipped only beside what arrived; what may come to nothing keeps it waiting, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Delivery, Document, Environment, ExportRule, SentNumber, Stage, db, utcnow
from invoiceapp.services.configuration import deletion, releasing
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import moves, numbers
from invoiceapp.services.export import actions, conversion, delivery
from invoiceapp.services.keeping import deleting
from invoiceapp.services.proof import unfinished

S = DeliveryState
WHO = "ejer@example.com"


def again(document_id: str) -> Document:
    return db.session.get_one(Document, document_id, populate_existing=True)


def only(document_id: str) -> Delivery:
    db.session.expire_all()
    return db.session.scalars(select(Delivery).where(Delivery.document_id == document_id)).one()


def look() -> None:
    """A quarter of an hour later."""
    db.session.execute(update(Document).where(Document.stage == Stage.QUEUED).values(lease_until=None))
    db.session.commit()
    conversion.convert_due()


def send() -> None:
    look()
    delivery.deliver_due()


def notes(adaptor_id: str) -> list[str]:
    with transaction():
        return [note.kind for note in unfinished.of(adaptor_id, date(2000, 1, 1))]


def reject(document_id: str) -> None:
    row = only(document_id)
    with transaction():
        moves.move(moves.Lease(row.id, row.gateway_id, row.fence), S.DELIVERED, S.REJECTED, Mover.MATCHER)


@pytest.fixture
def twins(queued: Any, copied: Any, second: Any, partner: Any) -> tuple[str, str]:
    """Ids of a document that is ready to leave, and of the same record in another adaptor, which has found that out."""
    first = queued().id
    conversion.convert_due()
    twin = copied(again(first), second()).id
    conversion.convert_due()
    return first, twin


def test_it_waits_while_the_other_is_on_its_way_and_is_skipped_once_that_arrived(twins, partner):
    first, twin = twins
    waiting = again(twin)
    assert waiting.stage is Stage.QUEUED and waiting.error["holder"] == first and waiting.tries == 0
    assert "»Billy«" in waiting.error["da"] and waiting.lease_until > utcnow()
    send()
    look()
    assert again(twin).stage is Stage.SKIPPED and len(partner.sent) == 1 and notes(again(twin).adaptor_id) == []


def _deleted(document: Document) -> None:
    books = db.session.get_one(Adaptor, document.adaptor_id)
    deletion.delete(books.id, books.name, WHO)


def _switched_off(document: Document) -> None:
    db.session.get_one(Adaptor, document.adaptor_id).active = False
    db.session.commit()


def _customer_switched_off(document: Document) -> None:
    db.session.query(ExportRule).filter_by(customer_id=document.customer_id).one().active = False
    db.session.commit()
    releasing.after_choice([document.customer_id])


def _cancelled(document: Document) -> None:
    actions.cancel(only(document.id), WHO, "")


@pytest.mark.parametrize("end", [_deleted, _switched_off, _customer_switched_off, _cancelled])
def test_it_leaves_by_itself_once_the_other_lets_go(end: Callable[[Document], None], twins, partner):
    first, twin = twins
    end(again(first))
    send()
    assert only(twin).state is S.DELIVERED and len(partner.sent) == 1
    assert db.session.scalars(select(SentNumber.document_id)).one() == twin


def test_what_is_switched_on_again_finds_that_the_other_has_left(twins, partner):
    first, twin = twins
    _switched_off(again(first))
    send()
    db.session.get_one(Adaptor, again(first).adaptor_id).active = True
    db.session.commit()
    delivery.deliver_due()
    look()
    assert only(twin).state is S.DELIVERED and len(partner.sent) == 1
    assert again(first).stage is Stage.SKIPPED and again(first).error["holder"] == twin


def test_it_waits_for_a_person_to_decide_an_unknown_outcome(queued, make_delivery, copied, second, partner):
    first = queued()
    books = db.session.get_one(Adaptor, first.adaptor_id)
    with transaction():
        assert numbers.take(first, books, Environment.LIVE) is None
    make_delivery(first, S.OUTCOME_UNKNOWN, next_at=None)
    again(first.id).stage = Stage.CONVERTED
    db.session.commit()
    twin = copied(first, second()).id
    look()
    assert again(twin).stage is Stage.QUEUED and "Afgør det dér" in again(twin).error["da"]
    db.session.execute(update(Document).where(Document.id == twin).values(status_at=utcnow() - timedelta(days=2)))
    db.session.commit()
    assert notes(again(twin).adaptor_id) == ["queued"]


def test_a_person_need_not_wait(twins, partner):
    _, twin = twins
    actions.send_anyway(again(twin), WHO, "Skal afsted nu")
    send()
    assert only(twin).state is S.DELIVERED


def test_the_reconciliation_tells_of_what_left_by_neither(twins):
    first, twin = twins
    send()
    look()
    reject(first)
    assert notes(again(twin).adaptor_id) == ["left_by_neither"]


def test_a_credit_note_waits_with_its_invoice_for_the_other_adaptor(twins, ready):
    _, twin = twins
    credit = ready("K1")
    credit.document.type, credit.document.credits_source_id = DocumentType.CREDIT_NOTE, again(twin).source_id
    credit.document.adaptor_id = credit.adaptor_id = again(twin).adaptor_id
    db.session.commit()
    assert credit.id not in {lease.delivery_id for lease in delivery.claim()}


class TestBeside:
    """What was sent beside the one that has the number keeps it as well."""

    @pytest.fixture
    def beside(self, queued: Any, copied: Any, partner: Any) -> tuple[str, str]:
        first = queued().id
        send()
        other = copied(again(first), source_id="b").id
        send()
        actions.send_anyway(again(other), WHO, "En rigtig faktura mere")
        send()
        assert len(partner.sent) == 2
        return first, other

    @pytest.mark.parametrize("way", ["rejected", "deleted"])
    def test_it_holds_when_the_first_has_let_go(self, way, beside, copied, partner):
        first, other = beside
        if way == "rejected":
            reject(first)
        else:
            with transaction():
                deleting.delete_documents([first])
        third = copied(again(other), source_id="c").id
        send()
        [found] = [one for one in only(third).findings if one["severity"] == "fatal"]
        assert found["fix"] == f"document.{other}" and len(partner.sent) == 2

    def test_words_that_are_kept_name_no_state_that_passes(self, queued, copied, partner):
        first = queued().id
        conversion.convert_due()
        key = copied(again(first), source_id="b").id
        look()
        [found] = [one for one in only(key).findings if one["severity"] == "fatal"]
        assert "på vej" not in found["text"]["da"] and "sendes også" in found["text"]["da"]


def test_what_was_made_ready_stays_that_companys(queued, copied, partner):
    """The adaptor is connected to another company, which has an invoice of the same number."""
    first = queued().id
    conversion.convert_due()
    books = db.session.get_one(Adaptor, again(first).adaptor_id)
    books.organization = {"id": "another", "name": "B", "registration_no": "87654321"}
    db.session.commit()
    delivery.deliver_due()
    sellers = db.session.scalars(select(SentNumber.seller)).all()
    assert only(first).state is S.DELIVERED and len(sellers) == 1 and "another" not in sellers[0]
