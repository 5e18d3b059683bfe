"""Transactions. Short ones: none is ever open while a service talks to the outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_sqlalchemy.session import Session
from sqlalchemy.orm import scoped_session

from invoiceapp.models import db


@contextmanager
def transaction() -> Iterator[scoped_session[Session]]:
    """Commit at the end, roll back on an exception; either way nothing stays open."""
    try:
        yield db.session
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@contextmanager
def reading() -> Iterator[scoped_session[Session]]:
    """A transaction that writes nothing: on SQLite, nobody's writes wait for it."""
    with transaction() as session:
        if not session().in_transaction():
            session.connection(execution_options={"reads_only": True})
        yield session


def changed(result: Any) -> bool:
    """Whether a compare-and-set changed its one row."""
    return bool(result.rowcount == 1)
