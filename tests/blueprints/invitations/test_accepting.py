"""The page behind an invitation's link: for newcomers, for those who are signed in, and for others."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support.people import joined

from invoiceapp.models import Invitation, Membership, Role, Subscription, User, db
from invoiceapp.services.people import invitations
from invoiceapp.services.sign_in import throttling

PASSWORD = "fire helt almindelige ord"
FORM = {"name": "Ny Kollega", "password": PASSWORD, "password_again": PASSWORD}


def path_of(user: User, email: str, role: Role = Role.MEMBER) -> str:
    sent = invitations.invite(user.memberships[0].subscription_id, user.id, email, role)
    assert sent.link
    return sent.link.removeprefix("http://localhost")


def post(client: FlaskClient, path: str, form: dict[str, str] | None = None) -> Any:
    page = client.get(path).get_data(as_text=True)
    token = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert token
    return client.post(path, data={"csrf_token": token[1], **(form or {})})


def test_a_newcomer_gives_name_and_password_and_is_signed_in(client: FlaskClient, user: User) -> None:
    path = path_of(user, "ny@example.com")
    assert "Eksempel ApS" in client.get(path).get_data(as_text=True)
    assert post(client, path, FORM).status_code == 303
    assert client.get("/people").status_code == 200
    made = db.session.scalars(select(User).where(User.email == "ny@example.com")).one()
    assert (made.name, made.memberships[0].role) == ("Ny Kollega", Role.MEMBER)
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"name": ""}, "name"), ({"password": "kort", "password_again": "kort"}, "password"), ({"password_again": "andet"}, "password_again")],
)  # fmt: skip
def test_a_form_that_is_wrong_makes_nobody_and_shows_no_password(
    client: FlaskClient, user: User, changed: dict[str, str], field: str
) -> None:
    path = path_of(user, "ny@example.com")
    answer = post(client, path, FORM | changed)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and f'href="#field-{field}"' in page and PASSWORD not in page
    assert db.session.scalar(select(User).where(User.email == "ny@example.com")) is None


def test_a_short_password_is_refused_in_the_words_of_the_page(client: FlaskClient, user: User) -> None:
    short = {"password": "kort", "password_again": "kort"}
    page = post(client, path_of(user, "ny@example.com"), FORM | short).get_data(as_text=True)
    assert "Adgangskoden skal være på mindst 12 tegn." in page and "Password must" not in page


def test_somebody_signed_in_accepts_with_one_click(
    app: Flask, member: FlaskClient, stranger: FlaskClient, user: User
) -> None:
    path = path_of(user, "fremmed@example.com", Role.ADMIN)
    assert post(stranger, path).status_code == 303
    known = db.session.scalars(select(User).where(User.email == "fremmed@example.com")).one()
    assert [row.role for row in known.memberships] == [Role.OWNER, Role.ADMIN]
    assert "Eksempel ApS" in stranger.get("/subscriptions/settings").get_data(as_text=True)


def test_somebody_else_is_told_and_nothing_happens(member: FlaskClient, user: User) -> None:
    path = path_of(user, "ny@example.com")
    page = member.get(path).get_data(as_text=True)
    assert "medarbejder@example.com" in page and "ny@example.com" in page and 'name="password"' not in page
    assert post(member, path, FORM).status_code == 403
    assert db.session.scalars(select(Invitation.accepted_at)).all() == [None]


def test_a_known_person_is_asked_to_sign_in_first(client: FlaskClient, user: User) -> None:
    path = path_of(user, "kendt@example.com")
    other = Subscription(name="Anden ApS")
    db.session.add(other)
    db.session.commit()
    joined(other, "kendt@example.com", Role.MEMBER)
    answer = post(client, path, FORM)
    assert (
        answer.status_code == 303
        and "/login" in answer.headers["Location"]
        and "invitations" in answer.headers["Location"]
    )
    assert len(db.session.scalars(select(Membership)).all()) == 2


def test_guessing_links_is_slowed_down(client: FlaskClient, user: User) -> None:
    path = path_of(user, "ny@example.com")
    for turn in range(throttling._ADDRESS.free):
        throttling.failed("invitation", address="127.0.0.1")
        assert turn >= 0
    assert client.get("/invitations/gaet").status_code == 429
    answer = client.get(path)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
