"""Where one customer's documents go: the rule's own gateway, or what its network gateway finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import Settings
from invoiceapp.gateways.base import registry
from invoiceapp.models import Adaptor, ExportRule, Gateway, MatchState, utcnow
from invoiceapp.services.configuration import rules
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError

from . import checking, deciding, gathering, refusing, routes
from .candidates import Facts, candidates
from .checking import Examined, Scene
from .deciding import Before, Decision
from .refusing import NoRoute
from .routes import Route

__all__ = ["Destination", "NoRoute", "of"]

#: Hours for which what was found counts, where the network gateway says nothing else.
DEFAULT_HOURS = 24


@dataclass(frozen=True, slots=True)
class Destination:
    """A gateway that sends, and the format that the receiver takes by it."""

    gateway: Gateway
    format: str
    participant: Participant | None = None
    """Where the receiver was found, which the document must say; None leaves that to the settings"""

    def addressed(self, settings: Settings) -> Settings:
        """The settings by which the document names the address that it goes to (BT-49)."""
        if self.participant is None:
            return settings
        return replace(settings, customer=replace(settings.customer, endpoint=self.participant))


def of(rule: ExportRule, gateway: Gateway, document_type: DocumentType = DocumentType.INVOICE) -> Destination:
    """The destination of a rule's documents now. No transaction may be open.

    Raises ``NoRoute``, and ``ServiceError`` where nobody can be asked at the moment.
    """
    transport = registry().get(gateway.kind)
    if transport is None or transport.sends:
        return Destination(gateway, rule.format)
    with transaction() as session:
        adaptor = session.get_one(Adaptor, rule.adaptor_id, populate_existing=True)
        scene = checking.scene(adaptor, gathering.customers(adaptor.id, [rule.customer_id]), gateway)
    max_age = timedelta(hours=int(gateway.config.get("max_age_hours") or DEFAULT_HOURS))
    examined = checking.examine(scene, max_age)
    before, decision = _kept(rule, scene, examined[0], max_age)
    if decision.state is MatchState.ERROR:
        raise ServiceError(_unanswered(decision))
    route = _route(scene, decision, before, document_type)
    with transaction() as session:
        found = session.get_one(Gateway, route.gateway_id, populate_existing=True)
        # Read later, it would open a transaction while the source is asked.
        session.expunge(found)
    return Destination(found, route.format, route.participant)


def _kept(rule: ExportRule, scene: Scene, examined: Examined, max_age: timedelta) -> tuple[Before, Decision]:
    """What was known, and what is now; written down where that says something new."""
    with transaction():
        match = gathering.matches([rule.customer_id]).get(rule.customer_id)
        before = gathering.before(match)
        decision = examined.decide(scene, before)
        is_young = match is not None and match.checked_at is not None and match.checked_at > utcnow() - max_age
        if is_young and match is not None and match.state is decision.state and _same(match.routes, decision.routes):
            return before, decision
    with transaction():
        checking.keep(rules.held(rule.adaptor_id), scene, [examined])
    return before, decision


def _same(stored: Sequence[Any], found: Sequence[Route]) -> bool:
    return [Route.from_dict(one) for one in stored] == list(found)


def _unanswered(decision: Decision) -> Text:
    told = next((one.text for one in decision.remarks if one.rule == "IA-NETWORK-UNANSWERED"), None)
    return told or Text("Registrene kan ikke spørges lige nu.", "The registers cannot be asked at the moment.")


def _route(scene: Scene, decision: Decision, before: Before, document_type: DocumentType) -> Route:
    """The route that is taken without asking anybody. Raises ``NoRoute``."""
    facts, kept = scene.facts[0], (before.pinned or {}).get("gateway_id")
    # A person who has pinned a way has chosen its gateway, too.
    reached = [routes.with_ways(route, scene.ways, kept) for route in decision.routes if route.network is not None]
    agreed = _agreed(facts, decision, before, reached)
    if not agreed:
        raise NoRoute(_why_none(facts, decision, before, reached))
    taking = [route for route in agreed if document_type.value in route.document_types]
    if not taking:
        raise NoRoute(refusing.takes_not(agreed[0], document_type))
    usable = [route for route in taking if route.gateway_id is not None]
    if not usable:
        raise NoRoute(refusing.no_gateway(taking[0]))
    return usable[0]


def _agreed(facts: Facts, decision: Decision, before: Before, reached: Sequence[Route]) -> list[Route]:
    """The routes to an address that a person, or the books, have named: no other is taken by itself."""
    pinned, accepted = _by_network(before.pinned), _still_named(facts, _by_network(before.accepted))
    if pinned is not None:
        return [route for route in reached if routes.same(route, before.pinned)]
    if facts.own_address is not None:
        return [route for route in reached if route.participant == facts.own_address]
    if accepted is not None:
        there = [route for route in reached if route.participant == accepted.participant]
        return sorted(there, key=lambda route: route.kind is not accepted.kind)
    if decision.state is MatchState.SEVERAL:
        return []
    return [route for route in reached if deciding.is_own(facts, route)]


def _by_network(stored: Any) -> Route | None:
    route = Route.from_dict(stored) if stored else None
    return route if route is not None and route.network is not None else None


def _still_named(facts: Facts, accepted: Route | None) -> Route | None:
    """What was accepted, unless the books or the settings have named another address since: then that consent has ended."""
    named = {one.participant for one in candidates(facts)}
    return accepted if accepted is not None and accepted.participant in named else None


def _why_none(facts: Facts, decision: Decision, before: Before, reached: Sequence[Route]) -> Finding:
    pinned, accepted = _by_network(before.pinned), _still_named(facts, _by_network(before.accepted))
    if pinned is not None and pinned.participant is not None:
        return refusing.vanished(pinned.participant)
    if facts.own_address is not None:
        return refusing.unregistered(facts.own_address)
    if accepted is not None and accepted.participant is not None:
        return refusing.vanished(accepted.participant)
    if decision.state is MatchState.SEVERAL:
        return refusing.several()
    return refusing.unconfirmed(reached[0]) if reached else refusing.not_found(facts.name)
