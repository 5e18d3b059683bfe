"""What a person sees and decides: how far it came, what is wrong and where, Billy now, and what is handled outside."""

from __future__ import annotations

import re

import pytest
from support.moving import bring

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text, Turn, fatal
from invoiceapp.models import Rendition, Stage, db, utcnow
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive, comparison
from invoiceapp.sources.base import BookState

S = DeliveryState
XML = b'<Invoice xmlns="urn:x"><Note>a</Note><Total>5</Total></Invoice>'


@pytest.fixture
def blocked(make_customer, make_document, make_delivery):
    document = make_document(make_customer("Fjordby Kommune"), "1001")
    row = Rendition(
        subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3", sha256=archive.store(XML),
        size=len(XML), media_type="application/xml", filename="invoice-1001.xml", rule_sets=[], missing_rule_sets=[], findings=[],
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    found = [
        fatal("R1", "Mangler EAN.", "No EAN.", turn=Turn.HERE, fix="customer.endpoint", location="/*/*[2]").to_dict(),
        fatal("R2", "Andet.", "Else.", turn=Turn.HERE, fix="customer.endpoint", location="/Nowhere").to_dict(),
    ]
    return make_delivery(document, S.BLOCKED, rendition_id=row.id, findings=found)


def test_a_blocked_document_leads_to_its_one_cause_and_to_the_places_in_the_file(signed_in, blocked):
    html = signed_in.get(f"/documents/{blocked.document_id}").text
    assert re.search(r'id="fix" href="[^"]*#field-customer.endpoint"', html)
    assert 'href="#place-1"' in html and 'id="place-1" href="#finding-1"' in html
    assert "cannot be shown in the file" in html and "place-2" not in html
    steps = re.findall(r'track-step track-(\w+)".*?<strong>(\w+)', html, re.DOTALL)
    assert steps[:3] == [("done", "Fetched"), ("done", "Converted"), ("stopped", "Validated")]
    assert [look for look, _name in steps[3:]] == ["ahead"] * 3


def test_handled_outside_needs_a_reason_and_is_taken_up_again(signed_in, blocked, submit):
    here = f"/documents/{blocked.document_id}"
    assert submit(signed_in, f"{here}/handle-outside", {"note": " "}).status_code == 422
    assert submit(signed_in, f"{here}/handle-outside", {"note": "By mail"}).status_code == 303
    html = signed_in.get(here).text
    assert "By mail" in html and "Handled outside" in html and 'id="fix"' not in html
    assert re.findall(r'id="dialog-([a-z-]+)" aria', html) == ["take-up-again"]
    assert submit(signed_in, f"{here}/take-up-again").status_code == 303
    db.session.expire_all()
    assert blocked.document.stage is Stage.CONVERTED and blocked.state is S.BLOCKED
    assert {"rebuild", "cancel"} <= set(re.findall(r'id="dialog-([a-z-]+)" aria', signed_in.get(here).text))


@pytest.mark.parametrize("state", [S.CANCELLED, S.DELIVERED, S.BLOCKED])
def test_what_was_found_in_what_is_over_is_told_calmly_and_asks_nothing_of_anybody(signed_in, blocked, state):
    bring(blocked, state)
    db.session.commit()
    html = signed_in.get(f"/documents/{blocked.document_id}").text
    is_over = state is not S.BLOCKED
    assert "No EAN." in html and "#field-customer.endpoint" in html
    assert ("What was found at the time" in html) is is_over
    assert [word in html for word in ("Whose turn:", "finding-danger", 'btn-sm btn-primary" href="')] == [
        not is_over
    ] * 3


@pytest.mark.parametrize(
    ("state", "columns", "look"),
    [
        (S.DELIVERED, {}, "ahead"),
        (S.ACCEPTED, {}, "ahead"),
        (S.DELIVERED, {"poll_at": utcnow()}, "now"),
        (S.ACCEPTED, {"next_at": utcnow()}, "now"),
    ],
)
def test_a_receipt_that_nobody_promised_is_not_awaited(signed_in, blocked, state, columns, look):
    bring(blocked, state)
    blocked.findings = []
    blocked.next_at, blocked.poll_at = columns.get("next_at"), columns.get("poll_at")
    db.session.commit()
    html = signed_in.get(f"/documents/{blocked.document_id}").text
    steps = re.findall(r"track-step track-(\w+)", html)
    assert next(one for one in steps if one != "done") == look
    assert ("Only where the receiver answers with a receipt." in html.split("</ol>")[0]) is (look == "ahead")


def test_a_file_without_anything_to_fold_has_no_button_for_it(signed_in, blocked):
    here = f"/documents/{blocked.document_id}"
    assert 'id="unfold"' in signed_in.get(here).text
    row = db.session.get_one(Rendition, blocked.rendition_id)
    row.format, row.sha256 = "edifact-d96a", archive.store(b"UNB+UNOC:3+S+R'UNH+1+INVOIC:D:96A:UN:EAN008'UNT+2+1'")
    db.session.commit()
    assert 'id="unfold"' not in signed_in.get(here).text


def test_a_reason_that_comes_too_late_is_given_back(signed_in, blocked, submit):
    bring(blocked, S.DELIVERED)
    db.session.commit()
    answer = submit(
        signed_in, f"/documents/{blocked.document_id}/handle-outside", {"note": "By mail"}, follow_redirects=True
    )
    assert "You wrote: By mail" in answer.text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (comparison.Comparison(utcnow(), "DKK", BookState.APPROVED, True), ("The same", "Paid in Billy.")),
        (comparison.Comparison(utcnow(), "DKK", BookState.VOIDED), ("voided in Billy",)),
        (comparison.Comparison(utcnow(), "DKK"), ("no longer has the document",)),
        (
            comparison.Comparison(
                utcnow(), "DKK", BookState.APPROVED, False,
                (comparison.Difference(Text("Ordrenummer", "Order number"), "A-1", None),), True,
            ),
            ("1 difference", "Order number", "A-1", "Not paid in Billy."),
        ),
    ],
)  # fmt: skip
def test_what_billy_says_now_is_told_in_words_as_a_page_and_as_a_part_of_one(
    signed_in, blocked, submit, monkeypatch, found, words
):
    monkeypatch.setattr(comparison, "compare", lambda _document: found)
    page = submit(signed_in, f"/documents/{blocked.document_id}/compare")
    part = submit(signed_in, f"/documents/{blocked.document_id}/compare", headers={"HX-Request": "true"})
    assert "<h1>" in page.text and "<h1>" not in part.text
    assert all(word in page.text and word in part.text for word in words)


def test_a_billy_that_does_not_answer_is_said(signed_in, blocked, submit, monkeypatch):
    def refuse(_document: object) -> None:
        raise ServiceError(Text("Billy svarer ikke.", "Billy does not answer."))

    monkeypatch.setattr(comparison, "compare", refuse)
    answer = submit(signed_in, f"/documents/{blocked.document_id}/compare")
    assert answer.status_code == 422 and "Billy does not answer." in answer.text


def test_somebody_elses_document_is_not_compared(stranger, blocked, submit):
    assert submit(stranger, f"/documents/{blocked.document_id}/compare").status_code == 404
