from __future__ import annotations

import dataclasses
import json
import zipfile

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from invoiceapp import create_app
from invoiceapp.config import MIGRATIONS
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Delivery, Schedule, db


@pytest.fixture
def run(app):
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": newest})
    runner = app.test_cli_runner()
    return lambda *args: runner.invoke(args=[str(one) for one in args])


def test_backup_verify_and_restore(
    app, run, config, make_document, make_customer, make_delivery, make_schedule, tmp_path, postgres
):
    make_delivery(make_document(make_customer()))
    make_schedule()
    path = tmp_path / "daily.backup"
    done = run("backup", path)
    assert done.exit_code == 0 and "written" in done.output, done.output
    told = json.loads(run("backup", "verify", path, "--json").stdout)
    assert told["key"] == "k1" and told["tables"]["delivery"]["rows"] == 1 and told["has_archive"]
    refused = run("restore", path)
    assert refused.exit_code == 1 and "not empty" in refused.stderr
    url = postgres.new_database() if postgres else f"sqlite:///{tmp_path / 'new.sqlite3'}"
    other = create_app(dataclasses.replace(config, database_url=url, archive_dir=tmp_path / "new"))
    with other.app_context():
        done = other.test_cli_runner().invoke(args=["restore", str(path)])
        assert done.exit_code == 0 and "nobody knows what became of them: 1" in done.output, done.output
        resumed = other.test_cli_runner().invoke(args=["restore", "--resume", "Eksempel ApS"])
        assert "schedules that run again: 1" in resumed.output
        assert db.session.scalars(sa.select(Delivery.state)).all() == [DeliveryState.OUTCOME_UNKNOWN]
        assert db.session.scalars(sa.select(Schedule.active)).all() == [True]
        db.session.remove()
        db.engine.dispose()


def test_a_damaged_file_is_told_and_the_exit_code_tells(run, subscription, tmp_path):
    path = tmp_path / "b"
    run("backup", path, "--no-archive")
    path.write_bytes(path.read_bytes()[:-5])
    done = run("backup", "verify", path)
    assert done.exit_code == 1 and "damaged" in done.stderr and "Traceback" not in done.output
    assert run("backup", "verify", tmp_path / "nothing").exit_code == 1
    assert run("restore").exit_code == 2


def test_retention_is_shown_tried_and_done(run, subscription):
    assert "Eksempel ApS: 5 years" in run("retention", "show").output
    assert json.loads(run("retention", "show", "--json").stdout)[0]["due"] == 0
    assert "0 documents" in run("retention", "run", "--dry-run").output
    assert "0 documents and 0 files deleted" in run("retention", "run").output


def test_records_are_exported(run, make_document, make_customer, tmp_path):
    make_document(make_customer())
    done = run("export-records", tmp_path / "a.zip", "--subscription", "Eksempel ApS", "--from", "2026-11-01")
    assert done.exit_code == 0 and "1 documents" in done.output
    assert "index.html" in zipfile.ZipFile(tmp_path / "a.zip").namelist()
    refused = run("export-records", tmp_path / "b.zip", "--subscription", "Ukendt")
    assert refused.exit_code == 1 and not (tmp_path / "b.zip").exists()
