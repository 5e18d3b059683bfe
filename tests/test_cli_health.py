from __future__ import annotations

import json

import pytest
from click.testing import Result
from flask import Flask

from invoiceapp.models import utcnow
from invoiceapp.services.daily.health import Level
from invoiceapp.services.operations import overall
from invoiceapp.services.operations.overall import Row

WELL = Row("source", Level.GOOD, "Last answered", "Billy", since=utcnow(), row_id="01ADA")
SILENT = Row("gateway", Level.WATCH, "Does not answer", "SFTP", "Wait.", row_id="01GAT")
PAUSED = Row("gateway", Level.BAD, "Paused", "AS2", "See why, and start it again.", row_id="01GAU")
DEAD = Row("work", Level.BAD, "0 workers", "convert", "Start a worker that serves it.", is_vital=True)


def run(app: Flask, *arguments: str) -> Result:
    result = app.test_cli_runner().invoke(args=["health", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


@pytest.mark.parametrize(
    ("rows", "status", "words"),
    [
        ([WELL, SILENT], 0, "fine"),
        ([WELL, SILENT, PAUSED], 1, "something needs a person"),
        ([PAUSED, DEAD], 2, "not working"),
    ],
)
def test_the_exit_status_is_the_worst_of_all(
    app: Flask, monkeypatch: pytest.MonkeyPatch, rows: list[Row], status: int, words: str
) -> None:
    monkeypatch.setattr(overall, "look", lambda: rows)
    told = run(app)
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (status, words)
    as_json = run(app, "--json")
    found = json.loads(as_json.stdout)
    assert (as_json.exit_code, found["status"], len(found["checks"])) == (status, words, len(rows))


def test_what_is_not_well_stands_with_what_to_do_and_the_rest_is_counted(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overall, "look", lambda: [WELL, PAUSED])
    told = run(app).stdout
    assert "bad    gateway        AS2           Paused" in told and "See why, and start it again." in told
    assert "Last answered" not in told and "and 1 parts of adaptors and gateways that are well (--all)" in told
    assert "Last answered" in run(app, "--all").stdout


def test_json_has_the_same_keys_for_every_check(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overall, "look", lambda: [WELL, DEAD])
    well, dead = json.loads(run(app, "--json").stdout)["checks"]
    assert list(well) == list(dead) == ["part", "name", "level", "text", "advice", "since", "id"]
    assert (well["id"], well["advice"], dead["since"], dead["level"]) == ("01ADA", None, None, "bad")


def test_without_database_and_redis_it_answers_and_does_not_trace_back(app: Flask) -> None:
    told = run(app)
    assert told.exit_code == 2 and "no tables: run flask db upgrade" in told.stdout
    assert "does not answer: work is delayed, nothing is lost" in told.stdout
