"""What partners post to us: anybody may, so little is believed and little is kept of what is not understood."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select

from invoiceapp.gateways.base import Incoming, Unreadable, registry
from invoiceapp.models import Gateway, IncomingMessage, IncomingState, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError

from . import matching, storing
from .reading import newest_with

log = logging.getLogger(__name__)

#: Bytes of the largest message.
LARGEST = 256_000
#: Messages a day and gateway that are kept although they belong to nothing that we sent.
MOST_UNMATCHED = 200
#: And of all: whoever has seen a Message-ID of ours could post about it for ever.
MOST = 10_000
_DAY = timedelta(days=1)
#: Header fields that receipts are read by; others are not kept.
_HEADERS = frozenset(
    {"content-type", "content-transfer-encoding", "content-disposition", "message-id", "mime-version"}
)  # fmt: skip
_LONGEST_HEADER = 2_000


class Answer(StrEnum):
    """What the partner is told."""

    STORED = "stored"
    NO_SUCH_GATEWAY = "no such gateway"
    """or one that takes no requests; nobody learns which"""
    UNREADABLE = "unreadable"
    TOO_MANY = "too many"
    TRY_AGAIN = "try again"


def takes(gateway_id: str) -> bool:
    """Whether there is a gateway that takes requests."""
    # Ended before a body is read, for which a stranger may take long.
    with transaction():
        return _gateway(gateway_id) is not None


def _gateway(gateway_id: str) -> Gateway | None:
    gateway = db.session.get(Gateway, gateway_id)
    transport = registry().get(gateway.kind) if gateway else None
    return gateway if transport is not None and transport.receives else None


def receive(gateway_id: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    """Keep a request's message and match it; what to answer."""
    with transaction():
        gateway = _gateway(gateway_id)
    if gateway is None:
        return Answer.NO_SUCH_GATEWAY
    kept = _kept(headers)
    incoming = Incoming(kept.get("message-id", ""), content, kept)
    if not content:
        return Answer.UNREADABLE
    if _is_full(gateway_id, MOST) or (
        _is_full(gateway_id, MOST_UNMATCHED, IncomingMessage.state != IncomingState.MATCHED)
        and not _is_about_ours(gateway, incoming)
    ):
        log.warning("gateway %s: more requests today than are kept", gateway_id)
        return Answer.TOO_MANY
    try:
        message_id = storing.keep(gateway, incoming).id
    except ServiceError as error:
        log.warning("gateway %s: a request was not kept: %s", gateway_id, error.text.en)
        return Answer.TRY_AGAIN
    return _matched(message_id)


def _matched(message_id: str) -> Answer:
    """It is stored; that it cannot be worked on now is not the partner's business."""
    matching.match_safely(message_id)
    with transaction() as session:
        state = session.get_one(IncomingMessage, message_id, populate_existing=True).state
    return Answer.UNREADABLE if state is IncomingState.UNREADABLE else Answer.STORED


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value[:_LONGEST_HEADER] for name, value in headers.items()}
    kept = {name: value for name, value in lower.items() if name in _HEADERS or name.startswith("as2-")}
    # Never empty: by its headers a request is told from a file that was fetched.
    return {"content-type": "", **kept}


def _is_full(gateway_id: str, most: int, *which: ColumnElement[bool]) -> bool:
    query = (
        select(func.count())
        .select_from(IncomingMessage)
        .where(
            IncomingMessage.gateway_id == gateway_id,
            IncomingMessage.created_at > utcnow() - _DAY,
            *which,
        )
    )
    with transaction():
        return (db.session.scalar(query) or 0) >= most


def _is_about_ours(gateway: Gateway, incoming: Incoming) -> bool:
    """Whether it names something that we sent: receipts get through although somebody fills the inbox."""
    try:
        with gateways.open_transport(gateway) as transport:
            key = transport.key_of(incoming)
    except (Unreadable, ServiceError):
        return False
    with transaction():
        return key is not None and newest_with(key, gateway.id, gateway.subscription_id) is not None
