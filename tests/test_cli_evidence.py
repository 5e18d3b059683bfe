"""``flask evidence``: in words and as JSON, with exit codes that programs can rely on."""

from __future__ import annotations

import dataclasses
import json

import pytest
from support.evidence_packs import contents, full_document, readier, zipped

from invoiceapp import create_app
from invoiceapp.models import AuditEntry, db
from invoiceapp.services.proof import signing


@pytest.fixture
def run(app):
    runner = app.test_cli_runner()
    return lambda *args: runner.invoke(args=["evidence", *map(str, args)])


@pytest.fixture
def made(run, make_customer, make_document, make_delivery, tmp_path):
    """A pack that the command has written."""
    ready = readier(make_customer, make_document, make_delivery)
    ids = [full_document(ready, number).id for number in ("1", "2")]
    done = run("pack", "--document", ids[0], "--document", ids[1], "--output", tmp_path / "pack.zip")
    assert done.exit_code == 0 and "documents: 2" in done.output, done.output
    return tmp_path / "pack.zip"


def test_a_pack_is_made_noted_in_the_audit_log_and_verified(run, made):
    done = run("verify", made)
    assert done.exit_code == 0 and "The pack holds." in done.output and "NO" not in done.output
    assert db.session.query(AuditEntry).filter_by(act="command").count() == 1


def test_what_does_not_hold_is_said_and_the_exit_code_is_1(run, made):
    files = contents(made)
    made.write_bytes(zipped(files | {"index.html": b"changed", "note.txt": b"x"}).getvalue())
    done = run("verify", made)
    assert done.exit_code == 1
    assert "NO  1 file changed: index.html." in done.output and "note.txt" in done.output
    said = json.loads(run("verify", "--json", made).output)
    assert said["holds"] is False and {one["name"] for one in said["checks"] if not one["holds"]} == {
        "changed",
        "extra",
    }
    assert said["signed"]["is_ours"] and len(said["documents"]) == 2


def test_another_installation_verifies_with_the_certificate_and_without_a_database(made, config, tmp_path):
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(signing.certificate_pem())
    elsewhere = dataclasses.replace(config, database_url=f"sqlite:///{tmp_path / 'no' / 'database'}")
    other = create_app(elsewhere)
    with other.app_context():
        runner = other.test_cli_runner()
        done = runner.invoke(args=["evidence", "verify", str(made), "--certificate", str(certificate)])
        without = runner.invoke(args=["evidence", "verify", str(made)])
    assert done.exit_code == 0 and "the one that you gave" in done.output, done.output
    assert without.exit_code == 1 and "without the database" in without.output, without.output


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_pack_ends_in_words(run, tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    done = run("verify", tmp_path / "x.zip")
    assert done.exit_code == 1 and "The pack does not hold." in done.output


def test_documents_that_are_not_there_are_refused_in_one_line(run, tmp_path):
    done = run("pack", "--document", "nobody", "--output", tmp_path / "x.zip")
    assert done.exit_code == 1 and "no longer there" in done.output and not (tmp_path / "x.zip").exists()
