"""What a message says, and of which deliveries. Reads the database; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.formats.edifact.acknowledgements import Acknowledgement, read_acknowledgements
from invoiceapp.gateways.base import Incoming, LaterReceipt, Transport, Unreadable, Verdict
from invoiceapp.models import Attempt, Delivery, IncomingMessage, db

from . import edifact

#: ``Receipt.kind`` of what a partner posts to us.
POSTED = "mdn"


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


def said_by(message: IncomingMessage, incoming: Incoming, transport: Transport) -> list[Said]:
    """One entry a consignment, in the message's own order, the same every time.

    Inside the caller's transaction. Raises ``Unreadable`` of the gateways or of the formats.
    """
    if incoming.headers and transport.receives:
        return [_posted(message, incoming, transport)]
    return [_laid_out(message, incoming, found) for found in read_acknowledgements(incoming.content)]


def _posted(message: IncomingMessage, incoming: Incoming, transport: Transport) -> Said:
    key = transport.key_of(incoming)
    delivery_id = newest_with(key, message.gateway_id, message.subscription_id) if key else None
    tried = _wire_ids(delivery_id) if delivery_id else []
    if not tried:
        return Said(delivery_id, POSTED, incoming.name)
    later = _read(incoming, tried, transport)
    return Said(delivery_id, POSTED, later.reference, later.verdict, later.evidence, later.text)


def _read(incoming: Incoming, tried: list[dict[str, str]], transport: Transport) -> LaterReceipt:
    """The receipt, by the newest attempt that it fits. Raises ``Unreadable``."""
    for position, wire_ids in enumerate(tried, 1):
        try:
            return transport.read(incoming, wire_ids)
        except Unreadable:
            if position == len(tried):
                raise
    raise AssertionError("no attempt to read it by")


def newest_with(key: str, gateway_id: str, subscription_id: str) -> str | None:
    """The newest delivery of this gateway with an idempotency key."""
    return db.session.scalar(
        select(Delivery.id)
        .where(
            Delivery.idem_key == key, Delivery.gateway_id == gateway_id, Delivery.subscription_id == subscription_id
        )
        .order_by(Delivery.id.desc())
        .limit(1)
    )  # fmt: skip


def _wire_ids(delivery_id: str) -> list[dict[str, str]]:
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
