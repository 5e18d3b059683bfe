from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, select, text

from invoiceapp import create_app
from invoiceapp.config import MIGRATIONS, Config
from invoiceapp.extensions import migrate
from invoiceapp.models import Lookup, Match, Schedule, Subscription, db
from invoiceapp.services.daily import schedules


@pytest.fixture
def empty(config: Config) -> Iterator[Flask]:
    """The app on a database without tables; it needs no pages."""
    app = create_app(config, pages=False)
    migrate.init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def differences() -> list[object]:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, db.metadata))


def test_there_is_one_newest_version():
    assert len(ScriptDirectory(str(MIGRATIONS)).get_heads()) == 1


def test_the_migrated_database_is_what_the_models_say(empty):
    upgrade()
    assert differences() == []
    assert tables() == set(db.metadata.tables)


def test_the_unique_indexes_of_the_machine_are_partial_in_the_migrated_database_too(empty):
    upgrade()
    require_partial_indexes()


def require_partial_indexes() -> None:
    indexes = {index["name"]: index for table in ("delivery", "run") for index in inspect(db.engine).get_indexes(table)}
    key = f"{db.engine.dialect.name}_where"
    for name in ("uq_delivery_exclusive", "uq_run_active"):
        assert indexes[name]["unique"] and "state" in str(indexes[name]["dialect_options"][key])


def test_it_goes_down_to_nothing_and_up_again(empty):
    upgrade()
    downgrade(revision="base")
    assert tables() == set()
    upgrade()
    assert differences() == []


def test_upgrading_again_changes_nothing_and_keeps_the_rows(empty):
    upgrade()
    db.session.add(Subscription(name="Eksempel ApS"))
    db.session.commit()
    upgrade()
    assert db.session.scalars(select(Subscription.name)).all() == ["Eksempel ApS"]


def test_the_step_to_the_networks_keeps_what_is_there_and_goes_back(empty):
    """Up from a filled database, down again with matches in it, and up once more."""
    upgrade(revision="0004")
    now = datetime.now(UTC)
    rows = rows_of_the_fourth()
    columns = {table: inspect(db.engine).get_columns(table) for table in rows}
    for table, row in rows.items():
        kept = {column["name"]: row.get(column["name"], blank(column, now)) for column in columns[table]}
        names = ", ".join(f'"{name}"' for name in kept)
        db.session.execute(
            text(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(f":{name}" for name in kept)})'), kept
        )
    db.session.commit()
    upgrade()
    assert db.session.execute(text("SELECT poll_at, polls, remote_ref FROM delivery")).one() == (None, 0, "ref")
    listed = "SELECT status, delivery_id, gateway_id, number_key, amount_key, customer_order FROM document"
    key = "000000002026-000000000007"
    assert db.session.execute(text(listed)).one() == ("accepted", "d", "g", key, 12_505_000, "4500")
    db.session.execute(text("UPDATE delivery SET state = 'delivered'"))
    assert db.session.scalar(text("SELECT status FROM document")) == "delivered"
    tallies = "SELECT status, sum(documents) FROM tally GROUP BY status ORDER BY status"
    assert db.session.execute(text(tallies)).all() == [("accepted", 0), ("delivered", 1)]
    owned = {"subscription_id": "s", "adaptor_id": "a", "customer_id": "c"}
    db.session.add_all(
        [Match(**owned, routes=[]), Lookup(subscription_id="s", register="r", question="q", outcome="o")]
    )
    db.session.commit()
    downgrade(revision="0004")
    assert {"match", "lookup", "receiver"} & tables() == set()
    assert db.session.execute(text("SELECT id, remote_ref FROM delivery")).one() == ("d", "ref")
    db.session.rollback()
    upgrade()
    assert differences() == []
    require_partial_indexes()


def rows_of_the_fourth() -> dict[str, dict[str, object]]:
    """One row in each table that the step changes, and what they belong to."""
    return {
        "subscription": {"id": "s"},
        "adaptor": {"id": "a", "subscription_id": "s"},
        "customer": {"id": "c", "subscription_id": "s", "adaptor_id": "a"},
        "gateway": {"id": "g", "subscription_id": "s", "environment": "live"},
        "document": {
            "id": "o", "subscription_id": "s", "adaptor_id": "a", "type": "invoice", "stage": "converted", "number": "2026-7",
            "net": "1000.40", "vat": "250.1", "order_number": "4500",
        },
        "delivery": {
            "id": "d", "subscription_id": "s", "adaptor_id": "a", "document_id": "o", "gateway_id": "g",
            "state": "accepted", "remote_ref": "ref",
        },
        "incoming_message": {"id": "m", "subscription_id": "s", "gateway_id": "g", "state": "waiting"},
    }  # fmt: skip


def blank(column: Any, now: datetime) -> object:
    """Something that a column takes."""
    if column["nullable"]:
        return None
    kind = column["type"].python_type
    values = {int: 0, bool: False, str: "{}", Decimal: 0, datetime: now, date: now.date()}
    return values[kind]


def test_intervals_become_schedules_and_intervals_again(empty):
    """What ran every hour still does, at the same minute; a step back stops nobody's exports."""
    upgrade(revision="0006")
    next_at = datetime(2026, 11, 24, 7, 25, tzinfo=UTC)
    columns = inspect(db.engine).get_columns("adaptor")
    owner = {"id": "s", "name": "Eksempel ApS", "is_demo": False, "created_at": next_at}
    db.session.execute(
        text("INSERT INTO subscription (id, name, is_demo, created_at) VALUES (:id, :name, :is_demo, :created_at)"),
        owner,
    )
    for key, minutes in (("hourly", 60), ("daily", 1440), ("often", 15), ("manual", None), ("gone", 5)):
        row = {
            "id": key, "subscription_id": "s", "interval_minutes": minutes, "next_run_at": next_at if minutes else None,
            "deleted_at": next_at if key == "gone" else None,
        }  # fmt: skip
        kept = {column["name"]: row.get(column["name"], blank(column, next_at)) for column in columns}
        names = ", ".join(kept)
        db.session.execute(
            text(f"INSERT INTO adaptor ({names}) VALUES ({', '.join(f':{name}' for name in kept)})"), kept
        )
    db.session.commit()
    upgrade(revision="0007")
    assert "interval_minutes" not in {column["name"] for column in inspect(db.engine).get_columns("adaptor")}
    found = {row.adaptor_id: row for row in db.session.scalars(select(Schedule))}
    timings = {
        key: (row.timing["kind"], row.timing["minutes"], row.timing["minute"], row.timing["times"])
        for key, row in found.items()
    }
    assert timings == {
        "hourly": ("hourly", 0, 25, []), "daily": ("daily", 0, 0, ["08:25"]), "often": ("interval", 15, 0, []),
    }  # fmt: skip
    assert all(row.next_at == row.anchor_at == next_at and row.active for row in found.values())
    assert all(schedules.next_after(row, next_at) > next_at for row in found.values())
    db.session.rollback()
    downgrade(revision="0006")
    again = db.session.execute(text("SELECT id, interval_minutes FROM adaptor ORDER BY id")).all()
    assert [tuple(row) for row in again] == [
        ("daily", 1440),
        ("gone", None),
        ("hourly", 60),
        ("manual", None),
        ("often", 15),
    ]
