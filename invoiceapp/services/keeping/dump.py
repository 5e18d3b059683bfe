"""Tables as lines of JSON that mean the same on SQLite and PostgreSQL, read from and written to whatever tables there are.

Not by the models: a backup is taken before an upgrade, and comes back through the migrations that it was taken with. A
value's type is that of the column it comes from, and again that of the column it goes to.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.types import TypeEngine

from invoiceapp.models.types import UtcDateTime

#: Where alembic keeps the revision.
VERSIONS = "alembic_version"
#: What is nothing once the machine or its people are others: open connections, who is signed in, who typed wrongly, how its archive was found.
EPHEMERAL = frozenset({"host_slot", "sign_in_session", "sign_in_failure", "archive_check", "damaged_file"})
ROWS = 500


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the database has it."""

    name: str
    columns: dict[str, TypeEngine[Any]]
    key: tuple[str, ...]

    @property
    def clause(self) -> sa.TableClause:
        """For statements that name columns and nothing else of it."""
        return sa.table(self.name, *(sa.column(name, kind) for name, kind in self.columns.items()))


#: By the kind of a column, what binds and reads it; the first that fits. Everything else is text, as the database has it.
_KINDS: tuple[tuple[type[TypeEngine[Any]], TypeEngine[Any]], ...] = (
    (sa.DateTime, UtcDateTime()),
    (sa.Date, sa.Date()),
    (sa.Time, sa.Time()),
    (sa.Boolean, sa.Boolean()),
    (sa.LargeBinary, sa.LargeBinary()),
    (sa.Integer, sa.BigInteger()),
    (sa.Float, sa.Float()),
    (sa.Numeric, sa.Numeric()),
)


def _kind(column: TypeEngine[Any]) -> TypeEngine[Any]:
    return next((ours for theirs, ours in _KINDS if isinstance(column, theirs)), sa.Text())


def tables(connection: Connection) -> list[Table]:
    """All that are kept, by name."""
    inspector = sa.inspect(connection)
    return [
        Table(
            name,
            {column["name"]: _kind(column["type"]) for column in inspector.get_columns(name)},
            tuple(inspector.get_pk_constraint(name)["constrained_columns"]),
        )
        for name in sorted(inspector.get_table_names())
        if name != VERSIONS and name not in EPHEMERAL
    ]


def _encoded(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes | memoryview) else value


def rows(connection: Connection, table: Table) -> Iterator[list[Any]]:
    """All rows in the order of their key, values as JSON has them; a few are in memory at a time."""
    clause = table.clause
    query = sa.select(*clause.c).order_by(*(clause.c[name] for name in table.key))
    result = connection.execution_options(stream_results=True, yield_per=ROWS).execute(query)
    for row in result:
        yield [_encoded(value) for value in row]


def line(row: Sequence[Any]) -> bytes:
    """One row, as it stands in a backup."""
    return json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n"


def _decoded(value: Any, kind: TypeEngine[Any]) -> Any:
    """The reverse of ``_encoded`` for a column of ``kind``, which may be another database's."""
    if value is None:
        return None
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    for known, read in _READERS:
        if isinstance(kind, known):
            return read(value)
    return value if isinstance(value, str) else str(value)


_READERS: tuple[tuple[type[TypeEngine[Any]], Any], ...] = (
    (sa.Date, date.fromisoformat),
    (sa.Time, time.fromisoformat),
    (sa.Boolean, bool),
    (sa.LargeBinary, base64.b64decode),
    (sa.BigInteger, int),
    (sa.Float, float),
    (sa.Numeric, Decimal),
)


def load(connection: Connection, table: Table, columns: Sequence[str], found: Iterator[Sequence[Any]]) -> int:
    """Insert rows whose values stand in the order of ``columns``; how many."""
    kinds = [table.columns[name] for name in columns]
    insert, count = sa.insert(table.clause), 0
    while batch := list(islice(found, ROWS)):
        values = [
            {name: _decoded(value, kind) for name, value, kind in zip(columns, row, kinds, strict=True)}
            for row in batch
        ]
        connection.execute(insert, values)
        count += len(batch)
    return count
