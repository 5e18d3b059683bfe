"""Send again all that failed at one gateway since a moment: nothing of it ever arrived, so it goes with the same ids."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select, true

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.models import Delivery, Document, Gateway, Stage, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, lock_documents, move

from . import events

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


def count(gateway_id: str, since: datetime, adaptor_ids: Collection[str] | None = None) -> Failed:
    """What ended since then, of these adaptors; None: of all."""
    of_it = select(func.count()).select_from(Delivery).where(*_conditions(gateway_id, adaptor_ids))
    failed = of_it.where(Delivery.state == S.FAILED, Delivery.finished_at >= since)
    unclear = of_it.where(Delivery.state == S.OUTCOME_UNKNOWN, Delivery.updated_at >= since)
    return Failed(db.session.scalar(failed) or 0, db.session.scalar(unclear) or 0)


def _conditions(gateway_id: str, adaptor_ids: Collection[str] | None) -> list[ColumnElement[bool]]:
    mine = true() if adaptor_ids is None else Delivery.adaptor_id.in_(adaptor_ids)
    return [Delivery.gateway_id == gateway_id, mine, _not_handled()]


def _not_handled() -> ColumnElement[bool]:
    """What a person takes care of outside is not sent from here."""
    return ~exists().where(Document.id == Delivery.document_id, Document.stage == Stage.HANDLED)


def resend(gateway_id: str, since: datetime, actor: str, adaptor_ids: Collection[str] | None = None) -> int:
    """Make them due, of these adaptors (None: of all); how many. May be done twice: what is on its way again is left alone."""
    moved, after = 0, ""
    while True:
        with transaction() as session:
            rows = session.execute(
                select(Delivery.id, Delivery.fence)
                .where(
                    *_conditions(gateway_id, adaptor_ids),
                    Delivery.state == S.FAILED,
                    Delivery.finished_at >= since,
                    Delivery.id > after,
                )
                .order_by(Delivery.id)
                .limit(SLICE)
            ).all()
            lock_documents([row.id for row in rows])
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
