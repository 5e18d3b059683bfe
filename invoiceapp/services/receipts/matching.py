"""What receipts do to deliveries: they only ever move them forward, and whatever they say is kept as evidence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select

from invoiceapp.domain.delivery import IN_PROGRESS, DeliveryState, Mover, may_move
from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Unreadable as UnreadableFile
from invoiceapp.gateways.base import Incoming, Unreadable, Verdict
from invoiceapp.models import Attempt, Delivery, Gateway, IncomingMessage, IncomingState, Receipt, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError, text_dict
from invoiceapp.services.export import archive, events
from invoiceapp.services.export.leases import Lease, LeaseLost, move
from invoiceapp.services.export.outcomes import may_have_arrived

from .reading import Said, said_by

log = logging.getLogger(__name__)

S = DeliveryState

#: How long a message waits for the delivery that it is about: the answer may overtake our own record of the sending.
PATIENCE = timedelta(hours=24)
#: And how long it is tried at every tick: longer than a worker's lease. Later only what else comes in can change anything.
_EAGER = timedelta(minutes=10)
_BATCH = 1_000

#: Nobody knew what became of its tries, or it seemed to have failed: the receipt tells.
_OPEN = frozenset({S.PENDING, S.OUTCOME_UNKNOWN, S.FAILED})
_TARGETS = {
    Verdict.ARRIVED: S.DELIVERED,
    Verdict.ACKNOWLEDGED: S.ACKNOWLEDGED,
    Verdict.REJECTED: S.REJECTED,
}
_WORDS = {
    Verdict.ARRIVED: Text("Modtageren har filen.", "The receiver has the file."),
    Verdict.ACKNOWLEDGED: Text("Modtageren har læst og godtaget dokumentet.", "The receiver has read and taken the document."),
    Verdict.REJECTED: Text("Modtageren har afvist dokumentet.", "The receiver has rejected the document."),
}  # fmt: skip
_NOT_YET = Text(
    "Hører ikke til noget, vi ved er sendt. Vi prøver igen i et døgn.",
    "Belongs to nothing that we know was sent. We try again for a day.",
)
_EARLY = Text(
    "Hører til et dokument, der er ved at blive sendt. Svaret tælles med, når det er sendt.",
    "Belongs to a document that is being sent. The answer counts once it is sent.",
)
_FOREIGN = Text(
    "Hører ikke til noget, der er sendt gennem denne gateway. Spørg modtageren, hvad det er svar på.",
    "Belongs to nothing that was sent through this gateway. Ask the receiver what it answers.",
)


def match_waiting() -> int:
    """Try again what has not found its delivery; how many have found it, or are given up."""
    now = utcnow()
    with transaction():
        waiting = (
            select(IncomingMessage.id)
            .where(
                IncomingMessage.state == IncomingState.WAITING,
                or_(
                    IncomingMessage.created_at > now - _EAGER,
                    IncomingMessage.created_at < now - PATIENCE,
                ),
            )
            .order_by(IncomingMessage.id)
            .limit(_BATCH)
        )
        ids = db.session.scalars(waiting).all()
    return sum(match_safely(message_id) for message_id in ids)


def match_safely(message_id: str) -> bool:
    """One message that cannot be worked on keeps no other waiting."""
    try:
        return match(message_id) is not IncomingState.WAITING
    except Exception:
        log.exception("receipt %s met an unexpected error", message_id)
        db.session.rollback()
        return False


def match(message_id: str) -> IncomingState:
    """Find what a message is about and note what it says there; its state then. Safe to call again, and at once."""
    with transaction() as session:
        message = session.get_one(IncomingMessage, message_id, populate_existing=True)
        state, sha256 = message.state, message.sha256
    if state is not IncomingState.WAITING:
        return state
    try:
        content = archive.load(sha256)
        with transaction():
            return _match(message_id, content)
    except LeaseLost:
        log.info("receipt %s: its delivery moved on at this moment; tried again later", message_id)
    except ServiceError as error:
        log.warning("receipt %s waits: %s", message_id, error.text.en)
    return IncomingState.WAITING


def _match(message_id: str, content: bytes) -> IncomingState:
    message = db.session.get_one(IncomingMessage, message_id, populate_existing=True, with_for_update=True)
    if message.state is not IncomingState.WAITING:
        return message.state
    incoming = Incoming(message.name, content, message.headers)
    try:
        with gateways.open_transport(db.session.get_one(Gateway, message.gateway_id)) as transport:
            said = said_by(message, incoming, transport)
    except (Unreadable, UnreadableFile) as error:
        log.warning("receipt %s is unreadable: %s", message_id, error)
        message.state = IncomingState.UNREADABLE
        message.outcome = [_entry(None, None, error.text)]
        return message.state
    is_late = message.created_at < utcnow() - PATIENCE
    known = message.outcome or [_entry(None, None, _NOT_YET)] * len(said)
    message.outcome = [
        before if before["delivery"] else _applied(one, message, is_late=is_late)
        for before, one in zip(known, said, strict=True)
    ]
    message.state = _state(message.outcome, is_late=is_late)
    if message.state is IncomingState.MATCHED:
        message.matched_at = utcnow()
    return message.state


def _state(outcome: list[dict[str, Any]], *, is_late: bool) -> IncomingState:
    found = [bool(entry["delivery"]) for entry in outcome]
    if all(found) or (is_late and any(found)):
        return IncomingState.MATCHED
    return IncomingState.UNREADABLE if is_late else IncomingState.WAITING


def _entry(delivery_id: str | None, verdict: Verdict | None, text: Text) -> dict[str, Any]:
    return {"delivery": delivery_id, "verdict": verdict and verdict.value, **text_dict(text)}


def _applied(said: Said, message: IncomingMessage, *, is_late: bool) -> dict[str, Any]:
    """The line of ``IncomingMessage.outcome`` for one consignment. Raises ``LeaseLost``."""
    if said.delivery_id is None or said.verdict is None:
        return _entry(None, said.verdict, _FOREIGN if is_late else _NOT_YET)
    delivery = db.session.get_one(Delivery, said.delivery_id, populate_existing=True)
    if _waits(delivery) and not is_late:
        return _entry(None, said.verdict, _EARLY)
    _advance(delivery, said, said.verdict, message)
    return _entry(delivery.id, said.verdict, said.text or _WORDS[said.verdict])


def _waits(delivery: Delivery) -> bool:
    """Whether our own record of the sending is to come; not where an earlier try is what is answered."""
    return delivery.state in IN_PROGRESS and not (delivery.state is S.PENDING and may_have_arrived(delivery.id))


def path(state: DeliveryState, verdict: Verdict) -> list[DeliveryState]:
    """The states that a verdict leads through, in order; none where it comes too late to change anything."""
    steps = [S.ACCEPTED] if state in _OPEN else []
    target = _TARGETS[verdict]
    return [*steps, target] if may_move(steps[-1] if steps else state, target, Mover.MATCHER) else steps


def _advance(delivery: Delivery, said: Said, verdict: Verdict, message: IncomingMessage) -> None:
    """Evidence, moves and a line of the timeline, in one transaction with the message. Raises ``LeaseLost``."""
    lease = Lease(delivery.id, delivery.gateway_id, delivery.fence)
    state = delivery.state
    steps = [] if _waits(delivery) else path(state, verdict)
    for step in steps:
        move(lease, state, step, Mover.MATCHER, **_values(step, said))
        state = step
    db.session.add(
        Receipt(
            delivery_id=delivery.id, attempt_id=_newest_attempt(delivery.id), kind=said.kind, reference=said.reference[:500],
            evidence={**said.evidence, "verdict": verdict.value, "sha256": message.sha256},
        )
    )  # fmt: skip
    row = db.session.get_one(Delivery, delivery.id, populate_existing=True)
    words: Mapping[str, str] = text_dict(said.text) if said.text else {}
    events.of_delivery(state.value if steps else "late_receipt", row, reference=said.reference, **words)


def _values(step: DeliveryState, said: Said) -> dict[str, Any]:
    """Columns that a move sets."""
    error = None
    if step is S.REJECTED:
        text = said.text or _WORDS[Verdict.REJECTED]
        error = text_dict(text, **{"class": "Rejected", "detail": f"{said.kind} {said.reference}"[:500]})
    return {"next_at": None, "lease_owner": None, "error": error, "finished_at": utcnow()}


def _newest_attempt(delivery_id: str) -> str | None:
    return db.session.scalar(
        select(Attempt.id).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id.desc()).limit(1)
    )
