"""Documents that have arrived, as figures: told for whole quarters of an hour, never one by one."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from invoiceapp.models import Delivery, Document, Receipt, Watch, db
from invoiceapp.models.types import id_at
from invoiceapp.services.daily.listing import GROUPS

EVERY = timedelta(minutes=15)
#: Transactions that are older than this have ended: nothing can appear before it any more.
_SETTLED = timedelta(minutes=1)
#: Deliveries that were made earlier are looked at no more: one that arrives so late is told by its document only.
_LATEST = timedelta(days=30)


def since(watch: Watch, now: datetime, *, wanted: bool) -> list[tuple[datetime, dict[str, int]]]:
    """Until when, and how many arrived by document type, since it was told last; [] where it is too early or none did.

    Inside the caller's transaction, which has locked ``watch``. Not ``wanted``: only moves on.
    """
    until = now - _SETTLED
    begin = watch.arrivals_at
    if begin is not None and until - begin < EVERY:
        return []
    watch.arrivals_at = until
    if begin is None or not wanted:
        return []
    # As ``flow``: a receipt that comes later moves ``finished_at``; what a file of receipts told may have none of its own.
    proof = select(func.min(Receipt.created_at)).where(Receipt.delivery_id == Delivery.id).scalar_subquery()
    arrived_at = func.coalesce(proof, Delivery.finished_at)
    rows = db.session.execute(
        select(Document.type, func.count())
        .join(Delivery, Delivery.document_id == Document.id)
        .where(
            Delivery.subscription_id == watch.subscription_id, Delivery.adaptor_id == watch.adaptor_id,
            Delivery.state.in_(sorted(GROUPS["arrived"])), Delivery.id >= id_at(now - _LATEST),
            Delivery.finished_at > begin - _SETTLED, arrived_at > begin, arrived_at <= until,
        )
        .group_by(Document.type)
    )  # fmt: skip
    figures = {kind.value: number for kind, number in rows}
    return [(until, figures)] if figures else []
