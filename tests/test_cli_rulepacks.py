from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from support.rulepacks import OIOUBL, PEPPOL, folder, jar, sheet

from invoiceapp import create_app
from invoiceapp.config import load

Run = Callable[..., Result]


def runner_of(app: Flask) -> Run:
    """A traceback fails the test, whatever it expected."""
    runner = app.test_cli_runner()

    def invoke(*args: object) -> Result:
        result = runner.invoke(args=["rulepacks", *(str(arg) for arg in args)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return invoke


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Commands of an installation without a database."""
    return runner_of(create_app(load({"INSTANCE_DIR": str(tmp_path / "instance")})))


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return jar(tmp_path / "rules.jar", "openpeppol", {"2025.11": sheet(), "2026.5": sheet()}, PEPPOL)


def test_an_edition_is_added_listed_verified_and_removed(run: Run, release: Path):
    added = run("add", release, "--valid-from", "2026-08-17", "--source", "from Maven")
    assert (added.exit_code, added.stderr) == (0, "")
    assert added.stdout == "peppol 2026.5 added, valid from 2026-08-17\n"
    assert "is already there" in run("add", release).stdout

    (row,) = json.loads(run("list", "--json").stdout)
    assert (row["pack"], row["version"], row["validFrom"], row["inUse"]) == ("peppol", "2026.5", "2026-08-17", True)
    assert row["source"]["note"] == "from Maven"
    listed = run("list").stdout
    assert "peppol\t2026.5\t2026-08-17\t-\tin use" in listed
    assert "oioubl: no rules in use today. Install them with: make rulepacks" in listed

    assert (run("verify").exit_code, run("verify").stdout) == (0, "peppol 2026.5: sound\n")
    refused = run("remove", "peppol", "2026.5")
    assert (refused.exit_code, "in use today" in refused.stderr) == (1, True)
    assert run("remove", "peppol", "2026.5", "--even-in-use").exit_code == 0
    assert json.loads(run("list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["{tmp}/none.zip"], "does not exist"),
        (["{tmp}/rules.jar", "--pack", "oioubl"], "no official rules"),
        (["{tmp}/rules.jar", "--version", "2031.1"], "2025.11, 2026.5"),
        (["{tmp}/rules.jar", "--valid-to", "2020-01-01"], "cannot end on 2020-01-01"),
    ],
)
@pytest.mark.usefixtures("release")
def test_a_refusal_is_one_line_and_exit_code_1(run: Run, tmp_path: Path, arguments: list[str], reason: str):
    result = run("add", *(argument.format(tmp=tmp_path) for argument in arguments))
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert reason in result.stderr


def test_other_content_needs_replace(run: Run, release: Path, tmp_path: Path):
    run("add", release)
    other = folder(tmp_path / "2026.5", PEPPOL, content=sheet("OTHER"))
    assert "--replace" in run("add", other).stderr
    assert "replaced" in run("add", other, "--replace").stdout


def test_an_edition_that_stops_the_sample_says_what_to_do_next(run: Run, tmp_path: Path):
    result = run("add", folder(tmp_path / "1.17.2", OIOUBL, content=sheet("NEW", "true()")))
    assert result.exit_code == 0
    assert "stops our sample document (NEW)" in result.stderr
    assert "flask rulepacks shadow oioubl 1.17.2" in result.stderr


def test_damage_is_exit_code_1(run: Run, release: Path, tmp_path: Path):
    run("add", release)
    damaged = tmp_path / "instance" / "rules" / "peppol" / "2026.5" / "CEN-EN16931-UBL.xslt"
    damaged.write_bytes(sheet("CHANGED"))
    result = run("verify", "--json")
    assert result.exit_code == 1
    (row,) = json.loads(result.stdout)
    assert (row["sound"], row["problems"]) == (False, ["CEN-EN16931-UBL.xslt was changed after it was added"])


@pytest.fixture
def run_on_database(app: Flask, config: Any, tmp_path: Path) -> Run:
    from dataclasses import replace

    app.extensions["invoiceapp.config"] = replace(config, rules_dir=tmp_path / "rules")
    return runner_of(app)


def test_a_trial_without_documents_says_so(run_on_database: Run, release: Path):
    run_on_database("add", release)
    result = run_on_database("shadow", "peppol", "2026.5", "--days", "30")
    assert "0 of 0 documents of 30 days would be stopped" in result.stdout
    found = json.loads(run_on_database("shadow", "peppol", "2026.5", "--json").stdout)
    assert (found["documents"], found["rules"], found["passing"]) == (0, [], [])
    assert run_on_database("shadow", "peppol", "2031.1").exit_code == 1


def test_an_empty_or_impossible_rules_dir_is_told(run: Run, tmp_path: Path):
    for command in ("verify", "list"):
        assert (run(command).exit_code, "no editions installed" in run(command).stdout) == (0, True)
    place = tmp_path / "instance" / "rules"
    place.parent.mkdir(exist_ok=True)
    place.write_text("x")
    for command in ("verify", "list"):
        assert (run(command).exit_code, "is not a folder" in run(command).stderr) == (1, True)


@pytest.mark.parametrize(("start", "advice"), [("2020-01-01", "See whose"), ("2999-01-01", "Before it takes effect")])
def test_only_a_coming_edition_can_still_be_tried_before_it_takes_effect(
    run: Run, tmp_path: Path, start: str, advice: str
):
    source = folder(tmp_path / "1.17.2", OIOUBL, content=sheet("NEW", "true()"))
    assert advice in run("add", source, "--valid-from", start).stderr


def test_an_end_is_taken_away_again(run: Run, release: Path):
    run("add", release, "--valid-to", "2999-01-01")
    assert run("add", release, "--valid-to", "2999-01-01", "--no-end").exit_code == 2
    assert "to 2999" not in run("add", release, "--no-end").stdout
