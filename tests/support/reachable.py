"""A subscription with a network gateway, access points in both networks, and customers that a test describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import registry
from invoiceapp.models import (
    Adaptor,
    Customer,
    Environment,
    ExportRule,
    Gateway,
    Match,
    Subscription,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.reach import gathering


@dataclass
class Reachable:
    """Rows and their making."""

    subscription: Subscription
    adaptor: Adaptor
    network: Gateway

    def gateway(self, name: str, kind: str, **columns: Any) -> Gateway:
        row = Gateway(
            id=new_id(), subscription_id=self.subscription.id, name=name, kind=kind, secrets={}, expiries_at=utcnow(),
            **{"config": {"host": "ap.example"}, "environment": Environment.LIVE, **columns},
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    def customer(self, name: str = "Bageriet Hjørnet", cvr: str | None = "12345674", **columns: Any) -> Customer:
        row = Customer(
            id=new_id(), subscription_id=self.subscription.id, adaptor_id=self.adaptor.id, name=name, source_id=new_id(),
            registration_no=cvr, raw={}, **{"country": "DK", **columns},
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    def match(self, customer: Customer) -> Match:
        db.session.expire_all()
        return gathering.matches([customer.id])[customer.id]

    def rule(self, customer: Customer) -> ExportRule | None:
        db.session.expire_all()
        row = db.session.get_one(Customer, customer.id)
        return row.rule


def access_point(partner: type[Any], network: Network, format_id: str) -> type[Any]:
    """A transport into a network that does what the test's partner does."""

    class AccessPoint(partner):  # type: ignore[misc]
        networks: ClassVar[frozenset[Network]] = frozenset({network})
        accepts: ClassVar[frozenset[str]] = frozenset({format_id})

    return AccessPoint


def install(
    monkeypatch: pytest.MonkeyPatch, partner: type[Any], subscription: Subscription, adaptor: Adaptor
) -> Reachable:  # fmt: skip
    """Gateways ``NemHandel`` and ``Peppol`` of kinds of their own, and the network gateway that chooses."""
    monkeypatch.setitem(registry(), "fake-nemhandel", access_point(partner, Network.NEMHANDEL, "oioubl-2.1"))
    monkeypatch.setitem(registry(), "fake-peppol", access_point(partner, Network.PEPPOL, "peppol-bis-3"))
    place = Reachable(subscription, adaptor, None)  # type: ignore[arg-type]
    place.gateway("NemHandel", "fake-nemhandel")
    place.gateway("Peppol", "fake-peppol")
    place.network = place.gateway("Netværk", "network", config={"lookup": "live"})
    return place
