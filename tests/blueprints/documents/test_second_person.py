"""The document page where a second person must approve, and where the receiver may have the document already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Attempt, Document, db, utcnow
from invoiceapp.services.export import four_eyes

S = DeliveryState


@pytest.fixture
def sent_twice(make_customer: Any, make_document: Any, make_delivery: Any) -> Callable[[str, dict[str, str]], str]:
    """``sent_twice(outcome, error)``: a document whose second sending failed; outcome is of the first."""

    def make(outcome: str, error: dict[str, str]) -> str:
        document: Document = make_document(make_customer("Kommune X"), "1001")
        old = make_delivery(document, S.SUPERSEDED, first_sent_at=utcnow())
        db.session.add(Attempt(delivery_id=old.id, number=1, fence=1, outcome=outcome))
        make_delivery(document, S.FAILED, error=error, supersedes_id=old.id)
        db.session.commit()
        return document.id

    return make


def test_what_waits_for_a_second_person_says_so_and_leads_to_approvals(signed_in: FlaskClient, sent_twice: Any) -> None:
    error = {"da": "En anden skal godkende", "en": "Another must approve", "class": four_eyes.CLASS}
    key = sent_twice("accepted", error)
    page = signed_in.get(f"/documents/{key}").get_data(as_text=True)
    assert "Waits for an approval" in page and 'id="see-approvals"' in page and "Another must approve" in page
    assert "The last attempt did not succeed" not in page and f"/documents/{key}/try-again" not in page


@pytest.mark.parametrize(
    ("outcome", "words"),
    [("accepted", "may get it twice"), ("unknown", "may get it twice"), ("refused", "no duplicate")],
)
def test_trying_again_says_whether_the_receiver_may_have_it(
    signed_in: FlaskClient, sent_twice: Any, outcome: str, words: str
) -> None:
    key = sent_twice(outcome, {"da": "Nej", "en": "No"})
    assert words in signed_in.get(f"/documents/{key}/try-again").get_data(as_text=True)
