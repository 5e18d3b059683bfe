"""What became of one try: evidence, and the state that tells the truth."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, insert, or_, select, update

from invoiceapp.domain.delivery import FIRST_QUESTION, DeliveryState, Mover, Replay, after_crash_in_sending, next_retry
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Receipt as WireReceipt
from invoiceapp.gateways.base import Refused, Rejected, Transport, TransportError, Unavailable, Unknown, registry
from invoiceapp.models import Attempt, Delivery, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, lock_document, move, move_on
from invoiceapp.services.errors import text_dict

from . import events

log = logging.getLogger(__name__)

S = DeliveryState
#: In an attempt's error: ``Unavailable.is_remembered``.
_REMEMBERED = "remembered"
#: In an attempt's ids: where it went, where the gateway's settings do not say that.
_ADDRESS = "address"
#: ``Attempt.outcome`` of a try that the partner said yes to.
ACCEPTED = "accepted"

#: After an acceptance, when the partner is first asked what became of it, where it can be asked.
FIRST_POLL = timedelta(seconds=30)

_may_have = or_(Attempt.outcome.is_(None), Attempt.outcome.in_((Unknown.__name__.lower(), ACCEPTED)))

_ELSEWHERE = Text(
    "Et tidligere forsøg kan være nået frem, og gatewayens indstillinger er ændret siden, så der kan ikke spørges eller sendes igen "
    "uden fare for, at modtageren får det to gange. Spørg modtageren, før du sender igen.",
    "An earlier try may have arrived, and the settings of the gateway were changed since, so nothing can be asked or sent again "
    "without the danger that the receiver gets it twice. Ask the receiver before you send again.",
)
_EARLIER = Text(
    "Et tidligere forsøg kan være nået frem. Spørg modtageren, før du sender igen.",
    "An earlier try may have arrived. Ask the receiver before you send again.",
)


def accept(lease: Lease, attempt_id: str, receipt: WireReceipt) -> None:
    """Record the evidence and move on. A holder whose lease was lost still leaves its evidence."""
    try:
        with transaction() as session:
            moved = move(
                lease, S.SENDING, S.ACCEPTED, Mover.HOLDER,
                remote_ref=receipt.reference[:500], error=None, next_at=overdue_at(receipt), lease_owner=None,
                finished_at=utcnow(),
            )  # fmt: skip
            state = S.DELIVERED if receipt.proves_arrival and receipt.final else S.ACCEPTED
            if state is S.DELIVERED:
                move_on(lease, S.ACCEPTED, S.DELIVERED, Mover.HOLDER)
            _add_receipt(lease, attempt_id, receipt)
            transport = registry().get(moved.kind)
            if transport is not None and transport.polls:
                begin_polling(session.get_one(Delivery, lease.delivery_id, populate_existing=True))
            events.of_move(state.value, moved, reference=receipt.reference, **_told_by(transport, state))
    except LeaseLost:
        _accept_late(lease, attempt_id, receipt)
        raise


#: Where nobody else works on it, a late yes is believed.
_LATE = (S.PENDING, S.OUTCOME_UNKNOWN, S.FAILED)


def _accept_late(lease: Lease, attempt_id: str, receipt: WireReceipt) -> None:
    """The partner has said yes to a try whose lease was lost meanwhile."""
    with transaction() as session:
        lock_document(lease.delivery_id)
        _add_receipt(lease, attempt_id, receipt)
        delivery = session.get_one(
            Delivery, lease.delivery_id, populate_existing=True, with_for_update={"of": Delivery}
        )
        if delivery.state in _LATE:
            now = Lease(delivery.id, delivery.gateway_id, delivery.fence)
            move(
                now, delivery.state, S.ACCEPTED, Mover.MATCHER,
                remote_ref=receipt.reference[:500], error=None, next_at=overdue_at(receipt), finished_at=utcnow(),
            )  # fmt: skip
            if receipt.proves_arrival and receipt.final:
                move_on(now, S.ACCEPTED, S.DELIVERED, Mover.MATCHER)
            session.refresh(delivery)
            begin_polling(delivery)
        events.of_delivery("late_receipt", delivery, reference=receipt.reference)


def begin_polling(delivery: Delivery) -> None:
    """Set when its partner is first asked; in the transaction that has moved it to accepted."""
    transport = registry().get(delivery.gateway.kind)
    if transport is not None and transport.polls:
        delivery.poll_at, delivery.polls = utcnow() + FIRST_POLL, 0


def told_by(delivery: Delivery) -> dict[str, str]:
    """Who speaks where a gateway's own evidence has moved it: ``by`` of an event, empty for what is no network."""
    return _told_by(registry().get(delivery.gateway.kind), delivery.state)


def _told_by(transport: type[Transport] | None, state: DeliveryState) -> dict[str, str]:
    if transport is None or not transport.networks or state not in (S.ACCEPTED, S.DELIVERED):
        return {}
    # A provider that has taken it has not handed it over yet; an access point that we reach ourselves is the network.
    is_provider = state is S.ACCEPTED and not transport.wants_endpoint
    return {"by": "provider" if is_provider else "network"}


def overdue_at(receipt: WireReceipt) -> datetime | None:
    """When a later receipt must have come; see ``recovery.expire_receipts``."""
    return None if receipt.final or receipt.due is None else utcnow() + receipt.due


_ATTEMPT = db.metadata.tables["attempt"]
_EVIDENCE = insert(db.metadata.tables["receipt"])
_END = update(_ATTEMPT).where(_ATTEMPT.c.id == bindparam("ended"))


def _add_receipt(lease: Lease, attempt_id: str, receipt: WireReceipt) -> None:
    db.session.execute(
        _EVIDENCE,
        {
            "delivery_id": lease.delivery_id, "attempt_id": attempt_id, "kind": "wire",
            "reference": receipt.reference[:500], "evidence": dict(receipt.evidence),
        },
    )  # fmt: skip
    _finish_attempt(attempt_id, ACCEPTED, None)


def _finish_attempt(attempt_id: str, outcome: str, error: dict[str, str] | None) -> None:
    db.session.execute(_END, {"ended": attempt_id, "outcome": outcome, "error": error, "finished_at": utcnow()})


def give_back(lease: Lease, attempt_id: str, error: TransportError, replay: Replay) -> None:
    """Record a failed try and where it leaves the delivery."""
    stored = _stored(error, error.text)
    log.warning("delivery %s: %s: %s", lease.delivery_id, type(error).__name__, error.detail or error.text.en)
    outcome = type(error).__name__.lower()
    # Of its own, so that a holder whose lease was lost still leaves what it saw.
    with transaction():
        _finish_attempt(attempt_id, outcome, stored)
    with transaction() as session:
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        state, values = _after_failure(error, replay, delivery.tries, may_have_arrived(delivery.id))
        if isinstance(error, Rejected) and state is S.OUTCOME_UNKNOWN:
            stored = _stored(error, Text(f"{error.text.da} {_EARLIER.da}", f"{error.text.en} {_EARLIER.en}"))
        move(lease, S.SENDING, state, Mover.HOLDER, error=stored, lease_owner=None, **values)
        if isinstance(error, Refused):
            gateways.pause(lease.gateway_id, error.text)
        session.refresh(delivery)
        next_at = delivery.next_at.isoformat() if delivery.next_at else None
        events.of_delivery(f"try_{outcome}", delivery, next_at=next_at, **text_dict(error.text))


def _stored(error: TransportError, text: Text) -> dict[str, str]:
    known = {_REMEMBERED: "yes"} if isinstance(error, Unavailable) and error.is_remembered else {}
    return text_dict(text, **{"class": type(error).__name__, "detail": error.detail[:500]}, **known)


def may_have_arrived(delivery_id: str) -> bool:
    """Whether any try so far ended without an answer, with its worker, or with a yes whose later receipt never came."""
    return bool(db.session.scalar(select(exists().where(Attempt.delivery_id == delivery_id, _may_have))))


def is_a_known_repetition(delivery_id: str) -> bool:
    """Whether "I have that already" would prove that an earlier try arrived: one may have, and the partner remembers
    none that it did not take.
    """
    errors = db.session.scalars(select(Attempt.error).where(Attempt.delivery_id == delivery_id)).all()
    # Without a try nothing can have arrived, and that is the rule.
    return bool(errors) and may_have_arrived(delivery_id) and not any(one and _REMEMBERED in one for one in errors)


def went_elsewhere(delivery_id: str, place: str) -> bool:
    """Whether a try that may have arrived went somewhere else than to ``place`` (``standing.Opened.place``).

    There nobody knows of it: neither a repetition nor a question is safe here.
    """
    elsewhere = exists().where(Attempt.delivery_id == delivery_id, _may_have, Attempt.place != place)
    return bool(db.session.scalar(select(elsewhere)))


def any_went_elsewhere(attempts: Iterable[Attempt], place: str) -> bool:
    """``went_elsewhere`` of attempts that were read already."""
    return any(_is_open(one) and one.place not in (None, place) for one in attempts)


def is_addressed_anew(delivery_id: str, address: str) -> bool:
    """Whether a try that may have arrived went to another receiving address than ``address``, as with ``went_elsewhere``.

    Else the address is noted for the newest try, which is about to use it. Inside the caller's transaction.
    """
    tries = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.number)
    *earlier, newest = db.session.scalars(tries.execution_options(populate_existing=True)).all()
    told = {one.wire_ids.get(_ADDRESS, address) for one in earlier if _is_open(one)}
    if told - {address}:
        return True
    newest.wire_ids = {**newest.wire_ids, _ADDRESS: address}
    return False


def _is_open(attempt: Attempt) -> bool:
    """``_may_have`` of a row."""
    return attempt.outcome in (None, Unknown.__name__.lower(), ACCEPTED)


def leave_elsewhere(lease: Lease) -> None:
    """Nothing is sent now: an earlier try may have arrived at another place, and only a person can find out."""
    with transaction() as session:
        stored = text_dict(_ELSEWHERE, **{"class": "Unknown"})
        move(lease, S.LEASED, S.OUTCOME_UNKNOWN, Mover.HOLDER, error=stored, next_at=None, lease_owner=None)
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        events.of_delivery("try_unknown", delivery, **text_dict(_ELSEWHERE))


def _after_failure(
    error: TransportError, replay: Replay, tries: int, may_have_arrived: bool
) -> tuple[DeliveryState, dict[str, Any]]:
    """State and columns after a failed try."""
    if isinstance(error, Refused):
        # Waits while the gateway is paused; a person mends the settings and resumes it.
        return S.PENDING, {"next_at": utcnow()}
    if isinstance(error, Rejected) and may_have_arrived:
        # The no may be about a repetition ("number already used") of what is there since an earlier try.
        return S.OUTCOME_UNKNOWN, {"next_at": None}
    if isinstance(error, Rejected):
        return S.REJECTED, {"next_at": None, "finished_at": utcnow()}
    if isinstance(error, Unknown) and error.needs_person:
        return S.OUTCOME_UNKNOWN, {"next_at": None}
    if isinstance(error, Unknown) and after_crash_in_sending(replay) is S.OUTCOME_UNKNOWN:
        return S.OUTCOME_UNKNOWN, {"next_at": first_question(replay)}
    retry_after = error.retry_after if isinstance(error, Unavailable) else None
    retry = next_retry(tries, chance=random.random(), retry_after=retry_after)  # noqa: S311
    if retry.delay is None and may_have_arrived:
        # "Failed" promises that nothing arrived.
        return S.OUTCOME_UNKNOWN, {"next_at": None}
    if retry.delay is None:
        return S.FAILED, {"next_at": None, "finished_at": utcnow()}
    return S.PENDING, {"next_at": utcnow() + timedelta(seconds=retry.delay)}


def first_question(replay: Replay) -> datetime | None:
    """When the partner is first asked what became of an unclear delivery; None where only a person can find out."""
    return utcnow() + timedelta(seconds=FIRST_QUESTION) if replay is Replay.PROBE else None


def fail_before_sending(lease: Lease, text: Text) -> None:
    """Record that nothing could be sent, and why."""
    with transaction() as session:
        stored = text_dict(text, **{"class": "Archive"})
        # "Failed" promises that nothing arrived.
        state = S.OUTCOME_UNKNOWN if may_have_arrived(lease.delivery_id) else S.FAILED
        done = utcnow() if state is S.FAILED else None
        move(lease, S.LEASED, state, Mover.HOLDER, error=stored, next_at=None, lease_owner=None, finished_at=done)
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        events.of_delivery(state.value, delivery, **text_dict(text))
