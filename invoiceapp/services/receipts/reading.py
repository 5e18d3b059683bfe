"""What a message says, and of which deliveries. Reads the database; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, select

from invoiceapp.domain.findings import Text
from invoiceapp.formats.edifact.acknowledgements import Acknowledgement, read_acknowledgements
from invoiceapp.formats.responses import BusinessResponse, By, explained, is_response, read_response
from invoiceapp.gateways.base import Incoming, LaterReceipt, Transport, Unreadable, Verdict
from invoiceapp.models import Attempt, Delivery, IncomingMessage, db

from . import edifact, responses

#: ``Receipt.kind`` of what a partner posts to us, and of what it answers when it is asked.
POSTED, STATUS = "mdn", "status"
#: Beside the headers of what the partner gave when it was asked: the delivery it was asked about. No request can have a field
#: of that name (RFC 9110 5.6.2).
ASKED_ABOUT = ":delivery"
#: Of a message that an access point has opened: the participant for whom its sender vouches.
VOUCHED_FOR = "sbdh-sender"
#: ``evidence["by"]`` of providers, as events name it: who sends for us is of the network.
_SPEAKERS = {
    "provider": By.NETWORK.value, "network": By.NETWORK.value, "receiver-system": By.RECEIVER_SYSTEM.value,
    "buyer": By.BUYER.value,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What one message says of one consignment."""

    delivery_id: str | None
    """None: about none of ours, as far as is known yet"""
    kind: str
    """As ``Receipt.kind``"""
    reference: str
    verdict: Verdict | None = None
    """None where nothing was sent yet that could prove it"""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    text: Text | None = None
    """Why it was rejected, and whose turn it is"""
    speaker: Mapping[str, str] = field(default_factory=dict)
    """For the timeline: ``by`` (network, receiver_system, buyer), ``says`` and ``who``, where that is known"""
    has_it: bool = False
    """Whether whoever says so must have the document, although nothing final is said"""
    is_overtaken: bool = False
    """Something later was said before: nothing follows from it"""
    is_repeatable: bool = False
    """It may be said again and again, and is told once"""
    why_unmatched: Text | None = None


def said_by(message: IncomingMessage, incoming: Incoming, transport: Transport) -> list[Said]:
    """One entry a consignment, in the message's own order, the same every time.

    Inside the caller's transaction. Raises ``Unreadable`` of the gateways or of the formats.
    """
    if transport.unwraps or (_is_trusted(incoming) and is_response(incoming.content)):
        return [_response(message, incoming, transport)]
    if incoming.headers and transport.receives:
        return [_posted(message, incoming, transport)]
    return [_laid_out(message, incoming, found) for found in read_acknowledgements(incoming.content)]


def _is_trusted(incoming: Incoming) -> bool:
    """Whether we have fetched it ourselves. A response proves nothing by itself: anybody can post one."""
    return not incoming.headers or ASKED_ABOUT in incoming.headers


def _response(message: IncomingMessage, incoming: Incoming, transport: Transport) -> Said:
    found = read_response(incoming.content)
    origin = responses.Origin(
        message.gateway_id, message.subscription_id, bool(transport.networks), incoming.headers.get(ASKED_ABOUT),
        incoming.headers.get(VOUCHED_FOR),
    )  # fmt: skip
    matched = responses.delivery_of(found, origin)
    return Said(
        matched.delivery_id, found.kind.value, found.id or incoming.name, responses.verdict(found), found.to_dict(),
        explained(found), _speaker(found), found.says.has_it,
        is_overtaken=matched.delivery_id is not None and responses.is_overtaken(found, matched.delivery_id),
        why_unmatched=matched.why_not,
    )  # fmt: skip


def _speaker(found: BusinessResponse) -> dict[str, str]:
    who = found.sender_name or (str(found.sender) if found.sender else "")
    return {"by": found.by.value, "says": found.says.value, "who": who}


def _posted(message: IncomingMessage, incoming: Incoming, transport: Transport) -> Said:
    delivery_id = named_by(incoming, transport, message.gateway_id, message.subscription_id)
    tried = wire_ids(delivery_id) if delivery_id else []
    if not tried:
        return Said(delivery_id, POSTED, incoming.name)
    later = _read(incoming, tried, transport)
    return said_later(delivery_id, POSTED, later)


def said_later(delivery_id: str | None, kind: str, later: LaterReceipt) -> Said:
    """A transport's own later receipt."""
    is_repeatable = kind == STATUS or later.verdict is Verdict.ON_ITS_WAY
    by = _SPEAKERS.get(str(later.evidence.get("by")))
    return Said(
        delivery_id, kind, later.reference, later.verdict, later.evidence, later.text, {"by": by} if by else {},
        is_repeatable=is_repeatable,
    )  # fmt: skip


def named_by(incoming: Incoming, transport: Transport, gateway_id: str, subscription_id: str) -> str | None:
    """The newest delivery that a posted message names, by our key or by the partner's own id. Raises ``Unreadable``."""
    key = transport.key_of(incoming)
    if key:
        return newest_with(Delivery.idem_key == key, gateway_id, subscription_id)
    reference = transport.reference_of(incoming)
    if not reference:
        return None
    return newest_with(Delivery.remote_ref == reference[:500], gateway_id, subscription_id)


def _read(incoming: Incoming, tried: list[dict[str, str]], transport: Transport) -> LaterReceipt:
    """The receipt, by the newest attempt that it fits. Raises ``Unreadable``."""
    for position, wire_ids in enumerate(tried, 1):
        try:
            return transport.read(incoming, wire_ids)
        except Unreadable:
            if position == len(tried):
                raise
    raise AssertionError("no attempt to read it by")


def newest_with(which: ColumnElement[bool], gateway_id: str, subscription_id: str) -> str | None:
    """The newest delivery of this gateway that fits."""
    return db.session.scalar(
        select(Delivery.id)
        .where(which, Delivery.gateway_id == gateway_id, Delivery.subscription_id == subscription_id)
        .order_by(Delivery.id.desc())
        .limit(1)
    )


def wire_ids(delivery_id: str) -> list[dict[str, str]]:
    """Of its attempts, newest first, each only once."""
    rows = db.session.scalars(
        select(Attempt.wire_ids).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id.desc())
    )
    found: list[dict[str, str]] = []
    for row in rows:
        if row not in found:
            found.append(row)
    return found


def _laid_out(message: IncomingMessage, incoming: Incoming, found: Acknowledgement) -> Said:
    delivery_id = edifact.delivery_of(found, message.gateway_id, message.subscription_id)
    verdict = edifact.verdict(found, is_repeated=delivery_id is not None and edifact.is_repeated(delivery_id))
    return Said(
        delivery_id, found.kind.lower(), incoming.name, verdict, edifact.evidence(found), edifact.reason(found, verdict)
    )
