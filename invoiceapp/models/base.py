"""The database handle, the declarative base, and how SQLite is opened."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from flask import has_request_context, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData, String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .types import ID_LENGTH, UtcDateTime, new_id, utcnow


class Base(DeclarativeBase):
    """All tables; named constraints, so that migrations can drop them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Identified:
    """Primary key and birth of nearly every row."""

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


db = SQLAlchemy(model_class=Base, disable_autonaming=True)


@event.listens_for(Engine, "connect")
def _prepare_sqlite(dbapi_connection: Any, _record: Any) -> None:
    """WAL and full sync: a lost last commit would be exactly "sent, not recorded"."""
    if not isinstance(dbapi_connection, sqlite3.Connection):
        return
    # The driver's own transactions lose updates without an error; "begin" below opens ours.
    dbapi_connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=15000", "foreign_keys=ON"):
        dbapi_connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once, so that no transaction works on a stale snapshot; pages that only read do not."""
    if connection.dialect.name != "sqlite":
        return
    is_page = has_request_context() and request.method in ("GET", "HEAD")
    reads_only = is_page or connection.get_execution_options().get("reads_only")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
