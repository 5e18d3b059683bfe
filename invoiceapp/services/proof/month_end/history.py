"""What had become of documents at a moment: from the history that the database keeps (models/movement.py)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select

from invoiceapp.models import Attempt, Delivery, Document, Environment, Event, StatusChange, db
from invoiceapp.services.database import reading
from invoiceapp.services.export.outcomes import ACCEPTED

from .books import Said, Then, Way
from .groups import ARRIVED
from .noting import chunks

#: By the status that a person gives, the event that tells it.
_DECIDED = {"handled": "handled_outside", "accepted": "marked_received"}
_ARRIVED = tuple(one.value for one in ARRIVED)


def at(moment: datetime, document_ids: Collection[str]) -> dict[str, Then]:
    """By the document's id; those that were not here at the moment are left out."""
    found: dict[str, Then] = {}
    for chunk in chunks(sorted(document_ids)):
        with reading():
            found |= _of_chunk(moment, chunk)
    return found


def _of_chunk(moment: datetime, ids: Sequence[str]) -> dict[str, Then]:
    # Those whose rows are gone have no history either, so that a proof tells that they are missing.
    newest = (
        select(func.max(StatusChange.id))
        .join(Document, Document.id == StatusChange.document_id)
        .where(StatusChange.document_id.in_(ids), StatusChange.at <= moment)
        .group_by(StatusChange.document_id)
    )
    changes = db.session.scalars(select(StatusChange).where(StatusChange.id.in_(newest))).all()
    ways, said, real = _ways(changes), _said(moment, ids), _real(moment, ids)
    return {
        one.document_id: Then(
            one.status, one.at, one.delivery_id, ways.get(one.delivery_id or ""),
            said.get((one.document_id, one.status, one.delivery_id if one.status == "accepted" else None)),
            len(real.get(one.document_id, ())),
        )
        for one in changes
    }  # fmt: skip


def _ways(changes: Sequence[StatusChange]) -> dict[str, Way]:
    """By the delivery's id."""
    wanted = {one.delivery_id for one in changes if one.delivery_id}
    rows = db.session.execute(
        select(Delivery.id, Delivery.format, Delivery.transport, Delivery.environment).where(Delivery.id.in_(wanted))
    )
    return {row.id: Way(row.format, row.transport, row.environment is Environment.TEST) for row in rows}


def _said(moment: datetime, ids: Sequence[str]) -> dict[tuple[str, str, str | None], Said]:
    """What people decided, the newest of each, by the document's id, the status and the delivery that was marked."""
    statuses = {kind: status for status, kind in _DECIDED.items()}
    events = db.session.scalars(
        select(Event)
        .where(Event.document_id.in_(ids), Event.kind.in_(statuses), Event.created_at <= moment)
        .order_by(Event.id)
    )
    found: dict[tuple[str, str, str | None], Said] = {}
    for one in events:
        status = statuses[one.kind]
        delivery_id = one.delivery_id if status == "accepted" else None
        said = Said(one.actor, one.created_at, str(one.data.get("note", "")))
        found[one.document_id or "", status, delivery_id] = said
    return found


def _real(moment: datetime, ids: Sequence[str]) -> dict[str, set[str]]:
    """Ids of real deliveries that had arrived, by the document's: those that a partner had said yes to, or that had come
    to a state that says so; without those that were rejected later."""
    live = Delivery.environment == Environment.LIVE
    of_history = (
        select(StatusChange.document_id, Delivery.id, StatusChange.status)
        .join(Delivery, Delivery.id == StatusChange.delivery_id)
        .where(StatusChange.document_id.in_(ids), StatusChange.at <= moment, live)
        .order_by(StatusChange.id)
    )
    found: dict[str, set[str]] = {}
    for document_id, delivery_id, status in db.session.execute(of_history):
        if status in _ARRIVED:
            found.setdefault(document_id, set()).add(delivery_id)
        elif status == "rejected":
            found.setdefault(document_id, set()).discard(delivery_id)
    rejected = select(StatusChange.delivery_id).where(
        StatusChange.document_id.in_(ids), StatusChange.at <= moment, StatusChange.status == "rejected"
    )
    of_attempts = (
        select(Delivery.document_id, Delivery.id)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(Delivery.document_id.in_(ids), live, Attempt.outcome == ACCEPTED, Attempt.finished_at <= moment)
        .where(Delivery.id.not_in(rejected.where(StatusChange.delivery_id.is_not(None))))
    )
    for document_id, delivery_id in db.session.execute(of_attempts):
        found.setdefault(document_id, set()).add(delivery_id)
    return found
