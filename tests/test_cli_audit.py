"""``flask audit``, and what other commands leave in the log."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, text

from invoiceapp.models import AuditEntry, db
from invoiceapp.services import audit
from invoiceapp.services.database import transaction


@pytest.fixture
def run(app):
    return app.test_cli_runner().invoke


@pytest.fixture
def noted(app, subscription) -> str:
    """A hash of the middle of a chain."""
    for number in range(4):
        with transaction():
            audit.note("test.act", subscription_id=subscription.id, name=str(number))
    return db.session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == 2)) or ""


def test_verify_says_what_fits(run, noted, subscription):
    result = run(args=["audit", "verify"])
    assert result.exit_code == 0
    assert f"{subscription.id}: 4 entries (1–4) fit" in result.output
    assert run(args=["audit", "verify", "--head", noted.upper(), "--subscription", subscription.id]).exit_code == 0
    unknown = run(args=["audit", "verify", "--head", "0" * 63 + "1"])
    assert unknown.exit_code == 3
    assert "DOES NOT HAVE" in unknown.output


def test_verify_tells_tampering_by_its_exit_code(run, noted):
    on = " ON audit_entry" if db.engine.dialect.name == "postgresql" else ""
    with transaction() as session:
        session.execute(text(f"DROP TRIGGER audit_entry_unchanged{on}"))
        session.execute(text("UPDATE audit_entry SET actor = 'x' WHERE seq = 3"))
    result = run(args=["audit", "verify", "--json"])
    assert result.exit_code == 3
    [found] = json.loads(result.output)
    assert (found["ok"], found["problem"]["entry"]) == (False, 3)


def test_an_export_is_verified_without_the_database(run, noted, tmp_path):
    file = tmp_path / "audit.jsonl"
    assert run(args=["audit", "export", str(file)]).exit_code == 0
    assert run(args=["audit", "verify", "--file", str(file), "--head", noted]).exit_code == 0
    assert run(args=["audit", "export", str(file)]).exit_code == 1  # never over another one
    file.write_text(file.read_text().replace('"object_name": "2"', '"object_name": "9"'))
    assert run(args=["audit", "verify", "--file", str(file)]).exit_code == 3
    file.write_text("something else")
    assert run(args=["audit", "verify", "--file", str(file)]).exit_code == 1


def test_a_command_is_an_actor(run):
    options = ["--company", "Ny ApS", "--email", "ny@example.com", "--password", "correct-horse-battery"]
    result = run(args=["users", "create-admin", *options])
    assert result.exit_code == 0, result.output
    found = list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    assert {(entry.actor_kind, entry.actor) for entry in found} == {("command", "users create-admin")}
    assert {entry.object_kind for entry in found if entry.act == "created"} == {"subscription", "user", "membership"}
    assert found[-1].act == "command"
    assert "correct-horse" not in json.dumps([[entry.before, entry.after] for entry in found])
