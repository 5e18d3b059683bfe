"""What is taken care of outside of this product, and questions to partners that a person asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from sqlalchemy import select, update

from invoiceapp.domain.delivery import DeliveryState, Replay
from invoiceapp.gateways.base import registry
from invoiceapp.models import Attempt, Delivery, Document, Event, Stage, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import Conflict, ServiceError

from . import events, standing
from .by_hand import MOVED_ON, locked, need_note
from .outcomes import any_went_elsewhere, went_elsewhere
from .probing import MOST_REPEATS

S = DeliveryState
_HANDLED_OUTSIDE = "handled_outside"
#: Stages of documents that nothing is on its way of.
_AT_REST = frozenset({Stage.LISTED, Stage.UNUSABLE, Stage.SKIPPED})
#: Deliveries that wait for a person.
_STUCK = frozenset({S.BLOCKED, S.FAILED, S.REJECTED, S.OUTCOME_UNKNOWN})
_OVER = frozenset({S.CANCELLED, S.SUPERSEDED})


def may_be_handled(document: Document, deliveries: Sequence[Delivery]) -> bool:
    """Whether a person may say that it is taken care of outside: nothing is on its way, and nothing has arrived."""
    states = {one.state for one in deliveries} - _OVER
    if document.stage is Stage.CONVERTED:
        return bool(states) and states <= _STUCK
    return document.stage in _AT_REST and states <= _STUCK


def handle_outside(document: Document, actor: str, note: str) -> None:
    """Nobody's problem any more, and never sent by itself. Raises ``Conflict``, ``ServiceError``.

    Its deliveries keep their states, so that ``take_up_again`` brings it back to where a person must act.
    """
    need_note(note)
    with transaction():
        row = locked(document.id)
        deliveries = _deliveries(row)
        if not may_be_handled(row, deliveries):
            raise Conflict(MOVED_ON)
        for one in deliveries:
            _put_down(one)
        events.of_document(_HANDLED_OUTSIDE, row, actor=actor, note=note, stage=row.stage.value)
        row.stage, row.lease_until, row.lease_token = Stage.HANDLED, None, None


def _put_down(delivery: Delivery) -> None:
    """Whoever works on it now must not finish, and its partner is not asked any more by what sends again after a no."""
    values = {"next_at": None} if delivery.state is S.OUTCOME_UNKNOWN else {}
    db.session.execute(
        update(Delivery)
        .where(Delivery.id == delivery.id)
        .values(fence=Delivery.fence + 1, updated_at=Delivery.updated_at, **values)
        .execution_options(synchronize_session=False)
    )


def _deliveries(document: Document) -> list[Delivery]:
    """As they are now; the document is locked."""
    query = select(Delivery).where(Delivery.document_id == document.id).order_by(Delivery.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def take_up_again(document: Document, actor: str) -> None:
    """Undo ``handle_outside``: it is what it was, and the problem opens again. Nothing is sent by that. Raises ``Conflict``."""
    with transaction() as session:
        row = locked(document.id)
        if row.stage is not Stage.HANDLED:
            raise Conflict(MOVED_ON)
        handled = session.scalar(
            select(Event)
            .where(Event.document_id == row.id, Event.kind == _HANDLED_OUTSIDE)
            .order_by(Event.id.desc())
            .limit(1)
        )
        row.stage = Stage(handled.data["stage"]) if handled else Stage.LISTED
        events.of_document("taken_up", row, actor=actor)


class Way(StrEnum):
    """How a partner's system can be asked."""

    STATUS = "status"
    """the provider tells what became of what it took"""
    FIND = "find"
    """it is looked for at the partner, by our ids"""
    REPEAT = "repeat"
    """it is sent once more with the same ids, which the partner recognises"""


def can_be_asked(delivery: Delivery, attempts: Iterable[Attempt] | None = None) -> bool:
    """Whether its partner can say what became of it, or recognises a repetition. Nothing is asked yet."""
    return bool(ways_to_ask(delivery, attempts))


def ways_to_ask(delivery: Delivery, attempts: Iterable[Attempt] | None = None) -> list[Way]:
    """How an unclear one's partner can be asked now. Nothing is asked yet. ``attempts``: its own, where they are read already."""
    if delivery.state is not S.OUTCOME_UNKNOWN or delivery.gateway.is_paused:
        return []
    if delivery.document.stage is Stage.HANDLED:
        return []
    found = [Way.STATUS] if _polls(delivery) else []
    replay = _replay(delivery, attempts)
    if replay is Replay.PROBE:
        found.append(Way.FIND)
    elif replay is Replay.SAFE and delivery.tries <= MOST_REPEATS:
        found.append(Way.REPEAT)
    return found


def _replay(delivery: Delivery, attempts: Iterable[Attempt] | None) -> Replay | None:
    """What may be done with its bytes where they may be; None where nothing can be."""
    if delivery.rendition_id is None or any(found["severity"] == "fatal" for found in delivery.findings):
        # Brought back from a backup before it could leave (services/keeping/aftermath.py): there is nothing to repeat.
        return None
    try:
        with gateways.open_transport(delivery.gateway) as transport:
            replay = transport.replay
    except ServiceError:
        return None
    place = standing.opened(delivery.gateway).place
    moved = went_elsewhere(delivery.id, place) if attempts is None else any_went_elsewhere(attempts, place)
    return None if moved else replay


def _polls(delivery: Delivery) -> bool:
    transport = registry().get(delivery.gateway.kind)
    return transport is not None and transport.polls and delivery.remote_ref is not None


def ask_again(delivery: Delivery, actor: str) -> None:
    """Have the partner asked now what became of an unclear one; the answer moves it. Raises ``Conflict``."""
    with transaction() as session:
        row = session.get_one(Delivery, delivery.id, populate_existing=True)
        if not can_be_asked(row):
            raise Conflict(MOVED_ON)
        poll_at = {"poll_at": utcnow()} if _polls(row) else {}
        result = session.execute(
            update(Delivery)
            .where(Delivery.id == row.id, Delivery.state == S.OUTCOME_UNKNOWN, Delivery.fence == row.fence)
            .values(next_at=utcnow(), **poll_at)
            .execution_options(synchronize_session=False)
        )
        if not changed(result):
            raise Conflict(MOVED_ON)
        events.of_delivery("asked_by_hand", row, actor=actor)
    bell.ring("probe")
    if poll_at:
        bell.ring("poll")
