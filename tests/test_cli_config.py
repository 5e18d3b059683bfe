from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from flask import Flask

from invoiceapp import create_app
from invoiceapp.config import Config
from invoiceapp.models import Adaptor, Customer, Gateway, SettingsChange, Subscription, db
from invoiceapp.services.configuration.as_code.problems import MOST_LISTED

Run = Callable[..., Result]
GUIDE = Path(__file__).parents[1] / "docs" / "configuration-as-code.md"

FILE = """version: 1
subscription: Eksempel ApS
gateways:
  - {name: SFTP, kind: sftp, config: {host: sftp.example, username: u}, secrets: {password: {env: INVOICEAPP_SECRET_PW}}}
adaptors:
  - name: Billy
    source: {kind: billy}
    defaults: {format: oioubl-2.1, gateway: SFTP}
    customers:
      - {id: "0123", name: Kommune X, settings: {customer: {orderNumber: "4500"}}}
"""


def runner_of(app: Flask) -> Run:
    """A traceback fails the test, whatever it expected."""

    def invoke(*args: object, input: bytes | None = None) -> Result:
        db.session.remove()
        result = app.test_cli_runner().invoke(args=["config", *(str(arg) for arg in args)], input=input)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def run(app: Flask, subscription: Subscription, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("INVOICEAPP_SECRET_PW", "hemmelig")
    return runner_of(app)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "konfiguration.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_file_is_compared_tried_applied_and_exported(run, file, tmp_path):
    differs = run("diff", file)
    assert differs.exit_code == 1
    assert 'adaptor Billy: customer 0123 "Kommune X": customer.orderNumber: – → 4500\n' in differs.stdout
    assert "gateway SFTP: secrets.password: new\n" in differs.stdout

    tried = run("apply", file, "--dry-run")
    lines = differs.stdout.splitlines()
    assert (tried.exit_code, tried.stdout.splitlines()) == (
        0, [*lines, f"Dry run: nothing was changed. To change: {len(lines)}."]
    )  # fmt: skip
    assert db.session.query(Gateway).count() == 0

    done = run("apply", file)
    assert (done.exit_code, done.stdout.splitlines()) == (0, [*lines, f"Changed: {len(lines)}."])
    again = run("apply", file)
    assert (again.exit_code, again.stdout, again.stderr) == (0, "Nothing to change.\n", "")
    assert db.session.query(SettingsChange).count() == 1
    same = run("diff", file)
    assert (same.exit_code, same.stdout, same.stderr) == (0, "", "")

    out = tmp_path / "mappe" / "ud.yaml"
    assert run("export", "--out", out).exit_code == 0
    assert out.read_bytes() == run("export").stdout_bytes
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert [path.name for path in out.parent.iterdir()] == ["ud.yaml"]
    assert run("diff", out).exit_code == 0
    assert "hemmelig" not in out.read_text(encoding="utf-8")


def test_a_difference_as_json(run, file):
    found = json.loads(run("diff", file, "--json").stdout)
    assert {
        "adaptor": "Billy", "customer": {"id": "0123", "name": "Kommune X"}, "field": "customer.orderNumber",
        "before": None, "after": "4500",
    } in found["changes"]  # fmt: skip
    assert found["secrets"] == [{"gateway": "SFTP", "secret": "password", "state": "differs"}]
    run("apply", file)
    result = run("diff", file, "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["changes"], found["secrets"][0]["state"]) == (0, [], "same")


def test_a_secret_that_differs_is_told_without_its_value(run, file, monkeypatch):
    run("apply", file)
    monkeypatch.setenv("INVOICEAPP_SECRET_PW", "noget andet")
    differs = run("diff", file)
    assert (differs.exit_code, differs.stdout) == (1, "gateway SFTP: secrets.password: differs\n")
    monkeypatch.delenv("INVOICEAPP_SECRET_PW")
    kept = run("diff", file)
    assert (kept.exit_code, kept.stdout) == (0, "")
    assert "INVOICEAPP_SECRET_PW is not set. The stored secret is kept." in kept.stderr


def test_the_file_may_come_from_standard_input(run, file):
    assert run("apply", "-", input=file.read_bytes()).exit_code == 0
    assert run("diff", "-", input=file.read_bytes()).exit_code == 0


@pytest.mark.parametrize("command", ["diff", "apply"])
def test_what_is_wrong_is_listed_and_the_exit_code_is_two(run, file, command):
    file.write_text(
        FILE.replace("name: Kommune X", "name: 'X\\e'").replace("billy", "ukendt").replace("host:", "vært:")
    )
    result = run(command, file)
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert lines[:2] == [
        "line 4: gateways[0].config.vært (gateway SFTP): Unknown key.",
        "line 4: gateways[0].config (gateway SFTP): “host” (Server) is missing.",
    ]
    assert lines[2] == "line 7: adaptors[0].source.kind (adaptor Billy): Unknown. Known are: billy."
    assert lines[-1] == "Error: The file cannot be used, and nothing was changed (3 problems)."


def test_very_many_problems_do_not_scroll_the_first_ones_away(run, file):
    file.write_text("version: 1\n" + "".join(f"k{number}: 1\n" for number in range(MOST_LISTED + 5)))
    lines = run("diff", file, "--subscription", "Eksempel ApS").stderr.splitlines()
    assert (len(lines), lines[0], lines[-2]) == (MOST_LISTED + 2, "line 2: k0: Unknown key.", "… and 5 more")


@pytest.mark.parametrize("command", ["diff", "apply"])
def test_a_file_that_is_not_there_or_no_file_is_unusable(run, tmp_path, command):
    for path in (tmp_path / "væk.yaml", tmp_path):
        result = run(command, path)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_an_export_that_cannot_be_written_is_told_in_a_line(run, file):
    result = run("export", "--out", file / "under")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_subscription_is_chosen_by_name(run, file):
    db.session.add(Subscription(name="Anden A/S"))
    db.session.commit()
    unclear = run("export")
    assert (unclear.exit_code, unclear.stderr) == (
        2, "Error: Choose one with --subscription: Anden A/S, Eksempel ApS.\n"
    )  # fmt: skip
    assert run("export", "--subscription", "Anden A/S").stdout.startswith('version: 1\nsubscription: "Anden A/S"\n')
    assert run("apply", file, "--subscription", "Ny ApS").exit_code == 2
    assert run("apply", file, "--subscription", "Ny ApS", "--create-subscription").exit_code == 0
    assert (
        db.session.query(Adaptor).one().subscription_id
        == db.session.query(Subscription).filter_by(name="Ny ApS").one().id
    )


def test_pruning_deactivates_and_deletes_nothing(run, file):
    run("apply", file)
    file.write_text(FILE.replace("    customers:\n", "    customers: []\n").rsplit("      - {id", 1)[0])
    assert run("diff", file).exit_code == 0
    pruned = run("apply", file, "--prune")
    assert pruned.stdout == 'adaptor Billy: customer 0123 "Kommune X": active: true → false\nChanged: 1.\n'
    assert db.session.query(Customer).one().rule.active is False


def test_a_database_without_tables_is_told_in_a_line(config: Config, file: Path):
    app = create_app(config)
    with app.app_context():
        try:
            for command in (["export"], ["diff", file], ["apply", file]):
                result = runner_of(app)(*command)
                assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
                assert result.stderr.startswith("Error: The database cannot be used: ")
        finally:
            db.session.remove()
            db.engine.dispose()


def test_the_example_in_the_guide_can_be_applied(run, monkeypatch, tmp_path):
    (example,) = re.findall(r"```yaml\n(version: .*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    password = tmp_path / "secrets" / "sftp"
    password.parent.mkdir()
    password.write_text("hemmelig\n")
    for name in re.findall(r"env: \"?(\w+)", example):
        monkeypatch.setenv(name, "x")
    example = re.sub(r"/run/secrets/\w+", str(password), example)
    assert yaml.safe_load(example)
    path = tmp_path / "guide.yaml"
    path.write_text(example, encoding="utf-8")
    applied = run("apply", path, "--create-subscription")
    assert (applied.exit_code, applied.stderr) == (0, "")
    name = yaml.safe_load(example)["subscription"]
    assert run("diff", path).exit_code == 0
    exported = tmp_path / "ud.yaml"
    run("export", "--subscription", name, "--out", exported)
    assert run("diff", exported).exit_code == 0
