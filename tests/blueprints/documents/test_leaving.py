"""What the document page says and offers of documents that are held, left out, not approved or switched off."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Document, Environment, ExportRule, Gateway, Stage, User, db, utcnow
from invoiceapp.services.export import actions, events, reasons

S = DeliveryState
Make = Callable[..., Any]
Submit = Callable[..., Any]
WORDS = {"da": "Billy har selv sendt det.", "en": "Billy itself has sent it by e-mail."}


@pytest.fixture
def document(make_customer: Make, make_document: Make) -> Document:
    return make_document(make_customer("Fjordby Kommune"), "1001")


@pytest.fixture
def unapproved(document: Document, make_delivery: Make) -> Any:
    finding = reasons.approve_first(document.customer_name).to_dict()
    return make_delivery(document, S.BLOCKED, next_at=None, findings=[finding])


@pytest.fixture
def held(document: Document, make_delivery: Make) -> Any:
    return make_delivery(document, S.PENDING, next_at=utcnow() + timedelta(hours=2))


def page(client: FlaskClient, document: Document) -> str:
    answer = client.get(f"/documents/{document.id}")
    assert answer.status_code == 200
    return answer.text


def choices(html: str) -> list[str]:
    return re.findall(r'id="dialog-([a-z-]+)" aria', html)


def state_of(row: Any) -> Any:
    db.session.expire_all()
    return row.state


def test_a_held_document_says_until_when_it_can_be_stopped(signed_in, document, held):
    events.of_delivery("held", held, until=held.next_at.isoformat())
    db.session.commit()
    html = page(signed_in, document)
    assert "Leaves on" in html and "You can stop it until then" in html
    assert choices(html) == ["send-now", "cancel"]
    assert "Held back for a while" in html and "Can be stopped until then" in html


def test_a_document_that_is_due_is_not_held(signed_in, document, make_delivery):
    make_delivery(document, S.PENDING)
    html = page(signed_in, document)
    assert "Leaves on" not in html and choices(html) == ["cancel"]


def test_a_pause_between_attempts_is_no_hold(signed_in, document, make_delivery):
    make_delivery(document, S.PENDING, tries=1, first_sent_at=utcnow(), next_at=utcnow() + timedelta(hours=1))
    assert "send-now" not in choices(page(signed_in, document))


def test_send_now_ends_the_wait(signed_in, document, held, submit: Submit):
    assert submit(signed_in, f"/documents/{document.id}/send-now").status_code == 303
    db.session.expire_all()
    assert held.next_at <= utcnow() and held.state is S.PENDING
    answer = submit(signed_in, f"/documents/{document.id}/send-now", follow_redirects=True)
    assert "moved on" in answer.text


def test_stopping_a_held_one_cancels_it(signed_in, document, held, submit: Submit):
    submit(signed_in, f"/documents/{document.id}/cancel", {"note": "fejl"})
    assert state_of(held) is S.CANCELLED


def test_lists_show_when_a_held_document_leaves(signed_in, document, held):
    assert "Leaves on" in signed_in.get("/").text


def test_a_skipped_document_says_why_and_what_can_be_done(signed_in, document, make_delivery):
    document.stage, document.error = Stage.SKIPPED, WORDS
    make_delivery(document, S.CANCELLED, next_at=None)
    html = page(signed_in, document)
    assert (
        "Sent by the accounting system" in html
        and WORDS["en"] in html
        and choices(html) == ["send-anyway", "handle-outside"]
    )
    assert "is-upcoming" not in html
    assert "so nothing was made of it here" in html and " yet" not in html and "Not continued" not in html
    assert 'id="evidence-pack"' in html and "shows what was read and what became of the document" in html


def test_sending_anyway_asks_for_a_reason(signed_in, document, submit: Submit):
    document.stage, document.error = Stage.SKIPPED, WORDS
    db.session.commit()
    question = signed_in.get(f"/documents/{document.id}/send-anyway").text
    assert "may get it twice" in question and 'name="note"' in question
    assert submit(signed_in, f"/documents/{document.id}/send-anyway", {"note": " "}).status_code == 422
    assert submit(signed_in, f"/documents/{document.id}/send-anyway", {"note": "aftalt"}).status_code == 303
    db.session.expire_all()
    assert document.stage is Stage.QUEUED and document.send_anyway


def test_skipped_documents_have_a_filter_of_their_own(signed_in, document, make_document, make_customer):
    document.stage, document.error = Stage.SKIPPED, WORDS
    make_document(make_customer("Andre"), "2002", stage=Stage.LISTED)
    html = signed_in.get("/?status=skipped").text
    assert "1001" in html and ">2002<" not in html
    assert '<option value="skipped"' in html


def test_an_approval_is_offered_to_those_who_may_give_it(signed_in, document, unapproved):
    html = page(signed_in, document)
    assert choices(html)[0] == "approve" and "This is the first document to Fjordby Kommune" in html
    assert "An owner or administrator must approve" not in html


def test_others_are_told_who_may(member, document, unapproved):
    db.session.execute(update(User).values(language="en"))
    db.session.commit()
    html = page(member, document)
    assert "approve" not in choices(html) and "An owner or administrator must approve" in html


def test_approving_releases_the_document(signed_in, document, unapproved, submit: Submit):
    answer = submit(signed_in, f"/documents/{document.id}/approve", follow_redirects=True)
    assert "The customer is approved; 1 document is on its way." in answer.text
    db.session.expire_all()
    rule = db.session.query(ExportRule).filter_by(customer_id=document.customer_id).one()
    assert rule.approved_by == "ejer@example.com" and document.stage is Stage.QUEUED


def test_a_member_may_not_approve(member, document, unapproved, submit: Submit):
    assert submit(member, f"/documents/{document.id}/approve").status_code == 403
    db.session.expire_all()
    assert document.stage is Stage.CONVERTED


@pytest.mark.parametrize("name", ["approve", "send-now", "send-anyway"])
def test_a_stranger_finds_no_such_document(stranger, document, unapproved, submit: Submit, name):
    assert submit(stranger, f"/documents/{document.id}/{name}", {"note": "x"}).status_code == 404


def test_a_document_of_a_deactivated_adaptor_says_that_it_waits(signed_in, document, adaptor: Adaptor, held):
    adaptor.active = False
    db.session.commit()
    assert "Waits: the adaptor is deactivated" in page(signed_in, document)
    held.state, document.stage = S.SUPERSEDED, Stage.QUEUED
    db.session.commit()
    assert "Waits: the adaptor is deactivated" in page(signed_in, document)


def test_a_test_adaptor_before_a_live_gateway_says_that_it_waits(signed_in, document, adaptor, gateway: Gateway, held):
    adaptor.environment, gateway.environment = Environment.TEST, Environment.LIVE
    db.session.commit()
    assert "Waits: a test adaptor and a live gateway" in page(signed_in, document)


def test_an_excluded_document_says_which_setting_leaves_it_out(signed_in, document, adaptor):
    adaptor.settings = {"general": {"documentTypes": "invoices"}}
    document.stage, document.type = Stage.LISTED, DocumentType.CREDIT_NOTE
    db.session.commit()
    assert "Credit notes are not exported to this customer" in page(signed_in, document)
    assert "Credit notes are not exported to the customer" in signed_in.get("/").text


def test_every_kind_of_event_has_words(signed_in, document, held):
    for kind in ("excluded", "skipped", "send_anyway", "approved", "sent_now", "sent_for_real"):
        events.of_delivery(kind, held, **WORDS)
    db.session.commit()
    html = page(signed_in, document)
    for kind in ("excluded", "send_anyway", "sent_now", "sent_for_real"):
        assert f"<strong>{kind}" not in html


@pytest.fixture
def tested(document: Document, make_delivery: Make) -> Any:
    return make_delivery(document, S.DELIVERED, environment=Environment.TEST, first_sent_at=utcnow())


def test_what_only_went_to_a_test_gateway_says_so_and_can_be_sent_for_real(signed_in, document, tested):
    html = page(signed_in, document)
    assert "Only sent as a test" in html and "SFTP</bdi></a> · Test" in html and choices(html) == ["send-for-real"]
    assert "<bdi>SFTP</bdi> · Test" in signed_in.get("/").text


def test_while_the_customers_gateway_is_a_test_one_nothing_is_offered(signed_in, document, tested, gateway: Gateway):
    gateway.environment = Environment.TEST
    db.session.commit()
    html = page(signed_in, document)
    assert "Once the adaptor and the customer" in html and "send-for-real" not in choices(html)


def test_what_went_out_for_real_says_nothing_of_tests(signed_in, document, make_delivery):
    make_delivery(document, S.DELIVERED, first_sent_at=utcnow())
    html = page(signed_in, document)
    assert "Only sent as a test" not in html and "SFTP · Test" not in html


def test_sending_for_real_is_carried_out(signed_in, document, tested, submit: Submit, monkeypatch):
    key, done = document.id, []
    monkeypatch.setattr(actions, "send_for_real", lambda row, actor: done.append((row.id, actor)))
    assert submit(signed_in, f"/documents/{key}/send-for-real").status_code == 303
    assert done == [(key, "ejer@example.com")]
