"""Every answer means exactly one thing."""

from __future__ import annotations

import pytest

from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.http.answer import judge, reference_of, value_at
from invoiceapp.gateways.http.excerpt import excerpt
from invoiceapp.outbound.http import Answer


def answer(status=200, body=b"", **headers):
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_success_is_no_error(status):
    assert judge(answer(status), {}, ()) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((code, Refused) for code in (300, 301, 302, 303, 304, 307, 308)),
        *((code, Rejected) for code in (400, 406, 411, 412, 413, 415, 422, 431, 451, 499)),
        *((code, Refused) for code in (401, 402, 403, 404, 405, 407, 410, 501)),
        *((code, Unavailable) for code in (408, 409, 423, 425, 429, 503, 507)),
        *((code, Unknown) for code in (500, 502, 504, 505, 508, 520, 524, 599)),
        *((code, Unknown) for code in (600, 999)),
    ],
)
def test_each_code_has_one_meaning(status, kind):
    error = judge(answer(status, b"words of the server"), {}, ())
    assert type(error) is kind
    assert str(status) in error.text.da
    assert str(status) in error.text.en
    assert "words of the server" in error.detail


def test_a_success_that_was_not_agreed_is_unknown():
    assert type(judge(answer(202), {"success": "201"}, ())) is Unknown


def test_i_have_it_already_can_be_a_success():
    assert judge(answer(409), {"success": "200-299,409"}, ()) is None


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_rejection_quotes_the_receiver(status):
    error = judge(answer(status, b"<p>Ukendt\r\n k\xc3\xb8ber</p>"), {}, ())
    assert "»Ukendt køber«" in error.text.da
    assert "“Ukendt køber”" in error.text.en


def test_an_empty_rejection_quotes_nothing():
    assert "»" not in judge(answer(400), {}, ()).text.da


@pytest.mark.parametrize("words", [b"400 No required SSL certificate was sent", b"400 The SSL certificate error"])
def test_a_web_server_that_wants_our_certificate_means_the_settings(words):
    assert type(judge(answer(400, words), {}, ())) is Refused


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://new.example/x?token=abc", "til new.example "),
        ("/relative", "flyttet (kode"),
        ("https://<b>evil</b>/", "flyttet (kode"),
        ("http://[broken", "flyttet (kode"),
        ("https://user:pw@new.example/", "til new.example "),
    ],
)
def test_a_moved_address_is_named_by_its_host_only(location, shown):
    text = judge(answer(308, location=location), {}, ()).text.da
    assert shown in text
    assert not any(word in text for word in ("token", "pw", "<b>", "evil"))


@pytest.mark.parametrize(
    ("body", "config", "holds"),
    [
        (b"status: OK", {"answer_check": "text", "answer_text": "OK"}, True),
        (b"status: no", {"answer_check": "text", "answer_text": "OK"}, False),
        (b'{"a": [{"ok": true}]}', {"answer_check": "json", "answer_pointer": "/a/0/ok", "answer_value": "true"}, True),
        (
            b'{"a": [{"ok": false}]}',
            {"answer_check": "json", "answer_pointer": "/a/0/ok", "answer_value": "true"},
            False,
        ),
        (b"not json", {"answer_check": "json", "answer_pointer": "/a", "answer_value": "1"}, False),
        (b"", {"answer_check": "json", "answer_pointer": "/a", "answer_value": "1"}, False),
        (b'{"a": 1}', {"answer_check": "none", "answer_pointer": "/a", "answer_value": "2"}, True),
    ],
)
def test_an_answer_is_compared_with_what_was_agreed(body, config, holds):
    found = judge(answer(200, body), config, ())
    assert found is None if holds else type(found) is Unknown


@pytest.mark.parametrize(
    ("body", "steps", "value"),
    [
        (b'{"data": {"id": "A-1"}}', ("data", "id"), "A-1"),
        (b'{"id": 12345678901234567890123}', ("id",), "12345678901234567890123"),
        (b'{"id": 1.10}', ("id",), "1.10"),
        (b'["a", "b"]', ("1",), "b"),
        (b'["a", "b"]', ("01",), None),
        (b'["a", "b"]', ("-1",), None),
        (b'["a"]', ("1",), None),
        (b'{"": "x"}', ("",), "x"),
        (b'{"id": null}', ("id",), None),
        (b'{"id": {}}', ("id",), None),
        (b'{"id": "x"}', ("id", "0"), None),
        (b'{"id": NaN}', ("id",), None),
        (b"[" * 100_000, ("0",), None),
        (b"\xff\xfe\xfd", ("a",), None),
    ],
)
def test_a_value_is_found_by_its_pointer(body, steps, value):
    assert value_at(body, steps) == value


def test_the_reference_is_the_receivers_own():
    named = {"reference_pointer": "/id"}
    assert reference_of(answer(201, b'{"id": 7}', location="/ind/7"), named) == "7"
    assert reference_of(answer(201, b"{}", location="/ind/7"), named) == "/ind/7"
    assert reference_of(answer(201, b'{"id": 7}'), {}) is None


def test_the_wish_to_come_back_later_is_passed_on():
    assert judge(answer(503, retry_after="90"), {}, ()).retry_after == 90
    assert judge(answer(503), {}, ()).retry_after is None


def test_an_excerpt_is_short_and_printable():
    assert excerpt("<style>p{}</style><p>Fejl\x1b[31m\u202e i\x00 linje\n 1</p>", ()) == "Fejl [31m i linje 1"
    long = excerpt("ord " * 1_000, ())
    assert len(long) <= 200
    assert long.endswith("…")


@pytest.mark.parametrize(
    "echo",
    ['Bearer s3"cret/ø', 'x s3\\"cret/\\u00f8 y', "x s3%22cret%2F%C3%B8 y", 's3"cret/ø' * 40, 's3"cr\x1bet/ø'],
)
def test_a_secret_that_the_server_repeats_is_hidden(echo):
    shown = excerpt(f"header was {echo}", ['s3"cret/ø', 's3"cr\x1bet/ø'])
    assert "cr" not in shown
    assert "•••" in shown
