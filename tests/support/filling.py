"""Rows for every table that a database has, whatever its revision: for the drill of the migrations.

Made from the reflected tables, so that a new migration is covered without a line here. Only what a migration reads, or a
table refuses, needs a value by hand (``BY_HAND``).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Enum,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Time,
)

from invoiceapp.models import db
from invoiceapp.models.types import Amount, Json

#: Rows of each table at each revision: at least as many as the longest list of states.
ROWS = 12
#: Kept by triggers; a row of ours would make their sums or their order wrong.
KEPT_BY_THE_DATABASE = {"alembic_version", "tally", "status_change"}

WHEN = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
TIMING = {"minutes": 0, "minute": 0, "times": [], "weekdays": [], "month_day": "", "cron": ""}
TIMINGS = [
    {**TIMING, "kind": "interval", "minutes": 15},
    {**TIMING, "kind": "hourly", "minute": 25},
    {**TIMING, "kind": "daily", "times": ["08:25"]},
]

#: ``table.column``: the values in turn.
BY_HAND: dict[str, list[Any]] = {
    "adaptor.interval_minutes": [15, 60, 24 * 60, None],
    "document.number": [f"2026-{number}" for number in range(ROWS)],
    "document.status": ["listed"],
    "document.delivery_id": [None],
    "document.gateway_id": [None],
    "document.format": [None],
    "mail.state": ["pending", "leased", "sending", "sent", "failed", "unknown"],
    "schedule.timing": [json.dumps(timing) for timing in TIMINGS],
    "webhook_call.state": ["pending", "sending", "done", "failed"],
}


def fill(connection: Connection, mark: str) -> dict[str, int]:
    """``ROWS`` rows in every table, each pointing to the row of the same turn; how many by table.

    ``mark`` tells the rows of one call from those of another.
    """
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name not in KEPT_BY_THE_DATABASE:
            connection.execute(table.insert(), [_row(table, turn, mark) for turn in range(ROWS)])
    return {table.name: ROWS for table in found.sorted_tables if table.name not in KEPT_BY_THE_DATABASE}


def _row(table: Table, turn: int, mark: str) -> dict[str, Any]:
    return {column.name: _value(column, turn, mark) for column in table.columns}


def _value(column: Column[Any], turn: int, mark: str) -> Any:
    name = f"{column.table.name}.{column.name}"
    if name in BY_HAND:
        return BY_HAND[name][turn % len(BY_HAND[name])]
    pointed = next(iter(column.foreign_keys), None)
    if pointed is not None and pointed.column.table is column.table:
        return _value(pointed.column, turn - 1, mark) if turn else None
    # Which rows have nothing differs by column.
    if column.nullable and pointed is None and not _states(column) and (turn + len(column.name)) % 3 == 0:
        return None
    return _value(pointed.column, turn, mark) if pointed is not None else _typed(column, turn, mark)


def _typed(column: Column[Any], turn: int, mark: str) -> Any:
    if states := _states(column):
        return states[turn % len(states)]
    now = _now(column)
    if isinstance(now, Json):
        return json.dumps({"mark": mark, "æøå": turn})
    number = turn + int(mark, 36) * ROWS
    if isinstance(now, Amount):
        amount = Decimal(turn) + Decimal("0.0625") * turn
        return format(amount, "f") if isinstance(column.type, String) else amount
    for kind, make in _MAKERS:
        if isinstance(column.type, kind):
            return make(number)
    assert isinstance(column.type, String), f"{column}: add its type to tests/support/filling.py"
    return _text(column, turn, mark)


_MAKERS: tuple[tuple[Any, Callable[[int], Any]], ...] = (
    (Boolean, lambda number: number % 2 == 0),
    (Integer, lambda number: number + 1),
    (Numeric, lambda number: Decimal(number)),
    (DateTime, lambda number: WHEN + timedelta(hours=number, microseconds=number)),
    (Date, lambda number: date(2026, 1, 1) + timedelta(days=number)),
    (Time, lambda number: time(number % 24, 30)),
    (LargeBinary, lambda number: b"\x00\xff" + str(number).encode()),
)


def _text(column: Column[Any], turn: int, mark: str) -> str:
    text = f"{mark}-{turn:02}-{column.table.name}.{column.name} æ'\"%"
    if column.primary_key or (column.type.length or 999) < len(text):
        text = f"{mark}-{turn:02}-{zlib.crc32(text.encode()):08x}"
    return text[: column.type.length]


def _now(column: Column[Any]) -> Any:
    """The column's type in the models of today; None where it is gone."""
    table = db.metadata.tables.get(column.table.name)
    return table.columns[column.name].type if table is not None and column.name in table.columns else None


def _states(column: Column[Any]) -> list[str]:
    now = _now(column)
    return list(now.enums) if isinstance(now, Enum) else []


def contents(connection: Connection) -> dict[str, dict[str, list[Any]]]:
    """Table, column: its values as the driver gives them, in the order of the table's key."""
    found = MetaData()
    found.reflect(connection)
    return {table.name: _columns(connection, table) for table in found.sorted_tables}


def _columns(connection: Connection, table: Table) -> dict[str, list[Any]]:
    names = [column.name for column in table.columns]
    key = ", ".join(f'"{column.name}"' for column in table.primary_key) or "1"
    listed = ", ".join(f'"{name}"' for name in names)
    rows = connection.exec_driver_sql(f'SELECT {listed} FROM "{table.name}" ORDER BY {key}').all()
    return {
        name: list(values)
        for name, values in zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True)
    }


def lost(
    before: dict[str, dict[str, list[Any]]],
    after: dict[str, dict[str, list[Any]]],
    changed: Iterable[str] = (),
) -> list[str]:
    """``table.column`` of all that is on both sides and not the same; ``changed`` may differ, but not in number."""
    return [
        f"{table}.{column}"
        for table in before.keys() & after.keys()
        for column in before[table].keys() & after[table].keys()
        if (before[table][column] != after[table][column])
        and (f"{table}.{column}" not in changed or len(before[table][column]) != len(after[table][column]))
    ]
