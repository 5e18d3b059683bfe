"""Choosing documents by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from invoiceapp.blueprints.export.numbers import Numbers, TooMany, parse_numbers
from invoiceapp.blueprints.export.views import periods
from invoiceapp.models import Adaptor, Customer, Run, RunState, db
from invoiceapp.services.export.validators import today

Make = Callable[..., Any]
Submit = Callable[..., Any]


@pytest.fixture
def customer(make_customer: Make) -> Customer:
    return make_customer("Fjordby Kommune", source_id="billy-1")


def _run() -> Run:
    return db.session.query(Run).one()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1001", ("1001",)),
        ("1001, 1003;1005\n1007", ("1001", "1003", "1005", "1007")),
        ("1001\t1002\r\n1003 1004", ("1001", "1002", "1003", "1004")),
        ("1001-1003", ("1001", "1002", "1003")),
        ("1001 – 1002, 1002", ("1001", "1002")),
        ("0098-0101", ("0098", "0099", "0100", "0101")),
        ("F-1001, 2026-A, 2026-15, 2026-0015", ("F-1001", "2026-A", "2026-15", "2026-0015")),
        (" , \n", ()),
        ("1-5000", tuple(str(number) for number in range(1, 5001))),
    ],
)
def test_numbers_are_read_from_lists_lines_and_ranges(text: str, expected: tuple[str, ...]) -> None:
    assert parse_numbers(text) == Numbers(expected, ())


def test_what_is_no_number_is_named() -> None:
    assert parse_numbers("Fakturanr.\n1001\n1010-1001 and 7") == Numbers(
        ("1001", "7"), ("Fakturanr.", "1010-1001", "and")
    )


@pytest.mark.parametrize("text", ["1-5001", "1-4000, 10001-12000", "1-999999999999999999"])
def test_too_many_numbers_are_refused(text: str) -> None:
    with pytest.raises(TooMany):
        parse_numbers(text)


def test_without_a_connected_source_the_next_step_is_to_connect_it(signed_in: FlaskClient) -> None:
    assert "Billy is not connected" in signed_in.get("/export").text


def test_documents_can_be_found_before_any_customer_is_activated(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    assert "Find invoices" in signed_in.get("/export").text


def test_a_period_can_be_chosen_quickly(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    html = signed_in.get("/export?by=date").text
    link = re.search(r'href="([^"]*first_date=[^"]*)">Last month', html)
    assert link
    first, last = re.findall(r'type="date" value="([^"]+)"', signed_in.get(unescape(link[1])).text)
    assert first.endswith("-01") and first[:7] == last[:7] < today().isoformat()[:7]


@pytest.mark.parametrize("now", [date(2026, 1, 1), date(2026, 3, 31), date(2024, 2, 29)])
def test_the_quick_choices_are_periods_that_end_by_today(app: Flask, now: date) -> None:
    with app.test_request_context():
        found = {str(label): (first, last) for label, first, last in periods(now)}
    assert all(first <= last <= now for first, last in found.values()) and len(found) == 7


def test_a_period_starts_a_manual_run_in_the_persons_name(
    signed_in: FlaskClient, customer: Customer, submit: Submit
) -> None:
    answer = submit(signed_in, "/export?by=date", {"first_date": "2026-11-01", "last_date": "2026-11-30"})
    run = _run()
    assert (answer.status_code, answer.location) == (303, f"/runs/{run.id}")
    assert (run.trigger, run.actor, run.moves_watermark) == ("manual", "ejer@example.com", False)
    assert run.only_reads, "nothing is sent before it is chosen"
    assert run.query == {"first_date": "2026-11-01", "last_date": "2026-11-30"}


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("", "2026-11-30", "Choose the first date."),
        ("2026-11-30", "2026-11-01", "must not be before the first"),
        ("2026-11-01", "30/11/2026x", "Write a date"),
    ],
)
def test_a_wrong_period_is_explained_and_kept(
    signed_in: FlaskClient, customer: Customer, submit: Submit, first: str, last: str, message: str
) -> None:
    answer = submit(signed_in, "/export?by=date", {"first_date": first, "last_date": last})
    assert answer.status_code == 422
    assert message in answer.text
    assert f'value="{last}"' in answer.text
    assert "<title>Error:" in answer.text
    assert db.session.query(Run).count() == 0


def test_chosen_customers_are_asked_for_by_their_ids_in_the_source(
    signed_in: FlaskClient, customer: Customer, make_customer: Make, submit: Submit
) -> None:
    other = make_customer("Bakkedal", source_id="billy-2")
    submit(signed_in, "/export?by=customer", {"ids": [customer.id, other.id], "first_date": "2026-01-01"})
    query = _run().query
    assert sorted(query["customer_ids"]) == ["billy-1", "billy-2"]
    assert query["first_date"] == "2026-01-01"


def test_no_customer_is_no_export_of_everything(signed_in: FlaskClient, customer: Customer, submit: Submit) -> None:
    none = submit(signed_in, "/export?by=customer", {"first_date": "2026-01-01"})
    assert none.status_code == 422
    assert "Choose at least one customer." in none.text
    unknown = submit(signed_in, "/export?by=customer", {"ids": ["01NOSUCHCUSTOMER"]})
    assert unknown.status_code == 422
    assert "The chosen customers no longer exist." in unknown.text
    assert db.session.query(Run).count() == 0


def test_all_customers_are_offered_and_can_be_searched(
    signed_in: FlaskClient, customer: Customer, make_customer: Make
) -> None:
    make_customer("Bakkedal Kommune")
    make_customer("Sovende ApS", active=None)
    html = signed_in.get("/export?by=customer").text
    assert "Fjordby Kommune" in html and "Sovende ApS" in html
    fragment = signed_in.get("/export?by=customer&q=bakke", headers={"HX-Request": "true"}).text
    assert "Bakkedal Kommune" in fragment
    assert "Fjordby Kommune" not in fragment
    assert "<!doctype" not in fragment.lower()


def test_all_customers_that_the_search_shows_are_chosen_at_once(
    signed_in: FlaskClient, customer: Customer, make_customer: Make, submit: Submit
) -> None:
    make_customer("Fjordby Havn", active=None, source_id="billy-2")
    make_customer("Bakkedal", source_id="billy-3")
    submit(signed_in, "/export?by=customer&q=fjordby", {"everything": "1"})
    assert sorted(_run().query["customer_ids"]) == ["billy-1", "billy-2"]


def test_a_search_that_shows_nobody_is_no_export_of_everything(
    signed_in: FlaskClient, customer: Customer, submit: Submit
) -> None:
    answer = submit(signed_in, "/export?by=customer&q=nobody", {"everything": "1"})
    assert answer.status_code == 422 and db.session.query(Run).count() == 0


def test_numbers_start_a_run_for_them(signed_in: FlaskClient, customer: Customer, submit: Submit) -> None:
    submit(signed_in, "/export?by=numbers", {"numbers": "Nummer\n1001-1002\t1009 1484-1480"})
    run = _run()
    assert run.query == {"numbers": ["1001", "1002", "1009"], "not_understood": ["Nummer", "1484-1480"]}
    run.state = RunState.FINISHED
    db.session.commit()
    page = signed_in.get(f"/runs/{run.id}").text
    assert "<code>Nummer</code>" in page and "Not understood as a number." in page
    assert "<code>1484-1480</code>" in page and page.count("The range is the wrong way round.") == 1


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ("", "Write at least one number."),
        ("9-1", "The range is the wrong way round: 9-1."),
        ("abc", "Not understood: abc."),
        ("1-9000", "more than 5,000 numbers"),
        (",", "at least one"),
    ],
)
def test_wrong_numbers_are_explained_and_kept(
    signed_in: FlaskClient, customer: Customer, submit: Submit, numbers: str, message: str
) -> None:
    answer = submit(signed_in, "/export?by=numbers", {"numbers": numbers})
    assert answer.status_code == 422
    assert message in answer.text
    assert numbers in answer.text


def test_while_a_run_is_active_the_page_says_so_and_leads_to_it(
    signed_in: FlaskClient, adaptor: Adaptor, customer: Customer, submit: Submit
) -> None:
    active = Run(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="schedule", state=RunState.RUNNING
    )
    db.session.add(active)
    db.session.commit()
    answer = submit(signed_in, "/export?by=numbers", {"numbers": "1001, 1002"})
    assert answer.status_code == 409
    assert f'href="/runs/{active.id}"' in answer.text
    assert "1001, 1002" in answer.text


def test_a_member_may_export(member: FlaskClient, customer: Customer, submit: Submit) -> None:
    assert submit(member, "/export?by=numbers", {"numbers": "1001"}).status_code == 303


def test_somebody_elses_adaptor_cannot_be_exported(
    stranger: FlaskClient, adaptor: Adaptor, customer: Customer, submit: Submit
) -> None:
    assert submit(stranger, f"/export?by=numbers&adaptor={adaptor.id}", {"numbers": "1"}).status_code == 404
    assert submit(stranger, "/export?by=numbers", {"numbers": "1"}).status_code == 404
    assert db.session.query(Run).count() == 0


@pytest.mark.parametrize(
    ("way", "field"), [("date", "first_date"), ("date", "last_date"), ("customer", "ids"), ("numbers", "numbers")]
)
def test_a_file_where_text_is_expected_is_no_answer(
    signed_in: FlaskClient, customer: Customer, submit: Submit, way: str, field: str
) -> None:
    answer = submit(signed_in, f"/export?by={way}", {field: (BytesIO(b"1001"), "numbers.txt")})
    assert answer.status_code == 422
    assert db.session.query(Run).count() == 0


def test_a_deactivated_adaptor_exports_nothing_and_says_so(
    signed_in: FlaskClient, adaptor: Adaptor, customer: Customer, submit: Submit
) -> None:
    adaptor.active = False
    db.session.commit()
    answer = submit(signed_in, "/export?by=numbers", {"numbers": "1001"})
    assert answer.status_code == 409 and "The adaptor is deactivated" in answer.text and "1001" in answer.text
    assert db.session.query(Run).count() == 0
