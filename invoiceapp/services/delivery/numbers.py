"""One number of a seller, one document: a fact of the database and not a look-up, so that a race cannot get around it.

A row of ``sent_number`` names the document that may leave. It is taken in the transaction that makes a delivery, and asked
once more in the one that commits the attempt before the first byte. It is never given back: it may be taken over once
nothing of its document can arrive any more, whatever ended that. What a person or the settings let go beside it has no row;
it is found by ``Document.sent_as``, and keeps the number as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, inspect, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS, DeliveryState
from invoiceapp.models import Adaptor, Attempt, Delivery, Document, Environment, SentNumber, Stage, db, utcnow
from invoiceapp.models.sent_number import normal_number, seller_in, seller_of, sent_as
from invoiceapp.services.database import changed

S = DeliveryState
#: Of the finding that another document has the number.
RULE = "IA-NUMBER-TAKEN"
#: Its partner has it, may have it, or is about to get it. What waits has left nothing: it holds while its adaptor works.
HOLDING = frozenset({*ARRIVED, *IN_PROGRESS, S.OUTCOME_UNKNOWN})
#: Ended by a person or by other settings: what left before is not undone by that.
_ENDED = frozenset({S.CANCELLED, S.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Holder:
    """The document that has a number, for words about it."""

    document_id: str
    adaptor_id: str
    adaptor: str
    """Its adaptor's name"""
    number: str
    status: str
    """As ``Document.status``"""
    sent_at: datetime | None
    """When it left last; None where it has not yet"""
    is_same_record: bool
    """Whether it is the very record of the source, read through another adaptor"""

    @property
    def is_undecided(self) -> bool:
        """Whether it may still come to nothing: it waits, or nobody knows whether it arrived."""
        return self.status in (Stage.QUEUED.value, S.PENDING.value, S.OUTCOME_UNKNOWN.value)


def take(document: Document, adaptor: Adaptor, environment: Environment) -> Holder | None:
    """Make the document the one that may leave under its number; who has it, where that is another one.

    Inside the caller's transaction, which has locked the document; until its end nobody else takes the number.
    """
    key = _key(document, adaptor, environment)
    # Its first time, the number is most likely nobody's; later, most likely its own.
    held_by = None if _note(document, key) else db.session.scalar(_HELD_BY, key)
    while held_by is None and not _insert(key, document.id):
        held_by = db.session.scalar(_HELD_BY, key)
    if held_by == document.id:
        return None
    holder = _who_holds(held_by, document, key)
    if holder is not None:
        return _described(holder, document)
    if held_by is not None:
        db.session.execute(
            update(SentNumber)
            .filter_by(**key)
            .values(document_id=document.id, taken_at=utcnow())
            .execution_options(synchronize_session=False)
        )
    return None


def look(document: Document, adaptor: Adaptor, environment: Environment) -> Holder | None:
    """Who else has the document's number now; nothing is taken. Inside the caller's transaction."""
    key = _key(document, adaptor, environment)
    row = db.session.execute(_LOOK, _beside_asked(document, key)).one()
    holder = row.held_by if row.is_held else row.beside
    return None if holder is None or row.held_by == document.id else _described(holder, document)


def _key(document: Document, adaptor: Adaptor, environment: Environment) -> dict[str, Any]:
    # What was made ready stays that company's when the adaptor is connected to another one.
    seller = seller_in(document.sent_as) or seller_of(adaptor.source_kind, adaptor.organization, adaptor.id)
    return {
        "subscription_id": document.subscription_id, "environment": environment, "seller": seller,
        "type": document.type, "number": normal_number(document.number),
    }  # fmt: skip


_DOCUMENTS = db.metadata.tables["document"]
_NOTE = update(_DOCUMENTS).where(_DOCUMENTS.c.id == bindparam("noted"))


def _note(document: Document, key: dict[str, Any]) -> bool:
    """Whether it is new."""
    noted = sent_as(key["seller"], key["number"])
    if document.sent_as == noted:
        return False
    db.session.execute(_NOTE, {"noted": document.id, "sent_as": noted})
    return True


#: Both dialects' are one statement.
_INSERT = {
    name: dialect.insert(SentNumber.__table__).on_conflict_do_nothing()
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}


def _insert(key: dict[str, Any], document_id: str) -> bool:
    """False where somebody was first."""
    statement = _INSERT[db.session.get_bind().dialect.name]
    return changed(db.session.execute(statement, {**key, "document_id": document_id, "taken_at": utcnow()}))


@cache
def may_have_left() -> ColumnElement[bool]:
    """For queries that have ``Delivery``: something of it may be with its partner, or is about to be."""
    unclear = Attempt.outcome.is_(None) | Attempt.outcome.in_(("unknown", "accepted"))
    tried = exists().where(Attempt.delivery_id == Delivery.id, unclear)
    works = exists().where(Adaptor.id == Delivery.adaptor_id, Adaptor.active, Adaptor.deleted_at.is_(None))
    return or_(
        Delivery.state.in_(HOLDING - {S.PENDING}),
        Delivery.state.in_((S.PENDING, *_ENDED)) & tried,
        (Delivery.state == S.PENDING) & works,
    )


_KEY = [column == bindparam(column.key) for column in inspect(SentNumber).primary_key]
_HELD_BY = select(SentNumber.document_id).where(*_KEY).with_for_update()
#: Whether the document that has the row (``held_by``) keeps the number.
_IS_HELD = exists().where(
    Delivery.document_id == bindparam("held_by"), Delivery.environment == bindparam("environment"), may_have_left()
)
#: The first one that was sent beside it.
_BESIDE = (
    select(Document.id)
    .join(Delivery, Delivery.document_id == Document.id)
    .where(
        Document.subscription_id == bindparam("subscription_id"), Document.sent_as == bindparam("sent_as"),
        Document.type == bindparam("type"), Document.id != bindparam("id"),
        Delivery.environment == bindparam("environment"), may_have_left(),
    )
    .order_by(Delivery.id)
    .limit(1)
)  # fmt: skip
_LOOK = (
    select(
        SentNumber.document_id.label("held_by"),
        exists()
        .where(
            Delivery.document_id == SentNumber.document_id, Delivery.environment == SentNumber.environment,
            may_have_left(),
        )
        .label("is_held"),
        _BESIDE.correlate(None).scalar_subquery().label("beside"),
    )
    # One row, whether the number has one or not.
    .select_from(select(literal(1)).subquery())
    .outerjoin(SentNumber, and_(*_KEY))
)  # fmt: skip


def _beside_asked(document: Document, key: dict[str, Any]) -> dict[str, Any]:
    return {**key, "id": document.id, "sent_as": sent_as(key["seller"], key["number"])}


def _who_holds(held_by: str | None, document: Document, key: dict[str, Any]) -> str | None:
    """Who keeps the number from the document: who has the row (``held_by``), else one that was sent beside it."""
    if held_by is not None and db.session.scalar(select(_IS_HELD), {**key, "held_by": held_by}):
        return held_by
    return db.session.scalar(_BESIDE, _beside_asked(document, key))


def _described(document_id: str, other: Document) -> Holder:
    left = select(func.max(Delivery.first_sent_at)).where(Delivery.document_id == document_id)
    row = db.session.execute(
        select(Document.source_id, Document.number, Document.status, Adaptor.id, Adaptor.name, left.scalar_subquery())
        .join(Adaptor, Adaptor.id == Document.adaptor_id)
        .where(Document.id == document_id)
    ).one()
    source_id, number, status, adaptor_id, name, sent_at = row
    return Holder(document_id, adaptor_id, name, number, status, sent_at, source_id == other.source_id)
