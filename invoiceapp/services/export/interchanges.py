"""Numbers for interchanges: one running sequence from each sender to each receiver.

A number belongs to a document's content: converting the same content again
gives the same number and time, so the same bytes and the same idempotency key.
"""

from __future__ import annotations

import uuid

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.formats.base import Interchange
from invoiceapp.models import Document, InterchangeSequence, NumberedInterchange, db
from invoiceapp.services.database import transaction


def _known(document_id: str, fingerprint: str) -> NumberedInterchange | None:
    return db.session.scalar(
        select(NumberedInterchange).where(
            NumberedInterchange.document_id == document_id, NumberedInterchange.fingerprint == fingerprint
        )
    )


def _next_number(subscription_id: str, sender: str, receiver: str) -> int:
    """Count on. Inside the caller's transaction, which so holds the sequence's row until it ends."""
    counted = (
        update(InterchangeSequence)
        .where(
            InterchangeSequence.subscription_id == subscription_id,
            InterchangeSequence.sender == sender,
            InterchangeSequence.receiver == receiver,
        )
        .values(last=InterchangeSequence.last + 1)
        .returning(InterchangeSequence.last)
        .execution_options(synchronize_session=False)
    )
    number = db.session.scalar(counted)
    if number is None:
        try:
            with db.session.begin_nested():
                db.session.add(
                    InterchangeSequence(subscription_id=subscription_id, sender=sender, receiver=receiver, last=1)
                )
            return 1
        except IntegrityError:
            # Another worker began the sequence at the same moment.
            number = db.session.scalar(counted)
    if number is None:
        raise RuntimeError("the sequence vanished while it was counted")
    return int(number)


def number(document: Document, sender: str, receiver: str, fingerprint: str) -> Interchange:
    """The interchange of this content; a new number only for content that never had one."""
    with transaction() as session:
        row = _known(document.id, fingerprint)
        if row is None:
            row = NumberedInterchange(
                subscription_id=document.subscription_id,
                document_id=document.id,
                sender=sender,
                receiver=receiver,
                number=_next_number(document.subscription_id, sender, receiver),
                fingerprint=fingerprint,
                instance_id=str(uuid.uuid4()),
            )
            session.add(row)
            session.flush()
        return Interchange(row.number, row.created_at, row.instance_id)
