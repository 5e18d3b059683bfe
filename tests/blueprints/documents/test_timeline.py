"""What the timeline says of deliveries whose outcome was unclear, and of gateways that rest."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Turn, fatal
from invoiceapp.models import db, utcnow
from invoiceapp.services.export import events

S = DeliveryState


@pytest.fixture
def delivery(make_customer: Any, make_document: Any, make_delivery: Any) -> Any:
    """``delivery(state, **columns)``."""

    def make(state: DeliveryState, **columns: Any) -> Any:
        return make_delivery(make_document(make_customer("Fjordby Kommune"), "1001"), state, **columns)

    return make


def _page(signed_in: Any, row: Any) -> str:
    return str(signed_in.get(f"/documents/{row.document_id}").get_data(as_text=True))


def _titles(html: str) -> list[str]:
    return re.findall(r'timeline-head">\s*<strong>([^<]+)', html)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("asked", {"answer": "no"}, ("was asked whether it arrived", "The receiver does not have it.")),
        ("asked", {"answer": "no_answer"}, ("was asked whether it arrived", "No clear answer.")),
        ("not_arrived", {}, ("Had not arrived: sent once more",)),
        ("repeated", {}, ("the receiver recognises a repetition",)),
        ("receipt_missing", {"da": "Ventet.", "en": "Waited for."}, ("has not come in time", "Waited for.")),
    ],
)
def test_what_was_done_about_an_unclear_outcome_is_told(signed_in, delivery, kind, data, words):
    row = delivery(S.OUTCOME_UNKNOWN, next_at=None)
    events.of_delivery(kind, row, **data)
    db.session.commit()
    html = _page(signed_in, row)
    assert [one for one in words if one not in html] == []


def test_rules_that_stopped_it_are_told_in_words_where_they_are_known(signed_in, delivery):
    found = fatal("BR-25", "Linjen har intet navn.", "The line has no name.", turn=Turn.SOURCE).to_dict()
    row = delivery(S.BLOCKED, findings=[found])
    events.of_delivery("blocked", row, rules=["BR-25", "BR-99", "BR-98", "BR-97", "BR-96"])
    db.session.commit()
    html = _page(signed_in, row)
    assert "BR-25: The line has no name. · BR-99 · BR-98 · 2 more" in html


def test_a_gateway_that_rests_says_when_it_is_tried_again(signed_in, delivery):
    row = delivery(S.PENDING)
    row.gateway.failures, row.gateway.retry_at = 5, utcnow() + timedelta(minutes=2)
    db.session.commit()
    assert "server does not answer. Next attempt" in _page(signed_in, row)


def test_a_receipt_that_is_awaited_says_until_when(signed_in, delivery):
    row = delivery(S.ACCEPTED, next_at=utcnow() + timedelta(hours=3))
    assert "The receipt is awaited until" in _page(signed_in, row)
    row.next_at = None
    db.session.commit()
    assert "awaited" not in _page(signed_in, row)


@pytest.mark.parametrize("kind", ["try_unknown", "receipt_missing"])
def test_what_is_unclear_leads_to_the_ids_that_the_receiver_can_be_asked_by(signed_in, delivery, kind):
    row = delivery(S.OUTCOME_UNKNOWN, next_at=None)
    events.of_delivery(kind, row, da="Intet svar.", en="No answer.")
    db.session.commit()
    assert '<a href="#evidence">' in _page(signed_in, row)


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        ("try_refused", "Sending tried"),
        ("try_unavailable", "Sending tried"),
        ("try_unknown", "Sent"),
        ("try_rejected", "Sent"),
        ("delivered", "Sent"),
    ],
)
def test_a_sending_after_which_nothing_left_was_only_tried(signed_in, delivery, outcome, title):
    row = delivery(S.OUTCOME_UNKNOWN, next_at=None)
    for kind in ("sending", outcome):
        events.of_delivery(kind, row)
    db.session.commit()
    assert _titles(_page(signed_in, row))[0] == title


def test_only_the_sending_that_failed_was_only_tried(signed_in, delivery):
    row = delivery(S.DELIVERED, next_at=None)
    for kind in ("sending", "try_unavailable", "sending", "delivered"):
        events.of_delivery(kind, row)
    db.session.commit()
    assert _titles(_page(signed_in, row))[:3:2] == ["Sending tried", "Sent"]
