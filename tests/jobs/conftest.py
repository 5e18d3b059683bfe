"""Redis in this process, and a real one that can be stopped and started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
from flask import Flask
from support.valkey import Valkey

from invoiceapp.config import Config


@pytest.fixture
def fake(app: Flask) -> fakeredis.FakeStrictRedis:
    """The app's Redis, in this process."""
    connection = fakeredis.FakeStrictRedis(version=(7,))
    app.extensions["invoiceapp.redis"] = app.extensions["invoiceapp.bell"] = connection
    return connection


@pytest.fixture
def valkey(config: Config, tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(config.redis_url, tmp_path)
    server.start()
    yield server
    server.stop()
