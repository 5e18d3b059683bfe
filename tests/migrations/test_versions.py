from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, select

from invoiceapp import create_app
from invoiceapp.config import MIGRATIONS, Config
from invoiceapp.models import Subscription, db


@pytest.fixture
def empty(config: Config) -> Iterator[Flask]:
    """The app on a database without tables."""
    app = create_app(config)
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
