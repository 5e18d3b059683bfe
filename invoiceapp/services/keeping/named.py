"""Which files of the archive somebody names. A column that names files must stand here, or they are discarded and not verified.

By the names of tables and columns, not by the models: a backup may be older than they are.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

#: Columns that hold the SHA-256 of a file, or nothing.
COLUMNS: tuple[tuple[str, str], ...] = (
    ("rendition", "sha256"),
    ("document", "pdf_sha256"),
    ("incoming_message", "sha256"),
    *(("month_end_proof", f"{part}_sha256") for part in ("list", "result", "csv", "signature", "pdf")),
)
#: Columns with JSON in which files stand as ``"sha256"``.
WITHIN: tuple[tuple[str, str], ...] = (("lookup", "exchanges"),)
#: Before and after all names.
FIRST, LAST = "", "f" * 64
_WITHIN = re.compile(r'"sha256"\s*:\s*"([0-9a-f]{64})"')
_ROWS = 1000


def still(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of ``names`` that something names."""
    found: set[str] = set()
    for table, column in COLUMNS:
        clause = sa.column(column, sa.String())
        query = sa.select(clause).select_from(sa.table(table, clause)).where(clause.in_(names))
        found |= set(connection.scalars(query))
    return found | {name for name in set(names) - found if _is_within(connection, name)}


def _is_within(connection: Connection, name: str) -> bool:
    for table, column in WITHIN:
        clause = sa.column(column, sa.Text())
        query = sa.select(sa.literal(1)).select_from(sa.table(table, clause)).where(clause.contains(name)).limit(1)
        if connection.scalar(query):
            return True
    return False


@contextmanager
def gathered(connection: Connection, after: str = FIRST, upto: str = LAST) -> Iterator[Iterable[str]]:
    """All names that come after ``after``, up to ``upto``, each once and in their order.

    They lie in a file meanwhile, which is gone at the end: there may be millions.
    """
    # An empty name is SQLite's word for a database on disk that is deleted when it is closed.
    with closing(sqlite3.connect("", isolation_level=None)) as kept:
        kept.execute("PRAGMA journal_mode = OFF")
        kept.execute("CREATE TABLE name (sha256 TEXT PRIMARY KEY) WITHOUT ROWID")
        kept.execute("BEGIN")
        for batch in _all(connection, after, upto):
            kept.executemany("INSERT OR IGNORE INTO name VALUES (?)", ((name,) for name in batch))
        kept.execute("COMMIT")
        yield (name for (name,) in kept.execute("SELECT sha256 FROM name ORDER BY sha256"))


def _all(connection: Connection, after: str, upto: str) -> Iterator[list[str]]:
    tables = set(sa.inspect(connection).get_table_names())
    for table, column in COLUMNS:
        if table in tables:
            clause = sa.column(column, sa.String())
            query = sa.select(clause).select_from(sa.table(table, clause))
            yield from _batches(connection, query.where(clause > after, clause <= upto))
    for table, column in WITHIN:
        if table in tables:
            clause = sa.column(column, sa.Text())
            for texts in _batches(connection, sa.select(clause).select_from(sa.table(table, clause))):
                yield [name for text in texts for name in _WITHIN.findall(text or "") if after < name <= upto]


def _batches(connection: Connection, query: sa.Select[Any]) -> Iterator[list[str]]:
    with connection.execute(query, execution_options={"stream_results": True, "yield_per": _ROWS}) as result:
        for rows in result.partitions():
            yield [row[0] for row in rows]


def joined(names: Iterable[str], files: Iterator[str]) -> Iterator[tuple[str, bool, bool]]:
    """Names and files, both in their order, laid side by side: each once, whether something names it, whether it is there."""
    there = next(files, None)
    for name in names:
        while there is not None and there < name:
            yield there, False, True
            there = next(files, None)
        yield name, True, there == name
        if there == name:
            there = next(files, None)
    while there is not None:
        yield there, False, True
        there = next(files, None)
