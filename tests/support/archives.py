"""Fixtures for an archive that lies elsewhere or is encrypted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from invoiceapp.config import Config

from .object_store import BUCKET, ObjectStand, object_stand

Configured = Callable[..., Config]


@pytest.fixture(scope="module")
def running_stand() -> Iterator[ObjectStand]:
    """Started once: the connections to it are kept as they are in a process of the product."""
    with object_stand() as running:
        yield running


@pytest.fixture
def stand(running_stand: ObjectStand) -> ObjectStand:
    """An S3-compatible store on this machine, with nothing in it."""
    running_stand.empty()
    return running_stand


@pytest.fixture
def configured(app: Flask) -> Configured:
    """``configured(name=value)``: the app with these settings changed."""

    def changed(**values: Any) -> Config:
        settings = replace(app.extensions["invoiceapp.config"], **values)
        app.extensions["invoiceapp.config"] = settings
        return settings

    return changed


@pytest.fixture
def in_bucket(stand: ObjectStand, configured: Configured) -> ObjectStand:
    """The archive is in the store."""
    configured(archive_url=f"s3://{BUCKET}/firma", archive_access=stand.access)
    return stand
