"""The stand-in of Storecove, one a session, as new for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.storecove_api import DEMO_LEGAL_ENTITY, DEMO_TOKEN, StorecoveApi
from invoiceapp.gateways.storecove import StorecoveTransport


@pytest.fixture(scope="session")
def running() -> Iterator[StorecoveApi]:
    server = StorecoveApi()
    yield server
    server.close()


@pytest.fixture
def api(running: StorecoveApi) -> StorecoveApi:
    for known in (running.calls, running.taken, running.submissions, running._guids, running._asked):
        known.clear()
    running.instead, running.drop_answer = None, False
    running.unreachable, running.questions_until_sent = set(), 0
    return running


@pytest.fixture
def opened(api: StorecoveApi) -> Iterator[Callable[..., StorecoveTransport]]:
    """Opens transports; keyword arguments replace settings."""
    usual: dict[str, Any] = {"base_url": api.base_url, "token": DEMO_TOKEN, "legal_entity": str(DEMO_LEGAL_ENTITY)}
    made: list[StorecoveTransport] = []

    def make(**changes: Any) -> StorecoveTransport:
        made.append(StorecoveTransport(usual | changes, LOOPBACK))
        return made[-1]

    yield make
    for one in made:
        one.close()
