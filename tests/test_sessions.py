"""Signing in, out and being signed out, as a browser and as a thief of cookies see it."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login.utils import encode_cookie
from sqlalchemy import select
from werkzeug.test import TestResponse

from invoiceapp.models import Ending, SignInSession, User, db, utcnow
from invoiceapp.services.sign_in import sessions

PASSWORD = "correct-horse-battery"
NEW = "a-few-unrelated-words"
HTMX = {"HX-Request": "true"}


def _token(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def _post(client: FlaskClient, path: str, page: str | None = None, **fields: str) -> TestResponse:
    return client.post(path, data={"csrf_token": _token(client, page or path), **fields})


def _sign_in(app: Flask, user: User, path: str = "/login") -> FlaskClient:
    client = app.test_client()
    answer = _post(client, path, email=user.email, password=PASSWORD)
    assert answer.status_code == 302, answer.text
    return client


def _cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def _thief(app: Flask, cookie: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("session", cookie)
    return client


def _is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/sessions").status_code == 200


def _login_page(answer: TestResponse) -> str:
    """Where signing in would lead to."""
    parts = urlsplit(answer.location or "")
    assert parts.path == "/login", answer.text
    return parse_qs(parts.query)["next"][0]


def test_nothing_that_was_in_the_cookie_before_signing_in_survives_but_the_language(app: Flask, user: User) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(planted="x", language="en", tf_state="ready", fs_gexp=9_999_999_999)
    before = _token(client, "/login")
    answer = client.post("/login", data={"csrf_token": before, "email": user.email, "password": PASSWORD})
    assert answer.status_code == 302
    with client.session_transaction() as session:
        assert not {"planted", "tf_state", "fs_gexp"} & set(session)
        assert session["language"] == "en"
        first = session["sign_in"]
    assert client.post("/account/sessions/end-others", data={"csrf_token": before}).status_code == 400
    with _sign_in(app, user).session_transaction() as session:
        assert session["sign_in"] != first


def test_signing_in_leads_to_the_page_that_was_asked_for(app: Flask, user: User) -> None:
    client = app.test_client()
    answer = _post(client, "/login?next=/runs", email=user.email, password=PASSWORD)
    assert answer.location == "/runs"


def test_a_cookie_from_before_signing_out_is_worth_nothing(app: Flask, user: User) -> None:
    client = _sign_in(app, user)
    cookie = _cookie(client)
    assert _is_signed_in(_thief(app, cookie))
    _post(client, "/logout", "/account/sessions")
    assert not _is_signed_in(client)
    assert not _is_signed_in(_thief(app, cookie))
    with client.session_transaction() as session:
        assert "sign_in" not in session


def test_a_new_password_ends_all_other_sessions_and_the_cookie_of_before(app: Flask, user: User) -> None:
    here, there = _sign_in(app, user), _sign_in(app, user)
    cookie = _cookie(here)
    answer = _post(here, "/change", password=PASSWORD, new_password=NEW, new_password_confirm=NEW)
    assert answer.status_code == 302
    assert _is_signed_in(here)
    assert not _is_signed_in(_thief(app, cookie))
    assert "dit login er ændret" in there.get("/runs", follow_redirects=True).text


def test_who_is_deactivated_is_signed_out_at_once(app: Flask, signed_in: FlaskClient, user: User) -> None:
    user.active = False
    db.session.commit()
    assert "brugeren er deaktiveret" in signed_in.get("/runs", follow_redirects=True).text
    user.active = True
    db.session.commit()
    assert not _is_signed_in(signed_in)


def test_a_signed_cookie_without_a_row_signs_nobody_in(app: Flask, user: User) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(_user_id=user.fs_uniquifier, _fresh=True, fs_paa=utcnow().timestamp())
    assert _login_page(client.get("/runs")) == "/runs"
    with client.session_transaction() as session:
        assert "_user_id" not in session


def test_nobody_is_remembered_by_a_cookie_or_a_token_of_the_libraries(app: Flask, user: User) -> None:
    with app.test_request_context():
        remembered, token = encode_cookie(user.fs_uniquifier), user.get_auth_token()
    client = app.test_client()
    client.set_cookie("remember_token", remembered)
    assert not _is_signed_in(client)
    assert not _is_signed_in(client)
    headers = {"Authentication-Token": token}
    assert app.test_client().get("/account/sessions", headers=headers).status_code == 302
    assert "remember" not in app.test_client().get("/login").text


def test_a_page_says_why_one_is_signed_out_and_leads_back(
    signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = utcnow() + timedelta(hours=9)
    monkeypatch.setattr(sessions, "utcnow", lambda: later)
    answer = signed_in.get("/runs?page=2")
    assert _login_page(answer) == "/runs?page=2"
    page = signed_in.get(answer.location).text
    assert "ikke har brugt siden i 8 timer" in page
    assert "ikke gjort" not in page


def test_a_form_of_somebody_signed_out_is_not_carried_out_and_says_so(signed_in: FlaskClient, user: User) -> None:
    token = _token(signed_in, "/account/sessions")
    db.session.query(SignInSession).update({"ended_at": utcnow(), "ended_by": Ending.ENDED_ELSEWHERE})
    db.session.commit()
    answer = signed_in.post("/account/sessions/end-others", data={"csrf_token": token})
    assert _login_page(answer) == "/account/sessions"
    assert "Det, du trykkede på, er ikke gjort." in signed_in.get(answer.location).text


def test_a_fragment_moves_the_whole_page_to_the_sign_in_page(signed_in: FlaskClient, user: User) -> None:
    user.active = False
    db.session.commit()
    shown = {**HTMX, "HX-Current-URL": "http://localhost/?show=all"}
    answer = signed_in.get("/runs", headers=shown)
    assert answer.status_code == 204
    target = urlsplit(answer.headers["HX-Redirect"])
    assert (target.path, parse_qs(target.query)["next"]) == ("/login", ["/?show=all"])


def test_a_fragment_cannot_be_made_to_lead_elsewhere(signed_in: FlaskClient, user: User) -> None:
    user.active = False
    db.session.commit()
    shown = {**HTMX, "HX-Current-URL": "http://evil.example//evil.example/x"}
    target = urlsplit(signed_in.get("/runs", headers=shown).headers["HX-Redirect"])
    assert parse_qs(target.query)["next"] == ["/"]


def test_a_page_left_open_does_not_keep_its_person_signed_in(
    signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in (5, 9):
        later = utcnow() + timedelta(hours=hours)
        monkeypatch.setattr(sessions, "utcnow", lambda later=later: later)
        answer = signed_in.get("/runs", headers=HTMX)
    assert answer.status_code == 204
    assert "HX-Redirect" in answer.headers


def test_the_sign_in_page_itself_answers_somebody_whose_session_is_over(signed_in: FlaskClient, user: User) -> None:
    user.fs_uniquifier = "new"
    db.session.commit()
    answer = signed_in.get("/login")
    assert answer.status_code == 200
    assert "dit login er ændret" in answer.text


def test_a_session_is_known_by_browser_and_network(app: Flask, user: User) -> None:
    client = app.test_client()
    data = {"csrf_token": _token(client, "/login"), "email": user.email, "password": PASSWORD}
    address = {"REMOTE_ADDR": "2001:db8:1:2:3::9"}
    client.post("/login", data=data, headers={"User-Agent": "Firefox"}, environ_overrides=address)
    row = db.session.scalars(select(SignInSession)).one()
    assert (row.user_agent, row.ip, row.kind) == ("Firefox", "2001:db8:1:2::/64", "password")
