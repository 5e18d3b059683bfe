"""What a person makes of the matches: accept, choose another way or address, pin, dismiss.

A route by a network makes the network gateway the customer's gateway: ``destination.of`` finds the gateway and the format
anew for each document. Any other route names its own gateway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.models import Adaptor, Customer, ExportRule, Gateway, Match, MatchState, db, utcnow
from invoiceapp.services.configuration import changes, environments, preflight, rules, saving
from invoiceapp.services.configuration.rules import Outcome
from invoiceapp.services.configuration.settings import Place, applied
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError

from . import checking, gathering, routes
from .candidates import Facts, candidates
from .routes import Route, RouteKind
from .ways import Way

#: Whose proposal nobody can accept for many at once: the state says why.
_OPEN = (MatchState.SEVERAL, MatchState.ERROR, MatchState.VANISHED, MatchState.NOT_FOUND, MatchState.UNCHECKED)
_NO_GATEWAY = Text(
    "Der er ingen netværksgateway, som adaptoren kan bruge. Opret den under Gateways.",
    "There is no network gateway that the adaptor can use. Make it under Gateways.",
)
_GONE = Text(
    "Vejen findes ikke mere. Se siden igen: den viser, hvad der gælder nu.",
    "That way is gone. Look at the page again: it shows what holds now.",
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What accepting would do, for the person who is about to."""

    ready: int = 0
    """Get the proposed format and gateway"""
    by_format: tuple[tuple[str, str, int], ...] = ()
    """Of them: (kind of route, format id, how many), the most first"""
    readdressed: int = 0
    """Of them: get another electronic address than the books name, as a setting of theirs"""
    unsure: int = 0
    """Of them: confidence below ``UNSURE``"""
    no_gateway: int = 0
    """Can be reached, and no gateway of the subscription goes there"""
    undecided: int = 0
    """A person must choose the address first"""
    not_found: int = 0
    """Nobody is registered, or it is not known"""

    @property
    def left_out(self) -> int:
        """Customers that stay as they are."""
        return self.no_gateway + self.undecided + self.not_found


@dataclass(frozen=True, slots=True)
class Accepted:
    """What accepting did."""

    outcome: Outcome
    """As of every bulk activation"""
    readdressed: int = 0
    left_out: int = 0


#: A confidence that a person should look at.
UNSURE = 70


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one customer gets."""

    match: Match
    customer: Customer
    facts: Facts
    route: Route
    gateway_id: str

    @property
    def settings(self) -> dict[Place, Any]:
        """Settings of its own that the route needs: what the document says must be where it goes."""
        if self.route.network is not None:
            known = candidates(self.facts)
            address = self.route.participant
            if address is None or (known and known[0].participant == address):
                return {}
            return {("customer", "endpoint"): {"scheme": address.scheme, "value": address.value}}
        if self.route.email and self.route.email != self.facts.email:
            return {("gateway", "receiverEmail"): self.route.email}
        return {}


def proposal(match: Match, ways: Sequence[Way]) -> Route | None:
    """The route that ``accept`` would take for one customer; None where it cannot be accepted with others.

    ``ways``: those of the adaptor now (``gathering.ways``).
    """
    if not match.routes:
        return None
    (route,) = routes.today(match.routes[:1], match.pinned, ways)
    if match.pinned is not None:
        return route if routes.same(route, match.pinned) else None
    # Who takes invoices in this installation has said so itself: each of them is a person's own choice.
    is_registered = route.is_found and route.kind is not RouteKind.LOCAL
    return route if is_registered and match.state not in _OPEN else None


def summary(adaptor_id: str, customer_ids: Sequence[str]) -> Summary:
    """What ``accept`` would do with these customers. Raises ``ServiceError``."""
    rules.within_reach(customer_ids)
    adaptor = db.session.get_one(Adaptor, adaptor_id)
    ways = gathering.ways(adaptor)
    plans = _plans(adaptor, customer_ids, ways)
    taken = {plan.customer.id for plan in plans}
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for plan in plans:
        counted[plan.route.kind.value, plan.route.format] += 1
    rest = [match for one, match in _matches(adaptor_id, customer_ids).items() if one not in taken]
    no_gateway = sum(proposal(match, ways) is not None for match in rest)
    undecided = sum(match.state is MatchState.SEVERAL for match in rest)
    by_format = sorted(((*key, count) for key, count in counted.items()), key=lambda row: (-row[2], row))
    return Summary(
        len(plans), tuple(by_format), sum(bool(plan.settings) for plan in plans),
        sum(plan.route.confidence < UNSURE for plan in plans), no_gateway, undecided,
        len(set(customer_ids)) - len(plans) - no_gateway - undecided,
    )  # fmt: skip


def accept(
    adaptor_id: str, customer_ids: Sequence[str], actor: str, *, seen_at: datetime | None = None
) -> Accepted:  # fmt: skip
    """Activate customers with what was found for each; those without a proposal stay as they are.

    ``seen_at``: when the page was made; who was found by another way since is left out. All or nothing. Raises
    ``ServiceError``.
    """
    rules.within_reach(customer_ids)
    with transaction():
        adaptor = rules.held(adaptor_id)
        rules.require_working(adaptor)
        plans = _plans(adaptor, customer_ids, gathering.ways(adaptor))
        plans = [plan for plan in plans if not _is_newer(plan.match, seen_at)]
        outcome = _activate(adaptor, plans, actor)
        readdressed = sum(bool(plan.settings) for plan in plans)
        ids = [plan.customer.id for plan in plans]
    return Accepted(_settled(adaptor_id, outcome, ids, actor), readdressed, len(set(customer_ids)) - len(ids))


def _is_newer(match: Match, seen_at: datetime | None) -> bool:
    return seen_at is not None and (match.changed_at or match.created_at) > seen_at


def take(customer_id: str, key: str, actor: str, *, pin: bool = False) -> None:
    """Activate one customer by the route that a person chose (``route_key``), the e-mail too.

    ``pin`` keeps it, whatever better ways appear later. Raises ``Conflict`` where the route is gone, ``ServiceError``.
    """
    with transaction():
        adaptor, customer, match = _held(customer_id)
        rules.require_working(adaptor)
        known = routes.today(match.routes, match.pinned, gathering.ways(adaptor))
        route = next((one for one in known if route_key(one) == key), None)
        if route is None:
            raise Conflict(_GONE)
        plan = _planned(adaptor, match, customer, route, gathering.network_gateway(adaptor))
        if plan is None:
            raise ServiceError(route.obstacle or _NO_GATEWAY)
        match.pinned = route.to_dict() if pin else None
        outcome = _activate(adaptor, [plan], actor)
    _settled(adaptor.id, outcome, [customer_id], actor)


def route_key(route: Route) -> str:
    """Names a route in a form."""
    return "|".join(route.key)


def unpin(customer_id: str) -> None:
    """Let the route follow what is found again; what was accepted stays until then. Raises ``ServiceError``."""
    with transaction():
        _, _, match = _held(customer_id)
        match.pinned = None
    checking.again(customer_id)


def dismiss(adaptor_id: str, customer_ids: Sequence[str]) -> int:
    """Take customers off the list of what is new; how many were on it. They come back when something else is found."""
    rules.within_reach(customer_ids)
    with transaction():
        rules.held(adaptor_id)
        rows = [match for match in _matches(adaptor_id, customer_ids).values() if match.is_new]
        for match in rows:
            match.is_new = False
    return len(rows)


def choose(customer_id: str, participant: Participant, actor: str) -> None:
    """Say which address is the customer's, where several fit or another is better, and look it up again.

    It becomes the customer's own electronic address, with a line in its history. Raises ``InvalidInput``, ``ServiceError``.
    """
    customer = db.session.get_one(Customer, customer_id)
    network = gathering.network_gateway(db.session.get_one(Adaptor, customer.adaptor_id))
    if network is None:
        raise ServiceError(_NO_GATEWAY)
    raw = {"customer.endpoint": str(participant)}
    if db.session.scalar(select(ExportRule.id).where(ExportRule.customer_id == customer_id)) is None:
        raw["gateway"] = network.id
    db.session.rollback()
    saving.save_overrides(customer_id, raw, actor=actor)
    checking.again(customer_id)


# --- inside a transaction -------------------------------------------------------------------------------------------


def _held(customer_id: str) -> tuple[Adaptor, Customer, Match]:
    """One customer with its match, the adaptor locked. Raises ``AdaptorDeleted``, ``Conflict``."""
    customer = db.session.get_one(Customer, customer_id, populate_existing=True)
    adaptor = rules.held(customer.adaptor_id)
    environments.require_kept(adaptor)
    match = gathering.matches([customer_id]).get(customer_id)
    if match is None:
        raise Conflict(_GONE)
    return adaptor, customer, match


def _matches(adaptor_id: str, customer_ids: Sequence[str]) -> dict[str, Match]:
    found = [gathering.matches(piece) for piece in rules.chunks(list(dict.fromkeys(customer_ids)))]
    return {one: match for rows in found for one, match in rows.items() if match.adaptor_id == adaptor_id}


def _plans(adaptor: Adaptor, customer_ids: Sequence[str], ways: Sequence[Way]) -> list[_Plan]:
    network = gathering.network_gateway(adaptor)
    matches = _matches(adaptor.id, customer_ids)
    plans = []
    for piece in rules.chunks(sorted(matches)):
        for customer in gathering.customers(adaptor.id, piece):
            match = matches[customer.id]
            route = proposal(match, ways)
            plan = _planned(adaptor, match, customer, route, network) if route else None
            if plan is not None:
                plans.append(plan)
    return plans


def _planned(
    adaptor: Adaptor, match: Match, customer: Customer, route: Route, network: Gateway | None
) -> _Plan | None:  # fmt: skip
    """None where no gateway goes there."""
    if route.gateway_id is None or (route.network is not None and network is None):
        return None
    gateway_id = network.id if route.network is not None and network is not None else route.gateway_id
    if rules.pair_errors(adaptor, route.format, gateway_id):
        return None
    return _Plan(match, customer, gathering.facts(adaptor, customer), route, gateway_id)


def _activate(adaptor: Adaptor, plans: Sequence[_Plan], actor: str) -> Outcome:
    """Rules, settings, history and matches."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for plan in plans:
        groups[plan.route.format, plan.gateway_id].append(plan.customer.id)
    outcome = Outcome()
    for (format_id, gateway_id), ids in sorted(groups.items()):
        for piece in rules.chunks(ids):
            changes.record_moves(adaptor, piece, format_id, gateway_id, actor)
            outcome += rules.activate_chunk(adaptor, piece, format_id, gateway_id)
    _readdress(adaptor, [plan for plan in plans if plan.settings], actor)
    now = utcnow()
    for plan in plans:
        match = plan.match
        match.accepted, match.accepted_at, match.accepted_by = plan.route.to_dict(), now, actor
        match.is_new = False
        if plan.route.is_found and match.state is not MatchState.ERROR:
            match.state = MatchState.FOUND
    return outcome


def _readdress(adaptor: Adaptor, plans: Sequence[_Plan], actor: str) -> None:
    """The settings that routes need, each with its line in the customer's history."""
    wanted = {plan.customer.id: plan.settings for plan in plans}
    saves = []
    for piece in rules.chunks(sorted(wanted)):
        rows = db.session.scalars(
            select(ExportRule)
            .where(ExportRule.customer_id.in_(piece))
            .order_by(ExportRule.id)
            .execution_options(populate_existing=True)
        )
        for rule in rows:
            before = changes.of_rule(rule)
            rule.settings = applied(rule.settings, wanted[rule.customer_id])
            saves.append((rule.customer_id, before, changes.of_rule(rule)))
    db.session.flush()
    changes.record_many(adaptor, actor, saves)


def _settled(adaptor_id: str, outcome: Outcome, ids: Sequence[str], actor: str) -> Outcome:
    """What waits for the customers obeys, and they are checked again."""
    if not ids:
        return outcome
    settled = rules.settled(outcome, ids, actor)
    preflight.refresh(adaptor_id, actor)
    checking.try_again(ids)
    return settled
