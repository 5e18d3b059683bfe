"""Send again all that failed at one gateway since a moment: nothing of it ever arrived, so it goes with the same ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.models import Delivery, Gateway, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.database import transaction

from . import events
from .leases import Lease, LeaseLost, move

S = DeliveryState
#: Deliveries that one transaction moves.
SLICE = 200
_LOOK_BACK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Failed:
    """How many there are."""

    failed: int
    """Would be sent again"""
    unclear: int
    """May have arrived: they are left for a person to decide, one by one"""


def usual_start(gateway: Gateway) -> datetime:
    """From when people mostly mean: the last week, and all the time that it has been paused or has not answered."""
    return min(filter(None, (gateway.paused_at, gateway.failing_since, utcnow() - _LOOK_BACK)))


def count(gateway_id: str, since: datetime) -> Failed:
    """What ended since then."""
    of_it = select(func.count()).select_from(Delivery).where(Delivery.gateway_id == gateway_id)
    failed = of_it.where(Delivery.state == S.FAILED, Delivery.finished_at >= since)
    unclear = of_it.where(Delivery.state == S.OUTCOME_UNKNOWN, Delivery.updated_at >= since)
    return Failed(db.session.scalar(failed) or 0, db.session.scalar(unclear) or 0)


def resend(gateway_id: str, since: datetime, actor: str) -> int:
    """Make them due; how many. May be done twice: what is on its way again is left alone."""
    moved, after = 0, ""
    while True:
        with transaction() as session:
            rows = session.execute(
                select(Delivery.id, Delivery.fence)
                .where(
                    Delivery.gateway_id == gateway_id,
                    Delivery.state == S.FAILED,
                    Delivery.finished_at >= since,
                    Delivery.id > after,
                )
                .order_by(Delivery.id)
                .limit(SLICE)
            ).all()
            moved += sum(_moved(Lease(row.id, gateway_id, row.fence), actor) for row in rows)
        if not rows:
            break
        after = rows[-1].id
    if moved:
        bell.ring("deliver")
    return moved


def _moved(lease: Lease, actor: str) -> bool:
    """In the caller's transaction; False where somebody was first."""
    try:
        move(
            lease, S.FAILED, S.PENDING, Mover.PERSON,
            next_at=utcnow(), finished_at=None, tries=0, fence=Delivery.fence + 1,
        )  # fmt: skip
    except LeaseLost:
        return False
    delivery = db.session.get_one(Delivery, lease.delivery_id, populate_existing=True)
    events.of_delivery("tried_again", delivery, actor=actor)
    return True
