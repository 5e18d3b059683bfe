"""Documents that have only been to test gateways: nobody has received them, and a person may have them sent for real."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, func, select, update

from invoiceapp.domain.delivery import ARRIVED, DeliveryState, Mover
from invoiceapp.models import Adaptor, Delivery, Document, Environment, ExportRule, Gateway, db, utcnow
from invoiceapp.services.delivery.moves import require

from . import events, standing

S = DeliveryState
#: A test that is over, and that no person has taken out.
ENDED = frozenset({S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED, S.REJECTED, S.FAILED, S.OUTCOME_UNKNOWN})


def left_for_real() -> ColumnElement[bool]:
    """For queries that have ``Delivery``: it went to a live gateway. Of failed and rejected ones the partner has nothing."""
    left = Delivery.first_sent_at.is_not(None) & Delivery.state.not_in((S.FAILED, S.REJECTED))
    return (Delivery.environment == Environment.LIVE) & (left | Delivery.state.in_(ARRIVED))


def were_only_tested(deliveries: Sequence[Delivery]) -> bool:
    """Whether a document with these deliveries has been tested, and sending it for real would be the first time."""
    current = [one for one in deliveries if one.state is not S.SUPERSEDED]
    was_live = any(one.environment is Environment.LIVE and one.first_sent_at is not None for one in deliveries)
    is_over = all(one.environment is Environment.TEST and one.state in ENDED for one in current)
    return bool(current) and is_over and not was_live


def of(documents: Iterable[Document]) -> set[str]:
    """Ids of those that were only tested."""
    by_document: dict[str, list[Delivery]] = {}
    query = select(Delivery).where(Delivery.document_id.in_([document.id for document in documents]))
    for delivery in db.session.scalars(query.order_by(Delivery.id)):
        by_document.setdefault(delivery.document_id, []).append(delivery)
    return {document_id for document_id, deliveries in by_document.items() if were_only_tested(deliveries)}


def live_customers(adaptor: Adaptor, customer_ids: Iterable[str | None]) -> set[str]:
    """Those whose documents leave for real as things are set now."""
    if adaptor.environment is not Environment.LIVE or not standing.is_working(adaptor):
        return set()
    query = (
        select(ExportRule.customer_id)
        .join(Gateway, Gateway.id == ExportRule.gateway_id)
        .where(
            ExportRule.active,
            Gateway.environment == Environment.LIVE,
            ExportRule.customer_id.in_({one for one in customer_ids if one}),
        )
    )
    return set(db.session.scalars(query))


def leaves_for_real(document: Document) -> bool:
    """The same for one document."""
    return bool(live_customers(db.session.get_one(Adaptor, document.adaptor_id), [document.customer_id]))


def supersede(document: Document, actor: str) -> bool:
    """End a document's tests, so that it can be sent for real; False where there is more than ended tests.

    Inside the caller's transaction, which has locked the document and queues it.
    """
    rows = db.session.scalars(
        select(Delivery)
        .where(Delivery.document_id == document.id)
        .order_by(Delivery.id)
        .with_for_update(of=Delivery, key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    if not were_only_tested(rows):
        return False
    for state in ENDED:
        require(state, S.SUPERSEDED, Mover.PERSON)
    db.session.execute(
        update(Delivery)
        .where(Delivery.document_id == document.id, Delivery.state.in_(ENDED))
        .values(state=S.SUPERSEDED, next_at=None, finished_at=utcnow(), fence=Delivery.fence + 1, updated_at=utcnow())
        .execution_options(synchronize_session=False)
    )
    ended = [row for row in rows if row.state in ENDED]
    events.of_delivery("sent_for_real", ended[-1], actor=actor)
    return True


def reached(delivery: Delivery, environment: Environment, may_have_arrived: bool) -> Environment:
    """What a delivery is once it goes through a gateway in ``environment``: what may have arrived for real stays real."""
    was_live = may_have_arrived and delivery.environment is Environment.LIVE
    return Environment.LIVE if was_live else environment


def superseded_by(document_id: str, gateway: Gateway) -> str | None:
    """The test that the document's first real delivery, through ``gateway``, supersedes."""
    if gateway.environment is not Environment.LIVE:
        return None
    is_ended_test = (Delivery.environment == Environment.TEST) & (Delivery.state == S.SUPERSEDED)
    return db.session.scalar(select(func.max(Delivery.id)).where(Delivery.document_id == document_id, is_ended_test))


def key_parts(gateway: Gateway) -> tuple[str, ...]:
    """What a test adds to the idempotency key: the same gateway may send the document for real one day."""
    return ("test",) if gateway.environment is Environment.TEST else ()
