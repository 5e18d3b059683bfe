"""What a page refuses of a gateway as a whole, a file cannot bring in either; what is stored already keeps nothing back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from sqlalchemy import select
from support.certified import certificate, key, key_pem, pem

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import registry
from invoiceapp.models import Gateway, Subscription, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.configuration.as_code import ConfigurationInvalid, Options, apply, export
from invoiceapp.services.errors import InvalidInput

PREFIX = "INVOICEAPP_SECRET_"
BEARER = {"url": "https://h.example/x", "auth": "bearer"}
AS2 = {"url": "https://as2.example/in", "as2_from": "Os", "as2_to": "Dem"}
TOKEN, PASSWORD = {"token": "hemmelig"}, {"password": "hemmelig"}


@pytest.fixture(autouse=True)
def mine(subscription: Subscription) -> str:
    """The subscription that the files name."""
    return subscription.id


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch):
    """A file with one gateway, its secrets laid out."""

    def make(kind: str, config: Mapping[str, str], secrets: Mapping[str, str] = {}, more: str = "") -> str:
        for name, value in secrets.items():
            monkeypatch.setenv(PREFIX + name, value)
        references = json.dumps({name: {"env": PREFIX + name} for name in secrets})
        return (
            f"version: 1\nsubscription: Eksempel ApS\ngateways:\n  - name: G\n    kind: {kind}\n"
            f"    config: {json.dumps(config)}\n    secrets: {references}\n{more}"
        )

    return make


def run(text: str) -> list[str]:
    db.session.remove()
    return [str(change) for change in apply(text.encode(), Options()).changes]


def problems(text: str) -> dict[str, str]:
    """By place in the gateway."""
    db.session.remove()
    with pytest.raises(ConfigurationInvalid) as refused:
        apply(text.encode(), Options())
    return {one.place.removeprefix("gateways[0]."): one.text.en for one in refused.value.problems}


def stored() -> Gateway:
    db.session.expire_all()
    return db.session.scalars(select(Gateway)).one()


@cache
def certificate_of(name: str) -> str:
    return pem(certificate(name)).decode()


def key_of(name: str) -> str:
    return key_pem(key(name)).decode()


CASES = [
    ("http", {**BEARER, "url": "http://evil.example"}, TOKEN, {"config.url"}),
    ("http", BEARER, {}, {"secrets.token"}),
    ("http", {**BEARER, "auth": "basic"}, PASSWORD, {"config.username"}),
    ("http", {**BEARER, "headers": "Authorization: Bearer x"}, TOKEN, {"config.headers"}),
    ("http", {**BEARER, "status_url": "http://evil.example/{key}"}, TOKEN, {"config.status_url"}),
    ("as2", {**AS2, "url": "http://evil.example", "username": "os"}, PASSWORD, {"config.url"}),
    ("as2", {**AS2, "username": "os"}, {}, {"secrets.password"}),
    ("as2", {**AS2, "as2_to": "Os"}, PASSWORD, {"config.as2_to", "config.username"}),
    ("sftp", {"host": "s.example", "username": "os"}, {}, {"secrets.password", "secrets.private_key"}),
    ("ftp", {"host": "f.example", "username": "os", "ca_certificate": "x"}, PASSWORD, {"config.ca_certificate"}),
    ("dropbox", {"app_key": "a", "api_url": "http://evil.example"}, {"refresh_token": "x"}, {"config.api_url"}),
    (
        "email",
        {"host": "m.example", "sender": "a@b.dk", "auth": "oauth2", "username": "u", "client_id": "c",
         "token_url": "http://evil.example"},
        {"refresh_token": "x"}, {"config.token_url"},
    ),
    (
        "vans",
        {"carrier": "as2", "mailbox": "m", **{f"as2_{name}": value for name, value in AS2.items()},
         "as2_url": "http://evil.example", "as2_username": "os"},
        {"as2_password": "x"}, {"config.as2_url"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "secrets", "places"), CASES)
def test_a_file_is_refused_in_the_words_of_the_page(file, mine, kind, values, secrets, places):
    found = problems(file(kind, values, secrets))
    assert set(found) == places
    with pytest.raises(InvalidInput) as refused:
        gateways.save(mine, kind, "G", {**values, **secrets})
    assert {place.partition(".")[2]: said for place, said in found.items()} == {
        name: text.en for name, text in refused.value.errors.items()
    }
    assert db.session.scalar(select(Gateway)) is None


def test_a_key_of_another_certificate_is_refused_because_it_is_at_hand(file):
    config = {**AS2, "own_certificate": certificate_of("a")}
    assert set(problems(file("as2", config, {"own_key": key_of("b")}))) == {"secrets.own_key"}
    assert run(file("as2", config, {"own_key": key_of("a")}))


def test_it_is_told_together_with_all_else_and_nothing_of_the_file_is_applied(file):
    more = "  - {name: H, kind: http, config: {url: http://h.example, method: GET}}\nadaptors:\n  - name: Billy\n"
    found = problems(file("http", {**BEARER, "url": "http://evil.example"}, TOKEN, more))
    assert set(found) == {"config.url", "gateways[1].config.method", "adaptors[0]"}
    assert db.session.scalar(select(Gateway)) is None


def test_the_line_is_that_of_the_field_or_of_the_section_that_lacks_it(file):
    text = file("http", {**BEARER, "url": "http://evil.example"}).replace('"url"', '\n     "url"')
    db.session.remove()
    with pytest.raises(ConfigurationInvalid) as refused:
        apply(text.encode(), Options())
    assert [(one.line, one.place) for one in refused.value.problems] == [
        (7, "gateways[0].config.url"), (8, "gateways[0].secrets.token"),
    ]  # fmt: skip


def test_what_does_not_count_is_not_judged(file):
    config = {"host": "f.example", "username": "os", "security": "none", "ca_certificate": "x"}
    assert run(file("ftp", config, PASSWORD))
    assert "ca_certificate" in export("Eksempel ApS")


def test_a_transport_is_asked_what_the_page_asks_it(file, mine, monkeypatch):
    values = {"url": "https://h.example/x", "auth": "basic", "username": "os", "certificate": "x"}
    asked: list[Any] = []
    question = classmethod(lambda cls, config, secrets: asked.append((dict(config), set(secrets))) or {})
    monkeypatch.setattr(registry()["http"], "problems", question)
    run(file("http", values, PASSWORD | TOKEN))
    gateways.save(mine, "http", "Side", {**values, **PASSWORD, **TOKEN})
    of_the_file, of_the_page = asked
    assert of_the_file == of_the_page
    assert of_the_page[1] == {"password"}


def test_a_new_gateway_is_judged_although_the_file_says_no_more_than_its_kind(other, monkeypatch):
    wrong = Text("Går ikke.", "Does not work.")
    monkeypatch.setattr(other, "problems", classmethod(lambda cls, config, secrets: {"f_text": wrong, "key": wrong}))
    found = problems("version: 1\nsubscription: Eksempel ApS\ngateways:\n  - {name: G, kind: other}\n")
    assert found == {"config.f_text": "Does not work.", "secrets.key": "Does not work."}


def test_a_stored_secret_that_is_kept_is_one_that_it_has(file, monkeypatch):
    text = file("http", BEARER, TOKEN)
    run(text)
    monkeypatch.delenv(PREFIX + "token")
    assert run(text.replace('"bearer"', '"bearer", "method": "PUT"')) == ["gateway G: config.method: POST → PUT"]


@pytest.fixture
def older(file) -> str:
    """The export of a gateway that was stored before the page refused such a thing."""
    run(file("http", BEARER, TOKEN))
    row = stored()
    row.config = {**row.config, "url": "http://old.example/x"}
    db.session.commit()
    return export("Eksempel ApS")


def test_an_older_gateway_that_is_not_changed_keeps_nothing_from_being_applied(older):
    assert run(older) == []
    changed = older.replace("adaptors: []", 'adaptors:\n  - name: "Ny"\n    source: {kind: billy}')
    assert any("adaptor Ny: new" in line for line in run(changed))
    assert stored().config["url"] == "http://old.example/x"


def test_an_older_gateway_whose_secret_only_gets_another_name_is_not_changed(older, monkeypatch):
    monkeypatch.setenv(PREFIX + "other", "hemmelig")
    (line,) = run(older.replace(PREFIX + "token", PREFIX + "other"))
    assert line.startswith("gateway G: secrets.token.from")


@pytest.mark.parametrize(
    ("old", "new"),
    [('auth: "bearer"', 'auth: "bearer"\n      method: "PUT"'), ('environment: "live"', 'environment: "test"')],
    ids=["config", "environment"],
)
def test_an_older_gateway_that_is_changed_is_judged(older, old, new):
    assert old in older
    assert set(problems(older.replace(old, new))) == {"config.url"}


def test_an_older_gateway_that_gets_another_secret_is_judged(older, monkeypatch):
    monkeypatch.setenv(PREFIX + "token", "ny")
    assert set(problems(older)) == {"config.url"}


@pytest.mark.parametrize(
    ("root", "password", "is_read_anew"),
    [("a", "hemmelig", False), ("a", "ny", True), ("b", "hemmelig", True), (None, "hemmelig", True)],
)
def test_what_ends_is_read_anew_after_a_change_of_config_or_secrets_only(file, root, password, is_read_anew):
    def with_root(name: str | None) -> dict[str, str]:
        return {"host": "f.example", "username": "os", "ca_certificate": certificate_of(name) if name else ""}

    run(file("ftp", with_root("a"), PASSWORD))
    stored().expiries_at = utcnow()
    db.session.commit()
    run(file("ftp", with_root(root), {"password": password}))
    assert (stored().expiries_at is None) is is_read_anew
