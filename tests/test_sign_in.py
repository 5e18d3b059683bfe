"""Signing in and choosing passwords, with passwords of any length. Hashes are argon2, as in production."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password

from invoiceapp.models import User, db
from invoiceapp.sign_in import LONGEST_NEW, LONGEST_TRIED

RIGHT = "correct-horse-battery"
NEW = "a-few-unrelated-words"
#: One character, eighteen after normalization.
GROWING = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"


@pytest.fixture(autouse=True)
def known(app: Flask, user: User) -> User:
    app.config.update(SECURITY_PASSWORD_HASH="argon2", SECURITY_PASSWORD_SINGLE_HASH=["argon2"])
    app.config["PROPAGATE_EXCEPTIONS"] = False
    user.password, user.language = hash_password(RIGHT), "en"
    db.session.commit()
    return user


def _post(client: FlaskClient, path: str, **fields: str) -> tuple[int, str]:
    """Status, and the page without its token and what was typed."""
    token = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).text)
    assert token is not None
    answer = client.post(path, data={"csrf_token": token[1], **fields})
    text = re.sub(r'(content|value)="[^"]*"', "", answer.text)
    return answer.status_code, text


OVERLONG = ["x" * (LONGEST_TRIED + 1), "x" * 5000, "\N{GRINNING FACE}" * 5000, GROWING * 600]


@pytest.mark.parametrize("password", OVERLONG)
def test_an_overlong_password_is_refused_like_a_wrong_one_for_known_and_unknown_people(
    client: FlaskClient, known: User, password: str
) -> None:
    wrong = _post(client, "/login", email=known.email, password="wrong")
    assert wrong[0] == 200
    assert "rong" in wrong[1] or "failed" in wrong[1]
    assert _post(client, "/login", email=known.email, password=password) == wrong
    assert _post(client, "/login", email="nobody@example.com", password=password) == wrong


def test_the_right_password_signs_in(client: FlaskClient, known: User) -> None:
    assert _post(client, "/login", email=known.email, password=RIGHT)[0] == 302


def test_nobody_is_led_elsewhere_by_signing_in(client: FlaskClient, known: User) -> None:
    status, _text = _post(client, "/login?next=https://evil.example/", email=known.email, password=RIGHT)
    assert status == 200


@pytest.mark.parametrize("password", OVERLONG)
def test_an_overlong_current_password_is_a_wrong_one(signed_in: FlaskClient, password: str) -> None:
    fields = {"new_password": NEW, "new_password_confirm": NEW}
    wrong = _post(signed_in, "/change", password="wrong", **fields)
    assert wrong[0] == 200
    assert _post(signed_in, "/change", password=password, **fields) == wrong


@pytest.mark.parametrize("password", OVERLONG)
def test_an_overlong_password_does_not_confirm_who_it_is(signed_in: FlaskClient, password: str) -> None:
    wrong = _post(signed_in, "/verify", password="wrong")
    assert wrong[0] == 200
    assert _post(signed_in, "/verify", password=password) == wrong


@pytest.mark.parametrize("new", ["x" * (LONGEST_NEW + 1), "x" * 100_000, GROWING * 8])
def test_a_new_password_that_is_too_long_is_refused_with_the_limit(
    signed_in: FlaskClient, known: User, new: str
) -> None:
    before = known.password
    status, text = _post(signed_in, "/change", password=RIGHT, new_password=new, new_password_confirm=new)
    assert status == 200
    assert "Password must be at most 128 characters." in text
    db.session.refresh(known)
    assert known.password == before


def test_a_new_password_may_have_as_many_characters_as_the_limit(signed_in: FlaskClient, known: User) -> None:
    before, new = known.password, GROWING + "x" * (LONGEST_NEW - 18)
    assert _post(signed_in, "/change", password=RIGHT, new_password=new, new_password_confirm=new)[0] == 302
    db.session.refresh(known)
    assert known.password != before


def test_a_visitor_is_asked_to_sign_in_in_our_words(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["language"] = "en"
    page = client.get("/", follow_redirects=True).text
    assert "Sign in to see the page." in page
    assert "view this resource" not in page


def test_what_flask_security_says_is_looked_up_in_our_danish_catalogue(app: Flask) -> None:
    with app.test_request_context():
        assert app.extensions["security"].i18n_domain.gettext("Customers") == "Kunder"
