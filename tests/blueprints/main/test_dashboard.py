"""What the dashboard shows, and to whom."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from support.moving import bring

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Turn, fatal
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    Gateway,
    Problem,
    Role,
    Run,
    RunState,
    Stage,
    User,
    db,
    utcnow,
)
from invoiceapp.services.daily import problems

HTMX = {"HX-Request": "true"}
MISSING_ENDPOINT = fatal(
    "PEPPOL-EN16931-R010", "Kunden mangler EAN.", "The customer has no EAN.", turn=Turn.HERE, fix="customer.endpoint"
).to_dict()


def _numbers(html: str) -> list[str]:
    return re.findall(r'href="/documents/\w+"><strong><bdi>([^<]+)</bdi></strong>', html)


def test_a_visitor_is_sent_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.location.startswith("/login")


def test_the_poll_of_a_visitor_leads_the_whole_page_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/dashboard/live", headers=HTMX | {"HX-Current-URL": "http://localhost/?status=failed"})
    assert (answer.status_code, answer.text) == (204, "")
    assert answer.headers["HX-Redirect"] == "/login?next=/?status%3Dfailed"


def test_a_poll_reads_the_adaptors_once(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *found: statements.append(found[2]))
    assert signed_in.get("/dashboard/live", headers=HTMX).status_code == 200
    assert sum("FROM adaptor" in one.replace("\n", " ") and "source_config" in one for one in statements) == 1
    assert len(statements) <= 20


def test_without_an_adaptor_the_next_step_is_the_catalogue(signed_in: FlaskClient) -> None:
    answer = signed_in.get("/")
    assert "deleted-adaptors" not in answer.text
    assert answer.status_code == 200
    assert "Activate an adaptor to begin" in answer.text and "/adaptors/catalogue" in answer.text


def test_the_checklist_stands_there_until_the_first_document_has_arrived(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable, make_delivery: Callable
) -> None:
    delivery = make_delivery(make_document(make_customer(), "1001"), DeliveryState.PENDING)
    page = signed_in.get("/").text
    assert 'id="onboarding"' in page and page.count('aria-current="step"') == 1
    bring(delivery, DeliveryState.DELIVERED)
    db.session.commit()
    assert 'id="onboarding"' not in signed_in.get("/").text


def test_a_source_that_is_not_connected_is_said_above_the_list(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    adaptor.organization = None
    db.session.commit()
    assert "Billy is not connected" in signed_in.get("/").text


def test_without_activated_customers_the_next_step_is_to_activate_some(
    signed_in: FlaskClient, make_customer: Callable[..., object]
) -> None:
    make_customer(active=None)
    assert "No customer is activated yet" in signed_in.get("/").text


def test_documents_are_listed_newest_first_with_amount_and_status(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable, make_delivery: Callable
) -> None:
    customer = make_customer()
    make_delivery(make_document(customer, "1001", issue_date=date(2026, 11, 1)), DeliveryState.DELIVERED)
    make_delivery(make_document(customer, "1002", issue_date=date(2026, 11, 3)), DeliveryState.FAILED)
    html = signed_in.get("/").text
    assert _numbers(html) == ["1002", "1001"]
    assert "125.00\N{NO-BREAK SPACE}DKK" in html
    assert "Kommune Eksempel" in html


def test_the_status_filter_and_the_search_narrow_the_list(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable, make_delivery: Callable
) -> None:
    customer = make_customer()
    make_delivery(make_document(customer, "1001"), DeliveryState.DELIVERED)
    make_delivery(make_document(customer, "1002"), DeliveryState.FAILED)
    make_document(customer, "1003", stage=Stage.QUEUED)
    make_document(customer, "1004", stage=Stage.LISTED)
    assert _numbers(signed_in.get("/?status=person").text) == ["1002"]
    assert _numbers(signed_in.get("/?status=delivered").text) == ["1001"]
    assert _numbers(signed_in.get("/?status=progress").text) == ["1003"]
    assert _numbers(signed_in.get("/?status=listed").text) == ["1004"]
    assert _numbers(signed_in.get("/?q=1001").text) == ["1001"]


def test_a_filter_that_matches_nothing_offers_to_clear_it(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable
) -> None:
    make_document(make_customer(), "1001")
    html = signed_in.get("/?q=none-of-these").text
    assert "Nothing matches" in html
    assert "Clear filters" in html


def test_days_that_are_the_wrong_way_round_are_said_and_swapped_by_one_press(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable
) -> None:
    make_document(make_customer(), "1001", issue_date=date(2026, 10, 5))
    html = signed_in.get("/?from=2026-10-31&to=2026-10-01").text
    assert "The first day is after the last" in html and "Nothing matches" not in html
    swapped = re.search(r'href="(/\?from=[^"]+)"[^>]*>Swap the days', html)
    assert swapped and _numbers(signed_in.get(swapped[1].replace("&amp;", "&")).text) == ["1001"]


def test_the_figures_add_up_to_all_documents(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable, make_delivery: Callable
) -> None:
    customer = make_customer()
    # A superseded delivery always has one that follows it.
    for state in set(DeliveryState) - {DeliveryState.SUPERSEDED}:
        make_delivery(make_document(customer, state.value), state)
    for stage in Stage:
        if stage is not Stage.CONVERTED:
            make_document(customer, stage.value, stage=stage)
    html = signed_in.get("/").text
    tiles = sum(int(value) for value in re.findall(r'<div class="stat-value">(\d+)', html))
    others = dict(re.findall(r'id="stat-(skipped|cancelled|handled)" href="[^"]+">(\d+)', html))
    assert others.keys() == {"skipped", "cancelled", "handled"}
    everything = re.search(r"(\d+) documents in all", html)
    assert everything and tiles + sum(map(int, others.values())) == int(everything[1])


def test_the_list_is_one_press_away_for_those_without_a_mouse(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    skips = re.findall(r'class="skip-to-content" href="#(\w+)"', signed_in.get("/").text)
    assert skips == ["content", "results"]


def test_a_credit_note_takes_away_from_the_sum(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable
) -> None:
    make_document(make_customer(), "1001", type=DocumentType.CREDIT_NOTE)
    html = signed_in.get("/").text
    assert re.search(r'data-label="Amount">\s*[-\u2212]\D*125', html)


def test_older_documents_are_reached_by_a_link_that_keeps_the_filter(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable
) -> None:
    customer = make_customer()
    for number in range(51):
        make_document(customer, str(1000 + number), stage=Stage.LISTED)
    first = signed_in.get("/?status=listed").text
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None
    assert "status=listed" in older[1]
    assert _numbers(signed_in.get(older[1].replace("&amp;", "&")).text) == ["1000"]


def test_the_poll_of_the_list_keeps_the_filters_and_answers_with_a_fragment(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable
) -> None:
    make_document(make_customer(), "1001")
    page = signed_in.get("/?q=1001&status=listed").text
    assert 'hx-get="/dashboard/live?status=listed&amp;q=1001"' in page
    fragment = signed_in.get("/dashboard/live?q=1001", headers=HTMX).text
    assert "<!doctype" not in fragment.lower()
    assert _numbers(fragment) == ["1001"]
    assert 'id="summary" hx-swap-oob="merge"' in fragment


def test_a_filter_by_htmx_gets_the_list_with_a_poll_of_its_own_address(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable
) -> None:
    make_document(make_customer(), "1001")
    answer = signed_in.get("/?q=1001&status=&sort=", headers=HTMX)
    assert "<!doctype" not in answer.text.lower()
    assert 'hx-get="/dashboard/live?q=1001"' in answer.text
    assert answer.headers["HX-Push-Url"] == "/?q=1001"


def test_problems_are_grouped_by_cause_with_a_link_to_the_field(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable, make_delivery: Callable
) -> None:
    customer = make_customer()
    for number in ("1001", "1002"):
        make_delivery(make_document(customer, number), DeliveryState.BLOCKED, findings=[MISSING_ENDPOINT])
    problems.refresh(customer.adaptor_id)
    html = signed_in.get("/").text
    assert html.count("The customer has no EAN.") == 1
    assert "2 documents" in html
    assert "#field-customer.endpoint" in html


def test_a_rejected_document_is_a_problem_in_the_partners_words(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable, make_delivery: Callable
) -> None:
    document = make_document(make_customer(), "1001")
    make_delivery(document, DeliveryState.REJECTED, error={"da": "Ukendt modtager.", "en": "Unknown receiver."})
    problems.refresh(document.adaptor_id)
    html = signed_in.get("/").text
    assert "Unknown receiver." in html and "The receiver's turn" in html
    problem = db.session.query(Problem).one()
    see = re.search(rf'id="see-{problem.id}" href="([^"]+)"', html)
    assert see and problem.id in see[1]


def test_a_paused_gateway_is_shown_with_its_reason(signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway) -> None:
    gateway.paused_at, gateway.paused_reason = utcnow(), {"da": "Forkert adgangskode.", "en": "Wrong password."}
    db.session.commit()
    assert "Wrong password." in signed_in.get("/").text


def test_a_run_that_is_going_on_is_shown_with_its_figures(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    run = Run(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", state=RunState.RUNNING, read=7
    )
    db.session.add(run)
    db.session.commit()
    html = signed_in.get("/").text
    assert f"/runs/{run.id}" in html
    assert "7 read, 0 to be exported" in html


def test_only_documents_of_a_run_are_listed_where_the_address_names_one(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Callable, make_document: Callable
) -> None:
    run = Run(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", state=RunState.FINISHED)
    db.session.add(run)
    db.session.commit()
    customer = make_customer()
    make_document(customer, "1001", run_id=run.id)
    make_document(customer, "1002")
    assert _numbers(signed_in.get(f"/?run={run.id}").text) == ["1001"]


def test_somebody_elses_adaptor_does_not_exist(stranger: FlaskClient, adaptor: Adaptor) -> None:
    assert stranger.get(f"/?adaptor={adaptor.id}").status_code == 404
    assert stranger.get(f"/dashboard/live?adaptor={adaptor.id}").status_code == 404


def test_a_stranger_sees_none_of_our_documents(
    stranger: FlaskClient, make_customer: Callable[..., object], make_document: Callable[..., Document]
) -> None:
    make_document(make_customer(), "1001")
    assert "1001" not in stranger.get("/").text


def test_the_menu_counts_what_needs_a_person(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable, make_delivery: Callable[..., Delivery]
) -> None:
    make_delivery(make_document(make_customer()), DeliveryState.FAILED)
    assert '<span class="side-nav-count">1</span>' in signed_in.get("/").text


@pytest.mark.parametrize("path", ["/", "/export", "/runs", "/customers", "/readiness", "/settings", "/source", "/vat"])
def test_pages_of_an_adaptor_say_that_it_is_switched_off(signed_in: FlaskClient, adaptor: Adaptor, path: str) -> None:
    assert "switched off: nothing is read" not in signed_in.get(path, follow_redirects=True).text
    adaptor.active = False
    db.session.commit()
    page = signed_in.get(path, follow_redirects=True).text
    assert page.count("The adaptor is switched off: nothing is read or sent") == 1
    assert 'id="reactivate-adaptor" href="/adaptors#mine"' in page and "Fetch new documents</button>" not in page


def test_pages_that_are_about_no_single_adaptor_do_not_say_it(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    adaptor.active = False
    db.session.commit()
    assert "switched off" not in signed_in.get("/adaptors").text + signed_in.get("/gateways").text


def test_members_read_that_it_is_switched_off_and_are_offered_no_switch(
    signed_in: FlaskClient, adaptor: Adaptor, user: User
) -> None:
    adaptor.active, user.memberships[0].role = False, Role.MEMBER
    db.session.commit()
    page = signed_in.get("/").text
    assert "switched off" in page and "reactivate-adaptor" not in page


def test_a_deleted_adaptor_is_said_to_be_deleted_and_fetches_nothing(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    adaptor.active, adaptor.deleted_at = False, utcnow()
    db.session.commit()
    for path in ("/", "/runs"):
        page = signed_in.get(f"{path}?adaptor={adaptor.id}").text
        assert "The adaptor is deleted; its documents are kept" in page
        assert "Fetch new documents</button>" not in page and "reactivate-adaptor" not in page


def test_after_the_only_adaptor_was_deleted_its_documents_are_one_link_away(
    signed_in: FlaskClient, adaptor: Adaptor
) -> None:
    adaptor.active, adaptor.deleted_at = False, utcnow()
    db.session.commit()
    assert 'href="/adaptors#deleted">See documents of deleted adaptors' in signed_in.get("/").text


def test_documents_that_are_not_exported_are_not_all_said_to_lack_activation(
    signed_in: FlaskClient, make_customer: Callable, make_document: Callable
) -> None:
    make_document(make_customer(), "1001", stage=Stage.LISTED)
    page = signed_in.get("/").text
    assert "Not chosen for export" in page and "Customers that are not activated" not in page
