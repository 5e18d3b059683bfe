"""Codes of authenticator apps and recovery codes: set up, asked for, used once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from passlib.totp import TOTP
from support.visitor import Visitor

from invoiceapp.models import Subscription, User, db
from invoiceapp.services import secrets
from invoiceapp.services.sign_in import account_links, second_factors

PASSWORD = "correct-horse-battery"


class Clock:
    """Of codes: moved by hand, so that no test waits or meets the end of a half minute."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def later(self, seconds: int = 30) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(TOTP, "now", staticmethod(lambda: clock.now))
    return clock


def _app_key(page: str) -> str:
    found = re.search(r'id="authenticator-key">([^<]+)<', page)
    assert found, page
    return found[1]


def _code(key: str, clock: Clock, steps: int = 0) -> str:
    return str(TOTP(key=key, format="base32").generate(time=clock.now + 30 * steps).token)


def _set_up(visitor: Visitor, clock: Clock) -> str:
    """The key that the app keeps."""
    visitor.send("/account/second-step", {"setup": "authenticator"})
    key = _app_key(visitor.page)
    answer = visitor.post(visitor.action("/account/second-step/"), {"code": _code(key, clock)})
    assert answer.location.endswith("/account/security")
    clock.later()
    return key


@pytest.fixture
def owner(signed_in, user: User) -> Visitor:
    return Visitor(signed_in)


@pytest.fixture
def key(owner: Visitor, clock: Clock) -> str:
    return _set_up(owner, clock)


def _half_signed_in(app: Flask, user: User, way_back: str = "") -> Visitor:
    visitor = Visitor.new(app)
    answer = visitor.sign_in(user.email, PASSWORD, way_back)
    assert "/login/code" in answer.location
    assert not visitor.is_signed_in()
    visitor.open(answer.location)
    return visitor


def _try(visitor: Visitor, code: str) -> bool:
    visitor.post("/login/code", {"code": code})
    return visitor.is_signed_in()


def test_after_the_app_is_set_up_a_password_alone_signs_nobody_in(app, user, key, clock):
    visitor = _half_signed_in(app, user)
    assert not _try(visitor, "000000")
    assert _try(visitor, _code(key, clock))


def test_the_page_shows_a_picture_and_the_key_and_switches_nothing_on_before_a_code_was_right(owner, user, clock):
    owner.send("/account/second-step", {"setup": "authenticator"})
    assert 'src="data:image/svg+xml;base64,' in owner.page
    owner.post(owner.action("/account/second-step/"), {"code": "000000"})
    db.session.refresh(user)
    assert not second_factors.has_second_factor(user)


def test_a_wrong_code_is_written_again_below_the_same_picture(owner, user, clock):
    owner.send("/account/second-step", {"setup": "authenticator"})
    key = _app_key(owner.page)
    for code, words in (("000000", "Skriv den nyeste."), ("", "Skriv den kode")):
        answer = owner.post(owner.action("/account/second-step/"), {"code": code})
        assert answer.status_code == 422 and words in answer.text
        assert _app_key(answer.text) == key and 'src="data:image/svg+xml;base64,' in answer.text
    answer = owner.post(owner.action("/account/second-step/"), {"code": _code(key, clock)})
    assert answer.location.endswith("/account/security")
    db.session.refresh(user)
    assert second_factors.has_second_factor(user)


@pytest.mark.parametrize("how", [lambda code: f"{code[:3]} {code[3:]}", lambda code: f" {code} "])
def test_a_code_may_be_written_as_the_app_shows_it(app, user, key, clock, how):
    assert _try(_half_signed_in(app, user), how(_code(key, clock)))


def test_a_code_is_used_once(app, user, key, clock):
    code = _code(key, clock)
    assert _try(_half_signed_in(app, user), code)
    assert not _try(_half_signed_in(app, user), code)
    clock.later()
    assert not _try(_half_signed_in(app, user), code)
    assert _try(_half_signed_in(app, user), _code(key, clock))


def test_two_requests_at_once_cannot_both_use_a_code(app, user, key, clock):
    stale = user.tf_last_counter
    assert second_factors.use_counter(user, 60_000_010)
    assert user.tf_last_counter == stale, "the test needs a row that was read before"
    assert not second_factors.use_counter(user, 60_000_010)


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_a_phone_may_be_half_a_minute_wrong(app, user, key, clock, steps, is_taken):
    clock.later(300)
    assert _try(_half_signed_in(app, user), _code(key, clock, steps)) is is_taken


def test_codes_cannot_be_guessed(app, user, key, clock):
    visitor = _half_signed_in(app, user)
    for _ in range(6):
        visitor.post("/login/code", {"code": "000000"})
    assert not _try(visitor, _code(key, clock))
    assert "for mange gange" in visitor.page


def test_the_secret_is_encrypted_for_this_person_and_survives_a_new_key(app, user, key, clock, config):
    db.session.refresh(user)
    assert key.replace("-", "") not in str(user.tf_totp_secret)
    with pytest.raises(secrets.SecretUnreadable):
        secrets.decrypt(user.tf_totp_secret, secrets.totp_context("somebody-else"))
    first = config.encryption_keys
    object.__setattr__(config, "encryption_keys", ("k2:" + first[0][3:][::-1].lstrip("="), *first))
    assert _try(_half_signed_in(app, user), _code(key, clock))
    assert secrets.rotate().rewritten == 1
    object.__setattr__(config, "encryption_keys", config.encryption_keys[:1])
    clock.later()
    assert _try(_half_signed_in(app, user), _code(key, clock))


def test_a_new_password_by_mail_keeps_the_second_factor(app, user, key, clock):
    visitor = Visitor.new(app)
    path = account_links.reset_link(user.email).removeprefix("http://localhost")
    new = "a-few-unrelated-words"
    assert visitor.send(path, {"password": new, "password_confirm": new}).location.endswith("/login")
    assert not visitor.is_signed_in()
    assert "/login/code" in visitor.sign_in(user.email, new).location


def test_the_way_back_outlives_the_second_step(app, user, key, clock):
    visitor = _half_signed_in(app, user, "?next=/gateways")
    answer = visitor.post("/login/code?next=/gateways", {"code": _code(key, clock)})
    assert answer.location.endswith("/gateways")


def test_switching_codes_off_asks_for_none_and_forgets_the_recovery_codes(app, owner, user, key):
    owner.send("/account/recovery-codes")
    owner.send("/account/second-step", {"setup": "disable"})
    db.session.refresh(user)
    assert (user.tf_totp_secret, user.mf_recovery_codes) == (None, None)
    assert Visitor.new(app).sign_in(user.email, PASSWORD).location.endswith("/")


def _recovery_codes(owner: Visitor) -> list[str]:
    owner.send("/account/recovery-codes")
    return re.findall(r"<li><code>([^<]+)</code>", owner.page)


def test_a_recovery_code_signs_in_once_however_it_is_written(app, owner, user, key):
    codes = _recovery_codes(owner)
    assert len(set(codes)) == 8
    for number, written in enumerate([codes[0], codes[1].upper().replace("-", " ")]):
        visitor = _half_signed_in(app, user)
        visitor.send("/login/recovery-code", {"code": written})
        assert visitor.is_signed_in()
        db.session.refresh(user)
        assert len(user.mf_recovery_codes) == 7 - number
    visitor = _half_signed_in(app, user)
    visitor.send("/login/recovery-code", {"code": codes[0]})
    assert not visitor.is_signed_in()


def test_a_wrong_recovery_code_is_told_in_its_own_words(app, owner, user, key):
    visitor = _half_signed_in(app, user)
    visitor.send("/login/recovery-code", {"code": "abcd-efgh"})
    assert "Nødkoden er forkert eller brugt. Hver kode virker én gang." in visitor.page
    assert "nyeste" not in visitor.page


def test_the_list_of_sessions_tells_the_second_step_too(app, owner, user, key, clock):
    codes = _recovery_codes(owner)
    visitor = _half_signed_in(app, user)
    assert _try(visitor, _code(key, clock))
    assert "Adgangskode og kode" in visitor.open("/account/sessions").text
    other = _half_signed_in(app, user)
    other.send("/login/recovery-code", {"code": codes[0]})
    assert "Adgangskode og nødkode" in other.open("/account/sessions").text


def test_recovery_codes_are_shown_once_kept_as_hashes_and_replaced_by_new_ones(app, owner, user, key):
    codes = _recovery_codes(owner)
    for path in ("/account/recovery-codes", "/account/recovery-codes?show_codes=1", "/account/security"):
        assert not any(code in owner.open(path).text for code in codes)
    db.session.refresh(user)
    assert not any(code in str(user.mf_recovery_codes) for code in codes)
    assert not set(codes) & set(_recovery_codes(owner))
    visitor = _half_signed_in(app, user)
    visitor.send("/login/recovery-code", {"code": codes[0]})
    assert not visitor.is_signed_in()


def test_recovery_codes_cannot_be_guessed(app, owner, user, key):
    codes = _recovery_codes(owner)
    visitor = _half_signed_in(app, user)
    for _ in range(6):
        visitor.send("/login/recovery-code", {"code": "abcd-efgh"})
    visitor.send("/login/recovery-code", {"code": codes[0]})
    assert not visitor.is_signed_in()


@pytest.mark.parametrize("path", ["/login/code", "/login/recovery-code", "/login/second-step"])
def test_nobody_gets_to_the_second_step_without_the_first(app, path):
    visitor = Visitor.new(app)
    visitor.open("/login")
    assert visitor.post(path, {"code": "123456", "which": "authenticator"}).location.endswith("/login")


def test_opening_the_page_of_codes_signs_nobody_out(owner):
    owner.open("/login/code")
    assert owner.is_signed_in()


@pytest.fixture
def demanding(subscription: Subscription) -> Subscription:
    subscription.needs_second_factor = True
    db.session.commit()
    return subscription


def test_a_subscription_may_ask_its_owners_for_a_second_factor(owner, demanding, clock):
    for path in ("/", "/gateways", "/account/sessions"):
        answer = owner.client.get(path)
        assert (answer.status_code, answer.location) == (303, "/account/security")
    assert owner.client.get("/gateways", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/account/security"
    assert "et trin mere" in owner.open("/account/security").text or "second step" in owner.page
    _set_up(owner, clock)
    assert owner.client.get("/gateways").status_code == 200


def test_plain_members_are_not_asked(member, demanding):
    assert member.get("/").status_code == 200


def test_a_person_with_codes_can_show_by_one_that_it_is_them(owner, user, key, clock):
    with owner.client.session_transaction() as session:
        session["fs_paa"] -= timedelta(minutes=16).total_seconds()
    assert "/verify" in owner.client.get("/account/email").location
    assert "/verify" not in (
        owner.send("/verify?next=/account/email", {"code": _code(key, clock)}).location or "/verify"
    )
    assert owner.client.get("/account/email").status_code == 200
