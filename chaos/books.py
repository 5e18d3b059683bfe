"""Our books as the checker wants them, and what is left to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select, update

from invoiceapp.domain.delivery import IN_PROGRESS, DeliveryState
from invoiceapp.models import (
    Attempt,
    Delivery,
    Document,
    Gateway,
    HostSlot,
    Job,
    Receipt,
    Rendition,
    Run,
    RunState,
    Stage,
    StatusChange,
    db,
    utcnow,
)
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.delivery import order

from .checker import Entry, Sending, Try
from .filling import gateway_names
from .timing import FURTHEST

S = DeliveryState
#: Name in ``Attempt.wire_ids`` by transport.
WIRE_IDS = {"http": "idempotency_key", "email": "message_id", "sftp": "filename"}


def entries() -> list[Entry]:
    """All documents with what our books say of them."""
    with reading() as session:
        names = gateway_names()
        hashes = dict(session.execute(select(Rendition.id, Rendition.sha256)).all())
        attempts, receipts = _by(Attempt, Attempt.number), _by(Receipt, Receipt.id)
        sendings: dict[str, list[Sending]] = defaultdict(list)
        columns = (
            Delivery.id, Delivery.document_id, Delivery.gateway_id, Delivery.transport, Delivery.state,
            Delivery.rendition_id, Delivery.next_at,
        )  # fmt: skip
        for row in session.execute(select(*columns).order_by(Delivery.id)):
            tries = tuple(Try(one.wire_ids[WIRE_IDS[row.transport]], one.outcome) for one in attempts[row.id])
            kinds = tuple(one.kind for one in receipts[row.id])
            sending = Sending(
                row.id, names[row.gateway_id], row.state, hashes.get(row.rendition_id, ""), tries, kinds,
                is_asked=row.next_at is not None,
            )  # fmt: skip
            sendings[row.document_id].append(sending)
        statuses: dict[str, list[str]] = defaultdict(list)
        for document_id, status in session.execute(
            select(StatusChange.document_id, StatusChange.status).order_by(StatusChange.id)
        ):
            statuses[document_id].append(status)
        documents = session.execute(
            select(Document.id, Document.number, Document.source_id, Document.credits_source_id)
        ).all()
        numbers = {row.source_id: row.number for row in documents}
        return [
            Entry(
                row.id, row.number, tuple(sendings[row.id]), tuple(statuses[row.id]),
                numbers.get(row.credits_source_id or ""),
            )
            for row in documents
        ]  # fmt: skip


def _by(model: Any, order: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in db.session.scalars(select(model).order_by(order)):
        found[row.delivery_id].append(row)
    return found


def figures() -> dict[str, int]:
    """Deliveries by state."""
    with reading() as session:
        rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all()
    return {state.value: count for state, count in rows}


def left() -> int:
    """What the machine still has to do. A credit note whose invoice waits for a person waits with it."""
    moving = or_(
        Delivery.state.in_(sorted(IN_PROGRESS)) & ~order.is_early(),
        (Delivery.state == S.OUTCOME_UNKNOWN) & Delivery.next_at.is_not(None),
    )
    waiting = (
        select(func.count()).select_from(Delivery).where(moving),
        select(func.count()).select_from(Document).where(Document.stage == Stage.QUEUED),
        select(func.count()).select_from(Run).where(Run.state.in_((RunState.QUEUED, RunState.RUNNING))),
    )
    with reading() as session:
        return sum(session.scalar(query) or 0 for query in waiting)


def set_right() -> int:
    """Moments that a wrong clock has put far ahead are moved to now; how many. All clocks are right again."""
    now = utcnow()
    far = now + timedelta(seconds=FURTHEST)
    held: Sequence[tuple[Any, Any]] = (
        (Delivery, Delivery.next_at), (Gateway, Gateway.retry_at), (HostSlot, HostSlot.until), (Run, Run.lease_until),
        (Document, Document.lease_until), (Job, Job.lease_until),
    )  # fmt: skip
    moved = 0
    with transaction() as session:
        for model, column in held:
            change = update(model).where(column > far).values({column.key: now})
            moved += int(session.execute(change.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]
    return moved
