"""Signing in and choosing passwords, with passwords of any length. Hashes are argon2, as in production."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password
from passlib.context import CryptContext

from invoiceapp import account_forms, passwords, sign_in
from invoiceapp.models import User, db
from invoiceapp.services.sign_in import throttling
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
    assert "E-mail eller adgangskode er forkert." in wrong[1]
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


#: Of features that are off, or said by views of ours instead.
UNUSED = {
    "unified sign-in": {
        "GENERIC_US_SIGNIN", "INVALID_PASSWORD_CODE", "US_CURRENT_METHODS", "US_METHOD_NOT_AVAILABLE", "US_SETUP_EXPIRED",
        "US_SETUP_SUCCESSFUL", "US_SPECIFY_IDENTITY",
    },
    "links instead of passwords": {
        "LOGIN_EXPIRED", "LOGIN_EMAIL_SENT", "INVALID_LOGIN_TOKEN", "PASSWORDLESS_LOGIN_SUCCESSFUL",
    },
    "signing up, and confirming it": {
        "CONFIRM_REGISTRATION", "EMAIL_CONFIRMED", "ALREADY_CONFIRMED", "INVALID_CONFIRMATION_TOKEN",
        "CONFIRMATION_REQUIRED", "CONFIRMATION_REQUEST", "CONFIRMATION_EXPIRED", "EMAIL_ALREADY_ASSOCIATED",
        "IDENTITY_ALREADY_ASSOCIATED",
    },
    "another e-mail: account_links": {"CHANGE_EMAIL_EXPIRED", "CHANGE_EMAIL_CONFIRMED", "CHANGE_EMAIL_SENT"},
    "names for signing in": {
        "USERNAME_CHANGE", "USERNAME_INVALID_LENGTH", "USERNAME_DISALLOWED_CHARACTERS", "USERNAME_NOT_PROVIDED",
        "USERNAME_ALREADY_ASSOCIATED", "USERNAME_RECOVERY_REQUEST",
    },
    "its OAuth: ours is services/sign_in/oidc": {"IDENTITY_NOT_REGISTERED", "OAUTH_HANDSHAKE_ERROR"},
    "asking for a link: account_security.forgot_password": {
        "PASSWORD_RESET_REQUEST", "GENERIC_RECOVERY", "FORGOT_PASSWORD",
    },
    "signing in by a new password": {"PASSWORD_RESET"},
    "codes by mail and phone": {"CODE_HAS_BEEN_SENT", "FAILED_TO_SEND_CODE", "USE_CODE", "PHONE_INVALID"},
    "tokens": {"REFRESH_TOKEN_INVALID"},
    "rules that passwords.PasswordRules has not": {
        "PASSWORD_TOO_SIMPLE", "PASSWORD_BREACHED", "PASSWORD_BREACHED_SITE_ERROR",
    },
    "said by nothing": {"PASSWORD_MISMATCH", "LOGIN", "REFRESH"},
}  # fmt: skip


def test_everything_that_flask_security_can_say_here_is_said_in_danish(app: Flask) -> None:
    prefix, unused = "SECURITY_MSG_", set().union(*UNUSED.values())
    known = {key.removeprefix(prefix): value[0] for key, value in app.config.items() if key.startswith(prefix)}
    assert unused <= set(known)
    with app.test_request_context():
        look_up = app.extensions["security"].i18n_domain.gettext
        said = {name: str(look_up(words)) for name, words in known.items() if name not in unused}
    assert [name for name, words in said.items() if words == known[name]] == []


#: Their one field is looked at before WTForms does, which has no Danish (account_forms).
ASKED_BEFORE = {"two_factor_verify_code_form", "mf_recovery_form"}


def test_what_forms_find_wrong_is_among_what_flask_security_can_say(app: Flask) -> None:
    unused, in_english = set().union(*UNUSED.values()), set()
    for name, form in _forms_in_use(app).items():
        validators = [one for field in _fields(form) for one in field.kwargs.get("validators", ())]
        assert not [one for one in validators if getattr(one, "_original_message", None) in unused], name
        if any(map(_speaks_for_wtforms, validators)):
            in_english.add(name)
    assert in_english == ASKED_BEFORE


def _speaks_for_wtforms(validator: Any) -> bool:
    is_theirs = any(one.__module__ == "wtforms.validators" for one in type(validator).__mro__)
    return is_theirs and getattr(validator, "_original_message", None) is None


def _forms_in_use(app: Flask) -> dict[str, Any]:
    known = app.extensions["security"].forms
    return {name: known[name].cls for name in (*sign_in.FORMS, *account_forms.FORMS) if name.endswith("_form")}


def _fields(form: Any) -> list[Any]:
    members = [getattr(form, name, None) for name in dir(form)]
    return [one for one in members if type(one).__name__ == "UnboundField"]


def _wrong(client: FlaskClient, email: str, times: int) -> list[tuple[int, str]]:
    return [_post(client, "/login", email=email, password="wrong-wrong-wrong") for _ in range(times)]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Argon2's parameters, each time that it is asked for a password."""
    work: list[str] = []
    make, compare = passwords.BoundedContext.hash, passwords.BoundedContext.verify

    def hash_(self: passwords.BoundedContext, *args: Any, **kwargs: Any) -> str:
        made = make(self, *args, **kwargs)
        work.append(_parameters(made))
        return made

    def verify(self: passwords.BoundedContext, secret: str, made: str, **kwargs: Any) -> bool:
        work.append(_parameters(made))
        return compare(self, secret, made, **kwargs)

    monkeypatch.setattr(passwords.BoundedContext, "hash", hash_)
    monkeypatch.setattr(passwords.BoundedContext, "verify", verify)
    return work


def _parameters(made: str) -> str:
    return made.rpartition("$")[0].rpartition("$")[0]


def test_an_unknown_person_costs_the_same_work_as_a_known_one(
    client: FlaskClient, known: User, hashed: list[str]
) -> None:
    for email in (known.email, "nobody@example.com"):
        _wrong(client, email, 1)
    known.active = False
    db.session.commit()
    _wrong(client, known.email, 1)
    assert hashed == ["$argon2id$v=19$m=65536,t=2,p=1"] * 3


def test_after_many_wrong_passwords_known_and_unknown_people_are_told_to_wait_in_the_same_words(
    client: FlaskClient, known: User, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = throttling.utcnow()
    monkeypatch.setattr(throttling, "utcnow", lambda: now)
    found = _wrong(client, known.email, 6), _wrong(client, "nobody@example.com", 6)
    assert found[0] == found[1]
    assert "Der er forsøgt for mange gange. Vent 2 sekunder" in found[0][-1][1]
    assert len(hashed) == 10
    # The right password is not looked at either.
    assert "for mange gange" in _post(client, "/login", email=known.email, password=RIGHT)[1]
    assert len(hashed) == 10


def test_an_e_mail_in_other_spellings_is_the_same_account(client: FlaskClient, known: User) -> None:
    name, _at, domain = known.email.partition("@")
    for spelling in (known.email.upper(), f"{name.title()}@{domain}", f"{name}@{domain.upper()}", *[known.email] * 2):
        _wrong(client, spelling, 1)
    assert "for mange gange" in _wrong(client, known.email, 1)[0][1]


def test_a_form_that_is_not_filled_in_is_no_try(client: FlaskClient, known: User) -> None:
    for _ in range(8):
        _post(client, "/login", email=known.email, password="")
    assert _post(client, "/login", email=known.email, password=RIGHT)[0] == 302


def test_the_right_password_forgets_the_wrong_ones(client: FlaskClient, known: User) -> None:
    _wrong(client, known.email, 4)
    assert _post(client, "/login", email=known.email, password=RIGHT)[0] == 302
    with client.session_transaction() as session:
        session.clear()
    assert "for mange gange" not in _wrong(client, known.email, 4)[-1][1]


def test_a_hash_of_older_parameters_is_renewed_at_sign_in(client: FlaskClient, known: User) -> None:
    known.password = CryptContext(schemes=["argon2"], argon2__memory_cost=8192, argon2__time_cost=1).hash(RIGHT)
    db.session.commit()
    assert _post(client, "/login", email=known.email, password=RIGHT)[0] == 302
    db.session.refresh(known)
    assert (known.password or "").startswith("$argon2id$v=19$m=65536,t=2,p=1$")


def test_who_found_a_signed_in_browser_cannot_guess_its_password(signed_in: FlaskClient, known: User) -> None:
    for _ in range(3):
        _post(signed_in, "/verify", password="wrong")
        _post(signed_in, "/change", password="wrong", new_password=NEW, new_password_confirm=NEW)
    assert "too many tries" in _post(signed_in, "/verify", password=RIGHT)[1]
    changed = _post(signed_in, "/change", password=RIGHT, new_password=NEW, new_password_confirm=NEW)
    assert changed[0] == 200
    assert "too many tries" in changed[1]


def test_a_new_password_that_anybody_would_try_is_refused(signed_in: FlaskClient) -> None:
    easy = {"new_password": "Password2026!", "new_password_confirm": "Password2026!"}
    status, text = _post(signed_in, "/change", password=RIGHT, **easy)
    assert status == 200
    assert "easy to guess" in text
