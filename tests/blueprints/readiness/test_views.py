from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, event, func, select

from invoiceapp.blueprints.readiness import views, words
from invoiceapp.models import (
    Adaptor,
    Customer,
    ExportRule,
    Job,
    JobState,
    PreflightResult,
    Readiness,
    Run,
    db,
    utcnow,
)
from invoiceapp.services.configuration import preflight
from invoiceapp.services.configuration.readiness import TOPICS

Make = Callable[..., Any]
R010 = {"rule": "PEPPOL-EN16931-R010", "turn": "source", "fix": "customer.endpoint"}
VAT = {"rule": "IA-VAT-UNMAPPED", "turn": "here", "fix": "vat"}
TOTAL = {"rule": "IA-TOTAL", "turn": "source", "fix": "source.invoice"}


@pytest.fixture
def job(adaptor: Adaptor) -> Make:
    """``job(state=JobState.FINISHED, **columns)``"""

    def make(state: JobState = JobState.FINISHED, **columns: Any) -> Job:
        values = {"result": {"since": "2026-08-24", "until": "2026-11-22"}, "finished_at": utcnow(), **columns}
        row = Job(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind=preflight.KIND, state=state, **values
        )
        db.session.add(row)
        db.session.commit()
        return row

    return make


@pytest.fixture
def stopped(make_customer: Make, make_document: Make) -> Make:
    """``stopped(name, finding, count=1, **customer columns)``: a customer whose documents would stop."""

    def make(name: str, cause: dict[str, Any], count: int = 1, **columns: Any) -> Customer:
        text = {"da": f"dansk {cause['rule']}", "en": f"words of {cause['rule']}"}
        customer: Customer = make_customer(name, **{"active": None, "readiness": Readiness.NEEDS, **columns})
        examples = []
        for number in range(count):
            document = make_document(customer, f"{name}-{number}")
            examples.append({"id": document.id, "number": document.number})
            found = {**cause, "severity": "fatal", "text": text, "term": None, "location": None}
            db.session.add(
                PreflightResult(
                    subscription_id=document.subscription_id, adaptor_id=document.adaptor_id, document_id=document.id,
                    customer_id=customer.id, format="csv", fingerprint="f", may_leave=False, findings=[found],
                )
            )  # fmt: skip
        customer.problems = [{**cause, "text": text, "documents": count, "examples": examples[:5]}]
        db.session.commit()
        return customer

    return make


@pytest.fixture
def going(make_customer: Make, make_document: Make) -> Make:
    """``going(name, count=1)``: a ready customer whose documents would go."""

    def make(name: str, count: int = 1, **columns: Any) -> Customer:
        customer: Customer = make_customer(name, **{"active": None, "readiness": Readiness.READY, **columns})
        for number in range(count):
            document = make_document(customer, f"{name}-{number}")
            db.session.add(
                PreflightResult(
                    subscription_id=document.subscription_id, adaptor_id=document.adaptor_id, document_id=document.id,
                    customer_id=customer.id, format="csv", fingerprint="f", may_leave=True, findings=[],
                )
            )  # fmt: skip
        db.session.commit()
        return customer

    return make


def links_to(customer: Customer, page: str) -> list[str]:
    """Links to the field for the electronic address of a customer."""
    return re.findall(rf'href="/customers/{customer.id}[^"]*#field-customer\.endpoint"', page)


def test_without_an_adaptor_the_page_leads_to_the_catalogue(signed_in: FlaskClient) -> None:
    answer = signed_in.get("/readiness")
    assert answer.status_code == 302 and answer.location.endswith("/adaptors/catalogue")


def test_without_a_connection_the_page_leads_to_it(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    adaptor.organization = None
    db.session.commit()
    page = signed_in.get("/readiness").text
    assert f'href="/source?adaptor={adaptor.id}"' in page and "/check" not in page


def test_a_connection_without_anything_read_offers_the_reading(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    page = signed_in.get("/readiness").text
    assert f'action="/readiness/{adaptor.id}/read"' in page and f'action="/readiness/{adaptor.id}/check"' not in page


def test_before_the_first_check_the_page_offers_it(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    make_customer(active=None)
    page = signed_in.get("/readiness").text
    assert "Nothing has been checked yet" in page and f'action="/readiness/{adaptor.id}/check"' in page


def test_the_headline_says_in_words_what_would_happen(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, stopped: Make, job: Make
) -> None:
    job()
    going("Ready", 3), stopped("Kommune", R010, 2), stopped("Berlin", VAT), stopped("Odense", TOTAL)
    page = signed_in.get("/readiness").text
    assert "If you switched on today: 3 documents would go" in page
    assert "2 lack an EAN or CVR number, 1 has an unmapped VAT rate, 1 has another problem" in page
    assert "1 customer is ready, 3 need something" in page
    assert "24 Aug 2026" in page and "22 Nov 2026" in page


@pytest.mark.parametrize(
    ("start", "shown"),
    [
        (date(2026, 11, 23), "They are not sent: only documents dated from 23 Nov 2026 on are."),
        (date(2026, 11, 22), "They are not sent: only documents dated from 22 Nov 2026 on are."),
        (date(2026, 10, 1), "Those of them dated before 1 Oct 2026 are not sent."),
    ],
)
def test_documents_that_the_start_date_keeps_here_are_not_said_to_be_sent(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, job: Make, start: date, shown: str
) -> None:
    job()
    going("Ready", 3)
    adaptor.start_date = start
    db.session.commit()
    page = signed_in.get("/readiness").text
    assert "Of the documents of the last 90 days, 3 would pass." in page
    assert shown in page
    assert "If you switched on today" not in page


def test_a_start_date_before_all_the_documents_keeps_none_of_them(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, job: Make
) -> None:
    job()
    going("Ready", 3)
    adaptor.start_date = date(2026, 8, 24)
    db.session.commit()
    page = signed_in.get("/readiness").text
    assert "If you switched on today: 3 documents would go" in page
    assert "not sent: only" not in page


def test_without_any_gateway_the_page_leads_to_making_one_and_back(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, job: Make
) -> None:
    job()
    going("Ready", active=False)
    assert "make-gateway" not in signed_in.get("/readiness").text
    db.session.execute(delete(ExportRule))
    db.session.commit()
    page = unescape(signed_in.get("/readiness").text)
    link = re.search(r'id="make-gateway" href="([^"]+)"', page)
    assert link
    assert link[1].startswith(f"/gateways/new?default_of={adaptor.id}&next=/readiness")
    assert signed_in.get(link[1]).status_code == 200


def test_a_customer_without_a_number_may_be_a_private_person(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    job()
    stopped("Berlin", VAT)
    hint = "Private persons and foreign customers without a number"
    assert hint not in signed_in.get("/readiness").text
    stopped("Anna", R010)
    assert signed_in.get("/readiness").text.count(hint) == 1


def test_the_page_of_a_customer_leads_back_here_and_only_here(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    job()
    customer = stopped("Aarhus", R010)
    links = re.findall(rf'href="(/customers/{customer.id}[^"]*)"', unescape(signed_in.get("/readiness").text))
    assert len(links) == 2
    for link in links:
        assert "from=readiness" in link
        assert "back-to-readiness" in signed_in.get(link).text
    for other in ("", "?from=", "?from=https://evil.example"):
        assert "back-to-readiness" not in signed_in.get(f"/customers/{customer.id}{other}").text


def test_in_danish_nothing_is_left_in_english_format(
    signed_in: FlaskClient, adaptor: Adaptor, user: Any, going: Make, job: Make
) -> None:
    user.language = "da"
    job()
    going("Ready")
    db.session.commit()
    assert "24. aug. 2026" in signed_in.get("/readiness").text


def test_every_topic_has_words_of_its_own(app: Flask) -> None:
    with app.test_request_context():
        found = {words._lacking(topic.name, 2) for topic in TOPICS}
        assert len(found) == len(TOPICS) and words._lacking("", 2) not in found


def test_a_cause_leads_to_the_very_field_for_each_customer(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    job()
    customers = [stopped("Aarhus", R010, 2), stopped("Odense", R010)]
    page = signed_in.get("/readiness").text
    for customer in customers:
        assert len(links_to(customer, page)) == 1
    assert page.count('id="cause-') == 1 and "Aarhus-0</a>" in page and "3 documents" in page and "2 customers" in page


def test_a_cause_of_one_customer_names_it_and_has_one_link(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    job()
    customer = stopped("Aarhus", R010)
    page = signed_in.get("/readiness").text
    assert "– Aarhus" in page
    assert len(links_to(customer, page)) == 1


def test_a_common_cause_is_mended_once_on_the_page_of_this_adaptor(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    job()
    stopped("Berlin", VAT), stopped("Hamburg", VAT)
    found = re.findall(r'href="(/vat[^"]*#[^"]*)"', signed_in.get("/readiness").text)
    assert found == [f"/vat?adaptor={adaptor.id}#field-vat"]


def test_what_is_wrong_in_the_books_leads_to_the_document(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    job()
    customer = stopped("Odense", TOTAL)
    document_id = customer.problems[0]["examples"][0]["id"]
    page = signed_in.get("/readiness").text
    assert page.count(f'href="/documents/{document_id}"') == 2
    assert f'action="/readiness/{adaptor.id}/read"' in page, "what was corrected there has to be read again"


def test_when_nothing_is_to_be_mended_the_next_step_is_to_activate(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, job: Make
) -> None:
    job()
    going("Ready")
    page = signed_in.get("/readiness").text
    assert "Nothing is to be mended" in page and "notice-success" in page
    assert f"/customers?adaptor={adaptor.id}&amp;show=ready" in page and "export.csv" not in page


def test_when_everything_is_activated_nobody_is_asked_to_activate(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, job: Make
) -> None:
    job()
    going("Ready", active=True)
    assert "Activate the ready customers" not in signed_in.get("/readiness").text


def test_customers_without_any_document_say_that_more_could_be_seen(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, job: Make
) -> None:
    job()
    make_customer(active=None, readiness=Readiness.READY)
    page = signed_in.get("/readiness").text
    assert "No documents have been read yet" in page and "0 documents would go" in page


def test_filters_narrow_the_list_and_htmx_gets_the_board_only(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    job()
    stopped("Aarhus", R010), stopped("Berlin", VAT, active=True)
    rows = signed_in.get("/readiness?turn=here", headers={"HX-Request": "true"}).text
    assert "IA-VAT-UNMAPPED" in rows and "PEPPOL-EN16931-R010" not in rows and "<!doctype" not in rows.lower()
    assert "IA-VAT-UNMAPPED" not in signed_in.get("/readiness?activated=inactive").text
    empty = signed_in.get("/readiness?turn=receiver").text
    assert "No problem matches" in empty and "Clear filters" in empty


def test_checking_again_starts_a_check_and_shows_its_progress(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, submit: Make
) -> None:
    going("Ready")
    answer = submit(signed_in, f"/readiness/{adaptor.id}/check")
    assert answer.status_code == 303 and answer.location.endswith(f"/readiness?adaptor={adaptor.id}")
    (job,) = db.session.scalars(select(Job))
    assert (job.kind, job.state, job.actor) == (preflight.KIND, JobState.QUEUED, "ejer@example.com")
    page = signed_in.get(answer.location).text
    assert 'hx-get="/readiness/live' in page and "<noscript>" in page and "<progress" in page
    assert submit(signed_in, f"/readiness/{adaptor.id}/check").status_code == 303
    assert db.session.scalar(select(func.count()).select_from(Job)) == 1, "a double click is harmless"


def test_the_poll_shows_how_far_it_is_and_ends_with_the_check(
    signed_in: FlaskClient, adaptor: Adaptor, going: Make, job: Make
) -> None:
    going("Ready")
    running = job(JobState.RUNNING, done=1200, total=3400, finished_at=None)
    live = signed_in.get(f"/readiness/live?adaptor={adaptor.id}")
    assert live.status_code == 200 and "1,200 / 3,400" in live.text and "<!doctype" not in live.text.lower()
    running.state = JobState.FINISHED
    running.finished_at = utcnow()
    db.session.commit()
    ended = signed_in.get("/readiness/live")
    assert ended.status_code == 286 and "<progress" not in ended.text and "1 document would go" in ended.text


def test_the_poll_counts_and_leaves_the_causes_for_the_end(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make
) -> None:
    stopped("Aarhus", R010, 2)
    running = job(JobState.RUNNING, done=1, total=2, finished_at=None)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    for path in ("/readiness", "/readiness/live"):
        page = signed_in.get(path).text
        assert "1 needs something" in page and "shown here when the check has ended" in page
        assert "PEPPOL-EN16931-R010" not in page
    assert asked and not any("customer.problems" in statement for statement in asked), "20 000 of them take a second"
    running.state = JobState.FINISHED
    running.finished_at = utcnow()
    db.session.commit()
    ended = signed_in.get("/readiness/live")
    assert ended.status_code == 286 and "PEPPOL-EN16931-R010" in ended.text and "has ended" not in ended.text


def test_a_check_that_failed_says_why(signed_in: FlaskClient, adaptor: Adaptor, going: Make, job: Make) -> None:
    going("Ready")
    job(JobState.FAILED, error={"da": "Det gik galt.", "en": "It went wrong."})
    page = signed_in.get("/readiness").text
    assert "It went wrong." in page and f'action="/readiness/{adaptor.id}/check"' in page


def test_reading_queues_a_run_that_sends_nothing(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Make, make_customer: Make
) -> None:
    make_customer(active=True)
    answer = submit(signed_in, f"/readiness/{adaptor.id}/read")
    assert answer.status_code == 303
    (run,) = db.session.scalars(select(Run))
    assert run.only_reads and run.query["first_date"]
    assert f'href="/runs/{run.id}"' in signed_in.get(answer.location).text
    again = submit(signed_in, f"/readiness/{adaptor.id}/read", follow_redirects=True)
    assert again.status_code == 200 and db.session.scalar(select(func.count()).select_from(Run)) == 1


def test_the_file_is_named_by_the_day_and_cannot_hold_a_formula(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "today", lambda: date(2026, 11, 22))
    stopped("=cmd|' /C calc'!A0", R010)
    answer = signed_in.get(f"/readiness/export.csv?adaptor={adaptor.id}&form=danish-excel")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "2026-11-22.csv" in answer.headers["Content-Disposition"]
    content = answer.get_data()
    assert content.startswith(b"\xef\xbb\xbf") and b";'=cmd" in content and b"\r\n" in content
    assert not signed_in.get("/readiness/export.csv?form=international").get_data().startswith(b"\xef\xbb\xbf")
    assert signed_in.get("/readiness/export.csv?form=lotus").status_code == 404


def test_members_read_and_export_but_start_nothing(
    member: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make, submit: Make
) -> None:
    job()
    stopped("Aarhus", R010)
    page = member.get("/readiness").text
    assert (
        "PEPPOL-EN16931-R010" in page
        and "/check" not in page
        and 'action="/readiness' not in page.replace('action="/readiness"', "")
    )
    assert member.get("/readiness/export.csv").status_code == 200
    for path in ("check", "read"):
        assert submit(member, f"/readiness/{adaptor.id}/{path}").status_code == 403
    assert db.session.scalar(select(func.count()).select_from(Run)) == 0


def test_other_tenants_see_and_start_nothing(
    stranger: FlaskClient, adaptor: Adaptor, stopped: Make, submit: Make
) -> None:
    stopped("Aarhus", R010)
    for path in ("", "/live", "/export.csv"):
        assert stranger.get(f"/readiness{path}?adaptor={adaptor.id}").status_code == 404
    for path in ("check", "read"):
        assert submit(stranger, f"/readiness/{adaptor.id}/{path}").status_code == 404
    assert db.session.scalar(select(func.count()).select_from(Job)) == 0


def test_nobody_sees_the_board_without_signing_in(client: FlaskClient, adaptor: Adaptor) -> None:
    assert client.get("/readiness").status_code == 302


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\u202eevil", "🧾" * 40])
def test_odd_names_are_shown_as_text(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Make, job: Make, name: str
) -> None:
    stopped(name, R010)
    page = signed_in.get("/readiness").text
    assert "<script>alert" not in page and page.count("<h1") == 1
