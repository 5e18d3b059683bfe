"""Passkeys, with an authenticator in software: made, used instead of a password and after it, replayed, deleted."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.passkeys import Authenticator
from support.visitor import Visitor

from invoiceapp.models import Passkey, db
from invoiceapp.models.passkey import FIRST, SECOND

PASSWORD = "correct-horse-battery"


def _options(visitor: Visitor) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', visitor.page)
    assert found, visitor.page
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


def _make(visitor: Visitor, device: Authenticator, usage: str, name: str = "Kontor-pc") -> None:
    visitor.send("/account/passkeys", {"name": name, "usage": usage})
    answer = visitor.post(visitor.action("/account/passkeys/"), {"credential": device.create(_options(visitor))})
    assert answer.location.endswith("/account/security")


def _use(visitor: Visitor, device: Authenticator) -> str:
    """Ask for a passkey and answer; where it leads to."""
    visitor.post("/login/passkey")
    answer = visitor.post(visitor.action("/login/passkey/"), {"credential": device.get(_options(visitor))})
    return answer.location or ""


@pytest.fixture
def owner(signed_in: FlaskClient) -> Visitor:
    return Visitor(signed_in)


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


def _visitor(app: Flask) -> Visitor:
    visitor = Visitor.new(app)
    visitor.open("/login")
    return visitor


def test_a_passkey_signs_in_instead_of_the_password(app, owner, user, device):
    _make(owner, device, FIRST)
    row = db.session.query(Passkey).one()
    assert (row.user_id, row.name, row.usage, row.extensions) == (user.id, "Kontor-pc", FIRST, "")
    visitor = _visitor(app)
    assert _use(visitor, device).endswith("/")
    assert visitor.is_signed_in()


def test_such_a_passkey_must_have_asked_for_finger_face_or_pin(app, owner, device):
    _make(owner, device, FIRST)
    device.verifies = False
    visitor = _visitor(app)
    _use(visitor, device)
    assert not visitor.is_signed_in()


def test_a_passkey_after_the_password_signs_in_only_after_it(app, owner, user, device):
    _make(owner, device, SECOND)
    device.verifies = False
    alone = _visitor(app)
    _use(alone, device)
    assert not alone.is_signed_in()
    visitor = Visitor.new(app)
    assert "/login/passkey" in visitor.sign_in(user.email, PASSWORD, "?next=/gateways").location
    assert not visitor.is_signed_in()
    visitor.open("/login/passkey?next=/gateways")
    allowed = None
    visitor.post("/login/passkey?next=/gateways")
    allowed = [one["id"] for one in _options(visitor)["allowCredentials"]]
    assert len(allowed) == 1
    answer = visitor.post(visitor.action("/login/passkey/"), {"credential": device.get(_options(visitor))})
    assert answer.location.endswith("/gateways")
    assert visitor.is_signed_in()


def test_an_answer_counts_once_and_in_the_browser_that_was_asked(app, owner, device):
    _make(owner, device, FIRST)
    visitor = _visitor(app)
    visitor.post("/login/passkey")
    action, credential = visitor.action("/login/passkey/"), device.get(_options(visitor))
    thief = _visitor(app)
    thief.post(action, {"credential": credential})
    assert not thief.is_signed_in()
    visitor.post(action, {"credential": credential})
    assert visitor.is_signed_in()
    again = _visitor(app)
    again.post("/login/passkey")
    again.post(action, {"credential": credential})
    assert not again.is_signed_in()


@pytest.mark.parametrize("wrong", ["origin", "signature", "user_handle", "count"])
def test_a_wrong_answer_signs_nobody_in(app, owner, device, wrong):
    device.sign_count = 5
    _make(owner, device, FIRST)
    if wrong == "origin":
        device.origin = "http://localhost.evil.example"
    elif wrong == "signature":
        device.key = Authenticator().key
    elif wrong == "user_handle":
        device.user_handle = b"somebody else"
    else:
        device.sign_count = 4
    visitor = _visitor(app)
    _use(visitor, device)
    assert not visitor.is_signed_in()


GARBAGE = [
    "", "null", "[]", "{}", "\u0000", '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA","authenticatorData":"AA","signature":"AA"}}',
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"AAAA","attestationObject":"-_-_","authenticatorData":7,"signature":[]}}',
    '{"id":7,"rawId":{},"type":[],"response":7}',
]  # fmt: skip


def test_whatever_a_browser_sends_is_refused_in_words(app, owner, device):
    app.config["PROPAGATE_EXCEPTIONS"] = False
    _make(owner, device, FIRST)
    known = json.loads(device.get({"rpId": "localhost", "challenge": "AA"}))
    broken = [json.dumps(known | {"response": known["response"] | {name: "oA"}}) for name in known["response"]]
    visitor = _visitor(app)
    for credential in [*GARBAGE, *broken]:
        visitor.open("/login/passkey")
        visitor.post("/login/passkey")
        assert visitor.post(visitor.action("/login/passkey/"), {"credential": credential}).status_code in (302, 400)
        owner.send("/account/passkeys", {"name": "Ny", "usage": FIRST})
        answer = owner.post(owner.action("/account/passkeys/"), {"credential": credential})
        assert answer.status_code in (302, 400)
    assert not visitor.is_signed_in()
    assert db.session.query(Passkey).count() == 1


def test_a_suspended_person_is_not_signed_in(app, owner, user, device):
    _make(owner, device, FIRST)
    user.active = False
    db.session.commit()
    visitor = _visitor(app)
    _use(visitor, device)
    with visitor.client.session_transaction() as session:
        assert "_user_id" not in session


def test_the_question_tells_nobody_which_addresses_have_accounts(app, owner, user, device):
    _make(owner, device, FIRST)
    answers = []
    for email in (user.email, "nobody@example.com"):
        visitor = _visitor(app)
        visitor.post("/login/passkey", {"identity": email})
        options = _options(visitor)
        answers.append(options | {"challenge": ""})
    assert answers[0] == answers[1]
    assert not answers[0].get("allowCredentials")


def test_a_passkey_is_made_only_shortly_after_signing_in(owner, device):
    with owner.client.session_transaction() as session:
        session["fs_paa"] -= 16 * 60
    owner.open("/account/security")
    answer = owner.post(
        "/account/passkeys", {"name": "Ny", "usage": FIRST}, headers={"Referer": "http://localhost/account/passkeys"}
    )
    assert answer.location == "/verify?next=/account/passkeys"


def test_a_passkey_shows_that_it_is_the_person_and_nobody_elses_does(app, owner, user, device, stranger):
    _make(owner, device, FIRST)
    others = Authenticator()
    _make(Visitor(stranger), others, FIRST)

    def show(shown: Authenticator) -> int:
        with owner.client.session_transaction() as session:
            session["fs_paa"] -= 16 * 60
        owner.open("/verify?next=/account/email")
        owner.post("/verify/passkey?next=/account/email")
        owner.post(owner.action("/verify/passkey/"), {"credential": shown.get(_options(owner))})
        return owner.client.get("/account/email").status_code

    assert show(device) == 200
    assert show(others) == 303


def test_names_are_ones_own_and_deleting_takes_only_ones_own(app, owner, user, device, stranger):
    _make(owner, device, FIRST)
    Visitor(stranger)
    other = Visitor(stranger)
    _make(other, Authenticator(), FIRST)
    assert "Kontor-pc" in owner.open("/account/security").text
    owner.post("/account/passkeys/delete", {"name": "Kontor-pc"})
    assert [row.user_id == user.id for row in db.session.query(Passkey)] == [False]
    visitor = _visitor(app)
    _use(visitor, device)
    assert not visitor.is_signed_in()


def test_the_last_second_factor_takes_the_recovery_codes_with_it(owner, user, device):
    _make(owner, device, SECOND)
    owner.send("/account/recovery-codes")
    db.session.refresh(user)
    assert len(user.mf_recovery_codes) == 8
    owner.open("/account/security")
    owner.post("/account/passkeys/delete", {"name": "Kontor-pc"})
    db.session.refresh(user)
    assert user.mf_recovery_codes is None


def test_a_passkey_as_second_step_is_what_a_subscription_may_ask_for(owner, subscription, device):
    subscription.needs_second_factor = True
    db.session.commit()
    _make(owner, device, FIRST, "Alene")
    assert owner.client.get("/gateways").status_code == 303
    _make(owner, Authenticator(), SECOND)
    assert owner.client.get("/gateways").status_code == 200
