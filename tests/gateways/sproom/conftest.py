"""A Sproom on loopback, and gateways to it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.provider_account import ProviderAccount
from invoiceapp.demo.partners.sproom_api import DEMO_TOKEN, SproomApi
from invoiceapp.gateways.sproom import SproomTransport


@pytest.fixture(scope="session")
def running() -> Iterator[SproomApi]:
    api = SproomApi()
    yield api
    api.close()


@pytest.fixture
def sproom(running: SproomApi) -> SproomApi:
    """With an empty account and no faults."""
    running.account = ProviderAccount(running.account.course)
    running.calls.clear()
    running.taken.clear()
    running.invalid, running.webhooks, running.instead, running.drop_answer = [], [], None, False
    return running


@pytest.fixture
def opened(sproom: SproomApi) -> Iterator[Callable[..., SproomTransport]]:
    """Opens transports; keyword arguments change the settings."""
    with contextlib.ExitStack() as stack:

        def make(**changes: Any) -> SproomTransport:
            config = {"base_url": sproom.base_url, "token": DEMO_TOKEN, "answer_hours": 48, **changes}
            return stack.enter_context(SproomTransport(config, LOOPBACK))

        yield make
