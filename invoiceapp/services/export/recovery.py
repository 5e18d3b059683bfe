"""After a crash: expired leases go back, each to the state that tells the truth."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select

from invoiceapp.domain.delivery import DeliveryState, Mover, after_crash_in_sending, next_retry
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import registry
from invoiceapp.models import Delivery, Gateway, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, move
from invoiceapp.services.errors import ServiceError, text_dict

from . import events
from .outcomes import first_question

log = logging.getLogger(__name__)

S = DeliveryState
_BATCH = 200

_CRASHED = Text(
    "Serveren stoppede, mens dokumentet blev sendt, og modtagerens svar nåede ikke frem. Vi ved ikke, om det er modtaget.",
    "The server stopped while the document was being sent, and the receiver's answer did not arrive. We do not know whether "
    "it was received.",
)
_NO_RECEIPT = Text(
    "Modtageren tog imod dokumentet, men den kvittering, der skulle følge, er ikke kommet til tiden. Vi ved ikke, om det er læst. "
    "Spørg modtageren, før du sender igen.",
    "The receiver took the document, but the receipt that should follow has not come in time. We do not know whether it was "
    "read. Ask the receiver before you send again.",
)


def _expired(state: DeliveryState, now: datetime, *further: ColumnElement[bool]) -> list[Lease]:
    rows = db.session.execute(
        select(Delivery.id, Delivery.gateway_id, Delivery.fence)
        .where(Delivery.state == state, Delivery.next_at < now, *further)
        .order_by(Delivery.id)
        .limit(_BATCH)
    )
    return [Lease(*row) for row in rows]


def reap(now: datetime | None = None) -> int:
    """Return what was leased, and resolve what was being sent by its transport's ``replay``; how many moved."""
    now = now or utcnow()
    with transaction():
        leased, sending = _expired(S.LEASED, now), _expired(S.SENDING, now)
    return sum(_return(lease) for lease in leased) + sum(_resolve(lease) for lease in sending)


def _return(lease: Lease) -> bool:
    """Nothing had been sent: always safe."""
    try:
        with transaction():
            move(lease, S.LEASED, S.PENDING, Mover.REAPER, next_at=utcnow(), lease_owner=None, fence=Delivery.fence + 1)
    except LeaseLost:
        return False
    return True


def _resolve(lease: Lease) -> bool:
    """Died between first byte and answer: repeat with the same ids where that is safe, else say so."""
    with transaction():
        gateway = db.session.get_one(Gateway, lease.gateway_id)
        tries = db.session.get_one(Delivery, lease.delivery_id).tries
    question: datetime | None = None
    try:
        with gateways.open_transport(gateway) as transport:
            new, question = after_crash_in_sending(transport.replay), first_question(transport.replay)
    except ServiceError:
        new = S.OUTCOME_UNKNOWN
    # At once after a first crash; a document that kills its worker every time must not do so for ever.
    delay = 0 if tries <= 1 else next_retry(tries, chance=0.5).delay
    if delay is None:
        new = S.OUTCOME_UNKNOWN
    next_at = utcnow() + timedelta(seconds=delay or 0) if new is S.PENDING else question
    error = None if new is S.PENDING else text_dict(_CRASHED, **{"class": "Unknown"})
    try:
        with transaction() as session:
            move(
                lease, S.SENDING, new, Mover.REAPER,
                next_at=next_at, lease_owner=None, error=error, fence=Delivery.fence + 1,
            )  # fmt: skip
            delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
            events.of_delivery("recovered", delivery, state=new.value)
    except LeaseLost:
        return False
    log.warning("delivery %s was being sent when its worker died; now %s", lease.delivery_id, new)
    return True


def expire_receipts(now: datetime | None = None) -> int:
    """Say of deliveries whose later receipt is overdue that nobody knows what became of them; how many.

    Asked about or sent again at once by ``probing`` where the transport can do that without harm.
    """
    with transaction():
        overdue = _expired(S.ACCEPTED, now or utcnow(), _is_looked_for())
    return sum(_miss_receipt(lease) for lease in overdue)


def _is_looked_for() -> ColumnElement[bool]:
    """Nothing is missed where nobody looks or asks: what a paused gateway would have to."""
    looking = [kind for kind, transport in registry().items() if transport.fetches or transport.polls]
    idle = select(Gateway.id).where(Gateway.kind.in_(looking), Gateway.paused_at.is_not(None))
    return Delivery.gateway_id.not_in(idle)


def _miss_receipt(lease: Lease) -> bool:
    try:
        with transaction() as session:
            move(
                lease, S.ACCEPTED, S.OUTCOME_UNKNOWN, Mover.REAPER,
                next_at=utcnow(), error=text_dict(_NO_RECEIPT, **{"class": "Unknown"}), fence=Delivery.fence + 1,
                finished_at=None,
            )  # fmt: skip
            delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
            events.of_delivery("receipt_missing", delivery, **text_dict(_NO_RECEIPT))
    except LeaseLost:
        return False
    return True
