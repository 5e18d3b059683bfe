"""How processes are connected to PostgreSQL."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from invoiceapp import factory
from invoiceapp.models import db

POSTGRESQL = "postgresql+psycopg://somebody@/invoiceapp"


@pytest.fixture
def has_pages() -> bool:
    return False


def test_a_process_keeps_as_many_connections_as_the_settings_say(config):
    options = factory._engine_options(
        dataclasses.replace(config, database_url=POSTGRESQL, database_pool_size=3), "worker"
    )
    assert options["pool_size"] == 3 and options["max_overflow"] == 4
    assert options["pool_pre_ping"] and options["pool_recycle"]
    assert options["connect_args"]["application_name"] == "invoiceapp worker"


def test_behind_a_pooler_nothing_is_left_in_a_connection(config):
    plain = dataclasses.replace(config, database_url=POSTGRESQL)
    behind = factory._engine_options(dataclasses.replace(plain, database_pooler=True), "web")["connect_args"]
    assert behind["prepare_threshold"] is None and "options" not in behind
    direct = factory._engine_options(plain, "web")["connect_args"]
    assert "prepare_threshold" not in direct and "statement_timeout" in direct["options"]


def test_the_server_ends_what_hangs_and_says_whose_it_is(app, postgres):
    if postgres is None:
        assert app.config["SQLALCHEMY_ENGINE_OPTIONS"] == {}
        return
    shown = {
        name: db.session.scalar(sa.text(f"SHOW {name}"))
        for name in ("application_name", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    }
    assert shown == {
        "application_name": "invoiceapp web", "statement_timeout": "10min", "lock_timeout": "1min",
        "idle_in_transaction_session_timeout": "10min",
    }  # fmt: skip
