"""Requests that no page of ours makes: foreign hosts, NUL bytes, too much at once, forms opened as pages."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from invoiceapp.models import Adaptor
from invoiceapp.security_headers import CONTENT_SECURITY_POLICY

TOO_LARGE = b"x" * 5_000_000


@pytest.fixture(autouse=True)
def as_in_production(app: Flask) -> None:
    """Faults become pages with status 500 instead of exceptions in the test."""
    app.config["PROPAGATE_EXCEPTIONS"] = False


def _token(client: FlaskClient, path: str = "/login") -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("host", ["evil.example", "["])
@pytest.mark.parametrize("path", ["/", "/login", "/static/app.css", "/no-such-page"])
def test_a_host_that_is_not_ours_is_refused_in_plain_text(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_a_form_for_a_host_that_is_not_ours_is_refused(signed_in: FlaskClient) -> None:
    assert signed_in.post("/language", data={"language": "da"}, headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "address",
    [
        "/documents/a%00b",
        "/no-such-page%00",
        "/?adaptor=%00",
        "/?q=a%00",
        "/?q=a&q=%00b",
        "/?a%00=1",
        "/no-such-page?adaptor=%00",
        "/login?next=/%00",
    ],
)
def test_a_nul_byte_in_an_address_is_refused(signed_in: FlaskClient, adaptor: Adaptor, address: str) -> None:
    answer = signed_in.get(address)
    assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("typed", [{"name": "a\0b"}, {"a\0b": "x"}, {"kind": ["billy", "\0"]}])
def test_a_nul_byte_in_a_form_is_refused(signed_in: FlaskClient, submit: Any, typed: dict[str, Any]) -> None:
    assert submit(signed_in, "/adaptors/activate", {"kind": "billy", **typed}).status_code == 400


def test_a_nul_byte_in_a_sign_in_is_refused(client: FlaskClient) -> None:
    data = {"csrf_token": _token(client), "email": "a\0@example.com", "password": "x"}
    assert client.post("/login", data=data).status_code == 400


@pytest.mark.parametrize("path", ["/login", "/language", "/runs"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_too_much_at_once_gets_its_own_page(client: FlaskClient, path: str, kind: str) -> None:
    answer = client.post(path, data=TOO_LARGE, content_type=kind)
    assert answer.status_code == 413
    assert "<!doctype html>" in answer.text


def test_too_much_at_once_with_a_valid_token_gets_the_same_page(client: FlaskClient) -> None:
    headers = {"X-CSRFToken": _token(client)}
    assert client.post("/login", data=TOO_LARGE, content_type="application/json", headers=headers).status_code == 413


def test_an_address_that_only_takes_forms_says_so_in_the_readers_language(signed_in: FlaskClient) -> None:
    answer = signed_in.get("/language")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert "This address only takes what a form sends" in answer.text
    assert 'href="/"' in answer.text


@pytest.mark.parametrize(
    ("posted", "page"),
    [
        ("/runs", "/runs"),
        ("/source/some-id/connect?adaptor=A1&x=1", "/source?adaptor=A1"),
        ("/documents/D1/cancel", "/documents/D1/cancel"),
    ],
)
def test_whoever_was_signed_out_comes_back_to_a_page_that_can_be_opened(
    client: FlaskClient, posted: str, page: str
) -> None:
    answer = client.post(posted, data={"csrf_token": _token(client)})
    assert answer.status_code == 302
    with client.application.test_request_context(answer.location) as context:
        assert (context.request.path, context.request.args["next"]) == ("/login", page)


def test_a_page_that_was_opened_signed_out_is_opened_after_signing_in(client: FlaskClient) -> None:
    assert client.get("/runs?adaptor=A1").location == "/login?next=/runs?adaptor%3DA1"


def test_an_endless_way_back_leads_to_the_dashboard_at_once(client: FlaskClient) -> None:
    data = {"csrf_token": _token(client), "language": "da", "next": "/a" * 30_000}
    began = time.process_time()
    answer = client.post("/language", data=data)
    assert (answer.status_code, answer.location) == (303, "/")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("path", ["/language", "/login", "/logout"])
@pytest.mark.parametrize("back", ["//[", "https://[/", "\\\\["])
def test_a_way_back_that_is_no_address_is_refused(signed_in: FlaskClient, path: str, back: str) -> None:
    token = _token(signed_in, "/")
    in_form = signed_in.post(path, data={"csrf_token": token, "language": "da", "next": back})
    in_address = signed_in.post(path, data={"csrf_token": token, "language": "da"}, query_string={"next": back})
    assert (in_form.status_code, in_address.status_code) == (400, 400)


def test_a_form_posted_to_an_address_that_is_none_is_refused_as_unknown(client: FlaskClient) -> None:
    assert client.post("/login/[", data={"csrf_token": _token(client)}).status_code == 404


@pytest.mark.parametrize(
    ("back", "page"),
    [
        ("/source/some-id/connect?adaptor=A1&x=1", "/source?adaptor=A1"),
        ("/nowhere/at/all?adaptor=A1", "/?adaptor=A1"),
        ("/runs?adaptor=A1&x=1", "/runs?adaptor=A1&x=1"),
        ("/source/some-id/connect?adaptor=a%0d%0ab%26c", "/source?adaptor=a%0D%0Ab%26c"),
    ],
)
def test_the_chosen_adaptor_is_kept_on_the_way_back(client: FlaskClient, back: str, page: str) -> None:
    data = {"csrf_token": _token(client), "language": "da", "next": back}
    assert client.post("/language", data=data).location == page
