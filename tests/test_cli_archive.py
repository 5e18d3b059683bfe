from __future__ import annotations

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from invoiceapp.models import AuditEntry, Rendition, db, new_id
from invoiceapp.services.export import archive


@pytest.fixture
def run(app):
    runner = app.test_cli_runner()
    return lambda *args: runner.invoke(args=["archive", *map(str, args)])


@pytest.fixture
def names(make_document, make_customer):
    document = make_document(make_customer())
    found = sorted(archive.store(content) for content in (b"one", b"two"))
    for name in found:
        db.session.add(
            Rendition(
                id=new_id(), subscription_id=document.subscription_id, document_id=document.id, format="f", sha256=name,
                size=3, media_type="application/xml", filename="a.xml",
            )
        )  # fmt: skip
    db.session.commit()
    return found


def test_a_sound_archive_is_said_to_be_sound(run, names):
    archive.store(b"nobody's")
    done = run("verify")
    assert done.exit_code == 0, done.output
    assert "files read: 2 (6 bytes)" in done.output and "nothing names: 1" in done.output and "sound" in done.output
    assert json.loads(run("verify", "--sample", 10, "--json").stdout)["checked"] == 2


def test_damage_is_named_and_the_exit_code_tells(run, names):
    archive.remove(names[0])
    done = run("verify")
    assert done.exit_code == 3 and f"missing: {names[0]}" in done.stderr and "from a backup" in done.stderr
    told = json.loads(run("verify", "--json").stdout)
    assert told["damaged"] == {"missing": 1} and told["files"] == [{"sha256": names[0], "damage": "missing"}]


def test_an_archive_that_is_away_is_not_judged(run, names, config):
    config.archive_dir.rename(config.archive_dir.with_name("away"))
    done = run("verify")
    assert done.exit_code == 1 and "cannot be read at the moment" in done.stderr and "Traceback" not in done.output


def test_files_are_encrypted_and_copied_and_both_stand_in_the_audit_log(app, run, names, config, tmp_path):
    assert run("encrypt").exit_code == 1
    app.extensions["invoiceapp.config"] = replace(config, archive_encryption=True)
    done = run("encrypt")
    assert done.exit_code == 0 and "encrypted anew: 2" in done.output
    told = json.loads(run("copy", "--to", (tmp_path / "new").as_uri(), "--json").stdout)
    assert told == {"written": 2, "bytes": 6, "there": 0, "damaged": 0, "files": []}
    assert "were there already: 2" in run("copy", "--to", (tmp_path / "new").as_uri()).output
    wrong = run("copy", "--to", "/tmp/new")
    assert wrong.exit_code == 1 and "write file:///path" in wrong.stderr
    noted = db.session.scalars(sa.select(AuditEntry.act).where(AuditEntry.act == "command")).all()
    assert len(noted) == 5


def test_a_damaged_file_is_not_copied_and_the_exit_code_tells(run, names, config, tmp_path):
    (config.archive_dir / names[0][:2] / names[0][2:4] / names[0]).write_bytes(b"other")
    done = run("copy", "--to", (tmp_path / "new").as_uri())
    assert done.exit_code == 3 and f"left as it is: {names[0]}" in done.stderr and "copied: 1" in done.output
