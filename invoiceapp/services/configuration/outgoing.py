"""What waits to leave, where a person's change of the configuration stops it. Never what a worker has in its hands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from invoiceapp.domain.delivery import DeliveryState, Mover, may_move
from invoiceapp.models import Delivery, Document, Event, Stage, db, utcnow

S = DeliveryState
#: A worker has these, and the outcome must be awaited.
IN_HAND = (S.LEASED, S.SENDING)


def move(belongs: ColumnElement[bool], old: Sequence[DeliveryState], new: DeliveryState) -> list[Any]:
    """Move all deliveries of one condition; id, document, run, tenant, gateway and findings of those that moved.

    Inside the caller's transaction. One statement compares and sets, so that what was claimed meanwhile stays with its worker.
    """
    if not all(may_move(state, new, Mover.PERSON) for state in old):
        raise AssertionError(f"a person may not move deliveries from {old} to {new}")
    concerned = select(Delivery.document_id).where(belongs, Delivery.state.in_(old))
    # In this order, as everybody does: the documents are locked, then their deliveries are changed.
    db.session.execute(
        select(Document.id)
        .where(Document.id.in_(concerned))
        .order_by(Document.id)
        .with_for_update(of=Document, key_share=True)
    )
    now = utcnow()
    ended = {"finished_at": now} if new is S.CANCELLED else {}
    rows = db.session.execute(
        update(Delivery)
        .where(belongs, Delivery.state.in_(old))
        .values(state=new, next_at=None, fence=Delivery.fence + 1, updated_at=now, **ended)
        .returning(
            Delivery.id, Delivery.document_id, Delivery.run_id, Delivery.subscription_id, Delivery.gateway_id,
            Delivery.findings,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return list(rows)


def tell(kind: str, moved: Iterable[Any], actor: str, **data: Any) -> None:
    """One line in the timeline of each. Inside the caller's transaction."""
    db.session.add_all(
        Event(
            subscription_id=row.subscription_id, document_id=row.document_id, delivery_id=row.id, run_id=row.run_id,
            actor=actor, kind=kind, data=data,
        )
        for row in moved
    )  # fmt: skip


def _counted(model: type[Delivery] | type[Document], adaptor_ids: Sequence[str], condition: ColumnElement[bool]) -> Any:
    found = select(model.adaptor_id, func.count()).where(model.adaptor_id.in_(adaptor_ids), condition)
    return dict(db.session.execute(found.group_by(model.adaptor_id)).all())


def waiting(adaptor_ids: Sequence[str]) -> dict[str, int]:
    """How many documents are to be converted or sent, by adaptor."""
    unsent = _counted(Delivery, adaptor_ids, Delivery.state.in_((S.PENDING, *IN_HAND)))
    queued = _counted(Document, adaptor_ids, Document.stage == Stage.QUEUED)
    return {adaptor_id: unsent.get(adaptor_id, 0) + queued.get(adaptor_id, 0) for adaptor_id in adaptor_ids}
