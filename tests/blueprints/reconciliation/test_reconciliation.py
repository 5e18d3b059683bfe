"""The page of the nightly reconciliation, and the panel on a document that Billy has changed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Document, Job, JobState, Reconciliation, ReconciliationState, User, db, utcnow
from invoiceapp.services.daily import problems
from invoiceapp.services.proof import reconciling


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    """Tests read the msgids, whatever translations are compiled."""
    user.language = "en"
    db.session.commit()


@pytest.fixture
def read(adaptor: Adaptor) -> Adaptor:
    """Something was fetched once."""
    adaptor.watermark = "2026-11-01T10:00:00"
    db.session.commit()
    return adaptor


def night(adaptor: Adaptor, **columns: Any) -> Reconciliation:
    values: dict[str, Any] = {
        "state": ReconciliationState.DONE, "finished_at": utcnow(), "since": date(2026, 10, 1), "counts": {"read": 412},
    }  # fmt: skip
    row = Reconciliation(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, **values | columns)
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def changed(make_customer: Any, make_document: Any, make_delivery: Any) -> Document:
    seen_at = utcnow().isoformat()
    change = {"kinds": ["voided"], "seen_at": seen_at}
    document: Document = make_document(make_customer(), "1001", source_change=change, change_asks="person")
    make_delivery(document, DeliveryState.DELIVERED, first_sent_at=utcnow(), next_at=None)
    return document


def test_a_good_night_is_one_sentence_here_and_in_the_health(signed_in: FlaskClient, read: Adaptor) -> None:
    assert "first time tonight" in signed_in.get("/reconciliation").text
    night(read)
    sentence = "Reconciled with Billy: 412 documents, all of them here"
    assert sentence in signed_in.get("/reconciliation").text
    health = signed_in.get("/figures").text
    assert sentence in health and "/reconciliation?adaptor=" in health


def test_what_was_missing_and_what_is_reported_stands_with_its_reason(signed_in: FlaskClient, read: Adaptor) -> None:
    words = {"da": "Beløbet mangler.", "en": "The amount is missing."}
    night(
        read, counts={"read": 9, "missing": 1}, missing=[{"id": "x", "number": "1009"}],
        notes=[{"kind": "unreadable", **words}], is_complete=False,
    )  # fmt: skip
    html = signed_in.get("/reconciliation").text
    for text in (
        "1009",
        "Was missing here",
        "The amount is missing.",
        "1 missing; 1 not fetched",
        "could not be read",
    ):
        assert text in html
    night(read, state=ReconciliationState.FAILED, error={"da": "x", "en": "Billy does not answer."})
    assert "Billy does not answer." in signed_in.get("/reconciliation").text


def test_two_nights_without_one_are_said_in_the_health(signed_in: FlaskClient, read: Adaptor) -> None:
    night(read, created_at=utcnow() - timedelta(days=4))
    assert "Not reconciled with Billy since" in signed_in.get("/figures").text


def test_reconcile_now_starts_one_and_a_second_click_starts_no_other(
    signed_in: FlaskClient, submit: Any, read: Adaptor
) -> None:
    assert "Reconcile now" in signed_in.get("/reconciliation").text
    for expected in ("has begun", "going on already"):
        answer = submit(signed_in, f"/reconciliation?adaptor={read.id}", follow_redirects=True)
        assert expected in answer.text
    jobs = db.session.query(Job).filter(Job.kind == reconciling.KIND).all()
    assert [one.state for one in jobs] == [JobState.QUEUED] and jobs[0].actor == "ejer@example.com"
    assert "Billy is being compared" in signed_in.get(f"/reconciliation/live?adaptor={read.id}").text


def test_before_anything_was_fetched_there_is_no_button(signed_in: FlaskClient, submit: Any, adaptor: Adaptor) -> None:
    html = signed_in.get("/reconciliation").text
    assert "nothing can be missing" in html and "Reconcile now" not in html
    answer = submit(signed_in, f"/reconciliation?adaptor={adaptor.id}", follow_redirects=True)
    assert "No new documents were fetched yet" in answer.text


def test_a_changed_document_says_so_on_its_page_in_the_list_and_under_what_needs_a_person(
    signed_in: FlaskClient, changed: Document
) -> None:
    problems.refresh(changed.adaptor_id)
    page = signed_in.get(f"/documents/{changed.id}").text
    assert "Voided in Billy" in page and "Nothing is resent by itself." in page
    assert "Tell the receiver that it does not count" in page
    assert "Your turn" in page and "Nothing more is needed" not in page
    listed = signed_in.get("/reconciliation").text
    assert "1001" in listed and "Voided in Billy" in listed
    dashboard = signed_in.get("/").text
    assert dashboard.count("Changed in Billy after it was sent") == 2, "the cause, and the row"


def test_i_know_asks_for_a_reason_keeps_it_and_takes_the_document_off_the_list(
    signed_in: FlaskClient, submit: Any, changed: Document
) -> None:
    problems.refresh(changed.adaptor_id)
    path = f"/reconciliation/documents/{changed.id}/seen"
    assert "Voided in Billy" in signed_in.get(path).text
    refused = submit(signed_in, path, {"note": " "})
    assert refused.status_code == 422 and "Write a reason" in refused.text
    page = submit(signed_in, path, {"note": "Aftalt med Anne"}, follow_redirects=True).text
    assert "Aftalt med Anne" in page and "nothing was sent" in page
    problems.refresh(changed.adaptor_id)
    assert "Changed in Billy after it was sent. " not in signed_in.get("/problems").text
    again = submit(signed_in, path, {"note": "En gang til"}, follow_redirects=True).text
    assert "You wrote: En gang til" in again


def test_a_credited_document_whose_credit_note_has_arrived_says_so_and_is_closed_with_one_click(
    signed_in: FlaskClient, changed: Document, make_customer: Any, make_document: Any, make_delivery: Any
) -> None:
    changed.source_change = {**changed.source_change, "kinds": ["credited"]}
    changed.change_asks = "credited"
    credit = make_document(make_customer(), "1002", credits_source_id=changed.source_id)
    make_delivery(credit, DeliveryState.DELIVERED, first_sent_at=utcnow(), next_at=None)
    page = signed_in.get(f"/documents/{changed.id}").text
    assert "The credit note has reached the receiver" in page and "Close the change" in page
    assert "Nobody&#39;s turn" in page or "Nobody's turn" in page
    assert "The credit note has arrived: 1002" in signed_in.get(f"/reconciliation/documents/{changed.id}/seen").text
