"""How the database finds the rows of what a service asks: its statements are explained as they run, with their values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from invoiceapp.models import db

#: Tables that grow with every document, or with what people and workers do about them.
GROWING = frozenset(
    {
        "attempt", "audit_entry", "delivery", "document", "event", "found_document", "incoming_message", "mail",
        "notice", "numbered_interchange", "preflight_result", "problem_document", "receipt", "rendition", "sent_number",
        "status_change", "tally", "webhook_call",
    }
)  # fmt: skip
#: Fewer rows than that are put in order in no time.
FEW = 1_000
#: PostgreSQL's estimate for a table of some hundred short rows.
CHEAP = 40.0
_EXPLAINED = ("SELECT", "WITH", "UPDATE", "DELETE")


def _partial() -> frozenset[str]:
    """Names of indexes over some rows of their table only: to read one whole is to read what it is for."""
    indexes = (index for table in db.metadata.tables.values() for index in table.indexes)
    return frozenset(str(index.name) for index in indexes if index.dialect_options["sqlite"]["where"] is not None)


@contextmanager
def explained() -> Iterator[list[str]]:
    """What is slow in the statements that run meanwhile, each as ``<why>: <statement>``; empty where all use indexes."""
    found: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not statement.lstrip().upper().startswith(_EXPLAINED):
            return
        cursor = connection.connection.cursor()
        values = parameters[0] if many else parameters
        if connection.dialect.name == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            why = _slow_on_sqlite(cursor.fetchall())
        else:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
            (plan,) = cursor.fetchone()
            why = _slow_on_postgresql((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        cursor.close()
        found.extend(f"{one}: {' '.join(statement.split())} {values}" for one in why)

    sa.event.listen(db.engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", explain)


def _slow_on_sqlite(rows: list[Any]) -> Iterator[str]:
    """``SCAN`` reads a whole table or index."""
    for _id, _parent, _unused, detail in rows:
        words = detail.split()
        if words[0] == "SCAN" and _named(words[1]) and not _partial() & set(words):
            yield detail


def _named(alias: str) -> bool:
    """SQLite tells an alias: those that SQLAlchemy makes begin or end with the table's name, as ``document_1``."""
    return alias in GROWING or alias.rpartition("_")[0] in GROWING


def _slow_on_postgresql(plan: dict[str, Any]) -> Iterator[str]:
    kind, table = plan["Node Type"], plan.get("Relation Name", "")
    is_whole = kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in plan and not _is_partial(plan))
    # To read all is right where all is asked for, and costs nothing where there is next to nothing.
    if table in GROWING and is_whole and plan["Plan Rows"] < FEW and plan["Total Cost"] > CHEAP:
        yield f"{kind} {table} {plan.get('Index Name', '')}"
    if kind == "Sort" and any(part["Plan Rows"] > FEW for part in plan.get("Plans", ())):
        yield f"Sort of {plan['Plans'][0]['Plan Rows']} rows by {plan['Sort Key']}"
    for part in plan.get("Plans", ()):
        yield from _slow_on_postgresql(part)


def _is_partial(plan: dict[str, Any]) -> bool:
    return plan.get("Index Name") in _partial()
