"""Headers of pages, errors, static files and embedded files."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, abort, make_response, url_for
from flask.testing import FlaskClient

from invoiceapp import security_headers


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    (tmp_path / "app.css").write_text("body {}")
    app = Flask(__name__, static_folder=str(tmp_path), static_url_path="/static")
    security_headers.init_app(app)
    app.add_url_rule("/", "index", lambda: "page")
    app.add_url_rule("/boom", "boom", lambda: abort(500))
    app.add_url_rule("/pdf", "pdf", lambda: security_headers.embeddable(make_response(b"%PDF-")))
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def policy(value: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in value.split(";"))


@pytest.mark.parametrize("address", ["/", "/missing", "/boom", "/static/app.css", "/static/missing.css"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, address: str) -> None:
    with client.get(address) as answer:  # static files stay open until closed
        headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Content-Security-Policy"] == security_headers.CONTENT_SECURITY_POLICY


def test_policy_allows_only_our_own_files_and_nothing_inline() -> None:
    directives = policy(security_headers.CONTENT_SECURITY_POLICY)
    nothing = {"default-src", "base-uri", "frame-ancestors", "object-src"}
    assert {name for name, value in directives.items() if value == "'none'"} == nothing
    assert directives["img-src"] == "'self' data:"
    assert {directives[name] for name in directives.keys() - nothing - {"img-src"}} == {"'self'"}
    assert {"script-src", "style-src", "connect-src", "font-src", "form-action", "frame-src"} <= directives.keys()


def test_only_an_embeddable_file_may_stand_in_a_frame_and_only_in_ours(client: FlaskClient) -> None:
    directives = policy(client.get("/pdf").headers["Content-Security-Policy"])
    assert directives["frame-ancestors"] == "'self'"
    assert directives["default-src"] == "'none'"
    assert client.get("/pdf").headers["X-Content-Type-Options"] == "nosniff"


def test_strict_transport_is_asked_for_over_https_only(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/").headers
    secure = client.get("/", base_url="https://example.test").headers["Strict-Transport-Security"]
    assert secure == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/", "no-store"),
        ("/boom", "no-store"),
        ("/pdf", "no-store"),
        ("/static/missing.css?v=1", "no-store"),
        ("/static/app.css", "no-cache"),
        ("/static/app.css?v=1", "public, max-age=31536000, immutable"),
    ],
)
def test_only_versioned_static_files_are_cached(client: FlaskClient, address: str, expected: str) -> None:
    with client.get(address) as answer:
        assert answer.headers["Cache-Control"] == expected


def test_address_of_a_static_file_changes_with_its_content(app: Flask, tmp_path: Path) -> None:
    def address() -> str:
        with app.test_request_context():
            return url_for("static", filename="app.css")

    before = address()
    (tmp_path / "app.css").write_text("body { color: red }")
    assert before.startswith("/static/app.css?v=")
    assert address() != before


def test_address_of_a_missing_static_file_has_no_version(app: Flask) -> None:
    with app.test_request_context():
        assert url_for("static", filename="nothing.css") == "/static/nothing.css"
