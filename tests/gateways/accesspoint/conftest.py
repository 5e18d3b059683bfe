"""The stand-in of an unknown provider, one a session, as new for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.accesspoint_api import DEMO_TOKEN, DEMO_WEBHOOK_SECRET, AccessPointApi, Repeats
from invoiceapp.gateways.accesspoint import AccessPointTransport


@pytest.fixture(scope="session")
def running() -> Iterator[AccessPointApi]:
    server = AccessPointApi()
    yield server
    server.close()


@pytest.fixture
def api(running: AccessPointApi) -> AccessPointApi:
    for known in (running.calls, running.taken, running.ids):
        known.clear()
    running.instead, running.drop_answer = None, False
    running.repeats, running.state, running.unreachable = Repeats.CONFLICT, "QUEUED", set()
    return running


@pytest.fixture
def opened(api: AccessPointApi) -> Iterator[Callable[..., AccessPointTransport]]:
    """Opens transports; keyword arguments replace settings."""
    usual: dict[str, Any] = {
        "base_url": api.base_url, "token": DEMO_TOKEN, "auth": "bearer", "reach": "both", "repeats": "conflict",
        "id_path": "data.id", "state_path": "data.state", "status_path": "documents/{id}/status",
        "lookup_path": "participants/{scheme}/{value}", "lookup_answer": "participant.canReceive",
        "find_path": "documents/by-key/{key}", "waiting_words": "queued", "delivered_words": "delivered, handed over",
        "rejected_words": "rejected", "webhook_secret": DEMO_WEBHOOK_SECRET, "webhook_id_path": "data.id",
        "webhook_state_path": "data.state",
    }  # fmt: skip
    made: list[AccessPointTransport] = []

    def make(**changes: Any) -> AccessPointTransport:
        made.append(AccessPointTransport(usual | changes, LOOPBACK))
        return made[-1]

    yield make
    for one in made:
        one.close()
