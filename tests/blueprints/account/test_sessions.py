from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from invoiceapp.models import SignInKind, SignInSession, User, db, utcnow
from invoiceapp.services.sign_in import sessions

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0"
PATH = "/account/sessions"


@pytest.fixture(autouse=True)
def reader(user: User) -> None:
    user.language = "en"
    db.session.commit()


@pytest.fixture
def phone(user: User) -> str:
    return sessions.begin(user.id, SignInKind.PASSKEY, "2001:db8::7", PHONE)


def _row(token: str) -> SignInSession:
    rows = db.session.scalars(select(SignInSession).execution_options(populate_existing=True))
    return next(row for row in rows if sessions.is_current(row, token))


def test_the_page_shows_where_the_person_is_signed_in_and_how(signed_in: FlaskClient, user: User, phone: str) -> None:
    sessions.begin(user.id, SignInKind.OIDC, None, EDGE)
    page = signed_in.get(PATH).text
    for words in ("Safari on iPhone", "Edge on Windows", "This browser", "2001:db8::/64", "Passkey"):
        assert words in page, words
    assert len(re.findall(r'id="end-[0-9A-Z]{26}"', page)) == 2
    assert PATH in signed_in.get("/inbox").text


def test_a_browser_tells_nothing_but_text(signed_in: FlaskClient, user: User) -> None:
    sessions.begin(user.id, SignInKind.PASSWORD, "<b>", "<script>alert(1)</script>")
    page = signed_in.get(PATH).text
    assert "<script>alert" not in page
    assert "Unknown browser" in page


def test_the_person_ends_one(signed_in: FlaskClient, submit: Callable[..., Any], phone: str) -> None:
    answer = submit(signed_in, f"{PATH}/{_row(phone).id}/end")
    assert answer.status_code == 303
    assert _row(phone).ended_at is not None
    assert signed_in.get(PATH).status_code == 200


def test_the_person_ends_all_others(signed_in: FlaskClient, submit: Callable[..., Any], phone: str) -> None:
    submit(signed_in, f"{PATH}/end-others")
    page = signed_in.get(PATH).text
    assert "1 sign-in is ended." in page
    assert "iPhone" not in page


def test_nobody_sees_or_ends_somebody_elses(stranger: FlaskClient, submit: Callable[..., Any], phone: str) -> None:
    assert "iPhone" not in stranger.get(PATH).text
    assert submit(stranger, f"{PATH}/{_row(phone).id}/end").status_code == 404
    submit(stranger, f"{PATH}/end-others")
    assert _row(phone).ended_at is None


def test_ending_asks_who_it_is_when_signing_in_was_long_ago(
    signed_in: FlaskClient, submit: Callable[..., Any], phone: str
) -> None:
    with signed_in.session_transaction() as session:
        session["fs_paa"] = utcnow().timestamp() - 3600
    answer = submit(signed_in, f"{PATH}/end-others")
    assert answer.location.startswith("/verify")
    assert _row(phone).ended_at is None
