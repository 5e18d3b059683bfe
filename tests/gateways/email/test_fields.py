"""The form of an e-mail gateway."""

from __future__ import annotations

from datetime import timedelta

import pytest

from invoiceapp.domain.fields import parse_all
from invoiceapp.gateways.email import EmailTransport
from invoiceapp.gateways.email.fields import FIELDS

RAW = {"host": "h", "sender": "a@b.example", "username": "firma", "password": "kode"}
OAUTH2 = RAW | {"auth": "oauth2", "token_url": "https://l.example/t", "client_id": "us", "refresh_token": "r"}


@pytest.mark.parametrize("template", ["{nummer}", "{number.__class__}", "{", "{}"])
def test_unknown_tokens_are_refused(template):
    _, errors = parse_all(FIELDS, RAW | {"subject": template, "body": template})
    assert set(errors) == {"subject", "body"}


def test_every_token_is_taken():
    template = "{number}{type}{sender}{receiver}{date}{order}"
    assert parse_all(FIELDS, RAW | {"subject": template, "body": template})[1] == {}


def test_what_is_not_filled_in_has_its_default():
    values, errors = parse_all(FIELDS, RAW)
    assert errors == {}
    assert (values["port"], values["security"], values["with_pdf"]) == (587, "starttls", True)
    assert (values["auth"], values["connections"], values["size_mb"]) == ("password", 2, 20)
    assert values["subject"] == "{type} {number} fra {sender}"


@pytest.mark.parametrize(
    ("auth", "wanted"),
    [
        ("none", set()),
        ("password", {"username", "password"}),
        ("oauth2", {"username", "token_url", "client_id", "refresh_token"}),
    ],
)
def test_each_kind_of_login_wants_its_own(auth, wanted):
    assert set(parse_all(FIELDS, {"host": "h", "sender": "a@b.example", "auth": auth})[1]) == wanted


def test_what_belongs_to_another_login_is_not_kept():
    values, errors = parse_all(FIELDS, OAUTH2 | {"auth": "none"})
    assert (errors, values["username"], values["token_url"], values["refresh_token"]) == ({}, None, None, None)


@pytest.mark.parametrize("name", ["sender", "recipient", "recipient_2", "recipient_3", "copy_to"])
@pytest.mark.parametrize("typed", ["a@b.example,c@d.example", "a@b.example c@d.example", "A <a@b.example>", "a@b"])
def test_an_address_is_exactly_one(name, typed):
    assert set(parse_all(FIELDS, RAW | {name: typed})[1]) == {name}


def test_the_secrets_are_declared():
    assert [f.name for f in FIELDS if f.secret] == ["password", "client_secret", "refresh_token"]


def test_where_secrets_go_is_declared():
    assert [f.name for f in FIELDS if f.is_address] == ["host", "token_url"]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, set()),
        ({"token_url": "http://localhost:8080/t"}, set()),
        ({"token_url": "http://l.example/t"}, {"token_url"}),
        ({"ca_certificate": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"}, {"ca_certificate"}),
    ],
    ids=str,
)
def test_what_can_never_work_is_told_at_once(changes, wrong):
    values, _ = parse_all(FIELDS, OAUTH2 | changes)
    assert set(EmailTransport.problems(values, {"refresh_token"})) == wrong


def test_the_end_of_a_root_certificate_is_known(authority):
    (expiry,) = EmailTransport.expiries({"ca_certificate": authority.root})
    assert (expiry.field, len(expiry.fingerprint)) == ("ca_certificate", 64)
    assert abs(expiry.ends - authority.ends) < timedelta(minutes=1)


@pytest.mark.parametrize("stored", [{}, {"ca_certificate": None}, {"ca_certificate": "nonsense"}], ids=str)
def test_what_cannot_be_read_has_no_end(stored):
    assert EmailTransport.expiries(stored) == []
