"""The stand-in of Dropbox, emptied for every test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.dropbox_account import DEMO_APP_KEY, DEMO_REFRESH_TOKEN, DropboxFaults
from invoiceapp.demo.partners.dropbox_api import DropboxApi
from invoiceapp.gateways.dropbox import DropboxTransport, api

Open = Callable[..., DropboxTransport]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DropboxApi]:
    server = DropboxApi(tmp_path_factory.mktemp("dropbox") / "files")
    yield server
    server.close()


@pytest.fixture
def dropbox(running: DropboxApi) -> DropboxApi:
    """Without files, faults or remembered calls."""
    for path in running.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for field in fields(DropboxFaults):
        setattr(running.faults, field.name, field.default)
    running.calls.clear()
    return running


@pytest.fixture
def settings(dropbox: DropboxApi) -> dict[str, Any]:
    """A gateway's configuration, connected with the stand-in."""
    return {
        "app_key": DEMO_APP_KEY,
        "refresh_token": DEMO_REFRESH_TOKEN,
        "folder": "/Fakturaer",
        "api_url": dropbox.url,
        "content_url": dropbox.url,
        "authorize_url": f"{dropbox.url}/oauth2/authorize",
    }


@pytest.fixture
def opened(settings: dict[str, Any]) -> Iterator[Open]:
    """Opens transports; keyword arguments replace settings."""
    made: list[DropboxTransport] = []

    def make(**changes: Any) -> DropboxTransport:
        made.append(DropboxTransport(settings | changes, LOOPBACK))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "STEP", 0.5)
