"""What a check of one customer means beside what was known before. No database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invoiceapp.domain.findings import Finding
from invoiceapp.models import MatchState

from . import asking, candidates, noticing, routes
from .asking import Answers
from .candidates import Basis, Facts
from .routes import Listed, Route
from .ways import Way

#: A municipality has hundreds of GLNs; who has more than these to choose from looks in the register.
MOST_ROUTES = 60


@dataclass(frozen=True, slots=True)
class Before:
    """What was known of the customer until now."""

    state: MatchState = MatchState.UNCHECKED
    participant: str | None = None
    routes: Sequence[Mapping[str, Any]] = ()
    pinned: Mapping[str, Any] | None = None
    accepted: Mapping[str, Any] | None = None

    @property
    def chosen(self) -> Mapping[str, Any] | None:
        """What a person has decided."""
        return self.pinned or self.accepted


@dataclass(frozen=True, slots=True)
class Decision:
    """What a check found."""

    state: MatchState
    routes: tuple[Route, ...]
    remarks: tuple[Finding, ...]

    @property
    def is_known(self) -> bool:
        """False where nobody could be asked: what was known before stays."""
        return self.state is not MatchState.ERROR


def decide(
    facts: Facts, answers: Answers, gateways: Sequence[Way], before: Before, listed: Sequence[Listed] = ()
) -> Decision:  # fmt: skip
    """The routes now, what they are beside those before, and what a person should know."""
    found = routes.with_pin(routes.find(facts, answers, gateways, listed), before.pinned)
    state = _state(facts, answers, found, before)
    remarks = noticing.remarks(facts, answers, found)
    return Decision(state, tuple(found[:MOST_ROUTES]), tuple(remarks))


def _state(facts: Facts, answers: Answers, found: Sequence[Route], before: Before) -> MatchState:
    reached = [route for route in found if route.is_found]
    if _is_unclear(facts, answers) and not _stands(facts, answers, reached, before):
        return MatchState.ERROR
    if before.chosen is not None:
        return _beside_chosen(reached, before)
    if is_several(facts, reached):
        return MatchState.SEVERAL
    if reached:
        return MatchState.FOUND
    was_there = before.participant is not None or before.state in (MatchState.SEVERAL, MatchState.VANISHED)
    return MatchState.VANISHED if was_there else MatchState.NOT_FOUND


def _beside_chosen(reached: Sequence[Route], before: Before) -> MatchState:
    """A person has chosen: what matters is whether that still stands."""
    chosen = Route.from_dict(before.chosen or {})
    if chosen.is_found and not reached:
        return MatchState.VANISHED
    if before.pinned is not None:
        stands = any(routes.same(route, before.pinned) for route in reached) or not chosen.is_found
        return MatchState.FOUND if stands else MatchState.VANISHED
    if not reached:
        return MatchState.NOT_FOUND
    return MatchState.FOUND if reached[0].key == chosen.key else MatchState.CHANGED


def _stands(facts: Facts, answers: Answers, reached: Sequence[Route], before: Before) -> bool:
    """Whether what was answered is enough although not everybody could be asked: what was known is confirmed."""
    if before.chosen is not None and Route.from_dict(before.chosen).is_found:
        return any(routes.same(route, before.chosen) for route in reached)
    addresses = {str(route.participant) for route in reached}
    if before.participant is not None:
        return before.participant in addresses
    return _is_best_known(facts, answers, addresses)


def _is_best_known(facts: Facts, answers: Answers, addresses: Collection[str]) -> bool:
    """Whether no address that would be preferred to those that are reached is left open."""
    for one in asking.registrations(facts, answers):
        if str(one.candidate.participant) in addresses:
            return True
        if one.is_unclear:
            return False
    return False


def _is_unclear(facts: Facts, answers: Answers) -> bool:
    return any(one.is_unclear for one in asking.registrations(facts, answers))


def is_several(facts: Facts, reached: Sequence[Route]) -> bool:
    """Whether more than one address fits and neither the books nor the user say which.

    A company's GLNs are its departments: an invoice at the wrong one is lost. So its number alone does not decide either.
    """
    if any(route.basis in (Basis.SETTING, Basis.GLN) for route in reached):
        return False
    return len({route.participant for route in reached if route.basis is Basis.COMPANY}) > 1


def is_own(facts: Facts, route: Route) -> bool:
    """Whether it leads to the address that the books or the user name, so that nobody has to agree to it first."""
    known = candidates.candidates(facts)
    return bool(known) and route.basis is known[0].basis
