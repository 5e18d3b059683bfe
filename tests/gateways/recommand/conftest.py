"""The stand-in of Recommand, one a session, as new for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.recommand_api import DEMO_COMPANY, DEMO_KEY, DEMO_SECRET, RecommandApi
from invoiceapp.gateways.recommand import RecommandTransport


@pytest.fixture(scope="session")
def running() -> Iterator[RecommandApi]:
    server = RecommandApi()
    yield server
    server.close()


@pytest.fixture
def api(running: RecommandApi) -> RecommandApi:
    running.calls.clear()
    running.taken.clear()
    running.instead, running.drop_answer, running.sends, running.unreachable = None, False, True, set()
    return running


@pytest.fixture
def opened(api: RecommandApi) -> Iterator[Callable[..., RecommandTransport]]:
    """Opens transports; keyword arguments replace settings."""
    usual = {"base_url": api.url, "company": DEMO_COMPANY, "api_key": DEMO_KEY, "api_secret": DEMO_SECRET}
    made: list[RecommandTransport] = []

    def make(**changes: Any) -> RecommandTransport:
        made.append(RecommandTransport(usual | changes, LOOPBACK))
        return made[-1]

    yield make
    for one in made:
        one.close()
