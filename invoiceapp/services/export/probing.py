"""Unclear deliveries whose partner can be asked: arrived, provably not, or nobody can say.

Where the partner recognises a repetition (``Replay.SAFE``) the same ids are sent again; where it can be asked
(``Replay.PROBE``) it is, several times, before anything is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import func, select, update

from invoiceapp.domain.delivery import NOES, DeliveryState, Mover, Replay, next_question
from invoiceapp.gateways.base import Receipt as WireReceipt
from invoiceapp.gateways.base import Transport, TransportError
from invoiceapp.models import Adaptor, Attempt, Delivery, Document, Event, Gateway, Receipt, Stage, db, utcnow
from invoiceapp.services import bell, stopping
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, move
from invoiceapp.services.errors import ServiceError

from . import archive, breaker, events, standing
from .consignments import consignment_of
from .outcomes import begin_polling, overdue_at, told_by, went_elsewhere

log = logging.getLogger(__name__)

S = DeliveryState
BATCH = 20
#: While one is being asked about, nobody else asks.
_LEASE = timedelta(seconds=300)
ASKED = "asked"
#: Tries after which a receipt that never comes is a person's matter, although a repetition would do no harm.
MOST_REPEATS = 2


def due(limit: int = BATCH) -> list[Lease]:
    """Unclear deliveries to ask about now."""
    rows = db.session.execute(
        select(Delivery.id, Delivery.gateway_id, Delivery.fence)
        .join(Gateway, Gateway.id == Delivery.gateway_id)
        .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
        .join(Document, Document.id == Delivery.document_id)
        .where(
            Delivery.state == S.OUTCOME_UNKNOWN, Delivery.next_at <= utcnow(), Gateway.paused_at.is_(None),
            Document.stage != Stage.HANDLED, breaker.may_try(), standing.working(), standing.within_reach(),
        )
        .order_by(Delivery.next_at, Delivery.id)
        .limit(limit)
    )  # fmt: skip
    return [Lease(*row) for row in rows]


def probe_due() -> int:
    """Ask about one batch; how many there were."""
    with transaction():
        found = due()
    for lease in stopping.until_asked(found):
        claimed = _claim(lease)
        if claimed is None:
            continue
        try:
            _ask(claimed)
        except LeaseLost:
            log.info("delivery %s moved on while its partner was asked", lease.delivery_id)
        except Exception:
            # Asked again when the claim ends; one delivery must not keep the others waiting.
            log.exception("delivery %s: its partner could not be asked", lease.delivery_id)
    return len(found)


def _claim(lease: Lease) -> Lease | None:
    """Ours to ask about, under a new fence; None where somebody was quicker."""
    with transaction() as session:
        result = session.execute(
            update(Delivery)
            .where(
                Delivery.id == lease.delivery_id, Delivery.state == S.OUTCOME_UNKNOWN, Delivery.fence == lease.fence,
                Delivery.next_at <= utcnow(),
            )
            .values(next_at=utcnow() + _LEASE, fence=Delivery.fence + 1)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        return Lease(lease.delivery_id, lease.gateway_id, lease.fence + 1) if changed(result) else None


def _ask(lease: Lease) -> None:
    with transaction():
        asked, noes = _history(lease.delivery_id)
        tries = db.session.get_one(Delivery, lease.delivery_id, populate_existing=True).tries
    try:
        with transaction():
            gateway = db.session.get_one(Gateway, lease.gateway_id, populate_existing=True)
            is_elsewhere = went_elsewhere(lease.delivery_id, standing.opened(gateway).place)
            opened = gateways.open_transport(gateway)
    except ServiceError:
        _note(lease, "no_answer")
        _later(lease, asked + 1)
        return
    with opened as transport:
        if is_elsewhere:
            _leave_to_a_person(lease)
        elif transport.replay is Replay.SAFE and tries <= MOST_REPEATS:
            _send_again(lease, "repeated")
        elif transport.replay is Replay.PROBE:
            _ask_partner(lease, transport, asked + 1, noes)
        else:
            _leave_to_a_person(lease)


def _ask_partner(lease: Lease, transport: Transport, asked: int, noes: int) -> None:
    try:
        found = transport.find(consignment_of(lease.delivery_id))
    except (TransportError, archive.ArchiveUnavailable, ServiceError) as error:
        log.warning("delivery %s: the partner cannot say: %s", lease.delivery_id, error)
        _note(lease, "no_answer")
        _later(lease, asked)
        return
    if found is not None:
        _found(lease, found)
        return
    _note(lease, "no")
    if noes + 1 >= NOES:
        _send_again(lease, "not_arrived")
    else:
        _later(lease, asked)


def _history(delivery_id: str) -> tuple[int, int]:
    """Questions since the last try, and the proven noes among the answers."""
    lines = db.session.scalars(select(Event).where(Event.delivery_id == delivery_id, Event.kind == ASKED)).all()
    answers = answers_since(_last_try(delivery_id), lines)
    return len(answers), answers.count("no")


def answers_since(last: int, lines: Iterable[Event]) -> list[object]:
    """What was answered to each question since the try with that number.

    By the number, not by moments: these come from the clocks of several machines.
    """
    return [line.data.get("answer") for line in lines if line.kind == ASKED and line.data.get("attempt") == last]


def _last_try(delivery_id: str) -> int:
    return db.session.scalar(select(func.max(Attempt.number)).where(Attempt.delivery_id == delivery_id)) or 0


def _note(lease: Lease, answer: str) -> None:
    with transaction() as session:
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        events.of_delivery(ASKED, delivery, answer=answer, attempt=_last_try(lease.delivery_id))


def _later(lease: Lease, asked: int) -> None:
    _set_next(lease, next_question(asked))


def _leave_to_a_person(lease: Lease) -> None:
    _set_next(lease, None)


def _set_next(lease: Lease, pause: float | None) -> None:
    with transaction() as session:
        session.execute(
            update(Delivery)
            .where(Delivery.id == lease.delivery_id, Delivery.state == S.OUTCOME_UNKNOWN, Delivery.fence == lease.fence)
            .values(next_at=None if pause is None else utcnow() + timedelta(seconds=pause))
            .execution_options(synchronize_session=False)
        )


def _send_again(lease: Lease, kind: str) -> None:
    """With the same ids."""
    with transaction() as session:
        move(lease, S.OUTCOME_UNKNOWN, S.PENDING, Mover.PROBER, next_at=utcnow(), fence=Delivery.fence + 1)
        events.of_delivery(kind, session.get_one(Delivery, lease.delivery_id, populate_existing=True))
    bell.ring("deliver")


def _found(lease: Lease, found: WireReceipt) -> None:
    with transaction() as session:
        move(
            lease, S.OUTCOME_UNKNOWN, S.ACCEPTED, Mover.PROBER,
            remote_ref=found.reference[:500], error=None, next_at=overdue_at(found), finished_at=utcnow(),
        )  # fmt: skip
        if found.proves_arrival and found.final:
            move(lease, S.ACCEPTED, S.DELIVERED, Mover.PROBER)
        session.add(
            Receipt(
                delivery_id=lease.delivery_id, kind="found", reference=found.reference[:500],
                evidence=dict(found.evidence),
            )
        )  # fmt: skip
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        begin_polling(delivery)
        events.of_delivery(delivery.state.value, delivery, reference=found.reference, **told_by(delivery))
