"""What partners sent about documents that are gone goes with them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import delete, select

from invoiceapp.models import Delivery, IncomingMessage, db
from invoiceapp.services.database import transaction
from invoiceapp.services.export.validators import today

from . import discarding, holds, terms

BATCH = 200


def delete_old(subscription_id: str) -> int:
    """Messages that came before the last day that is due and are about nothing that is still there; how many."""
    with transaction():
        until = terms.of(subscription_id).last_day_due(today())
        if holds.keeps_all(subscription_id, today()):
            return 0
    end, after, gone = datetime.combine(until + timedelta(days=1), time(), UTC), "", 0
    while True:
        with transaction() as session:
            rows = session.execute(
                select(IncomingMessage.id, IncomingMessage.sha256, IncomingMessage.outcome)
                .where(
                    IncomingMessage.subscription_id == subscription_id, IncomingMessage.created_at < end,
                    IncomingMessage.id > after,
                )
                .order_by(IncomingMessage.id)
                .limit(BATCH)
            ).all()  # fmt: skip
            if not rows:
                return gone
            after = rows[-1].id
            named = {row.id: {one.get("delivery") for one in row.outcome} - {None} for row in rows}
            everybody = set().union(*named.values())
            there = set(db.session.scalars(select(Delivery.id).where(Delivery.id.in_(everybody))))
            old = [row for row in rows if not named[row.id] & there]
            session.execute(delete(IncomingMessage).where(IncomingMessage.id.in_([row.id for row in old])))
            discarding.note({row.sha256 for row in old})
            gone += len(old)
