"""Alembic's environment: the app's own engine, online only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from invoiceapp.models.types import Amount, Json, UtcDateTime

_RENDERED = {UtcDateTime: "sa.DateTime(timezone=True)", Json: "sa.Text()", Amount: "AMOUNT"}


def render_item(kind: str, item: Any, _autogen_context: Any) -> Any:
    """Write our column types as plain ones: a migration must not change when the code does."""
    return _RENDERED.get(type(item), False) if kind == "type" else False


@contextmanager
def rebuilding(connection: Connection) -> Iterator[None]:
    """Let tables be made anew that the rows of others point to, as SQLite must to drop a column (ALTER TABLE, section 7).

    Raises ``RuntimeError`` where a row points to nothing afterwards.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.dbapi_connection
    # Without effect inside a transaction.
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        broken = driver.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"rows that point to nothing: {broken[:10]}")
    finally:
        connection.rollback()
        driver.execute("PRAGMA foreign_keys=ON")


def run_migrations() -> None:
    """Migrate by the app's own connection."""
    database = current_app.extensions["migrate"].db
    with database.engine.connect() as connection, rebuilding(connection):
        if connection.dialect.name == "postgresql":
            # A large table's index takes as long as it takes; waiting for a lock still ends.
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_item=render_item,
            render_as_batch=True,
            # SQLite's DDL is transactional here, because models/base.py opens the transaction itself.
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("offline migrations are not supported: they need the database's answers")
run_migrations()
