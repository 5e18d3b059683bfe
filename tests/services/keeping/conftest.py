"""A second installation beside the test's own: another database, another archive."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask
from support.archives import configured, in_bucket, running_stand, stand

from invoiceapp import create_app
from invoiceapp.config import MIGRATIONS, Config
from invoiceapp.models import db

__all__ = ["configured", "in_bucket", "running_stand", "stand"]
Elsewhere = Callable[..., AbstractContextManager[Flask]]


@pytest.fixture
def stamped(app: Flask) -> Flask:
    """The test's own installation, whose tables were not made by the migrations, says that it is of today."""
    say_of_today()
    return app


def say_of_today() -> None:
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": newest})


@pytest.fixture
def elsewhere(config: Config, tmp_path: Path, postgres: Any, all_tables: str) -> Elsewhere:
    """``elsewhere()``: a new installation with empty tables; ``kind`` is ``sqlite`` or ``postgresql``, ``bare`` without tables."""
    count = iter(range(100))

    @contextmanager
    def begin(kind: str = _kind(config.database_url), bare: bool = False, **changes: Any) -> Iterator[Flask]:
        folder = tmp_path / f"elsewhere-{next(count)}"
        folder.mkdir()
        is_copied = not bare and kind == _kind(config.database_url)
        if kind == "postgresql":
            url = postgres.new_database(*([all_tables] if is_copied else []))
        else:
            url = f"sqlite:///{folder / 'new.sqlite3'}"
            if is_copied:
                shutil.copyfile(all_tables, folder / "new.sqlite3")
        settings = {
            "database_url": url,
            "archive_dir": folder / "archive",
            "instance_dir": folder / "instance",
            **changes,
        }
        # Migrations come with the pages.
        app = create_app(dataclasses.replace(config, **settings), pages=bare)
        with app.app_context():
            if is_copied:
                say_of_today()
            yield app
            db.session.remove()
            db.engine.dispose()

    return begin


def _kind(url: str) -> str:
    return "postgresql" if url.startswith("postgresql") else "sqlite"
