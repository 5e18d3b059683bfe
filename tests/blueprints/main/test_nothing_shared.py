"""What somebody sees with whom no adaptor is shared, what viewers are told, and a form of a company that was left."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.models import Adaptor, Customer, Membership, Problem, Role, Subscription, User, db, new_id


@pytest.fixture
def unshared(adaptor: Adaptor) -> Adaptor:
    adaptor.grants = []
    db.session.commit()
    return adaptor


EMPTY = ["/", "/customers", "/runs", "/problems", "/source", "/schedules", "/vat", "/settings", "/readiness", "/export"]


@pytest.mark.parametrize("path", EMPTY)
def test_a_member_with_nothing_shared_is_told_whom_to_ask(
    member: FlaskClient, user: User, unshared: Adaptor, path: str
) -> None:
    page = member.get(path)
    assert page.status_code == 200
    assert "Intet er delt med dig endnu" in page.text or "Nothing is shared with you yet" in page.text
    assert user.name in page.text and "/adaptors/catalogue" not in page.text


def menu_of(client: FlaskClient) -> set[str]:
    nav = client.get("/people").text.partition("<nav aria-label")[2].partition("</nav>")[0]
    return {address.partition("?")[0] for address in re.findall(r'href="([^"]+)"', nav)}


def test_the_menu_leaves_out_what_needs_an_adaptor(member: FlaskClient, unshared: Adaptor) -> None:
    found = menu_of(member)
    assert {"/", "/people", "/gateways"} <= found
    assert not found & {"/customers", "/runs", "/export", "/source", "/adaptors", "/problems"}
    unshared.grants = [{"to": "everybody", "level": "viewer"}]
    db.session.commit()
    assert {"/customers", "/runs", "/source", "/adaptors", "/problems"} <= menu_of(member)


def test_an_owner_without_an_adaptor_is_led_to_the_catalogue(signed_in: FlaskClient) -> None:
    assert "/adaptors/catalogue" in signed_in.get("/").text


def head_of(client: FlaskClient) -> str:
    return client.get("/people").text.partition('class="brand-text"')[2].partition("</a>")[0]


def test_the_head_of_the_menu_names_the_company_and_one_of_several_adaptors(
    signed_in: FlaskClient, subscription: Subscription, adaptor: Adaptor
) -> None:
    assert subscription.name in head_of(signed_in) and "Billy" not in head_of(signed_in)
    db.session.add(Adaptor(subscription_id=subscription.id, name="Butik", source_kind="billy", settings={}))
    db.session.commit()
    assert subscription.name in head_of(signed_in) and "Billy" in head_of(signed_in)


def test_the_head_of_the_menu_names_the_books_where_they_are_called_otherwise(
    signed_in: FlaskClient, subscription: Subscription, adaptor: Adaptor
) -> None:
    adaptor.organization = {"id": "o", "name": "Nordhavn ApS"}
    db.session.commit()
    assert subscription.name in head_of(signed_in) and "Nordhavn ApS" in head_of(signed_in)


@pytest.mark.parametrize(("level", "may_mend"), [("viewer", False), ("editor", True)])
def test_who_may_not_change_a_customer_is_only_led_there_to_look(
    member: FlaskClient, adaptor: Adaptor, make_customer: Any, level: str, may_mend: bool
) -> None:
    customer: Customer = make_customer()
    adaptor.grants = [{"to": "everybody", "level": level}]
    db.session.add(
        Problem(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, key=new_id(), rule="BR-1", turn="here",
            fix="customer.endpoint", customer_id=customer.id, text={"da": "Mangler", "en": "Missing"}, documents=2,
        )
    )  # fmt: skip
    db.session.commit()
    page = member.get("/problems").text
    assert ("Ret kunden" in page or "Correct the customer" in page) is may_mend
    assert ("Se kunden" in page or "See the customer" in page) is not may_mend


def test_a_form_of_a_company_that_was_left_says_so(
    signed_in: FlaskClient, user: User, subscription: Subscription, adaptor: Adaptor
) -> None:
    other = Subscription(name="Bageren ApS")
    db.session.add(other)
    db.session.flush()
    db.session.add(Membership(subscription_id=other.id, user_id=user.id, role=Role.OWNER))
    db.session.commit()

    def token() -> str:
        found = re.search(r'name="csrf-token" content="([^"]+)"', signed_in.get("/people").text)
        assert found
        return found[1]

    old = token()
    form = {"csrf_token": old, "subscription": other.id}
    assert signed_in.post("/cockpit/enter", data=form).status_code == 303
    new = token()
    referrer = {"Referer": "http://localhost/people?x=1"}
    refused = signed_in.post("/people/groups", data={"csrf_token": old, "name": "Bogholderi"}, headers=referrer)
    assert refused.status_code == 400
    assert "Bageren ApS" in refused.text and 'href="/people?x=1"' in refused.text
    guessed = signed_in.post("/people/groups", data={"csrf_token": "x", "name": "Bogholderi"})
    assert guessed.status_code == 400 and "Bageren ApS" not in guessed.text
    away = {"Referer": "https://elsewhere.example/people"}
    assert "elsewhere" not in signed_in.post("/people/groups", data={"csrf_token": old}, headers=away).text
    assert signed_in.post("/people/groups", data={"csrf_token": new, "name": "B"}).status_code == 303
