"""What machines ask: whether the process lives, whether it can serve, and the figures."""

from __future__ import annotations

import dataclasses
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from invoiceapp import create_app
from invoiceapp.config import Config
from invoiceapp.models import db
from invoiceapp.services.operations import metrics, readiness

KEY = "kH3v9Qm2xW7zLr5tYb8nJc4pSd6fGa1eUi"
DELAYED = "does not answer: work is delayed, nothing is lost"


@pytest.fixture
def migrated(app: Flask) -> None:
    """The database says that it has the newest migration."""
    _stamp(*readiness._revisions()[0])


def _stamp(*versions: str) -> None:
    db.session.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32))"))
    db.session.execute(text("DELETE FROM alembic_version"))
    for version in versions:
        db.session.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": version})
    db.session.commit()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database does not answer."""
    monkeypatch.setattr(readiness, "text", lambda _: text("SELECT 1 FROM no_such_table"))


def test_a_process_lives_whether_or_not_its_database_does(client: FlaskClient, broken: None) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_a_process_can_serve_without_redis_and_says_that_work_is_delayed(client: FlaskClient, migrated: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ready", "database": "ok", "migration": "ok", "redis": DELAYED}


def test_a_process_without_its_database_cannot_serve(client: FlaskClient, broken: None) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"status": "not ready", "database": "does not answer", "redis": DELAYED}


@pytest.mark.parametrize(
    ("versions", "status", "told"),
    [
        ((), 503, "no tables: run flask db upgrade"),
        (("0001",), 503, "at 0001, needs "),
        (("9999",), 200, "ok"),
    ],
)
def test_old_code_serves_on_newer_tables_and_new_code_not_on_older_ones(
    client: FlaskClient, versions: tuple[str, ...], status: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    _stamp(*versions)
    answer = client.get("/readyz")
    assert answer.status_code == status
    assert answer.json["migration"] == ("ok" if told == "ok" else "is not at what this version needs")
    assert readiness.migration().startswith(told) and (told == "ok" or told in caplog.text)


def test_everybody_may_know_which_part_fails_and_nobody_our_version(client: FlaskClient) -> None:
    _stamp("0001")
    said = client.get("/readyz").text
    assert "migration" in said and not re.search(r"\d{4}|flask|upgrade", said)


def test_without_a_key_the_figures_are_for_this_machine_only(client: FlaskClient) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE invoiceapp_deliveries gauge" in answer.text
    near = [{"REMOTE_ADDR": "::1"}, {"REMOTE_ADDR": "::ffff:127.0.0.1"}]
    far = [{"REMOTE_ADDR": "10.0.0.7"}, {"REMOTE_ADDR": "::ffff:10.0.0.7"}, {"REMOTE_ADDR": ""}]
    assert {client.get("/metrics", environ_overrides=one).status_code for one in near} == {200}
    assert {client.get("/metrics", environ_overrides=one).status_code for one in far} == {403}


def test_who_comes_through_a_proxy_on_this_machine_comes_from_elsewhere(client: FlaskClient) -> None:
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403, header


@pytest.fixture
def keyed(app: Flask, config: Config) -> FlaskClient:
    app.extensions["invoiceapp.config"] = dataclasses.replace(config, metrics_token=KEY)
    return app.test_client()


def test_where_there_is_a_key_it_must_be_shown_also_on_this_machine(keyed: FlaskClient) -> None:
    wrong = ("", KEY, f"Basic {KEY}", "Bearer ", f"Bearer {KEY[:-1]}", f"Bearer {KEY}x", "Bearer ø")
    for headers in ({}, *({"Authorization": one.encode("latin-1")} for one in wrong)):
        answer = keyed.get("/metrics", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), headers
        assert "invoiceapp_" not in answer.text


def test_who_shows_the_key_gets_the_figures_from_anywhere(keyed: FlaskClient) -> None:
    far = {"REMOTE_ADDR": "10.0.0.7"}
    answer = keyed.get("/metrics", headers={"Authorization": f"Bearer {KEY}"}, environ_overrides=far)
    assert answer.status_code == 200 and KEY not in answer.text


def test_machines_may_ask_by_a_number_and_pages_may_not(client: FlaskClient, migrated: None) -> None:
    found = {
        path: client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code
        for path in ("/healthz", "/readyz", "/metrics", "/login")
    }
    assert found == {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/login": 400}


def test_figures_are_read_once_for_all_who_ask_within_seconds(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/metrics").text
    monkeypatch.setattr(metrics, "reading", lambda: pytest.fail("read again"))
    assert client.get("/metrics").text == first


def test_without_its_database_the_figures_say_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics.counts, "documents", lambda: db.session.execute(text("SELECT 1 FROM no_such_table")))
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert 'invoiceapp_up{part="database"} 0.0' in answer.text and 'invoiceapp_up{part="redis"} 0.0' in answer.text


def test_a_request_keeps_the_name_that_a_proxy_gave_it(client: FlaskClient) -> None:
    for given in ("0f8fad5b-d9cb-469f-a165-70867728950e", "req.12345678:ab_c"):
        assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


def test_a_name_that_is_none_is_replaced(client: FlaskClient) -> None:
    wrong = ("", "short", "-12345678", "a" * 101, "abcdefgh ijkl", "abcdefgh<script>", "æøåæøåæøå", 'abcdefgh" x="')
    for given in wrong:
        named = client.get("/healthz", headers={"X-Request-ID": given.encode("latin-1")}).headers["X-Request-ID"]
        assert named != given and len(named) == 26, given


def test_each_request_has_a_name_of_its_own(client: FlaskClient) -> None:
    assert client.get("/healthz").headers["X-Request-ID"] != client.get("/healthz").headers["X-Request-ID"]


def test_probes_need_no_pages_in_workers(config: Config) -> None:
    assert "operations" not in create_app(config, pages=False).blueprints
