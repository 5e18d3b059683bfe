"""An installation on three hosts, and the app as the hub sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from pytest_socket import socket_allow_hosts

from invoiceapp import create_app
from invoiceapp.models import db

from .network import Namespaces, Network, Proxies, may_make_namespaces
from .site import FIRST, FRONT, SECOND, Site, site


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Namespaces where they can be made, else proxies; with ``--full-matrix`` both."""
    if "network" in metafunc.fixturenames:
        kinds: list[type[Network]] = [Namespaces] if may_make_namespaces() else [Proxies]
        if metafunc.config.getoption("--full-matrix") and Proxies not in kinds:
            kinds.append(Proxies)
        metafunc.parametrize("network", kinds, indirect=True, ids=lambda kind: kind.__name__.lower())


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Network:
    kind: type[Namespaces | Proxies] = request.param
    socket_allow_hosts(["127.0.0.0/24"], allow_unix_socket=True)
    return kind(FIRST, SECOND, FRONT)


@pytest.fixture
def installation(network: Network, tmp_path: Path) -> Iterator[Site]:
    """Its hub runs; a test starts the hosts."""
    with site(network, tmp_path) as made:
        yield made


@pytest.fixture
def hub(installation: Site) -> Iterator[Flask]:
    """The app at the hub; an app context is pushed."""
    app = create_app(installation.config, pages=False)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
