"""Choosing documents by hand."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.blueprints.export.numbers import Backwards, TooMany, parse_numbers
from invoiceapp.models import Adaptor, Customer, Run, RunState, db

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
        ("1001-1003", ("1001", "1002", "1003")),
        ("1001 – 1002, 1002", ("1001", "1002")),
        ("0098-0101", ("0098", "0099", "0100", "0101")),
        ("F-1001, 2026-A", ("F-1001", "2026-A")),
        (" , \n", ()),
        ("1-500", tuple(str(number) for number in range(1, 501))),
    ],
)
def test_numbers_are_read_from_lists_lines_and_ranges(text: str, expected: tuple[str, ...]) -> None:
    assert parse_numbers(text) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [("1-501", TooMany), ("1-400, 1001-1200", TooMany), ("1-999999999999999999", TooMany), ("1010-1001", Backwards)],
)
def test_too_many_numbers_and_backward_ranges_are_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_numbers(text)


def test_without_a_connected_source_the_next_step_is_to_connect_it(signed_in: FlaskClient) -> None:
    assert "Billy is not connected" in signed_in.get("/export").text


def test_without_activated_customers_the_next_step_is_to_activate_some(
    signed_in: FlaskClient, adaptor: Adaptor
) -> None:
    assert "No customer is activated yet" in signed_in.get("/export").text


def test_a_period_starts_a_manual_run_in_the_persons_name(
    signed_in: FlaskClient, customer: Customer, submit: Submit
) -> None:
    answer = submit(signed_in, "/export?by=date", {"first_date": "2026-11-01", "last_date": "2026-11-30"})
    run = _run()
    assert (answer.status_code, answer.location) == (303, f"/runs/{run.id}")
    assert (run.trigger, run.actor, run.moves_watermark) == ("manual", "ejer@example.com", False)
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


def test_only_activated_customers_are_offered_and_can_be_searched(
    signed_in: FlaskClient, customer: Customer, make_customer: Make
) -> None:
    make_customer("Bakkedal Kommune")
    make_customer("Sovende ApS", active=None)
    html = signed_in.get("/export?by=customer").text
    assert "Fjordby Kommune" in html
    assert "Sovende ApS" not in html
    fragment = signed_in.get("/export?by=customer&q=bakke", headers={"HX-Request": "true"}).text
    assert "Bakkedal Kommune" in fragment
    assert "Fjordby Kommune" not in fragment
    assert "<!doctype" not in fragment.lower()


def test_numbers_start_a_run_for_them(signed_in: FlaskClient, customer: Customer, submit: Submit) -> None:
    submit(signed_in, "/export?by=numbers", {"numbers": "1001-1002, 1009"})
    assert _run().query == {"numbers": ["1001", "1002", "1009"]}


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ("", "Write at least one number."),
        ("9-1", "ends before it begins"),
        ("1-900", "more than 500 numbers"),
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
