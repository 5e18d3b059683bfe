"""The delivery machine: claim, send, record. Sent once, or we say that we do not know.

Every move is one ``UPDATE … WHERE state = … AND fence = …`` that must change one
row, after ``domain.delivery`` has said that the move exists. The steps, each a
transaction of its own, with no transaction open while bytes travel:

1. ``claim``: pending -> leased
2. ``begin``: leased -> sending, with the attempt and its wire ids
3. the transport sends
4. ``accept`` or ``give_back``: the outcome, with its evidence
"""

from __future__ import annotations

import logging
import os
import random
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.exc import OperationalError

from invoiceapp.domain.delivery import (
    DeliveryState,
    Mover,
    Replay,
    after_crash_in_sending,
    may_move,
    next_retry,
)
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.base import (
    Consignment,
    Payload,
    Refused,
    Rejected,
    Transport,
    TransportError,
    Unavailable,
    Unknown,
)
from invoiceapp.gateways.base import Receipt as WireReceipt
from invoiceapp.models import Adaptor, Attempt, Customer, Delivery, Gateway, Receipt, Rendition, db, new_id, utcnow
from invoiceapp.services.configuration import gateways, releasing
from invoiceapp.services.configuration.naming import receiver_email as receiver_email_of
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import ServiceError, text_dict

from . import archive, events, naming, standing, trials

log = logging.getLogger(__name__)

#: More than twice ``Transport.DEADLINE``, so that a lease never ends under a sender.
LEASE = timedelta(seconds=300)
BATCH = 20
#: Seconds after which a batch gives the rest back: less than a job may take (``bell.JOB_TIMEOUT``),
#: so that RQ's alarm never strikes while bytes travel.
_BUDGET = 600
_PAUSE = timedelta(minutes=1)

S = DeliveryState

_UNEXPECTED_BEFORE = Text(
    "Dokumentet er ikke sendt på grund af en fejl i programmet. Prøv igen; sker det igen, så giv besked til den, der driver "
    "serveren.",
    "The document was not sent because of a fault in the program. Try again; if it happens again, tell whoever runs the server.",
)


class LeaseLost(Exception):
    """The row moved on without us: nothing of ours may be written to it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed delivery; ``fence`` is what our updates must name."""

    delivery_id: str
    gateway_id: str
    fence: int


def owner() -> str:
    """Who holds a lease, for people who read the table."""
    return f"{socket.gethostname()}:{os.getpid()}"[:80]


def move(lease: Lease, old: DeliveryState, new: DeliveryState, by: Mover, **values: Any) -> None:
    """Compare-and-set inside the caller's transaction. Raises ``LeaseLost`` where the row moved on."""
    if not may_move(old, new, by):
        raise AssertionError(f"{by} may not move a delivery from {old} to {new}")
    result = db.session.execute(
        update(Delivery)
        .where(Delivery.id == lease.delivery_id, Delivery.state == old, Delivery.fence == lease.fence)
        .values(state=new, updated_at=utcnow(), **values)
        .execution_options(synchronize_session=False)
    )
    if not changed(result):
        raise LeaseLost


def claim(limit: int = BATCH) -> list[Lease]:
    """Lease due deliveries, oldest first, grouped by gateway.

    Left alone is what belongs to an adaptor that is switched off, what a test adaptor would send to a live gateway, and
    what a paused gateway would send.
    """
    now = utcnow()
    due = (
        select(Delivery.id)
        .join(Gateway, Gateway.id == Delivery.gateway_id)
        .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
        .where(
            Delivery.state == S.PENDING,
            Delivery.next_at <= now,
            Gateway.paused_at.is_(None),
            standing.working(),
            standing.within_reach(),
        )
        .order_by(Delivery.next_at, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Delivery)
        # In a WITH, because PostgreSQL may run a subquery more than once and claim more than the limit.
        .cte("due")
    )
    with transaction() as session:
        rows = session.execute(
            update(Delivery)
            .where(Delivery.id.in_(select(due.c.id)), Delivery.state == S.PENDING)
            .values(state=S.LEASED, fence=Delivery.fence + 1, lease_owner=owner(), next_at=now + LEASE, updated_at=now)
            .returning(Delivery.id, Delivery.gateway_id, Delivery.fence)
            .execution_options(synchronize_session=False)
        ).all()
    return sorted((Lease(*row) for row in rows), key=lambda lease: (lease.gateway_id, lease.delivery_id))


def deliver_due(limit: int = BATCH) -> int:
    """Send one batch; how many were claimed. A gateway's connection is kept for its part of the batch."""
    leases = claim(limit)
    for gateway_id, group in groupby(leases, key=lambda lease: lease.gateway_id):
        _deliver_group(gateway_id, list(group))
    return len(leases)


def _deliver_group(gateway_id: str, leases: list[Lease]) -> None:
    with transaction():
        gateway = db.session.get_one(Gateway, gateway_id, populate_existing=True)
        opened = standing.opened(gateway)
    try:
        transport = gateways.open_transport(gateway)
    except ServiceError as error:
        _pause_and_return(gateway_id, leases, error.text)
        return
    started = time.monotonic()
    with transport:
        for position, lease in enumerate(leases):
            if time.monotonic() - started > _BUDGET:
                _return(leases[position:])
                return
            try:
                _deliver(lease, transport, opened)
            except standing.Stopped as stopped:
                _return([lease])
                releasing.stop_document(stopped.document_id)
            except standing.NotNow as error:
                log.warning("delivery %s is not sent now: %s", lease.delivery_id, error)
                _return([lease])
            except LeaseLost:
                log.warning("delivery %s was taken over; our result is kept as evidence only", lease.delivery_id)
            except _GatewayRefused as error:
                _pause_and_return(gateway_id, leases[position + 1 :], error.text)
                return


class _GatewayRefused(Exception):
    """The partner refuses our credentials or settings: the rest of the batch would fail the same way."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def _pause_and_return(gateway_id: str, leases: Iterable[Lease], text: Text) -> None:
    with transaction():
        gateways.pause(gateway_id, text)
    _return(leases)


def _return(leases: Iterable[Lease], pause: timedelta = timedelta(0)) -> None:
    """Give leases back unused; nothing was sent."""
    with transaction():
        for lease in leases:
            try:
                move(lease, S.LEASED, S.PENDING, Mover.HOLDER, next_at=utcnow() + pause, lease_owner=None)
            except LeaseLost:
                log.warning("delivery %s had already been returned", lease.delivery_id)


def _deliver(lease: Lease, transport: Transport, opened: standing.Opened) -> None:
    try:
        consignment = _consignment(lease)
        wire_ids = transport.wire_ids(consignment)
    except (archive.ArchiveUnavailable, OperationalError) as error:
        log.warning("delivery %s waits: %s", lease.delivery_id, error)
        _return([lease], _PAUSE)
        return
    except ServiceError as error:
        _fail_before_sending(lease, error.text)
        return
    except Exception:
        log.exception("delivery %s: unexpected error before sending", lease.delivery_id)
        _fail_before_sending(lease, _UNEXPECTED_BEFORE)
        return
    attempt_id = begin(lease, wire_ids, opened)
    try:
        receipt = transport.send(consignment)
    except TransportError as error:
        give_back(lease, attempt_id, error, transport.replay)
        if isinstance(error, Refused):
            raise _GatewayRefused(error.text) from error
    except Exception as error:
        # A fault of ours in the middle of sending: the bytes may have left.
        log.exception("delivery %s: unexpected error in the transport", lease.delivery_id)
        unknown = Unknown(
            Text("Uventet fejl under afsendelsen.", "Unexpected error while sending."), type(error).__name__
        )
        give_back(lease, attempt_id, unknown, transport.replay)
    else:
        accept(lease, attempt_id, receipt)


def _participant(text: str | None) -> Participant | None:
    scheme, _, value = (text or "").partition(":")
    return Participant(scheme, value) if value else None


def _consignment(lease: Lease) -> Consignment:
    """The validated bytes, read back by their hash. Raises ``archive.ArchiveCorrupt``."""
    with transaction() as session:
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        document = delivery.document
        rendition = session.get_one(Rendition, delivery.rendition_id)
        customer = session.get(Customer, document.customer_id) if document.customer_id else None
        sender_name = document.bundle.get("organization", {}).get("name") or ""
        adaptor = session.get_one(Adaptor, delivery.adaptor_id)
        receiver_email, file_name = receiver_email_of(customer, adaptor), naming.of_delivery(delivery)
    companions: tuple[Payload, ...] = ()
    # Where the document is a PDF itself, a second one beside it would have the same name and hide it.
    if document.pdf_sha256 and rendition.media_type != "application/pdf":
        pdf_name = f"{rendition.filename.rsplit('.', 1)[0]}.pdf"
        companions = (Payload(archive.load(document.pdf_sha256), pdf_name, "application/pdf"),)
    return Consignment(
        key=delivery.idem_key,
        payload=Payload(archive.load(rendition.sha256), rendition.filename, rendition.media_type),
        companions=companions,
        format=rendition.format,
        document_no=document.number,
        document_type=document.type.value,
        sender_name=str(sender_name),
        receiver_name=document.customer_name,
        sender=_participant(rendition.sender),
        receiver=_participant(rendition.receiver),
        receiver_email=receiver_email,
        file_name=file_name,
    )


def begin(lease: Lease, wire_ids: dict[str, str], opened: standing.Opened) -> str:
    """Commit the attempt with the ids that the wire will see, before the first byte; the attempt's id.

    Raises ``LeaseLost``, ``standing.NotNow`` where it may not be sent through the opened gateway (any more), and
    ``standing.Stopped`` where it may not be sent at all.
    """
    attempt_id = new_id()
    now = utcnow()
    with transaction() as session:
        standing.require_to_send(lease.delivery_id, lease.gateway_id, opened)
        move(lease, S.LEASED, S.SENDING, Mover.HOLDER, tries=Delivery.tries + 1, next_at=now + LEASE)
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        delivery.environment = trials.reached(delivery, opened.environment)
        if delivery.first_sent_at is None:
            delivery.first_sent_at = now
        number = _attempts(delivery.id) + 1
        session.add(
            Attempt(id=attempt_id, delivery_id=delivery.id, number=number, fence=lease.fence, wire_ids=wire_ids)
        )
        events.of_delivery("sending", delivery, attempt=number)
    return attempt_id


def _attempts(delivery_id: str) -> int:
    return db.session.scalar(select(func.count()).where(Attempt.delivery_id == delivery_id)) or 0


def accept(lease: Lease, attempt_id: str, receipt: WireReceipt) -> None:
    """Record the evidence and move on. A holder whose lease was lost still leaves its evidence."""
    try:
        with transaction() as session:
            move(
                lease, S.SENDING, S.ACCEPTED, Mover.HOLDER,
                remote_ref=receipt.reference[:500], error=None, next_at=None, lease_owner=None, finished_at=utcnow(),
            )  # fmt: skip
            if receipt.proves_arrival and receipt.final:
                move(lease, S.ACCEPTED, S.DELIVERED, Mover.HOLDER)
            _add_receipt(lease, attempt_id, receipt)
            delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
            events.of_delivery(delivery.state.value, delivery, reference=receipt.reference)
    except LeaseLost:
        with transaction() as session:
            _add_receipt(lease, attempt_id, receipt)
            delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
            events.of_delivery("late_receipt", delivery, reference=receipt.reference)
        raise


def _add_receipt(lease: Lease, attempt_id: str, receipt: WireReceipt) -> None:
    db.session.add(
        Receipt(
            delivery_id=lease.delivery_id, attempt_id=attempt_id, kind="wire",
            reference=receipt.reference[:500], evidence=dict(receipt.evidence),
        )
    )  # fmt: skip
    _finish_attempt(attempt_id, "accepted", None)


def _finish_attempt(attempt_id: str, outcome: str, error: dict[str, str] | None) -> None:
    db.session.execute(
        update(Attempt).where(Attempt.id == attempt_id).values(outcome=outcome, error=error, finished_at=utcnow())
    )


def give_back(lease: Lease, attempt_id: str, error: TransportError, replay: Replay) -> None:
    """Record a failed try and where it leaves the delivery."""
    stored = text_dict(error.text, **{"class": type(error).__name__, "detail": error.detail[:500]})
    log.warning("delivery %s: %s: %s", lease.delivery_id, type(error).__name__, error.detail or error.text.en)
    outcome = type(error).__name__.lower()
    # Of its own, so that a holder whose lease was lost still leaves what it saw.
    with transaction():
        _finish_attempt(attempt_id, outcome, stored)
    with transaction() as session:
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        state, values = _after_failure(error, replay, delivery.tries, _may_have_arrived(delivery.id))
        move(lease, S.SENDING, state, Mover.HOLDER, error=stored, lease_owner=None, **values)
        if isinstance(error, Refused):
            gateways.pause(lease.gateway_id, error.text)
        session.refresh(delivery)
        next_at = delivery.next_at.isoformat() if delivery.next_at else None
        events.of_delivery(f"try_{outcome}", delivery, next_at=next_at, **text_dict(error.text))


def _may_have_arrived(delivery_id: str) -> bool:
    """Whether any try so far ended without an answer, or with its worker."""
    unclear = or_(Attempt.outcome.is_(None), Attempt.outcome == Unknown.__name__.lower())
    return bool(db.session.scalar(select(exists().where(Attempt.delivery_id == delivery_id, unclear))))


def _after_failure(
    error: TransportError, replay: Replay, tries: int, may_have_arrived: bool
) -> tuple[DeliveryState, dict[str, Any]]:
    """State and columns after a failed try."""
    if isinstance(error, Refused):
        # Waits while the gateway is paused; a person mends the settings and resumes it.
        return S.PENDING, {"next_at": utcnow()}
    if isinstance(error, Rejected):
        return S.REJECTED, {"next_at": None, "finished_at": utcnow()}
    if isinstance(error, Unknown) and after_crash_in_sending(replay) is S.OUTCOME_UNKNOWN:
        return S.OUTCOME_UNKNOWN, {"next_at": None}
    retry_after = error.retry_after if isinstance(error, Unavailable) else None
    retry = next_retry(tries, chance=random.random(), retry_after=retry_after)  # noqa: S311
    if retry.delay is None and may_have_arrived:
        # "Failed" promises that nothing arrived.
        return S.OUTCOME_UNKNOWN, {"next_at": None}
    if retry.delay is None:
        return S.FAILED, {"next_at": None, "finished_at": utcnow()}
    return S.PENDING, {"next_at": utcnow() + timedelta(seconds=retry.delay)}


def _fail_before_sending(lease: Lease, text: Text) -> None:
    with transaction() as session:
        stored = text_dict(text, **{"class": "Archive"})
        # "Failed" promises that nothing arrived.
        state = S.OUTCOME_UNKNOWN if _may_have_arrived(lease.delivery_id) else S.FAILED
        done = utcnow() if state is S.FAILED else None
        move(lease, S.LEASED, state, Mover.HOLDER, error=stored, next_at=None, lease_owner=None, finished_at=done)
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        events.of_delivery(state.value, delivery, **text_dict(text))
