"""The drill: a database with rows in every state goes up and down through all versions, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Connection, create_engine, text
from support.filling import ROWS, contents, fill, lost

from invoiceapp.config import MIGRATIONS
from invoiceapp.models import db

from .test_versions import differences, empty, tables

__all__ = ["empty"]

REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
#: The first that has triggers.
LISTING = "0006"
#: What a step changes on purpose, by the upper revision of the step.
CHANGED: dict[str, set[str]] = {
    # The one schedule of an adaptor becomes its interval again, as nearly as minutes can say it.
    "0007": {"adaptor.interval_minutes", "adaptor.next_run_at"},
}


class Walk:
    """One database on its way; every step is compared with what was there before it."""

    def __init__(self) -> None:
        self.at: str | None = None
        self.held: dict[str, dict[str, list[Any]]] = {}

    def up(self, revision: str) -> None:
        self._step(lambda: upgrade(revision=revision), revision, revision)

    def down(self, revision: str) -> None:
        self._step(lambda: downgrade(revision=revision), revision, self.at or revision)

    def _step(self, go: Any, revision: str, upper: str) -> None:
        db.session.remove()
        go()
        with db.engine.connect() as connection:
            held = contents(connection)
            held.pop("alembic_version")
            assert lost(self.held, held, CHANGED.get(upper, ())) == [], f"{self.at} → {revision}"
            require_whole(connection, revision)
            connection.rollback()
        self.at, self.held = revision, held

    def fill(self, mark: str) -> None:
        with db.engine.begin() as connection:
            fill(connection, mark)
        with db.engine.connect() as connection:
            self.held = contents(connection)
        self.held.pop("alembic_version")


def require_whole(connection: Connection, revision: str) -> None:
    """Every row points to one that is there, and the triggers are there and work."""
    if connection.dialect.name == "sqlite":
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == [], revision
    if revision < LISTING:
        assert trigger_names(connection) == set(), revision
        return
    assert trigger_names(connection) >= LISTED, revision
    require_tallies(connection)


LISTED = {
    "listing_delivery_made", "listing_delivery_moved", "listing_delivery_gone", "listing_stage_moved",
    "tally_document_made", "tally_document_moved", "tally_document_gone",
}  # fmt: skip


def require_tallies(connection: Connection) -> None:
    """The figures are those of the documents, also after deliveries have moved, and documents follow their deliveries."""
    assert figures(connection) == counted(connection)
    # Along the table, which newer versions keep to (models/movement.py).
    moved = "UPDATE delivery SET state = 'outcome_unknown' WHERE state IN ('pending', 'leased', 'sending', 'accepted')"
    assert connection.execute(text(moved)).rowcount
    following = (
        "SELECT DISTINCT status FROM document WHERE stage IN ('listed', 'converted') "
        "AND delivery_id IN (SELECT id FROM delivery WHERE state = 'outcome_unknown')"
    )
    assert connection.scalars(text(following)).all() == ["outcome_unknown"]
    assert figures(connection) == counted(connection)


def figures(connection: Connection) -> list[tuple[Any, ...]]:
    summed = (
        "SELECT adaptor_id, day, status, sum(documents) FROM tally "
        "GROUP BY adaptor_id, day, status HAVING sum(documents) <> 0 ORDER BY 1, 2, 3"
    )
    return [tuple(row) for row in connection.execute(text(summed))]


def counted(connection: Connection) -> list[tuple[Any, ...]]:
    grouped = "SELECT adaptor_id, issue_date, status, count(*) FROM document GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    return [tuple(row) for row in connection.execute(text(grouped))]


def trigger_names(connection: Connection) -> set[str]:
    return set(triggers(connection))


def triggers(connection: Connection) -> dict[str, str]:
    """What each trigger does, by its name; spaces do not count."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT tgname, pg_get_triggerdef(t.oid) || ' ' || pg_get_functiondef(tgfoid) FROM pg_trigger t "
            "WHERE NOT tgisinternal"
        )
    told = {name: re.sub(r"\s+", "", sql) for name, sql in connection.exec_driver_sql(query)}
    return {name: sql.replace("IFNOTEXISTS", "") for name, sql in told.items()}


@pytest.fixture
def as_the_models_say(postgres: Any, tmp_path: Any) -> Iterator[Connection]:
    engine = create_engine(postgres.new_database() if postgres else f"sqlite:///{tmp_path / 'models.sqlite3'}")
    db.metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_rows_in_every_state_survive_all_versions_up_and_down_and_up(
    empty: Flask, as_the_models_say: Connection
) -> None:
    walk = Walk()
    for place, revision in enumerate(REVISIONS):
        walk.up(revision)
        walk.fill(mark=f"{place:x}".zfill(2))
    assert all(len(next(iter(columns.values()))) >= ROWS for columns in walk.held.values())
    for revision in REVISIONS[-2::-1]:
        walk.down(revision)
    for revision in REVISIONS[1:]:
        walk.up(revision)
    assert differences() == []
    assert tables() == set(db.metadata.tables)
    with db.engine.connect() as connection:
        assert triggers(connection) == triggers(as_the_models_say)
        connection.rollback()
    db.session.remove()
    downgrade(revision="base")
    assert tables() == set()
