"""Live examples: what a pattern or a template would do to the newest documents, shown before anything is saved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.demo.billy.company import demo_company
from invoiceapp.models import Adaptor, Customer, Document, User, db

COMPANY = demo_company(date(2026, 11, 22))
HTMX = {"HX-Request": "true"}


@pytest.fixture
def signed_in(signed_in: FlaskClient, user: User) -> FlaskClient:
    """Somebody who reads English."""
    user.language = "en"
    db.session.commit()
    return signed_in


@pytest.fixture
def customer(make_customer: Callable[..., Customer]) -> Customer:
    return make_customer("Skolen", number="42")


@pytest.fixture
def read(customer: Customer, make_document: Callable[..., Document]) -> Callable[..., Document]:
    """``read("7", message="…")``: a document of the customer as the source has it."""

    def make(number: str, message: str | None = None, order: str | None = None, **invoice: Any) -> Document:
        bundle = COMPANY.bundle(COMPANY.hard_cases["no_order_number"])
        changes = {"invoiceNo": number, "contactMessage": message, "orderNo": order, **invoice}
        bundle = {**bundle, "invoice": {**bundle["invoice"], **changes}}
        return make_document(
            customer, number, bundle=bundle, order_number=order, issue_date=date(2026, 11, int(number.split("/")[-1]))
        )

    return make


def text(client: FlaskClient, path: str, **query: str) -> str:
    answer = client.get(path, query_string=query, headers=HTMX)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def test_a_pattern_shows_what_it_finds_in_the_newest_documents_and_where(
    signed_in: FlaskClient, customer: Customer, read: Callable[..., Document]
) -> None:
    read("1", "Jf. ordre 4500123456 <b>tak</b>")
    read("2", "intet")
    read("3", order="4500999999")
    read("4", order="X-1")
    shown = text(signed_in, f"/customers/{customer.id}/order-number", pattern="4500######")
    assert "<!doctype" not in shown.lower()
    assert "Jf. ordre <mark>4500123456</mark> &lt;b&gt;tak&lt;/b&gt;" in shown
    four, three, two, one = shown.split("<tr>")[2:]
    assert "<strong>4500123456</strong>" in one
    assert "Nothing found" in two
    assert "<strong>4500999999</strong>" in three and "Does not look like the pattern" not in three
    assert "<strong>X-1</strong>" in four and "Does not look like the pattern" in four


def test_only_the_bracketed_part_is_marked(
    signed_in: FlaskClient, customer: Customer, read: Callable[..., Document]
) -> None:
    read("1", "PO: 123456, og PO 7")
    shown = text(signed_in, f"/customers/{customer.id}/order-number", pattern="PO: [######]")
    assert "PO: <mark>123456</mark>, og PO 7" in shown


def test_only_the_newest_five_are_shown(
    signed_in: FlaskClient, customer: Customer, read: Callable[..., Document]
) -> None:
    for number in range(1, 8):
        read(str(number))
    shown = text(signed_in, f"/customers/{customer.id}/order-number", pattern="####")
    assert shown.count("/documents/") == 5 and ">7</a>" in shown and ">2</a>" not in shown


def test_the_other_settings_of_the_customer_hold_in_the_example(
    signed_in: FlaskClient, customer: Customer, read: Callable[..., Document]
) -> None:
    read("1")
    path = f"/customers/{customer.id}/order-number"
    rule = customer.rule
    assert rule is not None
    rule.settings = {"customer": {"orderNumberPolicy": "not-applicable"}}
    db.session.commit()
    assert "<strong>NA</strong>" in text(signed_in, path, pattern="####")
    rule.settings = {"customer": {"orderNumberPolicy": "required"}}
    db.session.commit()
    assert "Would be stopped" in text(signed_in, path, pattern="####")
    rule.settings = {"customer": "broken"}
    db.session.commit()
    assert "Nothing found" in text(signed_in, path, pattern="####")


def test_a_document_that_cannot_be_read_says_why(
    signed_in: FlaskClient, customer: Customer, read: Callable[..., Document]
) -> None:
    read("1", state="voided")
    assert "voided in Billy" in text(signed_in, f"/customers/{customer.id}/order-number", pattern="####")


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("order-number", {"pattern": "PO"}, "at least one of the signs"),
        ("order-number", {"pattern": "[##"}, "one pair of brackets"),
        ("order-number", {}, "No documents have been read yet"),
        ("file-name", {"template": "{type}"}, "{number} or {key8} must be there"),
        ("file-name", {"template": "<script>{number}"}, "Use only the letters"),
        ("file-name", {"template": "  "}, "the gateway names the files by itself"),
        ("file-name", {"template": "{number}"}, "No documents have been read yet"),
    ],
)
def test_what_cannot_be_shown_is_told_in_words(
    signed_in: FlaskClient, customer: Customer, path: str, query: dict[str, str], says: str
) -> None:
    assert says in text(signed_in, f"/customers/{customer.id}/{path}", **query)


def test_a_template_shows_the_names_that_the_newest_documents_would_get(
    signed_in: FlaskClient, customer: Customer, read: Callable[..., Document]
) -> None:
    read("1", "ordre 4500123456")
    read("2", order="A/7")
    rule = customer.rule
    assert rule is not None
    rule.settings = {"customer": {"orderNumberPattern": "4500######"}}
    db.session.commit()
    template = "{type}-{number}_{customer}_{customer-number}_{order}_{date}"
    shown = text(signed_in, f"/customers/{customer.id}/file-name", template=template)
    assert "<code>invoice-1_Skolen_42_4500123456_2026-11-01.xml</code>" in shown
    assert "<code>invoice-2_Skolen_42_A-7_2026-11-02.xml</code>" in shown
    assert "{key8}" not in shown
    assert "k7m2q4xz" in text(signed_in, f"/customers/{customer.id}/file-name", template="{key8}")


def test_a_number_that_no_file_name_can_hold_shows_the_key_and_says_what_it_is(
    signed_in: FlaskClient, customer: Customer, read: Callable[..., Document]
) -> None:
    read("2026/1")
    shown = text(signed_in, f"/customers/{customer.id}/file-name", template="{number}")
    assert "<code>2026-1-k7m2q4xz.xml</code>" in shown and "k7m2q4xz stands for {key8}" in shown


def test_the_examples_of_the_common_settings_name_the_customers(
    signed_in: FlaskClient, adaptor: Adaptor, read: Callable[..., Document]
) -> None:
    read("1", "ordre 4500123456")
    found = text(signed_in, "/settings/order-number", adaptor=adaptor.id, pattern="4500######")
    assert "<strong>4500123456</strong>" in found and ">Skolen<" in found
    named = text(signed_in, "/settings/file-name", adaptor=adaptor.id, template="{customer-number}-{number}")
    assert "<code>42-1.xml</code>" in named


@pytest.mark.parametrize("path", ["order-number?pattern=%23%23", "file-name?template={number}"])
def test_without_javascript_the_example_is_a_page_with_a_way_back(
    signed_in: FlaskClient, adaptor: Adaptor, customer: Customer, path: str
) -> None:
    of_customer = signed_in.get(f"/customers/{customer.id}/{path}").text
    assert "<h1>" in of_customer and f'href="/customers/{customer.id}?group=' in of_customer
    common = signed_in.get(f"/settings/{path}&adaptor={adaptor.id}").text
    assert "<h1>" in common and 'href="/settings?adaptor=' in common


@pytest.mark.parametrize("name", ["order-number", "file-name"])
def test_members_look(member: FlaskClient, adaptor: Adaptor, customer: Customer, name: str) -> None:
    assert member.get(f"/customers/{customer.id}/{name}").status_code == 200
    assert member.get(f"/settings/{name}?adaptor={adaptor.id}").status_code == 200


@pytest.mark.parametrize("name", ["order-number", "file-name"])
def test_other_tenants_find_no_example(stranger: FlaskClient, adaptor: Adaptor, customer: Customer, name: str) -> None:
    assert stranger.get(f"/customers/{customer.id}/{name}").status_code == 404
    assert stranger.get(f"/settings/{name}?adaptor={adaptor.id}").status_code == 404


def test_without_an_adaptor_there_is_no_example(signed_in: FlaskClient) -> None:
    assert signed_in.get("/settings/order-number").status_code == 404
