"""Bringing a backup back: into an empty database, in one transaction, with everything that was under way set aside.

The tables are brought to the backup's own revision, loaded, and then migrated to today's. Until the transaction ends
nobody sees a row, and when it ends nothing waits to be sent (``aftermath``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import Connection

from invoiceapp.config import MIGRATIONS
from invoiceapp.domain.findings import Text
from invoiceapp.models import Subscription, db, utcnow
from invoiceapp.services import audit
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import archive

from . import aftermath, dump
from .aftermath import Aftermath
from .backup import Contents, Reader
from .sealing import damaged

log = logging.getLogger(__name__)

_NOT_EMPTY = Text(
    "Databasen er ikke tom. En sikkerhedskopi gendannes kun i en ny, tom database, så intet overskrives.",
    "The database is not empty. A backup is restored only into a new, empty database, so that nothing is overwritten.",
)
_TOO_NEW = Text(
    "Sikkerhedskopien er skrevet af en nyere udgave af programmet. Installér den udgave, og gendan så.",
    "The backup was written by a newer edition of the program. Install that edition, and restore then.",
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back."""

    contents: Contents
    aftermath: Aftermath


def restore(path: Path) -> Restored:
    """Load the backup at ``path``. Stop the other processes before.

    Raises ``BackupUnreadable``, ``Conflict`` where the database has rows, ``ServiceError``, ``OSError``; then nothing
    has changed but for empty tables, and files of the archive that no row refers to.
    """
    with path.open("rb") as file:
        reader = Reader(file)
        _require_empty()
        _bring_to(reader.contents.revision)
        with db.engine.begin() as connection:
            _load(connection, reader)
            done = aftermath.set_aside(connection, reader.contents.taken_at, utcnow())
    if reader.contents.revision != _known()[-1]:
        upgrade()
    with transaction() as session:
        for subscription_id in session.scalars(sa.select(Subscription.id).order_by(Subscription.id)).all():
            audit.note(
                "backup.restored", subscription_id=subscription_id, of=f"subscription/{subscription_id}",
                after={"taken_at": reader.contents.taken_at.isoformat()},
            )  # fmt: skip
    log.warning("restored the backup of %s: %d rows", reader.contents.taken_at.isoformat(), reader.contents.rows)
    return Restored(reader.contents, done)


def _require_empty() -> None:
    with db.engine.connect() as connection:
        for name in sa.inspect(connection).get_table_names():
            if (
                name != dump.VERSIONS
                and connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first()
            ):
                raise Conflict(_NOT_EMPTY)


def _revision() -> str | None:
    with db.engine.connect() as connection:
        inspector = sa.inspect(connection)
        if inspector.has_table(dump.VERSIONS):
            return str(connection.execute(sa.text(f"SELECT version_num FROM {dump.VERSIONS}")).scalar())  # noqa: S608 # nosec B608
        if inspector.get_table_names():
            raise Conflict(_NOT_EMPTY)
    return None


def _known() -> list[str]:
    """All revisions, oldest first."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def _bring_to(wanted: str) -> None:
    """Empty tables as they were when the backup was taken. Raises ``ServiceError`` for a revision that we do not know."""
    known = _known()
    if wanted not in known:
        raise ServiceError(_TOO_NEW)
    current = _revision()
    if current is None or known.index(current) < known.index(wanted):
        upgrade(revision=wanted)
    elif current != wanted:
        downgrade(revision=wanted)


def _load(connection: Connection, reader: Reader) -> None:
    with _plain(connection):
        tables = {table.name: table for table in dump.tables(connection)}
        for name, columns, rows in reader.tables():
            if name not in tables or set(columns) - set(tables[name].columns):
                raise ServiceError(_TOO_NEW)
            dump.load(connection, tables[name], columns, rows)
        for sha256, content in reader.files():
            if archive.store(content) != sha256:
                raise damaged()
        _require_all(connection, reader.contents, tables)


def _require_all(connection: Connection, contents: Contents, tables: dict[str, dump.Table]) -> None:
    """Every row of the backup is there, once."""
    for name, told in contents.tables.items():
        found = connection.execute(sa.select(sa.func.count()).select_from(tables[name].clause)).scalar()
        if found != told["rows"]:
            raise damaged()


@contextmanager
def _plain(connection: Connection) -> Iterator[None]:
    """Rows go in as they are: no trigger counts them again, and a row may come before the one that it points to."""
    with (_plain_sqlite if connection.dialect.name == "sqlite" else _plain_postgresql)(connection):
        yield


@contextmanager
def _plain_sqlite(connection: Connection) -> Iterator[None]:
    # Looked at when the transaction ends.
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    triggers = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _sql in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for _name, sql in triggers:
        connection.exec_driver_sql(sql)


@contextmanager
def _plain_postgresql(connection: Connection) -> Iterator[None]:
    inspector = sa.inspect(connection)
    names = [name for name in inspector.get_table_names() if name != dump.VERSIONS]
    keys = [(name, key) for name in names for key in inspector.get_foreign_keys(name)]
    for name, key in keys:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" DROP CONSTRAINT "{key["name"]}"')
    for name in names:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" DISABLE TRIGGER USER')
    yield
    for name in names:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" ENABLE TRIGGER USER')
        _go_on_counting(connection, name)
    for name, key in keys:
        connection.exec_driver_sql(_foreign_key(name, key))
    # Else the first claims are planned for empty tables, and take a hundred times as long.
    connection.exec_driver_sql("ANALYZE")


def _foreign_key(name: str, key: Any) -> str:
    """The statement that makes it again, and with that looks at all rows."""
    own, theirs = (
        ", ".join(f'"{one}"' for one in key[columns]) for columns in ("constrained_columns", "referred_columns")
    )
    rule = f" ON DELETE {key['options']['ondelete']}" if key["options"].get("ondelete") else ""
    return (
        f'ALTER TABLE "{name}" ADD CONSTRAINT "{key["name"]}" FOREIGN KEY ({own}) '
        f'REFERENCES "{key["referred_table"]}" ({theirs}){rule}'
    )


def _go_on_counting(connection: Connection, name: str) -> None:
    """The next number of a counted key comes after those that were loaded."""
    for column in sa.inspect(connection).get_columns(name):
        sequence = connection.execute(sa.select(sa.func.pg_get_serial_sequence(f'"{name}"', column["name"]))).scalar()
        if sequence:
            last: sa.Select[Any] = sa.select(sa.func.max(sa.column(column["name"]))).select_from(sa.table(name))
            connection.execute(
                sa.select(sa.func.setval(sequence, sa.func.coalesce(last.scalar_subquery(), 0) + 1, False))
            )
