"""What every action of a person begins and ends with: the document locked, the move compared and set, the line written."""

from __future__ import annotations

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Document, Receipt, Stage, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, move
from invoiceapp.services.errors import Conflict, ServiceError

from . import events

S = DeliveryState

MOVED_ON = Text(
    "Dokumentet er gået videre i mellemtiden. Se status igen.", "The document has moved on. Look at its status again."
)
_HANDLED = Text(
    "Dokumentet er markeret som håndteret udenfor. Tag det op igen, hvis det alligevel skal sendes herfra.",
    "The document is marked as handled outside. Take it up again if it is to be sent from here after all.",
)


def lease_of(delivery: Delivery) -> Lease:
    """What a person's move must find unchanged."""
    return Lease(delivery.id, delivery.gateway_id, delivery.fence)


def person_moves(
    delivery: Delivery, new: DeliveryState, kind: str, actor: str, note: str = "", receipt: Receipt | None = None
) -> None:
    """Move it and write the timeline's line. Raises ``Conflict`` where it has moved on or is handled outside."""
    try:
        with transaction() as session:
            require_not_handled(locked(delivery.document_id))
            if new is S.CANCELLED:
                stop_conversion(delivery)
            next_at = utcnow() if new is S.PENDING else None
            done = None if new is S.PENDING else utcnow()
            tries = {"tries": 0} if new is S.PENDING else {}
            move(
                lease_of(delivery),
                delivery.state,
                new,
                Mover.PERSON,
                next_at=next_at,
                finished_at=done,
                fence=Delivery.fence + 1,
                **tries,
            )
            if receipt is not None:
                session.add(receipt)
            row = session.get_one(Delivery, delivery.id, populate_existing=True)
            events.of_delivery(kind, row, actor=actor, note=note)
    except (LeaseLost, AssertionError) as error:
        raise Conflict(MOVED_ON) from error
    if new is S.PENDING:
        bell.ring("deliver")


def locked(document_id: str) -> Document:
    """The document as it is now; nobody queues or finishes it until the caller's transaction ends.

    Whoever needs a document and its deliveries locks the document first.
    """
    return db.session.get_one(Document, document_id, populate_existing=True, with_for_update={"key_share": True})


def stop_conversion(delivery: Delivery) -> None:
    """What a person decided holds: neither a waiting conversion nor a later run sends the document after all.

    It may wait for a conversion, be listed since its customer was deactivated,
    or be set aside as unusable until its records change.
    """
    document = locked(delivery.document_id)
    if document.stage is not Stage.CONVERTED:
        document.stage, document.error = Stage.CONVERTED, None
        document.lease_until = document.lease_token = None


def require_not_handled(document: Document) -> None:
    """Raises ``Conflict`` for one that a person takes care of outside. The document is locked."""
    if document.stage is Stage.HANDLED:
        raise Conflict(_HANDLED)


def need_note(note: str) -> None:
    """Raises ``ServiceError`` where a reason is missing."""
    if not note.strip():
        raise ServiceError(
            Text("Skriv en begrundelse; den gemmes på dokumentet.", "Write a reason; it is kept with the document.")
        )
