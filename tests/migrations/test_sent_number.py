"""What had left before there were numbers keeps its own; credit notes learn which invoice they take back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from flask_migrate import upgrade
from sqlalchemy import inspect, text

from invoiceapp import create_app
from invoiceapp.config import MIGRATIONS, Config
from invoiceapp.extensions import migrate
from invoiceapp.models import db

LIVE = {"environment": "live", "subscription_id": "s"}
BOOKS = '{"id": "o1", "registration_no": "12345674"}'


def _blank(column: Any, now: datetime) -> object:
    """Something that a column takes."""
    if column["nullable"]:
        return None
    values = {int: 0, bool: False, str: "{}", Decimal: 0, datetime: now, date: now.date()}
    return values[column["type"].python_type]


def _insert(table: str, **row: object) -> None:
    columns, now = inspect(db.session.connection()).get_columns(table), datetime.now(UTC)
    kept = {column["name"]: row.get(column["name"], _blank(column, now)) for column in columns}
    names = ", ".join(f'"{name}"' for name in kept)
    db.session.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(f":{name}" for name in kept)})'), kept)


def _sent(key: str, number: str, state: str, *, adaptor: str = "a", outcome: str | None = "", **columns: Any) -> None:
    """A document with one delivery, and one try that ended with ``outcome`` where that is not empty."""
    values = {"type": "invoice", "stage": "converted", "net": "1", "vat": "0", "source_id": key} | columns
    _insert("document", id=key, adaptor_id=adaptor, number=number, bundle=values.pop("bundle", "{}"), **LIVE, **values)
    _insert("delivery", id=key, adaptor_id=adaptor, document_id=key, gateway_id="g", state=state, **LIVE)
    if outcome != "":
        _insert("attempt", id=key, delivery_id=key, outcome=outcome)


@pytest.fixture
def before(config: Config) -> Iterator[None]:
    """A database of the version before, with two adaptors of the same books."""
    app = create_app(config, pages=False)
    migrate.init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    with app.app_context():
        upgrade(revision="0019")
        _insert("subscription", id="s")
        for key in ("a", "b"):
            _insert("adaptor", id=key, source_kind="billy", organization=BOOKS, **LIVE)
        _insert("gateway", id="g", **LIVE)
        yield
        db.session.remove()
        db.engine.dispose()


def test_what_has_arrived_is_under_way_or_may_have_arrived_keeps_its_number(before):
    _sent("1", "A 1", "delivered")
    _sent("2", "a1", "pending", adaptor="b")
    _sent("3", "3", "rejected", outcome="rejected")
    _sent("4", "4", "cancelled", outcome="unknown")
    _sent("5", "5", "cancelled")
    _sent("6", "6", "outcome_unknown")
    db.session.commit()
    upgrade(revision="0020")
    rows = db.session.execute(text("SELECT seller, type, number, document_id FROM sent_number ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [
        ("billy:o1", "invoice", "4", "4"), ("billy:o1", "invoice", "6", "6"), ("billy:o1", "invoice", "a1", "1"),
    ]  # fmt: skip


def test_credit_notes_that_were_read_before_learn_their_invoice(before):
    named = '{"invoice": {"creditedInvoiceId": "INV1"}}'
    _sent("1", "1", "pending", type="creditNote", bundle=named)
    _sent("2", "2", "pending", type="creditNote", bundle='{"invoice": {"creditedInvoiceId": null}}')
    _sent("3", "3", "pending", bundle=named)
    db.session.commit()
    upgrade(revision="0020")
    found = db.session.execute(text("SELECT id, credits_source_id, before_invoice FROM document ORDER BY id")).all()
    assert [(row[0], row[1], bool(row[2])) for row in found] == [
        ("1", "INV1", False),
        ("2", None, False),
        ("3", None, False),
    ]
