"""Registers that say what a test tells them, and a place to ask them from."""

from __future__ import annotations

from typing import Any

import pytest
from support import population, reachable
from support.population import Population
from support.reachable import Reachable
from support.told_registers import Registers, install

from invoiceapp.discovery.base import Settings
from invoiceapp.domain.network import Network
from invoiceapp.models import Adaptor, Subscription
from invoiceapp.outbound.guard import Guard
from invoiceapp.services.reach.lookups import Place


@pytest.fixture
def registers(monkeypatch: pytest.MonkeyPatch) -> Registers:
    return install(monkeypatch)


@pytest.fixture
def place(subscription: Subscription) -> Place:
    return Place(subscription.id, Settings({Network.PEPPOL: "peppol.example"}), Guard())


@pytest.fixture
def out_there(monkeypatch: pytest.MonkeyPatch) -> Population:
    """What is registered out there."""
    return population.install(monkeypatch)


@pytest.fixture
def here(
    monkeypatch: pytest.MonkeyPatch, partner: type[Any], subscription: Subscription, adaptor: Adaptor
) -> Reachable:
    """A network gateway and access points into both networks."""
    return reachable.install(monkeypatch, partner, subscription, adaptor)
