"""What a person may do with one document or delivery: audited, and never a silent second sending."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Delivery,
    Document,
    Environment,
    ExportRule,
    Receipt,
    Rendition,
    Stage,
    cut,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import bell
from invoiceapp.services.configuration import rules
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.delivery import order
from invoiceapp.services.delivery.moves import LeaseLost, move
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.sources.base import SourceError

from . import archive, documents, elsewhere, events, interchanges, trials
from .by_hand import MOVED_ON as MOVED_ON
from .by_hand import lease_of, locked, need_note, person_moves, require_not_handled, stop_conversion
from .handling import ask_again as ask_again
from .handling import can_be_asked as can_be_asked
from .handling import handle_outside as handle_outside
from .handling import may_be_handled as may_be_handled
from .handling import take_up_again as take_up_again
from .rereading import read_again

S = DeliveryState


def try_again(delivery: Delivery, actor: str) -> None:
    """Send a failed one again, with the same ids: nothing ever arrived. Raises ``Conflict``."""
    if delivery.state is not S.FAILED:
        raise Conflict(MOVED_ON)
    person_moves(delivery, S.PENDING, "tried_again", actor)


def cancel(delivery: Delivery, actor: str, note: str) -> None:
    """Take it out; it is not sent. Raises ``Conflict`` once it is on its way."""
    person_moves(delivery, S.CANCELLED, "cancelled", actor, note)


def send_now(delivery: Delivery, actor: str, note: str = "") -> None:
    """End its hold, or its wait for the invoice that it takes back: it is due at once.

    Raises ``Conflict`` where it is not waiting any more, ``ServiceError`` where a reason is missing to go before the invoice.
    """
    with transaction() as session:
        document = locked(delivery.document_id)
        if order.awaited(document, delivery) is not None:
            need_note(note)
            document.before_invoice = True
        result = session.execute(
            update(Delivery)
            .where(Delivery.id == delivery.id, Delivery.state == S.PENDING, Delivery.fence == delivery.fence)
            .values(next_at=utcnow(), updated_at=utcnow())
            .execution_options(synchronize_session=False)
        )
        if not changed(result):
            raise Conflict(MOVED_ON)
        row = session.get_one(Delivery, delivery.id, populate_existing=True)
        events.of_delivery("sent_now", row, actor=actor, **({"note": note} if note else {}))
    bell.ring("deliver")


def send_anyway(document: Document, actor: str, note: str) -> None:
    """Export what was kept back because the receiver may have it by another way. Raises ``Conflict``, ``ServiceError``.

    That is: the accounting system has sent it itself, or another document leaves under its number.
    """
    need_note(note)
    with transaction() as session:
        row = locked(document.id)
        delivery = session.get(Delivery, row.delivery_id, populate_existing=True) if row.delivery_id else None
        beside = elsewhere.kept_back_by(row, delivery)
        if row.stage is not Stage.SKIPPED and beside is None:
            raise Conflict(MOVED_ON)
        # Why it was left out goes with the line, so that it can be left out again (services/daily/taking_back.py).
        left_out = row.error if row.stage is Stage.SKIPPED else None
        if beside is None:
            row.send_anyway = True
        else:
            # Only this one: where a third document has taken the number meanwhile, a person is asked again.
            row.beside_id = beside
        was_tried = delivery if row.stage is Stage.CONVERTED and delivery and delivery.state is S.FAILED else None
        if was_tried is None:
            documents.queue(row, run_id=row.run_id)
        events.of_document("send_anyway", row, actor=actor, note=note, left_out=left_out)
    bell.ring("convert")
    if was_tried is not None:
        try_again(was_tried, actor)


def approve_customer(document: Document, actor: str) -> int:
    """Let go what waits for a person's approval of its customer, and all that follows; how many are converted again.

    May be done twice: whatever still waits goes then. Raises ``Conflict`` where the customer has no rule any more.
    """
    with transaction() as session:
        rule = session.scalar(
            select(ExportRule)
            .where(ExportRule.customer_id == document.customer_id)
            .with_for_update(of=ExportRule)
            .execution_options(populate_existing=True)
        )
        if rule is None:
            raise Conflict(MOVED_ON)
        if rule.approved_at is None:
            rule.approved_at, rule.approved_by = utcnow(), cut(actor, 255)
            events.of_document("approved", document, actor=actor)
        customer_id = rule.customer_id
    return rules.release_blocked(customer_id)


def mark_received(delivery: Delivery, actor: str, note: str) -> None:
    """A person knows that an unclear one arrived; their note is the evidence. Raises ``Conflict``, ``ServiceError``."""
    need_note(note)
    receipt = Receipt(delivery_id=delivery.id, kind="person", reference=actor, evidence={"note": note, "by": actor})
    person_moves(delivery, S.ACCEPTED, "marked_received", actor, note, receipt)


def may_leave(delivery: Delivery) -> bool:
    """Whether it has bytes that no rule keeps back; a cancelled one may never have had any."""
    return delivery.rendition_id is not None and all(found["severity"] != "fatal" for found in delivery.findings)


def send_again(delivery: Delivery, actor: str, note: str) -> str:
    """A new delivery of the same document that names the one it supersedes; the new one's id.

    The partner may get it twice, so a reason is asked for, and the new delivery
    has wire ids of its own. The bytes are the same, but for the number of the
    interchange where there is one. Raises ``Conflict``, ``ServiceError``.
    """
    need_note(note)
    _require_same_environment(delivery)
    if not may_leave(delivery):
        raise ServiceError(
            Text(
                "Dokumentet overholder ikke reglerne og kan ikke sendes, som det er. Ret fejlen og hent det igen.",
                "The document breaks the rules and cannot be sent as it is. Correct the error and fetch it again.",
            )
        )
    new = new_id()
    try:
        with transaction() as session:
            require_not_handled(locked(delivery.document_id))
            # A cancelled one may have been built anew meanwhile; these bytes go, not those too.
            stop_conversion(delivery)
            move(lease_of(delivery), delivery.state, S.SUPERSEDED, Mover.PERSON, finished_at=utcnow(), next_at=None)
            old = session.get_one(Delivery, delivery.id, populate_existing=True)
            again = Delivery(
                id=new, subscription_id=old.subscription_id, adaptor_id=old.adaptor_id, document_id=old.document_id,
                gateway_id=old.gateway_id, rendition_id=_rendition_for(old, new), run_id=old.run_id, format=old.format,
                environment=old.gateway.environment, transport=old.transport, state=S.PENDING, next_at=utcnow(), idem_key=_next_key(old.idem_key, new),
                findings=old.findings, supersedes_id=old.id,
            )  # fmt: skip
            session.add(again)
            session.flush()
            events.of_delivery("sent_again", again, actor=actor, note=note, supersedes=old.id)
    except (LeaseLost, AssertionError, IntegrityError) as error:
        raise Conflict(MOVED_ON) from error
    bell.ring("deliver")
    return new


def _require_same_environment(delivery: Delivery) -> None:
    """A test is not sent for real by repeating it, nor a real sending ended by a test."""
    if delivery.first_sent_at is None or delivery.gateway.environment is delivery.environment:
        return
    name = delivery.gateway.name
    if delivery.environment is Environment.TEST:
        raise Conflict(
            Text(
                f"Gatewayen »{name}« var en testgateway, da dokumentet blev sendt, og er nu i drift. Vælg »Send rigtigt«, når "
                "kundens dokumenter skal sendes dertil.",
                f"The gateway “{name}” was a test gateway when the document was sent, and is live now. Choose “Send for real” "
                "when the customer's documents are to go there.",
            )
        )
    raise Conflict(
        Text(
            f"Gatewayen »{name}« var i drift, da dokumentet blev sendt, og er nu en testgateway, så modtageren ville ikke få "
            "dokumentet. Sæt gatewayen i drift igen først.",
            f"The gateway “{name}” was live when the document was sent, and is a test gateway now, so the receiver would not get "
            "the document. Set the gateway live again first.",
        )
    )


def _rendition_for(old: Delivery, new: str) -> str | None:
    """What a second sending carries: the same bytes, or the same message as a new interchange. In the caller's transaction."""
    rendition = db.session.get_one(Rendition, old.rendition_id)
    if rendition.interchange_id is None:
        return old.rendition_id
    content, interchange_id = interchanges.renumbered(old.document, rendition, archive.load(rendition.sha256), new)
    kept = {name: getattr(rendition, name) for name in _SAME_IN_A_SECOND_SENDING}
    again = Rendition(
        id=new_id(), sha256=archive.store(content), size=len(content), interchange_id=interchange_id, **kept
    )  # fmt: skip
    db.session.add(again)
    db.session.flush()
    return again.id


_SAME_IN_A_SECOND_SENDING = (
    "subscription_id", "document_id", "format", "media_type", "filename", "sender", "receiver", "rule_sets",
    "missing_rule_sets", "findings", "accounts",
)  # fmt: skip


def _next_key(old_key: str, delivery_id: str) -> str:
    """A deliberate second sending must not look like a repeat of the first."""
    return base64.b32encode(hashlib.sha256(f"{old_key}/{delivery_id}".encode()).digest()[:20]).decode("ascii").lower()


def rebuild(document: Document, actor: str) -> None:
    """Read the document from the source again and convert it anew. Only while it has not left, but for tests taken out.

    Raises ``Conflict`` where it has left or the adaptor is switched off, ``ServiceError`` where the source
    cannot answer or no longer has it.
    """
    _build_anew(document, actor, _require_unsent)


def send_for_real(document: Document, actor: str) -> None:
    """Read a document that only went to test gateways again, convert it anew and send it to its customer's live one.

    The tests are superseded. Raises as ``rebuild``, and ``Conflict`` while the customer's documents would not leave for real.
    """
    _build_anew(document, actor, _end_tests)


def _build_anew(document: Document, actor: str, require: Callable[[Document, str], None]) -> None:
    """``require`` raises ``Conflict``, or writes the timeline's line, while the document is locked."""
    try:
        read = read_again(document)
    except SourceError as error:
        raise ServiceError(error.text) from error
    with transaction():
        row = locked(document.id)
        require_not_handled(row)
        require(row, actor)
        documents.refresh(row, read)
        documents.queue(row, run_id=row.run_id)
    bell.ring("convert")


def _require_unsent(document: Document, actor: str) -> None:
    has_left = db.session.scalar(
        select(Delivery.id).where(
            Delivery.document_id == document.id,
            # A cancelled one may have been sent with an unknown outcome.
            (Delivery.first_sent_at.is_not(None) & (Delivery.environment == Environment.LIVE))
            | Delivery.state.not_in((S.BLOCKED, S.SUPERSEDED, S.CANCELLED)),
        )
    )
    if has_left is not None:
        raise Conflict(MOVED_ON)
    events.of_document("rebuilt", document, actor=actor)


def _end_tests(document: Document, actor: str) -> None:
    if not trials.leaves_for_real(document):
        raise Conflict(
            Text(
                "Kundens dokumenter sendes stadig kun som test. Sæt adaptoren i drift under Generelt, og vælg en gateway i "
                "drift til kunden.",
                "The customer's documents are still only sent as tests. Set the adaptor live under General, and choose a live "
                "gateway for the customer.",
            )
        )
    if document.stage is not Stage.CONVERTED or not trials.supersede(document, actor):
        raise Conflict(MOVED_ON)
