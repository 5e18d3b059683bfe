"""What waits to leave, where a person's change of the configuration stops it. Never what a worker has in its hands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Delivery, Document, Event, Stage, db

S = DeliveryState
#: A worker has these, and the outcome must be awaited.
IN_HAND = (S.LEASED, S.SENDING)


def hold_documents(belongs: ColumnElement[bool], queued: ColumnElement[bool], states: Sequence[DeliveryState]) -> None:
    """Lock the documents that have a delivery of one condition in ``states``, and the queued ones of another.

    Called before the adaptor, a gateway or a rule is locked whose change moves deliveries: whoever converts a document
    has locked it when he asks for those, and two who lock in another order wait for each other for ever.
    """
    concerned = select(Delivery.document_id).where(belongs, Delivery.state.in_(states))
    db.session.execute(
        select(Document.id)
        .where(or_(Document.id.in_(concerned), and_(queued, Document.stage == Stage.QUEUED)))
        .order_by(Document.id)
        .with_for_update(of=Document, key_share=True)
    )


def repeats() -> ColumnElement[bool]:
    """For queries that have ``Delivery``: a person sends the same bytes again (``services/export/actions.py``).

    The first real sending of what was only tested supersedes the test, and repeats nothing.
    """
    old = aliased(Delivery)
    return exists().where(old.id == Delivery.supersedes_id, old.environment == Delivery.environment)


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
