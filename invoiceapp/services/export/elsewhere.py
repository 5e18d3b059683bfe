"""The same document by another way: its number is taken by the same record of another adaptor, or by another record.

``services/delivery/numbers.py`` keeps who has a number. Here stands what follows: the settings or a person may let a document
go all the same, and a worker that finds the number taken just before the first byte stops.
"""

from __future__ import annotations

import logging

from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.settings import SettingsInvalid
from invoiceapp.models import Adaptor, Delivery, Document, Environment, ExportRule, Stage, db, utcnow
from invoiceapp.services.configuration import outgoing, releasing
from invoiceapp.services.configuration.settings import resolve
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import numbers
from invoiceapp.services.delivery.moves import Lease, LeaseLost, lock_document, move
from invoiceapp.services.delivery.numbers import Holder
from invoiceapp.services.errors import text_dict

from . import events, outcomes, reasons

log = logging.getLogger(__name__)

S = DeliveryState
SKIP, WARN = "skip", "warn"
#: Of a delivery's error: it was not sent because of its number.
CLASS = "NumberTaken"
#: What ``Finding.fix`` of a taken number begins with; the id of the document that has it follows.
FIX = "document."


class NumberTaken(Exception):
    """Another document may leave under the number."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(holder.document_id)
        self.holder = holder


def policy(document: Document, adaptor: Adaptor) -> str:
    """What the settings say of the same record through another adaptor; nothing goes where they cannot be read."""
    override = db.session.scalar(select(ExportRule.settings).where(ExportRule.customer_id == document.customer_id))
    try:
        return resolve(adaptor.settings, override or {}).general.already_elsewhere
    except SettingsInvalid:
        return SKIP


def goes_beside(document: Document, holder: Holder, says: str) -> bool:
    """Whether it is sent all the same: a person wants it, or the settings (``says``) do of the same record."""
    return holder.document_id == document.beside_id or (holder.is_same_record and says != SKIP)


def require(document: Document, adaptor: Adaptor, environment: Environment) -> None:
    """Take the document's number. Raises ``NumberTaken``. Inside the caller's transaction, which has locked the document."""
    holder = numbers.take(document, adaptor, environment)
    if holder is not None and not goes_beside(document, holder, policy(document, adaptor)):
        raise NumberTaken(holder)


def of_document(document: Document, adaptor: Adaptor, environment: Environment) -> Holder | None:
    """Who keeps it from leaving now. Inside the caller's transaction."""
    holder = numbers.look(document, adaptor, environment)
    return None if holder is None or goes_beside(document, holder, policy(document, adaptor)) else holder


def stop(lease: Lease, holder: Holder) -> None:
    """What was leased and whose number is taken does not leave.

    What never left is converted again, which skips or blocks it with words. What was tried before, or is sent again, has
    failed, or nobody knows whether it arrived.
    """
    try:
        document_id = _stop(lease, holder)
    except LeaseLost:
        log.warning("delivery %s was taken over before it could be stopped", lease.delivery_id)
        return
    if document_id:
        releasing.after_change(Document.id == document_id)


def _stop(lease: Lease, holder: Holder) -> str | None:
    """The document that is to be made anew."""
    with transaction() as session:
        lock_document(lease.delivery_id)
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        was_tried = Delivery.first_sent_at.is_not(None) | (Delivery.tries > 0) | outgoing.repeats()
        if not session.scalar(select(Delivery.id).where(Delivery.id == delivery.id, was_tried)):
            move(lease, S.LEASED, S.PENDING, Mover.HOLDER, next_at=utcnow(), lease_owner=None)
            return delivery.document_id
        text = reasons.number_taken(delivery.document.type, holder).text
        error = text_dict(text, **{"class": CLASS, "holder": holder.document_id})
        state = S.OUTCOME_UNKNOWN if outcomes.may_have_arrived(delivery.id) else S.FAILED
        ended = utcnow() if state is S.FAILED else None
        move(lease, S.LEASED, state, Mover.HOLDER, next_at=None, lease_owner=None, error=error, finished_at=ended)
        session.refresh(delivery)
        events.of_delivery(state.value, delivery, **text_dict(text))
    return None


def kept_back_by(document: Document, delivery: Delivery | None) -> str | None:
    """Id of the document because of whose number it waits, was skipped, blocked or not sent again; None where that is not so."""
    if document.stage in (Stage.SKIPPED, Stage.QUEUED):
        return (document.error or {}).get("holder")
    if delivery is None or document.stage is not Stage.CONVERTED:
        return None
    if delivery.state is S.FAILED and (delivery.error or {}).get("class") == CLASS:
        return (delivery.error or {}).get("holder")
    if delivery.state is not S.BLOCKED:
        return None
    fixes = [found["fix"] for found in delivery.findings if found["rule"] == reasons.NUMBER_TAKEN]
    return fixes[0].removeprefix(FIX) if fixes and fixes[0] else None
