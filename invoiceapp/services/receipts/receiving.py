"""What partners post to us: anybody may, so little is believed and little is kept of what is not understood."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select

from invoiceapp.gateways import shared_secret
from invoiceapp.gateways.base import Incoming, Reply, Unreadable, registry
from invoiceapp.models import Gateway, IncomingMessage, IncomingState, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError

from . import matching, storing
from .reading import named_by

log = logging.getLogger(__name__)

#: Bytes of the largest message, and of the largest that carries a document.
LARGEST = 256_000
LARGEST_WRAPPED = 4_000_000
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


_STATUS = {
    Answer.STORED: 200,
    Answer.UNREADABLE: 400,
    Answer.NO_SUCH_GATEWAY: 404,
    Answer.TOO_MANY: 429,
    Answer.TRY_AGAIN: 503,
}


def largest(gateway_id: str) -> int | None:
    """Bytes that a request to a gateway may have; None where there is none that takes requests."""
    # Asked before a body is read, for which a stranger may take long.
    with transaction():
        gateway = _gateway(gateway_id)
    if gateway is None:
        return None
    return LARGEST_WRAPPED if registry()[gateway.kind].unwraps else LARGEST


def respond(gateway_id: str, content: bytes, headers: Mapping[str, str]) -> Reply:
    """Take a request; what its sender is told."""
    with transaction():
        gateway = _gateway(gateway_id)
    if gateway is not None and registry()[gateway.kind].unwraps:
        return _unwrapped(gateway, content, headers)
    return Reply(_STATUS[receive(gateway_id, content, headers)])


def _unwrapped(gateway: Gateway, content: bytes, headers: Mapping[str, str]) -> Reply:
    """Open a message that wants a signed answer, and answer once what it carries is stored."""
    try:
        with gateways.open_transport(gateway) as transport:
            found = transport.unwrap(Incoming("", content, {name.lower(): value for name, value in headers.items()}))
    except ServiceError as error:
        log.warning("gateway %s: a message was not opened: %s", gateway.id, error.text.en)
        return Reply(_STATUS[Answer.TRY_AGAIN])
    if found.incoming is None:
        return found.reply
    if _is_full(gateway.id, MOST):
        log.warning("gateway %s: more messages today than are kept", gateway.id)
        return Reply(_STATUS[Answer.TOO_MANY])
    if found.repeated is not None and _is_other_message(gateway.id, found.incoming):
        return found.repeated
    try:
        message_id = storing.keep(gateway, found.incoming).id
    except ServiceError as error:
        log.warning("gateway %s: a message was not kept: %s", gateway.id, error.text.en)
        return Reply(_STATUS[Answer.TRY_AGAIN])
    _matched(message_id)
    return found.reply


def _is_other_message(gateway_id: str, incoming: Incoming) -> bool:
    """Whether its id was used before, for another content."""
    digest = hashlib.sha256(incoming.content).hexdigest()
    with transaction():
        known = db.session.scalar(
            select(IncomingMessage.sha256)
            .where(IncomingMessage.gateway_id == gateway_id, IncomingMessage.name == storing.name_of(incoming))
            .limit(1)
        )
    return known is not None and known != digest


def _gateway(gateway_id: str) -> Gateway | None:
    gateway = db.session.get(Gateway, gateway_id)
    transport = registry().get(gateway.kind) if gateway else None
    takes = transport is not None and (transport.receives or transport.unwraps)
    return gateway if takes else None


def receive(gateway_id: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    """Keep a request's message and match it; what to answer."""
    with transaction():
        gateway = _gateway(gateway_id)
    if gateway is None:
        return Answer.NO_SUCH_GATEWAY
    kept = _kept(headers, registry()[gateway.kind].header_names)
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


def _kept(headers: Mapping[str, str], more: Collection[str]) -> dict[str, str]:
    lower = {name.lower(): value[:_LONGEST_HEADER] for name, value in headers.items()}
    kept = {name: value for name, value in lower.items() if name in _HEADERS or name.startswith(tuple(more))}
    # A secret that is shown to us does not lie in the database in clear.
    kept |= {name: shared_secret.fingerprint(kept[name]) for name in shared_secret.HEADERS & set(kept)}
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
        with gateways.open_transport(gateway) as transport, transaction():
            return named_by(incoming, transport, gateway.id, gateway.subscription_id) is not None
    except (Unreadable, ServiceError):
        return False
