"""Looking customers up and keeping what was found."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Document, Gateway, Match, MatchState, cut, db, utcnow
from invoiceapp.services.configuration import environments, releasing, rules
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError

from . import asking, gathering, lookups, providers, receivers, routes
from .asking import Answers
from .candidates import Facts, candidates
from .deciding import Before, Decision, decide
from .lookups import Known, Outcome, Place
from .routes import Listed
from .ways import Way

#: A person who asks wants to know what holds now, and may have pressed the button twice.
BY_HAND = timedelta(minutes=2)
NO_NETWORK = Text(
    "Der er ingen netværksgateway, som adaptoren kan slå kunder op med. Opret den under Gateways.",
    "There is no network gateway by which the adaptor can look customers up. Make it under Gateways.",
)
#: Seconds after which no further question is begun: registers that hang leave their customers unanswered, not the job.
PATIENCE = 90.0
_NO_TIME = Known(
    Outcome.COULD_NOT_ASK, text=Text("Registrene svarer for langsomt.", "The registers answer too slowly.")
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a look-up of some customers depends on, read in one short transaction."""

    place: Place
    ways: Sequence[Way]
    listed: Mapping[str, Listed]
    facts: Sequence[Facts]

    def listed_for(self, one: Facts) -> list[Listed]:
        """The receivers of this installation that have one of the customer's addresses."""
        found = (self.listed.get(str(candidate.participant)) for candidate in candidates(one))
        return [receiver for receiver in dict.fromkeys(found) if receiver is not None]


@dataclass(frozen=True, slots=True)
class Examined:
    """One customer and what the registers said about it."""

    facts: Facts
    answers: Answers

    def decide(self, scene: Scene, before: Before) -> Decision:
        """What that means beside what was known."""
        return decide(self.facts, self.answers, scene.ways, before, scene.listed_for(self.facts))


def scene(adaptor: Adaptor, customers: Sequence[Customer], network: Gateway | None = None) -> Scene:
    """For some customers of an adaptor, by its network gateway. Inside a transaction. Raises ``ServiceError``."""
    environments.require_kept(adaptor)
    network = network or gathering.network_gateway(adaptor)
    if network is None:
        raise ServiceError(NO_NETWORK)
    facts = [gathering.facts(adaptor, customer) for customer in customers]
    return Scene(lookups.place_at(network), gathering.ways(adaptor), receivers.listed(adaptor.subscription_id), facts)


def examine(found: Scene, max_age: timedelta) -> list[Examined]:
    """Ask the registers about all of them, side by side. No transaction may be open; raises nothing for a register."""
    mine: dict[str, set[lookups.Question]] = {one.customer_id: set() for one in found.facts}

    def follow(known: Answers) -> Iterator[lookups.Question]:
        for one in found.facts:
            mine[one.customer_id].update(_next(found, Examined(one, _of(mine[one.customer_id], known))))
            yield from mine[one.customer_id]

    known = lookups.ask_on(found.place, follow, max_age=max_age, until=time.monotonic() + PATIENCE)
    return [Examined(one, _complete(one, _of(mine[one.customer_id], known))) for one in found.facts]


def _of(questions: Collection[lookups.Question], known: Answers) -> Answers:
    return {question: known[question] for question in questions if question in known}


def _next(found: Scene, one: Examined) -> list[lookups.Question]:
    """What leads to the routes, and at last the signed registration of the first: whether it still holds is told before a
    document leaves.
    """
    wanted = asking.questions(one.facts, one.answers)
    first = None if wanted else _first_registration(found, one)
    return wanted if first is None else [first]


def _first_registration(found: Scene, one: Examined) -> lookups.Question | None:
    routed = routes.find(one.facts, one.answers, found.ways)
    first = next((route for route in routed if route.network in found.place.settings.anchors), None)
    return first.registration if first is not None else None


def _complete(facts: Facts, answers: Answers) -> Answers:
    """What there was no time to ask is no "no"."""
    return {**answers, **dict.fromkeys(asking.questions(facts, answers), _NO_TIME)}


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeping a decision changed."""

    customer_id: str
    state: MatchState
    is_change: bool
    """Another answer than the one before"""
    is_first: bool
    opens: bool
    """The customer could not be reached before and can be now"""


def keep(adaptor: Adaptor, found: Scene, examined: Sequence[Examined]) -> list[Kept]:
    """Write the matches. In the caller's transaction, with ``rules.held``: what a person chose meanwhile counts."""
    matches = gathering.matches([one.facts.customer_id for one in examined])
    return [_keep(adaptor, matches.get(one.facts.customer_id), one, found) for one in examined]


def _keep(adaptor: Adaptor, match: Match | None, one: Examined, found: Scene) -> Kept:
    before = gathering.before(match)
    decision = one.decide(found, before)
    if match is None:
        match = Match(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=one.facts.customer_id, routes=[],
            remarks=[], state=MatchState.UNCHECKED, is_new=False, confidence=0,
        )  # fmt: skip
        db.session.add(match)
    is_first = before.state is MatchState.UNCHECKED
    old = _first_key(match.routes)
    write(match, decision)
    is_other = decision.is_known and (
        _first_key(match.routes) != old or (match.state is not before.state and before.state is not MatchState.ERROR)
    )
    is_change = is_other and not is_first
    if is_change:
        match.changed_at = utcnow()
    if is_other:
        match.is_new = match.state is not MatchState.NOT_FOUND
    could = before.state in (MatchState.FOUND, MatchState.CHANGED)
    opens = not could and match.state in (MatchState.FOUND, MatchState.CHANGED)
    return Kept(one.facts.customer_id, match.state, is_change, is_first, opens)


def _first_key(stored: Sequence[Mapping[str, object]]) -> tuple[object, ...] | None:
    """Of the first route by which somebody is registered."""
    first = next((one for one in stored if one["participant"]), None)
    return (first["kind"], first["participant"], first["format"]) if first else None


def write(match: Match, decision: Decision) -> None:
    """A decision into its row; where nobody could be asked, what was known before stays."""
    match.state = decision.state
    match.remarks = [finding.to_dict() for finding in decision.remarks]
    if not decision.is_known:
        match.routes = match.routes or [route.to_dict() for route in decision.routes]
        return
    match.checked_at = utcnow()
    match.routes = [route.to_dict() for route in decision.routes]
    first = next((route for route in decision.routes if route.is_found), None)
    if decision.state is MatchState.VANISHED:
        # Who it was stays readable.
        match.confidence = 0
        return
    if first is None or decision.state is MatchState.SEVERAL:
        match.participant = match.registered_name = None
        match.confidence = 0
        return
    match.participant = cut(str(first.participant), 100)
    match.registered_name, match.confidence = cut(first.registered_name, 500), first.confidence


def again(customer_id: str, max_age: timedelta = BY_HAND) -> MatchState:
    """Look one customer up and keep it, and what its provider says; what waits for a way is tried again. No transaction may be open. Raises ``ServiceError``."""
    with transaction():
        customer = db.session.get_one(Customer, customer_id, populate_existing=True)
        adaptor = db.session.get_one(Adaptor, customer.adaptor_id, populate_existing=True)
        adaptor_id, found = adaptor.id, scene(adaptor, gathering.customers(adaptor.id, [customer_id]))
    examined = examine(found, max_age)
    with transaction():
        kept = keep(rules.held(adaptor_id), found, examined)
    release(adaptor_id, kept)
    providers.ask(customer_id)
    return kept[0].state


def release(adaptor_id: str, kept: Sequence[Kept]) -> None:
    """Try again what was blocked because no way was known."""
    opened = [one.customer_id for one in kept if one.opens]
    if not opened:
        return
    with transaction() as session:
        network = gathering.network_gateway(session.get_one(Adaptor, adaptor_id))
        waiting = gathering.with_gateway(opened, network.id) if network else []
    try_again(waiting)


def try_again(customer_ids: Sequence[str]) -> None:
    """Convert what is blocked of these customers anew: a way is known now. No transaction may be open."""
    for piece in rules.chunks(customer_ids):
        releasing.let_go(Document.customer_id.in_(piece))
