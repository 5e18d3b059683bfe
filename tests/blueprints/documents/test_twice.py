"""What the document page says of a number that is taken, and of a credit note that waits for its invoice."""

from __future__ import annotations

import re

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Stage, db
from invoiceapp.services.delivery.numbers import Holder
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export import reasons

S = DeliveryState


@pytest.fixture
def pair(make_customer, make_document):
    customer = make_customer("Fjordby Kommune")
    return make_document(customer, "1001"), make_document(customer, "1002")


def page(client, document) -> str:
    return client.get(f"/documents/{document.id}").text


def choices(html: str) -> list[str]:
    return re.findall(r'id="dialog-([a-z-]+)" aria', html)


def test_a_waiting_credit_note_names_its_invoice_and_may_be_let_go(signed_in, pair, make_delivery, submit):
    invoice, note = pair
    make_delivery(invoice, S.FAILED, next_at=None)
    delivery = make_delivery(note)
    note.type, note.credits_source_id = DocumentType.CREDIT_NOTE, invoice.source_id
    db.session.commit()
    html = page(signed_in, note)
    assert "Waits for invoice 1001, which could not be sent" in html and f'href="/documents/{invoice.id}"' in html
    assert choices(html)[0] == "send-now"
    assert submit(signed_in, f"/documents/{note.id}/send-now", {"note": " "}).status_code == 422
    assert submit(signed_in, f"/documents/{note.id}/send-now", {"note": "agreed"}).status_code == 303
    db.session.expire_all()
    assert note.before_invoice and delivery.state is S.PENDING and "Waits for invoice" not in page(signed_in, note)


def test_a_taken_number_links_to_the_document_that_has_it_and_asks_for_a_reason(signed_in, pair, make_delivery, submit):
    first, second = pair
    holder = Holder(first.id, first.adaptor_id, "Billy", "1001", "delivered", None, False)
    make_delivery(second, S.BLOCKED, next_at=None, findings=[reasons.number_taken(second.type, holder).to_dict()])
    html = page(signed_in, second)
    assert "Another invoice with the number 1001 was sent" in html and f'href="/documents/{first.id}"' in html
    assert {"send-anyway", "handle-outside"} <= set(choices(html))
    assert submit(signed_in, f"/documents/{second.id}/send-anyway", {"note": "both are meant"}).status_code == 303
    db.session.expire_all()
    assert second.beside_id == first.id and second.stage is Stage.QUEUED


def test_what_was_sent_through_another_adaptor_says_so_and_links_there(signed_in, pair):
    first, second = pair
    words = {"da": "Sendt.", "en": "Sent by the other.", "channels": "elsewhere", "holder": first.id}
    second.stage, second.error = Stage.SKIPPED, words
    db.session.commit()
    html = page(signed_in, second)
    assert "Sent through another adaptor" in html and f'href="/documents/{first.id}"' in html
    assert choices(html) == ["send-anyway", "handle-outside"] and "Another document with this number" in html


def test_a_document_that_the_reader_may_not_see_is_not_linked(signed_in, pair, make_delivery, monkeypatch):
    from invoiceapp.blueprints.main import links

    first, second = pair
    monkeypatch.setattr(links, "may", lambda _action, _adaptor: False)
    holder = Holder(first.id, first.adaptor_id, "Billy", "1001", "delivered", None, False)
    make_delivery(second, S.BLOCKED, next_at=None, findings=[reasons.number_taken(second.type, holder).to_dict()])
    assert f'href="/documents/{first.id}"' not in page(signed_in, second)


def test_what_waits_for_another_adaptor_says_so_and_may_be_sent_at_once(signed_in, pair):
    first, second = pair
    holder = Holder(first.id, first.adaptor_id, "Billy", "1001", "pending", None, True)
    second.stage, second.error = Stage.QUEUED, text_dict(reasons.waits_elsewhere(holder), holder=first.id)
    db.session.commit()
    html = page(signed_in, second)
    assert "waits to be sent through the adaptor “Billy”" in html and f'href="/documents/{first.id}"' in html
    assert choices(html) == ["send-anyway"]


def test_whose_turn_it_is_names_what_to_do_and_does_not_repeat_the_reason(signed_in, pair, make_delivery):
    first, second = pair
    holder = Holder(first.id, first.adaptor_id, "Billy", "1001", "pending", None, False)
    make_delivery(first, S.BLOCKED, next_at=None, findings=[reasons.number_taken(first.type, holder).to_dict()])
    make_delivery(second)
    second.type, second.credits_source_id = DocumentType.CREDIT_NOTE, first.source_id
    db.session.commit()
    assert "See the other document with the same number." in page(signed_in, first)
    html = page(signed_in, second)
    assert "Correct invoice 1001." in html and html.count("Waits for invoice 1001") == 1
