"""What the provider that would carry a customer's documents says of its address."""

from __future__ import annotations

import logging

from invoiceapp.domain.findings import Finding, Severity, Text, Turn
from invoiceapp.gateways.base import Transport, TransportError
from invoiceapp.models import Gateway, Match, db
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError

from . import gathering, routes
from .routes import Route

log = logging.getLogger(__name__)


def ask(customer_id: str) -> None:
    """Ask about the first route and keep a proven no as a remark. No transaction may be open."""
    with transaction():
        match = gathering.matches([customer_id]).get(customer_id)
        route = _first(match) if match is not None else None
        name, transport = _opened(route) if route is not None else ("", None)
    if route is None or transport is None or _reaches(transport, route) is not False:
        return
    with transaction():
        match = gathering.matches([customer_id]).get(customer_id)
        if match is not None and _first(match) == route:
            match.remarks = [*match.remarks, _cannot(name, route).to_dict()]


def _opened(route: Route) -> tuple[str, Transport | None]:
    """The gateway's name and its transport; none for an access point of our own, which looks registrations up itself."""
    gateway = db.session.get(Gateway, route.gateway_id) if route.gateway_id else None
    if gateway is None or gateways.transport_class(gateway).wants_endpoint:
        return "", None
    try:
        return gateway.name, gateways.open_transport(gateway)
    except ServiceError as error:
        log.info("gateway %s cannot be asked: %s", gateway.id, error)
        return "", None


def _first(match: Match) -> Route | None:
    found = (Route.from_dict(one) for one in match.routes)
    return next((route for route in found if route.network is not None), None)


def _reaches(transport: Transport, route: Route) -> bool | None:
    """None where it cannot say."""
    if route.participant is None or route.network is None:
        return None
    try:
        with transport:
            return transport.reaches(route.participant, route.network)
    except TransportError as error:
        log.info("whether %s can be reached is not known: %s", route.participant, error)
        return None


def _cannot(name: str, route: Route) -> Finding:
    address = routes.shown(route.participant) if route.participant else ""
    return Finding(
        "IA-NETWORK-PROVIDER",
        Severity.WARNING,
        Text(
            f"»{name}« siger, at den ikke kan levere til {address}. Spørg udbyderen, eller vælg en anden vej.",
            f"“{name}” says that it cannot deliver to {address}. Ask the provider, or choose another way.",
        ),
        Turn.RECEIVER,
        "BT-49",
        None,
        "customer.match",
    )
