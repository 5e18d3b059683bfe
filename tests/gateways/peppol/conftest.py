"""A gateway with our certificate, and an access point that listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK
from support.receivers.as4 import RECEIVER, AccessPoint, holder, pki

from invoiceapp.domain.identifiers import CVR, Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Consignment, Receipt
from invoiceapp.gateways.peppol import PeppolTransport

Config = dict[str, Any]


@pytest.fixture(scope="session")
def listening() -> Iterator[AccessPoint]:
    one = AccessPoint()
    yield one
    one.close()


@pytest.fixture
def access_point(listening: AccessPoint) -> AccessPoint:
    """As new."""
    listening.respond, listening.repeats = listening.take, True
    listening.on_effect = lambda _: None
    listening.taken.clear()
    listening.requests.clear()
    return listening


@pytest.fixture
def config() -> Config:
    own = holder("POP000001")
    return {
        "own_certificate": own.pem, "own_key": own.key_pem, "anchors": pki().root_pem + pki().intermediate_pem,
        "revocation": "off", "country": "DK", "connections": 2,
    }  # fmt: skip


@pytest.fixture
def addressed(access_point: AccessPoint, consignment: Callable[..., Consignment]) -> Callable[..., Consignment]:
    """Makes a consignment to the access point; ``endpoint`` replaces parts of its registration."""

    def make(endpoint: dict[str, Any] | None = None, **changes: Any) -> Consignment:
        registered = access_point.endpoint(Network.PEPPOL, **(endpoint or {}))
        known = {"companions": (), "sender": Participant(CVR, "12345674"), "receiver": RECEIVER, "endpoint": registered}
        return consignment(**known | changes)

    return make


@pytest.fixture
def send(config: Config) -> Callable[..., Receipt]:
    """Sends with the configuration; keyword arguments replace settings."""

    def run(consignment: Consignment, **settings: Any) -> Receipt:
        with PeppolTransport(config | settings, LOOPBACK) as transport:
            return transport.send(consignment)

    return run
