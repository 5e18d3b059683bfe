"""When partners are asked what became of a delivery (``Transport.status``), and who asks: one worker at a time.

A question is claimed by ``lease_owner`` together with a ``poll_at`` in the future, until which the answer must be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.gateways.base import registry
from invoiceapp.models import Delivery, Gateway, db, utcnow
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.delivery.moves import owner
from invoiceapp.services.export import breaker

S = DeliveryState

#: Seconds before question 2, 3, …, the last one repeated; the first is asked ``outcomes.FIRST_POLL`` after acceptance.
PLAN = (60, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600)
#: Once it has arrived only the buyer has something to say.
DAILY = timedelta(days=1)
#: How long after the last change of its state a delivery is asked about.
PATIENCE = timedelta(days=30)
#: More than the status and the responses of one delivery may take (``Transport.DEADLINE`` each).
LEASE = timedelta(seconds=300)

#: Deliveries about which a partner may still have something to say.
OPEN = (S.ACCEPTED, S.OUTCOME_UNKNOWN, S.DELIVERED, S.ACKNOWLEDGED)
#: And those whose no came without its reason, which is fetched once.
ASKED = (*OPEN, S.REJECTED)
_ARRIVED = (S.DELIVERED, S.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class Question:
    """A delivery to ask about."""

    delivery_id: str
    gateway_id: str
    polls: int
    """How often it was asked before"""


def due(limit: int) -> list[Question]:
    """What is to be asked now, the longest due first. Inside the caller's transaction."""
    kinds = [kind for kind, transport in registry().items() if transport.polls]
    rows = db.session.execute(
        select(Delivery.id, Delivery.gateway_id, Delivery.polls)
        .join(Gateway, Gateway.id == Delivery.gateway_id)
        .where(
            Delivery.poll_at <= utcnow(), Delivery.state.in_(ASKED), Delivery.remote_ref.is_not(None),
            Gateway.kind.in_(kinds), Gateway.paused_at.is_(None), breaker.may_try(),
        )
        .order_by(Delivery.poll_at, Delivery.id)
        .limit(limit)
    )  # fmt: skip
    return [Question(*row) for row in rows]


def claim(question: Question) -> bool:
    """Whether it is ours to ask; False where somebody was quicker, or nothing is to be asked any more."""
    due_still = Delivery.poll_at <= utcnow()
    return _change(
        question.delivery_id, due_still, Delivery.state.in_(ASKED), Delivery.polls == question.polls,
        values={"poll_at": utcnow() + LEASE, "polls": question.polls + 1, "lease_owner": owner()},
    )  # fmt: skip


def postpone(question: Question, pause: timedelta) -> None:
    """Unclaimed: nobody could be asked at the moment."""
    _change(question.delivery_id, Delivery.polls == question.polls, values={"poll_at": utcnow() + pause})


def settle(question: Question, at_least: float = 0) -> None:
    """End a claim and set the time of the next question by the plan, ``at_least`` so many seconds from now."""
    with transaction():
        delivery = db.session.get_one(Delivery, question.delivery_id, populate_existing=True)
        pause = _pause(delivery)
        next_at = None if pause is None else utcnow() + max(pause, timedelta(seconds=at_least))
    _change(
        question.delivery_id, Delivery.polls == question.polls + 1, Delivery.state.in_(ASKED),
        values={"poll_at": next_at, "lease_owner": None},
    )  # fmt: skip


def _pause(delivery: Delivery) -> timedelta | None:
    """None where nothing more is to be expected."""
    if delivery.state is S.REJECTED:
        return None
    since = delivery.finished_at or delivery.first_sent_at or delivery.created_at
    if utcnow() - since > PATIENCE:
        return None
    if delivery.state in _ARRIVED:
        return DAILY
    return timedelta(seconds=PLAN[min(delivery.polls, len(PLAN)) - 1])


def ask_now(delivery_id: str) -> bool:
    """Bring the next question forward, inside the caller's transaction; False while it is being asked.

    True, too, where nothing can be asked about it any more.
    """
    row: Any = db.session.execute(
        select(Delivery.state, Delivery.lease_owner, Delivery.poll_at).where(Delivery.id == delivery_id)
    ).one()
    if row.state not in ASKED:
        return True
    if row.lease_owner is not None and row.poll_at is not None and row.poll_at > utcnow():
        return False
    db.session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state.in_(ASKED), _is_unclaimed())
        .values(poll_at=utcnow(), updated_at=Delivery.updated_at)
        .execution_options(synchronize_session=False)
    )
    return True


def _is_unclaimed() -> ColumnElement[bool]:
    return or_(Delivery.lease_owner.is_(None), Delivery.poll_at.is_(None), Delivery.poll_at <= utcnow())


def _change(delivery_id: str, *which: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
    with transaction():
        result = db.session.execute(
            update(Delivery)
            .where(Delivery.id == delivery_id, *which)
            # A question changes nothing that people would look at as a change.
            .values(updated_at=Delivery.updated_at, **values)
            .execution_options(synchronize_session=False)
        )
        return changed(result)
