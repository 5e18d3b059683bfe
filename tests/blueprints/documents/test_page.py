"""The document page, its files and its actions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from flask.testing import FlaskClient
from support.moving import bring

from invoiceapp.config import Config
from invoiceapp.demo.billy.company import demo_company
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text, Turn, fatal
from invoiceapp.domain.settings import settings_from
from invoiceapp.models import Attempt, Delivery, Document, Receipt, Rendition, Stage, db, utcnow
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import actions, archive, contents, events
from invoiceapp.sources.billy.mapping import convert

S = DeliveryState
XML = b'<Invoice xmlns="urn:x"><Note>a &lt;script&gt; b</Note><Total>5</Total></Invoice>'
HERE = "/documents/{}"
Make = Callable[..., Any]
Submit = Callable[..., Any]


def _pdf(tmp_path: Path, pages: int = 1) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(200, 300)
    path = tmp_path / "made.pdf"
    document.save(path)
    document.close()
    return path.read_bytes()


@pytest.fixture
def document(make_customer: Make, make_document: Make) -> Document:
    return make_document(make_customer("Fjordby Kommune"), "1001", order_number="PO-7")


@pytest.fixture
def rendition(document: Document, app: Any) -> Rendition:
    row = Rendition(
        subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3",
        sha256=archive.store(XML), size=len(XML), media_type="application/xml", filename="invoice-1001.xml",
        sender="0184:12345674", receiver="0088:5798000000001",
        rule_sets=[{"name": "peppol-ubl", "version": "2026.5", "sha256": "0" * 64}], missing_rule_sets=["en16931-ubl"],
        findings=[],
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def delivered(document: Document, rendition: Rendition, make_delivery: Make) -> Delivery:
    row: Delivery = make_delivery(
        document, S.DELIVERED, rendition_id=rendition.id, next_at=None, first_sent_at=utcnow()
    )
    attempt = Attempt(
        delivery_id=row.id, number=1, fence=1, wire_ids={"filename": "invoice_1001_ab.xml"}, outcome="accepted"
    )
    db.session.add(attempt)
    db.session.flush()
    db.session.add(
        Receipt(delivery_id=row.id, attempt_id=attempt.id, kind="wire", reference="R-42", evidence={"size": 77})
    )
    for kind in ("fetched", "converted", "validated", "sending", "delivered"):
        events.of_delivery(kind, row, **({"format": "peppol-bis-3"} if kind == "converted" else {}))
    db.session.commit()
    return row


def _choices(html: str) -> set[str]:
    return set(re.findall(r'id="dialog-([a-z-]+)" aria', html))


def test_the_page_names_the_document_its_customer_and_both_addresses(
    signed_in: FlaskClient, document: Document, delivered: Delivery
) -> None:
    html = signed_in.get(HERE.format(document.id)).text
    assert "<h1>Invoice 1001</h1>" in html
    for shown in ("Fjordby Kommune", "125.00\N{NO-BREAK SPACE}DKK", "PO-7", "0184:12345674", "0088:5798000000001"):
        assert shown in html


def test_the_evidence_has_hash_receipt_wire_ids_and_rule_versions(
    signed_in: FlaskClient, document: Document, delivered: Delivery, rendition: Rendition
) -> None:
    html = signed_in.get(HERE.format(document.id)).text
    assert f'data-copy="{rendition.sha256}"' in html
    for shown in ("R-42", "77", "invoice_1001_ab.xml", "Peppol BIS Billing 3", "2026.5", "Not installed"):
        assert shown in html


def test_the_timeline_tells_what_happened_and_what_is_still_to_come(
    signed_in: FlaskClient, document: Document, delivered: Delivery
) -> None:
    html = signed_in.get(HERE.format(document.id)).text
    titles = re.findall(r'timeline-head">\s*<strong>([^<]+)', html)
    assert titles == ["Fetched", "Converted", "Validated", "Sent", "Received", "Acknowledged"]
    assert html.count("is-upcoming") == 1


def test_the_next_attempt_is_announced_with_its_time(
    signed_in: FlaskClient, document: Document, make_delivery: Make
) -> None:
    from datetime import timedelta

    make_delivery(document, S.PENDING, tries=2, next_at=utcnow() + timedelta(hours=2), error={"da": "Nej", "en": "No"})
    html = signed_in.get(HERE.format(document.id)).text
    assert "Next attempt" in html
    assert "The last attempt did not succeed" in html


def test_a_delivery_that_waits_for_a_paused_gateway_says_so(
    signed_in: FlaskClient, document: Document, make_delivery: Make
) -> None:
    row = make_delivery(document, S.PENDING)
    row.gateway.paused_at, row.gateway.paused_reason = utcnow(), {"da": "x", "en": "Wrong password."}
    db.session.commit()
    html = signed_in.get(HERE.format(document.id)).text
    assert "Waits: the gateway is paused." in html
    assert "Wrong password." in html


def test_findings_are_cards_with_the_fatal_ones_first_and_a_link_to_the_field(
    signed_in: FlaskClient, document: Document, make_delivery: Make
) -> None:
    found = fatal("R1", "Mangler EAN.", "No EAN.", turn=Turn.HERE, fix="customer.endpoint")
    hint = {**found.to_dict(), "severity": "info", "rule": "I1", "text": {"da": "Bemærk.", "en": "Note this."}}
    make_delivery(document, S.BLOCKED, findings=[hint, found.to_dict()])
    html = signed_in.get(HERE.format(document.id)).text
    assert html.index("No EAN.") < html.index("Note this.")
    assert "#field-customer.endpoint" in html


@pytest.mark.parametrize(("count", "words"), [(1, "1 line, "), (2, "2 lines, ")])
def test_the_lines_that_the_receivers_system_reads_are_counted(
    signed_in: FlaskClient, document: Document, delivered: Delivery, monkeypatch: pytest.MonkeyPatch, count: int, words: str
) -> None:  # fmt: skip
    company = demo_company(date(2026, 11, 22))
    invoice = convert(company.bundle(company.hard_cases["mixed_rates"]), settings_from({})).invoice
    assert invoice is not None
    counted = replace(invoice, lines=invoice.lines[:1] * count)
    monkeypatch.setattr(contents, "of", lambda *_arguments, **_options: contents.Contents(invoice=counted))
    assert f"<summary>{words}" in signed_in.get(HERE.format(document.id)).text


def test_an_unclear_outcome_is_explained_in_words(
    signed_in: FlaskClient, document: Document, rendition: Rendition, make_delivery: Make
) -> None:
    make_delivery(document, S.OUTCOME_UNKNOWN, rendition_id=rendition.id)
    assert "We do not know whether the receiver got the document" in signed_in.get(HERE.format(document.id)).text


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (S.BLOCKED, {"rebuild", "cancel", "handle-outside"}),
        (S.PENDING, {"cancel"}),
        (S.SENDING, set()),
        (S.ACCEPTED, {"send-again"}),
        (S.DELIVERED, {"send-again"}),
        (S.ACKNOWLEDGED, {"send-again"}),
        (S.REJECTED, {"send-again", "handle-outside"}),
        (S.FAILED, {"try-again", "send-again", "cancel", "handle-outside"}),
        (S.OUTCOME_UNKNOWN, {"ask-again", "mark-received", "send-again", "cancel", "handle-outside"}),
    ],
)
def test_the_actions_are_those_that_the_state_allows(
    signed_in: FlaskClient, document: Document, rendition: Rendition, make_delivery: Make,
    state: DeliveryState, expected: set[str],
) -> None:  # fmt: skip
    make_delivery(document, state, rendition_id=rendition.id)
    assert _choices(signed_in.get(HERE.format(document.id)).text) == expected


def test_an_unusable_document_can_be_read_again_or_handled_outside(
    signed_in: FlaskClient, make_customer: Make, make_document: Make
) -> None:
    document = make_document(make_customer(), stage=Stage.UNUSABLE, error={"da": "Kladde.", "en": "A draft."})
    html = signed_in.get(HERE.format(document.id)).text
    assert _choices(html) == {"rebuild", "handle-outside"}
    assert "A draft." in html


def test_a_cancelled_document_that_broke_the_rules_cannot_be_sent_but_be_rebuilt(
    signed_in: FlaskClient, document: Document, rendition: Rendition, make_delivery: Make
) -> None:
    stopped = fatal("BR-1", "Forkert.", "Wrong.", turn=Turn.SOURCE).to_dict()
    make_delivery(document, S.CANCELLED, rendition_id=rendition.id, findings=[stopped])
    assert _choices(signed_in.get(HERE.format(document.id)).text) == {"rebuild"}


def test_sending_again_needs_a_reason_and_keeps_what_was_typed(
    signed_in: FlaskClient, document: Document, delivered: Delivery, submit: Submit
) -> None:
    answer = submit(signed_in, f"/documents/{document.id}/send-again", {"note": "  "})
    assert answer.status_code == 422
    assert "Write a reason" in answer.text
    long = submit(signed_in, f"/documents/{document.id}/send-again", {"note": "x" * 1001})
    assert long.status_code == 422
    assert "x" * 1001 in long.text
    db.session.refresh(delivered)
    assert delivered.state is S.DELIVERED


def test_sending_again_makes_a_new_delivery_that_names_the_old_one(
    signed_in: FlaskClient, document: Document, delivered: Delivery, submit: Submit
) -> None:
    answer = submit(signed_in, f"/documents/{document.id}/send-again", {"note": "They lost it."})
    assert (answer.status_code, answer.location) == (303, f"/documents/{document.id}")
    db.session.refresh(delivered)
    assert delivered.state is S.SUPERSEDED
    again = db.session.query(Delivery).filter_by(supersedes_id=delivered.id).one()
    assert again.state is S.PENDING
    assert "They lost it." in signed_in.get(answer.location).text


def test_trying_again_cancelling_and_marking_move_the_delivery(
    signed_in: FlaskClient, make_customer: Make, make_document: Make, make_delivery: Make, submit: Submit
) -> None:
    customer = make_customer()
    for number, (state, name, expected) in enumerate(
        [
            (S.FAILED, "try-again", S.PENDING),
            (S.PENDING, "cancel", S.CANCELLED),
            (S.OUTCOME_UNKNOWN, "mark-received", S.ACCEPTED),
        ]
    ):
        document = make_document(customer, str(number))
        delivery = make_delivery(document, state)
        assert submit(signed_in, f"/documents/{document.id}/{name}", {"note": "why"}).status_code == 303
        db.session.refresh(delivery)
        assert delivery.state is expected


def test_an_action_that_the_state_no_longer_allows_changes_nothing_and_says_so(
    signed_in: FlaskClient, document: Document, delivered: Delivery, submit: Submit
) -> None:
    answer = submit(signed_in, f"/documents/{document.id}/try-again", follow_redirects=True)
    assert actions.MOVED_ON.en in answer.text
    db.session.refresh(delivered)
    assert delivered.state is S.DELIVERED


def test_a_rebuild_that_the_source_refuses_is_told_on_the_question(
    signed_in: FlaskClient, document: Document, make_delivery: Make, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ServiceError(Text("Billy svarer ikke.", "Billy does not answer."))

    make_delivery(document, S.BLOCKED)
    monkeypatch.setattr(actions, "rebuild", refuse)
    answer = submit(signed_in, f"/documents/{document.id}/rebuild")
    assert answer.status_code == 422
    assert "Billy does not answer." in answer.text


def test_without_javascript_every_action_has_a_page_that_asks(
    signed_in: FlaskClient, document: Document, delivered: Delivery
) -> None:
    html = signed_in.get(HERE.format(document.id)).text
    assert f'<noscript><a class="btn btn-outline-danger" href="/documents/{document.id}/send-again">' in html
    question = signed_in.get(f"/documents/{document.id}/send-again").text
    assert "may get the document twice" in question
    assert 'name="note"' in question


def test_a_member_may_act(member: FlaskClient, document: Document, make_delivery: Make, submit: Submit) -> None:
    delivery = make_delivery(document, S.FAILED)
    assert submit(member, f"/documents/{document.id}/try-again").status_code == 303
    db.session.refresh(delivery)
    assert delivery.state is S.PENDING


def test_a_document_on_its_way_is_polled_and_a_final_one_is_not(
    signed_in: FlaskClient, document: Document, make_delivery: Make
) -> None:
    delivery = make_delivery(document, S.PENDING)
    found = re.search(r'hx-get="(/documents/[^"]+/live[^"]*)"', signed_in.get(HERE.format(document.id)).text)
    assert found
    assert signed_in.get(found[1]).status_code == 204, "nothing has moved, so nothing is touched"
    bring(delivery, S.DELIVERED)
    db.session.commit()
    assert "/live" not in signed_in.get(HERE.format(document.id)).text
    last = signed_in.get(found[1])
    assert (last.status_code, last.headers["HX-Retarget"]) == (200, "#document")
    assert "/live" not in last.text, "what replaces the poll polls no more"
    assert "<!doctype" not in last.text.lower()
    for part in ("choices", "dialogs", "announcer"):
        assert re.search(rf'id="{part}"[^>]* hx-swap-oob=', last.text), part
    assert _choices(last.text) == set(), "what has arrived cannot be cancelled"


def test_the_xml_is_shown_escaped_and_downloaded_byte_for_byte(
    signed_in: FlaskClient, document: Document, delivered: Delivery
) -> None:
    html = signed_in.get(HERE.format(document.id)).text
    assert "<script> b" not in html
    answer = signed_in.get(f"/documents/{document.id}/xml")
    assert answer.data == XML
    assert "attachment" in answer.headers["Content-Disposition"]


def test_the_pdf_is_shown_page_by_page_with_an_etag(signed_in: FlaskClient, document: Document, tmp_path: Path) -> None:
    content = _pdf(tmp_path, pages=2)
    document.pdf_sha256 = archive.store(content)
    db.session.commit()
    html = signed_in.get(HERE.format(document.id)).text
    assert "pdf/2.png" in html
    page = signed_in.get(f"/documents/{document.id}/pdf/2.png")
    assert page.data.startswith(b"\x89PNG")
    assert page.get_etag()[0] == f"{hashlib.sha256(content).hexdigest()}-2"
    again = signed_in.get(f"/documents/{document.id}/pdf/2.png", headers={"If-None-Match": page.headers["ETag"]})
    assert again.status_code == 304
    assert signed_in.get(f"/documents/{document.id}/pdf/3.png").status_code == 404
    assert signed_in.get(f"/documents/{document.id}/pdf").data == content


def test_a_file_that_the_archive_lost_is_said_on_the_page_and_by_its_address(
    signed_in: FlaskClient, document: Document, delivered: Delivery, rendition: Rendition, config: Config
) -> None:
    sha256 = rendition.sha256
    (config.archive_dir / sha256[:2] / sha256[2:4] / sha256).write_bytes(b"changed")
    document.pdf_sha256 = "f" * 64
    db.session.commit()
    page = signed_in.get(HERE.format(document.id))
    assert page.status_code == 200
    assert "was changed" in page.text
    assert "missing from the archive" in page.text
    assert signed_in.get(f"/documents/{document.id}/xml").status_code == 404
    assert signed_in.get(f"/documents/{document.id}/pdf").status_code == 404


def test_a_document_without_files_says_what_is_missing(signed_in: FlaskClient, document: Document) -> None:
    document.stage = Stage.LISTED
    db.session.commit()
    html = signed_in.get(HERE.format(document.id)).text
    assert "No PDF yet" in html
    assert "No e-invoice yet" in html
    assert signed_in.get(f"/documents/{document.id}/xml").status_code == 404
    assert signed_in.get(f"/documents/{document.id}/pdf").status_code == 404


def test_a_document_whose_delivery_is_gone_says_that_something_is_wrong(
    signed_in: FlaskClient, document: Document
) -> None:
    document.stage = Stage.CONVERTED
    db.session.commit()
    html = signed_in.get(HERE.format(document.id)).text
    assert "Something is wrong: its sending is missing" in html and "may have to be brought back from a backup" in html
    assert ">converted<" not in html and "No e-invoice yet" not in html


@pytest.mark.parametrize("path", ["", "/live", "/handle-outside", "/pdf", "/pdf/1.png", "/xml", "/send-again"])
def test_somebody_elses_document_does_not_exist(
    stranger: FlaskClient, document: Document, delivered: Delivery, path: str
) -> None:
    assert stranger.get(f"/documents/{document.id}{path}").status_code == 404


def test_somebody_elses_document_cannot_be_acted_on(
    stranger: FlaskClient, document: Document, delivered: Delivery, submit: Submit
) -> None:
    assert submit(stranger, f"/documents/{document.id}/send-again", {"note": "x"}).status_code == 404
    db.session.refresh(delivered)
    assert delivered.state is S.DELIVERED


def test_a_file_where_a_reason_is_expected_is_no_reason(
    signed_in: FlaskClient, document: Document, delivered: Delivery, submit: Submit
) -> None:
    answer = submit(signed_in, HERE.format(document.id) + "/send-again", {"note": (BytesIO(b"why"), "why.txt")})
    assert answer.status_code == 422
    db.session.refresh(delivered)
    assert delivered.state is S.DELIVERED


def test_findings_stand_beside_the_course_and_the_facts_below_it(
    signed_in: FlaskClient, document: Document, make_delivery: Make
) -> None:
    finding = fatal("X-1", "Mangler.", "Missing.", turn=Turn.HERE, fix="customer.endpoint").to_dict()
    assert 'float-lg-end"><section' in re.sub(r"\s*\n\s*", "", signed_in.get(HERE.format(document.id)).text)
    make_delivery(document, S.BLOCKED, findings=[finding])
    html = re.sub(r"\s*\n\s*", "", signed_in.get(HERE.format(document.id)).text)
    columns = re.findall(r'<div class="col-12 col-lg-6 float-lg-(start|end)">', html)
    assert columns == ["start", "end", "start"]
    assert html.index("Course") < html.index('id="findings"') < html.index("Sender and receiver")
