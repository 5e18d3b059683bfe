"""The delivery machine: claim, send, record. Sent once, or we say that we do not know.

Every move is one ``UPDATE … WHERE state = … AND fence = …`` that must change one
row, after ``domain.delivery`` has said that the move exists. The steps, each a
transaction of its own, with no transaction open while bytes travel:

1. ``claim``: pending -> leased
2. ``begin``: leased -> sending, with the attempt and its wire ids
3. the transport sends
4. ``outcomes``: what became of it, with its evidence
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from itertools import groupby

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.dml import ReturningUpdate

from invoiceapp import tracing
from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, Transport, TransportError, Unavailable, Unknown
from invoiceapp.models import Adaptor, Delivery, Gateway, db, new_id, utcnow, when_asked
from invoiceapp.services import bell, stopping
from invoiceapp.services.configuration import gateways, releasing
from invoiceapp.services.configuration.seen import keep_renewed, note_seen
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.delivery import order, waiting
from invoiceapp.services.delivery.moves import Lease, LeaseLost, move, owner, require
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.reach import endpoints

from . import archive, breaker, elsewhere, events, four_eyes, outcomes, slots, standing, trials
from .consignments import consignment_of
from .fairness import shared_out

log = logging.getLogger(__name__)

#: More than twice ``Transport.DEADLINE``, so that a lease never ends under a sender.
LEASE = timedelta(seconds=300)
BATCH = 40
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
_STOOD_STILL = Text(
    "Programmet stod stille lige før afsendelsen, så intet er sendt. Vi prøver igen af os selv.",
    "The program stood still just before sending, so nothing was sent. We try again by ourselves.",
)
_BUSY = Text("Databasen er optaget. Vi prøver igen af os selv.", "The database is busy. We try again by ourselves.")
_NO_SLOT = Text(
    "Alle forbindelser til modtagerens server er i brug. Vi prøver igen af os selv.",
    "All connections to the receiver's server are in use. We try again by ourselves.",
)
_CHANGED = Text(
    "Adaptorens eller gatewayens indstillinger blev ændret lige før afsendelsen, så intet er sendt. Vi prøver igen af os selv.",
    "The settings of the adaptor or the gateway were changed just before sending, so nothing was sent. We try again by ourselves.",
)


def claim(limit: int = BATCH) -> list[Lease]:
    """Lease due deliveries, from each adaptor the oldest first, grouped by gateway.

    Left alone is what belongs to an adaptor that is switched off, what a test adaptor would send to a live gateway,
    what would go through a gateway that is paused or rests, and a credit note before its invoice.
    """
    require(S.PENDING, S.LEASED, Mover.DISPATCHER)
    with transaction() as session:
        waiting = session.scalars(with_work()).all()
        leases = shared_out(waiting, limit, _claim_of)
    return sorted(leases, key=lambda lease: (lease.gateway_id, lease.delivery_id))


def _may_leave() -> ColumnElement[bool]:
    """Whether a delivery may leave now, for queries that have ``Delivery``, ``Gateway`` and ``Adaptor``."""
    return and_(
        Delivery.state == S.PENDING,
        Delivery.next_at <= when_asked(),
        Gateway.paused_at.is_(None),
        breaker.may_try(),
        standing.working(),
        standing.within_reach(),
        ~order.is_early(),
    )


@cache
def with_work() -> Select[str]:
    """Ids of the adaptors that have something to send. Made once: to make it takes longer than to run it."""
    found = exists().where(Delivery.adaptor_id == Adaptor.id, Gateway.id == Delivery.gateway_id, _may_leave())
    return select(Adaptor.id).where(standing.working(), found)


@cache
def _claim() -> ReturningUpdate[str, str, int]:
    """Of one adaptor. Made once, as it is executed for each adaptor that has a place in a batch."""
    due = (
        select(Delivery.id)
        .join(Gateway, Gateway.id == Delivery.gateway_id)
        .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
        .where(Adaptor.id == bindparam("of_adaptor"), _may_leave())
        .order_by(Delivery.next_at, Delivery.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=Delivery)
        # In a WITH, because PostgreSQL may run a subquery more than once and claim more than the limit.
        .cte("due")
    )
    table = db.metadata.tables["delivery"]
    return (
        update(table)
        .where(table.c.id.in_(select(due.c.id)), table.c.state == S.PENDING)
        .values(state=S.LEASED, fence=table.c.fence + 1, lease_owner=bindparam("by"), next_at=bindparam("until"))
        .returning(table.c.id, table.c.gateway_id, table.c.fence)
    )


def _claim_of(adaptor_id: str, most: int) -> list[Lease]:
    """Leases on ``most`` deliveries of one adaptor. Inside the caller's transaction."""
    asked = {"of_adaptor": adaptor_id, "most": most, "by": owner(), "until": utcnow() + LEASE}
    return [Lease(*row) for row in db.session.execute(_claim(), asked)]


def deliver_due(limit: int = BATCH) -> int:
    """Send one batch; how many were claimed. A gateway's connection is kept for its part of the batch."""
    leases = claim(limit)
    if len(leases) == limit:
        # There may be more: another worker need not wait until this batch is sent.
        bell.ring("deliver")
    for gateway_id, group in groupby(leases, key=lambda lease: lease.gateway_id):
        _deliver_group(gateway_id, list(group))
    return len(leases)


def _deliver_group(gateway_id: str, leases: list[Lease]) -> None:
    if stopping.asked():
        _return(leases)
        return
    with reading():
        gateway = db.session.get_one(Gateway, gateway_id, populate_existing=True)
        opened = standing.opened(gateway)
        was_failing, stored_secrets = gateway.failures > 0, dict(gateway.secrets)
    try:
        transport = gateways.open_transport(gateway)
    except ServiceError as error:
        _pause_and_return(gateway_id, leases, error.text)
        return
    with transport, slots.taken(transport.host, transport.most_connections) as slot:
        if slot is None:
            _return(leases, slots.pause(), _NO_SLOT)
            return
        group = _Group(gateway_id, transport, opened, slot, was_failing)
        try:
            group.deliver(leases)
        finally:
            # Whatever happened: the partner may not take the replaced secret any more.
            keep_renewed(gateway_id, stored_secrets, transport.renewed)
        note_seen(gateway_id, transport.seen)


class _Group:
    """A gateway's part of a batch, over one connection."""

    def __init__(
        self, gateway_id: str, transport: Transport, opened: standing.Opened, slot: slots.Slot, was_failing: bool
    ) -> None:
        self._gateway_id = gateway_id
        self._transport = transport
        self._opened = opened
        self._slot = slot
        self._was_failing = was_failing

    def deliver(self, leases: list[Lease]) -> None:
        """Send them one after another; what is left where the gateway may not go on is given back."""
        started = time.monotonic()
        for position, lease in enumerate(leases):
            if stopping.asked() or time.monotonic() - started > _BUDGET or not self._slot.renew():
                _return(leases[position:])
                return
            try:
                with tracing.work("delivery", delivery=lease.delivery_id, gateway=self._gateway_id):
                    self._deliver_or_stop(lease)
            except _GatewayRefused as error:
                _pause_and_return(self._gateway_id, leases[position + 1 :], error.text)
                return
            except _GatewayRests:
                _return(leases[position + 1 :])
                return

    def _deliver_or_stop(self, lease: Lease) -> None:
        """Send it, unless the last look before the first byte says no. Raises what concerns the rest of the batch too."""
        try:
            self._deliver(lease)
        except standing.Stopped as stopped:
            _return([lease])
            releasing.stop_document(stopped.document_id)
        except Elsewhere:
            outcomes.leave_elsewhere(lease)
        except four_eyes.NotApproved:
            four_eyes.stop(lease)
        except elsewhere.NumberTaken as error:
            elsewhere.stop(lease, error.holder)
        except standing.NotNow as error:
            log.warning("delivery %s is not sent now: %s", lease.delivery_id, error)
            _return([lease], why=_CHANGED)
        except LeaseLost:
            log.warning("delivery %s was taken over; our result is kept as evidence only", lease.delivery_id)

    def _deliver(self, lease: Lease) -> None:
        transport = self._transport
        try:
            consignment = consignment_of(lease.delivery_id)
            wire_ids = transport.wire_ids(consignment)
        except (archive.ArchiveUnavailable, OperationalError) as error:
            log.warning("delivery %s waits: %s", lease.delivery_id, error)
            _return([lease], _PAUSE, error.text if isinstance(error, ServiceError) else _BUSY)
            return
        except ServiceError as error:
            outcomes.fail_before_sending(lease, error.text)
            return
        except Exception:
            log.exception("delivery %s: unexpected error before sending", lease.delivery_id)
            outcomes.fail_before_sending(lease, _UNEXPECTED_BEFORE)
            return
        begun = time.monotonic()
        attempt_id = begin(lease, wire_ids, self._opened, consignment.receiver_email)
        try:
            addressed = endpoints.addressed(consignment, transport, self._gateway_id, lease.delivery_id)
            _require_recent(begun)
            receipt = transport.send(addressed)
        except TransportError as error:
            self._failed(lease, attempt_id, error)
        except Exception as error:
            # A fault of ours in the middle of sending: the bytes may have left.
            log.exception("delivery %s: unexpected error in the transport", lease.delivery_id)
            unknown = Unknown(
                Text("Uventet fejl under afsendelsen.", "Unexpected error while sending."), type(error).__name__
            )
            outcomes.give_back(lease, attempt_id, unknown, transport.replay)
        else:
            tracing.note(outcome=outcomes.ACCEPTED)
            outcomes.accept(lease, attempt_id, receipt)
            self._answered()

    def _failed(self, lease: Lease, attempt_id: str, error: TransportError) -> None:
        tracing.note(outcome=type(error).__name__.lower())
        outcomes.give_back(lease, attempt_id, error, self._transport.replay)
        if isinstance(error, Refused):
            raise _GatewayRefused(error.text) from error
        if isinstance(error, Rejected):
            self._answered()
        elif not self._transport.wants_endpoint:
            # Else each receiver has another machine, whose silence says nothing of the next one's.
            self._was_failing = True
            if breaker.failed(self._gateway_id, error):
                raise _GatewayRests from error

    def _answered(self) -> None:
        if self._was_failing:
            breaker.answered(self._gateway_id)
            self._was_failing = False


class Elsewhere(Exception):
    """An earlier try may have arrived, and the gateway leads to another place now."""


class _GatewayRefused(Exception):
    """The partner refuses our credentials or settings: the rest of the batch would fail the same way."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class _GatewayRests(Exception):
    """The partner's machine does not answer: the rest of the batch waits until it is asked again."""


def _require_recent(begun: float) -> None:
    """A process that stood still since ``begun`` (monotonic seconds) may be taken for dead: nothing leaves any more."""
    if time.monotonic() - begun > LEASE.total_seconds() / 2:
        raise Unavailable(_STOOD_STILL)


def _pause_and_return(gateway_id: str, leases: Iterable[Lease], text: Text) -> None:
    with transaction():
        gateways.pause(gateway_id, text)
    _return(leases)


def _return(leases: Iterable[Lease], pause: timedelta = timedelta(0), why: Text | None = None) -> None:
    """Give leases back unused; nothing was sent. ``why`` is shown, and counts how long it has gone on."""
    with transaction() as session:
        for lease in leases:
            try:
                move(lease, S.LEASED, S.PENDING, Mover.HOLDER, next_at=utcnow() + pause, lease_owner=None)
            except LeaseLost:
                log.warning("delivery %s had already been returned", lease.delivery_id)
                continue
            if why is not None:
                waiting.note(session.get_one(Delivery, lease.delivery_id, populate_existing=True), why, utcnow())


_BEGUN = insert(db.metadata.tables["attempt"])


def begin(lease: Lease, wire_ids: dict[str, str], opened: standing.Opened, email: str | None = None) -> str:
    """Commit the attempt with the ids that the wire will see, before the first byte; the attempt's id.

    ``email`` is where a gateway that sends mails would write to. Raises ``LeaseLost``, ``Elsewhere``, ``standing.NotNow``
    where it may not be sent through the opened gateway (any more), ``standing.Stopped`` where it may not be sent at all,
    ``four_eyes.NotApproved`` where a second person has not approved it, and ``elsewhere.NumberTaken`` where another document
    leaves under its number.
    """
    attempt_id = new_id()
    now = utcnow()
    with transaction() as session:
        seen = standing.require_to_send(lease.delivery_id, lease.gateway_id, opened)
        before, number = seen.delivery, seen.attempts + 1
        was_tried = seen.attempts > 0
        if was_tried and outcomes.went_elsewhere(lease.delivery_id, opened.place):
            raise Elsewhere
        four_eyes.require(lease.delivery_id, seen.four_eyes, email)
        may_have_arrived = was_tried and outcomes.may_have_arrived(lease.delivery_id)
        environment = trials.reached(before, opened.environment, may_have_arrived)
        moved = move(
            lease, S.LEASED, S.SENDING, Mover.HOLDER,
            tries=before.tries + 1, next_at=now + LEASE, environment=environment, first_sent_at=before.first_sent_at or now,
            error=None if waiting.since(before.error) else before.error,
        )  # fmt: skip
        tracing.about(document=moved.document_id, adaptor=moved.adaptor_id)
        elsewhere.require(seen.document, seen.adaptor, environment)
        attempt = {
            "id": attempt_id, "delivery_id": moved.id, "number": number, "fence": lease.fence, "wire_ids": wire_ids,
            "place": opened.place,
        }  # fmt: skip
        session.execute(_BEGUN, attempt)
        events.of_move("sending", moved, attempt=number)
    return attempt_id
