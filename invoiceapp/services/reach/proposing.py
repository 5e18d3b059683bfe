"""What waits for a person to say yes: which customers have a proposal, and what accepting means for their documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Customer, Delivery, Document, Gateway, Match, MatchState, Stage, db
from invoiceapp.services.configuration import rules

from . import accepting, gathering
from .routes import Route
from .ways import Way


@dataclass(frozen=True, slots=True)
class Waiting:
    """Proposals that nobody has accepted yet."""

    all: int = 0
    sure: int = 0
    """Of them: confidence from ``accepting.UNSURE`` on"""

    @property
    def unsure(self) -> int:
        """The others: a person should look at each."""
        return self.all - self.sure


@dataclass(frozen=True, slots=True)
class Consequences:
    """What accepting would mean for documents."""

    a_year: int = 0
    """Invoices and credit notes of these customers in the last twelve months"""
    blocked: int = 0
    """Stand still now, and are tried again at once"""
    older: int = 0
    """Were read before, and are sent only by a manual export"""


def _waits() -> ColumnElement[bool]:
    is_first = and_(Match.state == MatchState.FOUND, Match.accepted_at.is_(None))
    return and_(Customer.is_archived.is_(False), or_(is_first, Match.state == MatchState.CHANGED))


def waiting(adaptor_id: str) -> Waiting:
    """How many proposals there are."""
    is_sure = case((Match.confidence >= accepting.UNSURE, 1), else_=0)
    query = select(func.count(Match.id), func.coalesce(func.sum(is_sure), 0)).join(
        Customer, Customer.id == Match.customer_id
    )
    found, sure = db.session.execute(query.where(Match.adaptor_id == adaptor_id, _waits())).one()
    return Waiting(found, int(sure))


def ids(adaptor_id: str, *, sure_only: bool = False) -> list[str]:
    """Customers with a proposal that waits."""
    query = select(Customer.id).join(Match, Match.customer_id == Customer.id)
    if sure_only:
        query = query.where(Match.confidence >= accepting.UNSURE)
    return list(db.session.scalars(query.where(Match.adaptor_id == adaptor_id, _waits()).order_by(Customer.id)))


def gateways(customer_ids: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Names of the gateways that the proposals lead to, by kind of route and format."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _customer_id, route, gateway_id in _carried(customer_ids):
        found[route.kind.value, route.format].add(gateway_id)
    rows = db.session.execute(select(Gateway.id, Gateway.name).where(Gateway.id.in_(set().union(*found.values()))))
    names = {gateway_id: name for gateway_id, name in rows}  # noqa: C416 - a Row is no pair to mypy
    return {key: sorted(names[one] for one in ids if one in names) for key, ids in found.items()}


def consequences(adaptor: Adaptor, customer_ids: Sequence[str]) -> Consequences:
    """What would leave. The customers that stay as they are, are not to be among them."""
    a_year = blocked = older = 0
    for piece in rules.chunks(list(customer_ids)):
        a_year += db.session.scalar(select(func.sum(Customer.recent_documents)).where(Customer.id.in_(piece))) or 0
        standing = (
            select(func.count(Delivery.id))
            .join(Document, Document.id == Delivery.document_id)
            .where(
                Document.customer_id.in_(piece),
                Document.stage != Stage.HANDLED,
                Delivery.state == DeliveryState.BLOCKED,
            )
        )
        blocked += db.session.scalar(standing) or 0
        older += rules.waiting(adaptor.id, piece)
    return Consequences(a_year, blocked, older)


def acceptable(customer_ids: Sequence[str]) -> list[str]:
    """Those with a proposal that a gateway carries."""
    return sorted(customer_id for customer_id, _route, _gateway_id in _carried(customer_ids))


def _carried(customer_ids: Sequence[str]) -> Iterator[tuple[str, Route, str]]:
    """Customers with the route that is proposed and the id of the gateway that carries it now."""
    ways: dict[str, list[Way]] = {}
    for piece in rules.chunks(list(customer_ids)):
        for customer_id, match in gathering.matches(piece).items():
            if match.adaptor_id not in ways:
                ways[match.adaptor_id] = gathering.ways(db.session.get_one(Adaptor, match.adaptor_id))
            route = accepting.proposal(match, ways[match.adaptor_id])
            if route is not None and route.gateway_id is not None:
                yield customer_id, route, route.gateway_id
