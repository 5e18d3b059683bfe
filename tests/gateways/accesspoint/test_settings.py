"""What the description of a provider may say."""

from __future__ import annotations

import pytest

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import FieldInvalid, parse_all
from invoiceapp.domain.network import Network
from invoiceapp.gateways.accesspoint import TRANSPORT
from invoiceapp.gateways.accesspoint.settings import json_path, path, schemes, template, words
from invoiceapp.gateways.base import registry

GOOD = {"base_url": "https://provider.example/rest", "token": "t", "auth": "bearer"}


def test_the_registry_finds_it():
    assert registry()["accesspoint"] is TRANSPORT


def test_a_form_with_the_usual_values_can_be_saved():
    usual = {field.name: str(field.default) for field in TRANSPORT.fields if field.default is not None}
    values, errors = parse_all(TRANSPORT.fields, usual | {"base_url": GOOD["base_url"], "token": "t"})
    assert errors == {}
    assert TRANSPORT.problems(values, ["token"]) == {}


@pytest.mark.parametrize(
    ("repeats", "replay"),
    [
        (None, Replay.UNSAFE), ("none", Replay.UNSAFE), ("conflict", Replay.SAFE), ("recognised", Replay.SAFE),
        ("asked", Replay.PROBE),
    ],
)  # fmt: skip
def test_what_may_follow_a_lost_answer(repeats, replay):
    assert TRANSPORT(GOOD | {"repeats": repeats}).replay is replay


@pytest.mark.parametrize(
    ("reach", "networks"),
    [
        ("peppol", {Network.PEPPOL}), ("nemhandel", {Network.NEMHANDEL}),
        ("both", {Network.PEPPOL, Network.NEMHANDEL}), (None, {Network.PEPPOL}),
    ],
)  # fmt: skip
def test_it_reaches_the_networks_of_the_agreement(reach, networks):
    assert TRANSPORT.networks_of({"reach": reach}) == networks


@pytest.mark.parametrize(
    "raw",
    [
        "../admin", "a/../../b", "a/./b", "%2e%2e/admin", "a/%2E%2e/b", "a/%252e%252e/b", "..%2fadmin", "a\\..\\b",
        "//evil.example/x", "https://evil.example/x", "a#b", "a b", "a\nb", "æ", "{host}", "{receiver", "a}b",
        "{receiver.__class__}",
    ],
)  # fmt: skip
def test_a_path_never_leads_away_from_the_address(raw):
    with pytest.raises(FieldInvalid):
        template("submit_path", raw)


@pytest.mark.parametrize("value", ["..", ".", "%2e%2e", "../x"])
def test_nor_does_a_value_in_it(value):
    try:
        found = path("documents/{id}/status", {"id": value})
    except FieldInvalid:
        return
    # What is quoted stays one name.
    assert found == "/documents/..%2Fx/status"


def test_a_value_is_quoted_and_not_looked_into():
    values = {"key": "K", "receiver": "a/b?c=d&e {key}"}
    assert path("send/{receiver}?key={key}", values) == "/send/a%2Fb%3Fc%3Dd%26e%20%7Bkey%7D?key=K"


@pytest.mark.parametrize(
    ("name", "raw"), [("status_path", "status"), ("find_path", "by-key"), ("lookup_path", "x/{scheme}")]
)
def test_a_path_that_asks_for_nothing_in_particular_is_refused(name, raw):
    with pytest.raises(FieldInvalid):
        template(name, raw)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"auth": "basic"}, "username"),
        ({"auth": "header"}, "auth_value"),
        ({"repeats": "asked"}, "find_path"),
        ({"base_url": "http://provider.example"}, "base_url"),
        ({"base_url": "https://provider.example/?a=b"}, "base_url"),
        ({"submit_path": "../x"}, "submit_path"),
        ({"id_path": "data..id"}, "id_path"),
        ({"headers": "X-To: {nobody}"}, "headers"),
        ({"headers": "Content-Length: 7"}, "headers"),
        ({"form_fields": "to={nobody}"}, "form_fields"),
        ({"schemes": "0184"}, "schemes"),
        ({"key_header": "Content-Type"}, "key_header"),
        ({"headers": "Idempotency-Key: 7"}, "headers"),
        ({"headers": "X-Id: 7", "key_header": "x-id"}, "key_header"),
        ({"auth": "header", "auth_value": "v", "auth_header": "Idempotency-Key"}, "auth_header"),
    ],
)
def test_what_cannot_work_is_told_at_its_field(changes, field):
    assert field in TRANSPORT.problems(GOOD | changes, [])


def test_a_key_of_another_form_may_stand_in_authorization():
    assert TRANSPORT.problems(GOOD | {"auth": "header", "auth_value": "v", "auth_header": "Authorization"}, []) == {}


@pytest.mark.parametrize(
    ("name", "fits"), [("x-hub-Signature-256", True), ("X-Api-Key", False), ("Authorization", False)]
)
def test_only_a_header_that_is_kept_can_hold_the_signature(name, fits):
    _, errors = parse_all(TRANSPORT.fields, {"webhook_header": name})
    assert ("webhook_header" not in errors) is fits
    assert name.lower().startswith(tuple(TRANSPORT.header_names)) is fits


def test_small_readers():
    assert json_path("data.0.id") == ("data", "0", "id")
    assert words(" Sent, DELIVERED ,") == {"sent", "delivered"}
    assert schemes("0184=DK:CVR\n0088=GLN") == {"0184": "DK:CVR", "0088": "GLN"}
