"""What the settings of an HTTP gateway may say."""

from __future__ import annotations

import pytest

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import FieldInvalid, parse_all
from invoiceapp.gateways.base import Refused, registry
from invoiceapp.gateways.http import TRANSPORT, HttpTransport
from invoiceapp.gateways.http.settings import (
    address,
    fixed_headers,
    form_fields,
    header_value,
    pointer,
    status_address,
    success_codes,
)

URL = "https://firma.example/api"


def test_the_registry_finds_it():
    assert registry()["http"] is TRANSPORT is HttpTransport


@pytest.mark.parametrize(
    ("config", "replay"),
    [
        ({}, Replay.UNSAFE),
        ({"recognises": True}, Replay.SAFE),
        ({"status_url": URL + "/{key}"}, Replay.PROBE),
        ({"status_url": URL + "/{key}", "recognises": True}, Replay.PROBE),
    ],
)
def test_what_may_follow_a_lost_answer(config, replay):
    assert HttpTransport({"url": URL, **config}).replay is replay


def test_the_host_is_that_of_the_address():
    assert HttpTransport({"url": "https://API.Firma.example:8443/x"}).host == "api.firma.example"


def test_the_wire_ids_come_from_the_key(consignment):
    one = consignment()
    assert HttpTransport({"url": URL}).wire_ids(one) == {"idempotency_key": one.key}
    form = HttpTransport({"url": URL, "body": "multipart", "filename": "{key8}"})
    assert form.wire_ids(one) == {"idempotency_key": one.key, "filename": one.key[:8]}


def test_an_empty_form_but_for_the_address_is_enough():
    values, errors = parse_all(HttpTransport.fields, {"url": URL})
    assert not errors
    assert HttpTransport.problems(values, frozenset()) == {}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x", URL, URL + "/{key}?a=b"]
)
def test_an_address_that_nobody_can_read_along_with(url):
    assert address(url) == url.replace("{key}", "")


@pytest.mark.parametrize(
    "url",
    [
        "http://firma.example/x", "http://10.0.0.1/x", "http://localhost.firma.example/x", "http://127.0.0.1.example/",
        "https://{key}.example/", URL + "/{number}", URL + "/{", URL + "/{key}}",
    ],
)  # fmt: skip
def test_an_address_that_is_not_taken(url):
    assert "url" in HttpTransport.problems({"url": url}, frozenset())


def test_a_key_cannot_leave_its_place_in_the_address():
    assert status_address(URL + "/{key}/status", "../x?y#z") == URL + "/..%2Fx%3Fy%23z/status"


def test_a_status_address_without_key_is_refused():
    assert "status_url" in HttpTransport.problems({"url": URL, "status_url": URL}, frozenset())


def test_fixed_headers_are_read_line_by_line():
    assert fixed_headers("X-Tenant: 42\r\n\r\n X-Note:a: b \n") == {"X-Tenant": "42", "X-Note": "a: b"}


@pytest.mark.parametrize(
    "raw",
    [
        "no colon", ": empty", "X Y: space", "X-Ø: name", "X-Note: æ", "X-Note:", "X-A: 1\nx-a: 2", "X-A: 1\r\n folded",
        "X-A: one\rX-B: two", "X-A: one\x0bX-B: two", "X-A: one\u2028X-B: two", "X-A: one\x85two", "X-A: one\x00two",
        "Host: x", "Content-Length: 1", "Transfer-Encoding: chunked", "Connection: close", "TE: trailers", "Upgrade: h2c",
        "Authorization: Bearer x", "Cookie: a=b", "Proxy-Authorization: x", "idempotency-KEY: x", "Content-Type: text/plain",
    ],
)  # fmt: skip
def test_a_header_that_could_break_the_request_is_refused(raw):
    with pytest.raises(FieldInvalid):
        fixed_headers(raw)


@pytest.mark.parametrize("raw", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "nøgle", "", " \n"])
def test_a_value_that_cannot_stand_in_a_header(raw):
    with pytest.raises(FieldInvalid):
        header_value(raw)


def test_form_fields_are_read_line_by_line():
    assert form_fields("type=faktura\nnote = a=b \ntom=") == [("type", "faktura"), ("note", "a=b"), ("tom", "")]


@pytest.mark.parametrize("raw", ["novalue", "=x"])
def test_a_form_field_needs_name_and_equals_sign(raw):
    with pytest.raises(FieldInvalid):
        form_fields(raw)


@pytest.mark.parametrize(
    ("raw", "codes"),
    [("200-299", set(range(200, 300))), ("201,202", {201, 202}), (" 200 , 204-206,409", {200, 204, 205, 206, 409})],
)
def test_success_codes(raw, codes):
    assert success_codes(raw) == codes


@pytest.mark.parametrize("raw", ["", "20", "2000", "300", "200-300", "299-200", "404", "200;201", "500", "²00"])
def test_codes_that_can_be_no_success(raw):
    with pytest.raises(FieldInvalid):
        success_codes(raw)


def test_the_steps_of_a_pointer():
    assert pointer("/a~1b/m~0n/0/") == ("a/b", "m~n", "0", "")


@pytest.mark.parametrize("raw", ["data/id", "/~2", "/a~", "$.id"])
def test_what_is_no_pointer(raw):
    with pytest.raises(FieldInvalid):
        pointer(raw)


@pytest.mark.parametrize(
    ("config", "secrets", "missing"),
    [
        ({"auth": "bearer"}, set(), {"token"}),
        ({"auth": "bearer"}, {"token"}, set()),
        ({"auth": "header"}, {"token"}, {"auth_value"}),
        ({"auth": "basic", "username": "u"}, set(), {"password"}),
        ({"auth": "certificate"}, {"private_key"}, {"certificate"}),
        ({"auth": "certificate"}, set(), set()),
        ({"signature": "hmac-sha256"}, set(), {"signature_key"}),
        ({"answer_check": "text"}, set(), {"answer_text"}),
        ({"answer_check": "json", "answer_value": "ok"}, set(), {"answer_pointer"}),
    ],
)
def test_what_a_choice_cannot_do_without(config, secrets, missing):
    assert HttpTransport.problems({"url": URL, **config}, secrets).keys() == missing


@pytest.mark.parametrize(
    ("config", "clashing"),
    [
        ({"auth": "header", "auth_header": "Authorization"}, set()),
        ({"auth": "header", "auth_header": "Content-Type"}, {"auth_header"}),
        ({"auth": "header", "auth_header": "x-tenant", "headers": "X-Tenant: 1"}, {"auth_header"}),
        ({"auth": "bearer", "signature": "hmac-sha256", "signature_header": "authorization"}, {"signature_header"}),
        ({"signature": "hmac-sha256", "signature_header": "X-A", "timestamp_header": "x-a"}, {"timestamp_header"}),
    ],
)
def test_two_settings_cannot_write_the_same_header(config, clashing):
    named = {"auth_header": "X-Api-Key", "signature_header": "X-Signature", "timestamp_header": "X-Timestamp"}
    secrets = {"auth_value", "token", "signature_key"}
    assert HttpTransport.problems({"url": URL, **named, **config}, secrets).keys() == clashing


def test_put_to_one_address_is_warned_about():
    assert [one.rule for one in HttpTransport.findings({"url": URL, "method": "PUT"})] == ["IA-HTTP-PUT-SHARED"]
    assert HttpTransport.findings({"url": URL + "/{key}", "method": "PUT"}) == []
    assert HttpTransport.findings({"url": URL, "method": "POST"}) == []


def test_a_certificate_that_is_still_to_be_made_is_asked_for():
    found = HttpTransport.findings({"auth": "certificate"})
    assert [(one.rule, one.is_fatal) for one in found] == [("IA-HTTP-NO-CERTIFICATE", True)]
    with pytest.raises(Refused, match="certificate"):
        HttpTransport({"url": "https://partner.example/", "auth": "certificate"}).require_usable()


def test_certificates_end_one_day(authority):
    config = {
        "url": URL,
        "auth": "certificate",
        "certificate": authority.client.certificate,
        "ca_certificate": authority.root,
    }
    found = HttpTransport.expiries(config)
    assert [(one.field, one.ends) for one in found] == [
        ("certificate", authority.ends),
        ("ca_certificate", authority.ends),
    ]
    assert all(len(one.fingerprint) == 64 for one in found)
    assert [one.field for one in HttpTransport.expiries(config | {"auth": "none"})] == ["ca_certificate"]
    assert HttpTransport.expiries({"auth": "certificate", "certificate": "garbage", "ca_certificate": None}) == []
