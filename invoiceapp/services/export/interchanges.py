"""Numbers for interchanges: one running sequence from each sender to each receiver.

A number belongs to a document's content: converting the same content again
gives the same number and time, so the same bytes and the same idempotency key.
"""

from __future__ import annotations

import hashlib
import uuid

from sqlalchemy import Update, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.formats.base import Interchange
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Document, InterchangeSequence, NumberedInterchange, Rendition, db
from invoiceapp.services.database import transaction


def _known(document_id: str, fingerprint: str) -> NumberedInterchange | None:
    return db.session.scalar(
        select(NumberedInterchange).where(
            NumberedInterchange.document_id == document_id, NumberedInterchange.fingerprint == fingerprint
        )
    )


def _sequence(subscription_id: str, sender: str, receiver: str) -> Update:
    return (
        update(InterchangeSequence)
        .where(
            InterchangeSequence.subscription_id == subscription_id,
            InterchangeSequence.sender == sender,
            InterchangeSequence.receiver == receiver,
        )
        .execution_options(synchronize_session=False)
    )


def _give_back(subscription_id: str, sender: str, receiver: str) -> None:
    """Nobody has seen the number, and until the transaction ends nobody can count on."""
    db.session.execute(_sequence(subscription_id, sender, receiver).values(last=InterchangeSequence.last - 1))


def _next_number(subscription_id: str, sender: str, receiver: str) -> int:
    """Count on. Inside the caller's transaction, which so holds the sequence's row until it ends."""
    counted = (
        _sequence(subscription_id, sender, receiver)
        .values(last=InterchangeSequence.last + 1)
        .returning(InterchangeSequence.last)
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


def _numbered(document: Document, sender: str, receiver: str, fingerprint: str) -> NumberedInterchange:
    """The row of a content, made where there is none. Inside the caller's transaction."""
    row = _known(document.id, fingerprint)
    if row is not None:
        return row
    counted = _next_number(document.subscription_id, sender, receiver)
    # Another worker may have numbered this content while we waited for the sequence.
    row = _known(document.id, fingerprint)
    if row is not None:
        _give_back(document.subscription_id, sender, receiver)
        return row
    row = NumberedInterchange(
        subscription_id=document.subscription_id,
        document_id=document.id,
        sender=sender,
        receiver=receiver,
        number=counted,
        fingerprint=fingerprint,
        instance_id=str(uuid.uuid4()),
    )
    db.session.add(row)
    db.session.flush()
    return row


def _interchange(row: NumberedInterchange) -> Interchange:
    return Interchange(row.number, row.created_at, row.instance_id)


def number(document: Document, sender: str, receiver: str, fingerprint: str) -> Interchange:
    """The interchange of this content; a new number only for content that never had one."""
    with transaction():
        return _interchange(_numbered(document, sender, receiver, fingerprint))


def id_of(document_id: str, interchange: Interchange) -> str | None:
    """The row behind an interchange that ``number`` gave. Inside the caller's transaction."""
    return db.session.scalar(
        select(NumberedInterchange.id).where(
            NumberedInterchange.document_id == document_id, NumberedInterchange.instance_id == interchange.instance_id
        )
    )


def renumbered(document: Document, rendition: Rendition, content: bytes, purpose: str) -> tuple[bytes, str]:
    """The same content as a new interchange on its route, and that one's row; for a deliberate second sending.

    A receiver drops an interchange that it has seen. ``purpose`` tells second
    sendings apart: the id of the new delivery. Inside the caller's transaction,
    so that a sending that does not come about takes no number.
    """
    before = db.session.get_one(NumberedInterchange, rendition.interchange_id)
    fingerprint = hashlib.sha256(f"{before.fingerprint}/{purpose}".encode()).hexdigest()
    after = _numbered(document, before.sender, before.receiver, fingerprint)
    renumber = formats()[rendition.format].renumber
    if renumber is None:
        raise LookupError(f"{rendition.format} counts its interchanges, but cannot count on")
    return renumber(content, _interchange(before), _interchange(after)), after.id
