"""Deliveries of test adaptors whose gateway has become a live one: stopped, with words."""

from __future__ import annotations

from sqlalchemy import not_, select

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.findings import Finding
from invoiceapp.models import Adaptor, Delivery, Gateway
from invoiceapp.services.configuration.environments import not_allowed
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, move

from . import events, standing

S = DeliveryState
_BATCH = 200


def block_out_of_reach() -> int:
    """Stop what may not be sent; how many.

    Only what has never left: anything else keeps waiting as it is, because its receiver may have it.
    """
    with transaction() as session:
        rows = session.execute(
            select(Delivery.id, Delivery.gateway_id, Delivery.fence, Gateway.name)
            .join(Gateway, Gateway.id == Delivery.gateway_id)
            .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
            .where(Delivery.state == S.PENDING, Delivery.first_sent_at.is_(None), not_(standing.within_reach()))
            .order_by(Delivery.id)
            .limit(_BATCH)
        ).all()
    return sum(_block(Lease(row.id, row.gateway_id, row.fence), not_allowed(row.name)) for row in rows)


def _block(lease: Lease, finding: Finding) -> bool:
    """False where the delivery moved on meanwhile."""
    try:
        with transaction() as session:
            move(lease, S.PENDING, S.BLOCKED, Mover.DISPATCHER, next_at=None, fence=Delivery.fence + 1)
            delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
            delivery.findings = [finding.to_dict(), *delivery.findings]
            events.of_delivery("blocked", delivery, rules=[finding.rule])
    except LeaseLost:
        return False
    return True
