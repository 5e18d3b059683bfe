"""Signing in at an identity provider that behaves, and at one that does not."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from joserfc.jwk import RSAKey
from support.oidc_provider import CLIENT, SECRET, Provider
from support.visitor import Visitor

from invoiceapp.config import Config, IdentityProvider
from invoiceapp.models import Identity, User, db
from invoiceapp.outbound.guard import networks

pytestmark = pytest.mark.server
PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "k1"})


@pytest.fixture
def provider(key: RSAKey) -> Iterator[Provider]:
    running = Provider(key)
    yield running
    running.close()


@pytest.fixture
def config(config: Config, provider: Provider) -> Config:
    object.__setattr__(config, "oidc", IdentityProvider(provider.issuer, CLIENT, SECRET, "Firmalogin"))
    return config


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor.new(app)


@pytest.fixture
def owner(signed_in) -> Visitor:
    return Visitor(signed_in)


def _leave(visitor: Visitor, provider: Provider, way: str = "/oidc/start") -> dict[str, str]:
    """To the provider, and what the browser brings back from there."""
    return provider.authorize(visitor.client.get(way).location)


def _return(visitor: Visitor, brought: dict[str, str]) -> Any:
    visitor.open("/oidc/callback", query_string=brought)
    return visitor.post("/oidc/callback", brought)


def _sign_in(visitor: Visitor, provider: Provider, way: str = "/oidc/start") -> Any:
    return _return(visitor, _leave(visitor, provider, way))


def test_a_person_with_a_verified_e_mail_is_linked_and_found_again_by_the_subject(visitor, app, user, provider):
    assert "Firmalogin" in visitor.open("/login").text
    assert _sign_in(visitor, provider, "/oidc/start?next=/gateways").location == "/gateways"
    assert visitor.is_signed_in()
    row = db.session.query(Identity).one()
    assert (row.user_id, row.issuer, row.subject) == (user.id, provider.issuer, "248289761001")
    db.session.refresh(user)
    assert user.confirmed_at is not None
    provider.claims |= {"email": "helt-anden@example.com", "email_verified": False}
    again = Visitor.new(app)
    _sign_in(again, provider)
    assert again.is_signed_in()
    assert db.session.query(Identity).count() == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ukendt@example.com"}, {"email_verified": False}, {"email_verified": "true"}, {"email_verified": None},
        {"email": None}, {"email": ["ejer@example.com"]}, {"sub": ""}, {"sub": "x" * 256}, {"sub": 7},
    ],
)  # fmt: skip
def test_strangers_and_unverified_addresses_stay_outside_and_no_user_is_made(visitor, user, provider, claims):
    provider.claims |= claims
    _sign_in(visitor, provider)
    assert not visitor.is_signed_in()
    assert (db.session.query(User).count(), db.session.query(Identity).count()) == (1, 0)


def test_a_suspended_person_and_a_stranger_hear_the_same(app, user, provider):
    said = []
    for change in ({"email": "ukendt@example.com"}, {"email": user.email}):
        provider.claims |= change
        user.active = False
        db.session.commit()
        visitor = Visitor.new(app)
        said.append(re.sub(r'"[^"]{40,}"', "", visitor.open(_sign_in(visitor, provider).location).text))
    assert said[0] == said[1]
    assert "kan ikke bruges her" in said[0]


def _changed(**claims: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda told: {name: value for name, value in (told | claims).items() if value is not None}


_NOW = int(time.time())
ATTACKS: dict[str, Callable[[Provider], None]] = {
    "wrong nonce": lambda provider: setattr(provider, "bend", _changed(nonce="another")),
    "no nonce": lambda provider: setattr(provider, "bend", _changed(nonce=None)),
    "wrong audience": lambda provider: setattr(provider, "bend", _changed(aud="another-client")),
    "audience of several for another": lambda provider: setattr(provider, "bend", _changed(aud=[CLIENT, "x"], azp="x")),
    "wrong issuer": lambda provider: setattr(provider, "bend", _changed(iss="https://evil.example")),
    "expired": lambda provider: setattr(provider, "bend", _changed(exp=_NOW - 3600, iat=_NOW - 7200)),
    "without end": lambda provider: setattr(provider, "bend", _changed(exp=None)),
    "from the future": lambda provider: setattr(provider, "bend", _changed(iat=_NOW + 7200, nbf=_NOW + 7200)),
    "unsigned": lambda provider: setattr(provider, "sign", provider.unsigned),
    "signed with the public key": lambda provider: setattr(provider, "sign", provider.signed_with_public_key),
    "signed by another": lambda provider: setattr(provider, "sign", provider.signed_by_another),
    "no token": lambda provider: setattr(provider, "sign", lambda _claims: ""),
    "no text": lambda provider: setattr(provider, "sign", lambda _claims: [1]),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_answer_that_is_not_as_it_must_be_signs_nobody_in(visitor, user, provider, attack):
    brought = _leave(visitor, provider)
    ATTACKS[attack](provider)
    answer = _return(visitor, brought)
    assert answer.location == "/login"
    assert not visitor.is_signed_in()
    assert db.session.query(Identity).count() == 0


def test_another_issuers_configuration_is_not_believed(visitor, user, provider):
    provider.metadata["issuer"] = "https://x.example"
    assert visitor.client.get("/oidc/start").location == "/login"


def test_strangers_do_not_make_us_ask_the_provider_again_and_again(visitor, user, provider):
    for _ in range(60):
        assert visitor.client.get("/oidc/start").location.startswith(provider.issuer)
    assert len(provider.asked) == 1
    assert visitor.client.get("/oidc/start").location == "/login"


def test_new_keys_of_the_provider_are_found(app, user, provider):
    _sign_in(Visitor.new(app), provider)
    provider.key = RSAKey.generate_key(2048, {"kid": "k2"})
    visitor = Visitor.new(app)
    _sign_in(visitor, provider)
    assert visitor.is_signed_in()
    assert provider.asked.count("/jwks") == 2


def test_the_state_must_be_this_browsers_and_counts_once(visitor, app, user, provider):
    brought = _leave(visitor, provider)
    victim = Visitor.new(app)
    victim.open("/login")
    assert victim.post("/oidc/callback", brought).location == "/login"
    assert not victim.is_signed_in()
    for wrong in ({"state": "another"}, {"state": ""}):
        _leave(visitor, provider)
        visitor.open("/login")
        visitor.post("/oidc/callback", brought | wrong)
        assert not visitor.is_signed_in()
    good = _leave(visitor, provider)
    _return(visitor, good)
    assert visitor.is_signed_in()
    visitor.open("/account/security")
    visitor.post("/logout")
    visitor.open("/login")
    visitor.post("/oidc/callback", good)
    assert not visitor.is_signed_in()


def test_a_code_of_somebody_else_does_not_fit_the_verifier(visitor, app, user, provider):
    stolen = _leave(Visitor.new(app), provider)
    mine = _leave(visitor, provider)
    _return(visitor, mine | {"code": stolen["code"]})
    assert not visitor.is_signed_in()


def test_looking_at_the_way_back_changes_nothing(visitor, user, provider):
    brought = _leave(visitor, provider)
    visitor.open("/oidc/callback", query_string=brought)
    assert "data-at-once" in visitor.page
    assert not visitor.is_signed_in()
    assert provider.codes, "the code was used by a question"
    assert visitor.client.get("/oidc/callback?error=access_denied").location == "/login"


def test_the_way_back_stays_here(app, user, provider):
    for way in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        visitor = Visitor.new(app)
        assert _sign_in(visitor, provider, f"/oidc/start?next={way}").location == "/"


def test_the_second_step_is_asked_for_here_as_well(visitor, user, provider):
    user.tf_primary_method, user.tf_totp_secret = "authenticator", "v1.k1.x"
    db.session.commit()
    assert "/login/code" in _sign_in(visitor, provider).location
    assert not visitor.is_signed_in()


def test_a_closed_network_is_not_asked(visitor, app, provider, config):
    object.__setattr__(config, "outbound_networks", networks([]))
    assert visitor.client.get("/oidc/start").location == "/login"
    assert provider.asked == []


def _make_stale(visitor: Visitor) -> None:
    with visitor.client.session_transaction() as session:
        session["fs_paa"] -= 16 * 60


def _link(owner: Visitor, provider: Provider) -> Any:
    owner.open("/account/security")
    owner.post("/oidc/link")
    found = re.search(r'id="go-to-provider"[^>]* href="([^"]+)"', owner.page)
    assert found, owner.page
    return _return(owner, provider.authorize(html.unescape(found[1])))


def test_an_account_is_connected_removed_and_shows_that_it_is_the_person(owner, user, provider):
    provider.claims |= {"email": "privat@example.com", "email_verified": False}
    assert _link(owner, provider).location == "/account/security"
    assert db.session.query(Identity).one().user_id == user.id
    _make_stale(owner)
    assert owner.client.get("/account/email").status_code == 303
    assert "prompt=login" in owner.client.get("/oidc/start").location
    provider.bend = _changed(auth_time=_NOW - 3600)
    _sign_in(owner, provider, "/oidc/start?next=/account/email")
    assert owner.client.get("/account/email").status_code == 303
    provider.bend = _changed(sub="somebody-else")
    _sign_in(owner, provider, "/oidc/start?next=/account/email")
    assert owner.client.get("/account/email").status_code == 303
    provider.bend = _changed()
    assert _sign_in(owner, provider, "/oidc/start?next=/account/email").location == "/account/email"
    assert owner.client.get("/account/email").status_code == 200
    owner.open("/account/security")
    owner.post("/oidc/unlink")
    assert db.session.query(Identity).count() == 0


def test_an_account_that_is_somebody_elses_cannot_be_connected(owner, user, stranger, provider):
    provider.claims |= {"email_verified": False}
    _link(Visitor(stranger), provider)
    _link(owner, provider)
    assert [row.user_id == user.id for row in db.session.query(Identity)] == [False]


def test_the_last_way_in_cannot_be_removed(owner, user, provider):
    _link(owner, provider)
    user.password = None
    db.session.commit()
    owner.open("/account/security")
    owner.post("/oidc/unlink")
    assert db.session.query(Identity).count() == 1


def test_without_a_provider_its_addresses_do_not_exist(app, visitor, owner, config):
    object.__setattr__(config, "oidc", None)
    assert "oidc" not in visitor.open("/login").text
    assert [visitor.client.get(path).status_code for path in ("/oidc/start", "/oidc/callback")] == [404, 404]
    owner.open("/account/security")
    assert [owner.post(path).status_code for path in ("/oidc/link", "/oidc/unlink", "/oidc/callback")] == [
        404,
        404,
        404,
    ]
