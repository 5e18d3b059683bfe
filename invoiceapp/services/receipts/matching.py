"""Which delivery a message is about: tried again for a day, because an answer may overtake our own record of the sending."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Unreadable as UnreadableFile
from invoiceapp.gateways.base import Incoming, Unreadable, Verdict
from invoiceapp.models import Delivery, Gateway, IncomingMessage, IncomingState, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import LeaseLost, lock_documents
from invoiceapp.services.errors import ServiceError, text_dict
from invoiceapp.services.export import archive

from . import applying, questions
from .reading import Said, said_by

log = logging.getLogger(__name__)

#: How long a message waits for the delivery that it is about: the answer may overtake our own record of the sending.
PATIENCE = timedelta(hours=24)
#: And how long it is tried at every tick: longer than a worker's lease. Later only what else comes in can change anything.
_EAGER = timedelta(minutes=10)
_BATCH = 1_000

_NOT_YET = Text(
    "Hører ikke til noget, vi ved er sendt. Vi prøver igen i et døgn.",
    "Belongs to nothing that we know was sent. We try again for a day.",
)
_EARLY = Text(
    "Hører til et dokument, der er ved at blive sendt. Svaret tælles med, når det er sendt.",
    "Belongs to a document that is being sent. The answer counts once it is sent.",
)
_ASKED = Text(
    "Partneren melder, at der er nyt. Vi spørger den, hvad det er.",
    "The partner says that there is news. We ask it what it is.",
)
_BEING_ASKED = Text(
    "Partneren melder, at der er nyt, mens vi spørger den. Vi spørger igen bagefter.",
    "The partner says that there is news while we are asking it. We ask again afterwards.",
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
        if state is IncomingState.MATCHED:
            _ask_again(message)
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


def _ask_again(message: IncomingMessage) -> None:
    """The same hint once more, in the same bytes, is news again."""
    for entry in message.outcome:
        if entry["verdict"] == Verdict.HINT.value and entry["delivery"]:
            questions.ask_now(entry["delivery"])


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
    # Before the first of them is touched: one message may be about many.
    lock_documents([one.delivery_id for one in said if one.delivery_id])
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
        return _entry(None, said.verdict, said.why_unmatched or (_FOREIGN if is_late else _NOT_YET))
    if said.verdict is Verdict.HINT:
        if questions.ask_now(said.delivery_id) or is_late:
            return _entry(said.delivery_id, said.verdict, _ASKED)
        return _entry(None, said.verdict, _BEING_ASKED)
    # One after the other: a status that was asked for may be applied at this moment.
    delivery = db.session.get_one(
        Delivery, said.delivery_id, populate_existing=True, with_for_update={"of": Delivery, "key_share": True}
    )
    if applying.waits(delivery) and not is_late:
        return _entry(None, said.verdict, _EARLY)
    applying.apply(delivery, said, said.verdict, message.sha256)
    return _entry(delivery.id, said.verdict, said.text or applying.WORDS[said.verdict])
