"""Whether an adaptor works, and which gateways it may reach.

A deactivated or deleted adaptor reads nothing and sends nothing; what waits keeps waiting. A test adaptor never
reaches a live gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Bundle

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import registry
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Customer,
    Delivery,
    Document,
    Environment,
    ExportRule,
    Gateway,
    Subscription,
    db,
)
from invoiceapp.services.configuration import outgoing
from invoiceapp.services.configuration.environments import may_reach
from invoiceapp.services.configuration.versions import version
from invoiceapp.services.errors import Conflict

from .selection import is_too_old

_DELETED = Text(
    "Adaptoren er slettet, så der hentes og sendes ikke mere. Dokumenterne i arkivet kan stadig ses.",
    "The adaptor is deleted, so nothing is read or sent any more. The documents in the archive can still be seen.",
)
_DEACTIVATED = Text(
    "Adaptoren er deaktiveret. Aktivér den igen under Adaptorer; så hentes og sendes der igen.",
    "The adaptor is deactivated. Activate it again under Adaptors; then documents are read and sent again.",
)


def is_working(adaptor: Adaptor) -> bool:
    """Whether it reads and sends."""
    return adaptor.active and adaptor.deleted_at is None


def require(adaptor: Adaptor) -> None:
    """Raises ``Conflict`` for an adaptor that reads and sends nothing."""
    if not is_working(adaptor):
        raise Conflict(_DEACTIVATED if adaptor.deleted_at is None else _DELETED)


def working() -> ColumnElement[bool]:
    """``is_working`` for queries that have ``Adaptor``."""
    return and_(Adaptor.active, Adaptor.deleted_at.is_(None))


def within_reach() -> ColumnElement[bool]:
    """``may_reach`` for queries that have ``Adaptor`` and ``Gateway``."""
    pairs = ((mine, theirs) for mine, theirs in product(Environment, repeat=2) if may_reach(mine, theirs))
    return or_(*(and_(Adaptor.environment == mine, Gateway.environment == theirs) for mine, theirs in pairs))


def is_held_back() -> ColumnElement[bool]:
    """Whether a document waits for a gateway that only chooses among others and is paused, for queries that have ``Document``.

    Its deliveries would belong to the gateway that was chosen, and wait for that one only.
    """
    choosing = [kind for kind, transport in registry().items() if not transport.sends]
    return exists().where(
        Customer.adaptor_id == Document.adaptor_id, Customer.source_id == Document.customer_source_id,
        ExportRule.customer_id == Customer.id, Gateway.id == ExportRule.gateway_id,
        Gateway.kind.in_(choosing), Gateway.paused_at.is_not(None),
    )  # fmt: skip


class NotNow(Exception):
    """Between claim and sending somebody switched the adaptor off, or changed where it would send."""


class Stopped(Exception):
    """Its customer was deactivated before anything left, or it is older than the start date: it is not sent."""

    def __init__(self, document_id: str) -> None:
        super().__init__(document_id)
        self.document_id = document_id


@dataclass(frozen=True)
class Opened:
    """A gateway as it was when its transport was opened: that is where the bytes would go."""

    environment: Environment
    kind: str
    config: dict[str, Any]
    account: str | None

    @cached_property
    def place(self) -> str:
        """Tells one place where bytes can go from another, for ``Attempt.place``."""
        settings = version([self.kind, self.config, *filter(None, [self.account])])
        return f"{self.environment.value}/{settings}"


def opened(gateway: Gateway) -> Opened:
    """Asked in the transaction in which the gateway was read."""
    return Opened(gateway.environment, gateway.kind, gateway.config, gateway.account)


#: What the last look asks of a delivery, in one question: each document has it asked once.
_LAST_LOOK = (
    select(
        Bundle("delivery", *(getattr(Delivery, name) for name in (
            "id", "environment", "first_sent_at", "tries", "error",
        ))),
        Bundle("document", *(getattr(Document, name) for name in (
            "id", "subscription_id", "adaptor_id", "customer_id", "source_id", "type", "number", "issue_date", "sent_as",
            "beside_id",
        ))),
        Bundle("adaptor", *(getattr(Adaptor, name) for name in (
            "id", "active", "deleted_at", "environment", "start_date", "source_kind", "organization", "settings",
        ))),
        Bundle("gateway", Gateway.environment, Gateway.kind, Gateway.config, Gateway.account),
        Subscription.four_eyes,
        and_(Delivery.first_sent_at.is_(None), ~outgoing.repeats()).label("is_first"),
        select(func.count()).where(Attempt.delivery_id == Delivery.id).scalar_subquery().label("attempts"),
    )
    .join(Document, Document.id == Delivery.document_id)
    .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
    .join(Gateway, Gateway.id == bindparam("gateway_id"))
    .join(Subscription, Subscription.id == Delivery.subscription_id)
    .where(Delivery.id == bindparam("delivery_id"))
    # In this order, as everybody does who is about to send.
    .with_for_update(read=True, of=[Adaptor, Gateway])
)  # fmt: skip
_IS_ACTIVE = (
    select(ExportRule.active).where(ExportRule.customer_id == bindparam("customer_id")).with_for_update(read=True)
)


def require_to_send(delivery_id: str, gateway_id: str, used: Opened) -> Any:
    """The last look before the first byte: what was seen (``_LAST_LOOK``). Raises ``NotNow``, ``Stopped``.

    Inside the caller's transaction, until whose end nobody switches adaptor, gateway or customer.
    """
    seen = db.session.execute(_LAST_LOOK, {"delivery_id": delivery_id, "gateway_id": gateway_id}).one()
    if not is_working(seen.adaptor):
        raise NotNow("its adaptor is switched off")
    if not may_reach(seen.adaptor.environment, seen.gateway.environment):
        raise NotNow("a test adaptor never reaches a live gateway")
    if opened(seen.gateway) != used:
        raise NotNow("the gateway's settings were changed since it was opened")
    # What was tried before goes on, and so does what a person sends again.
    if seen.is_first and not _is_wanted(seen.document, seen.adaptor):
        raise Stopped(seen.document.id)
    return seen


def _is_wanted(document: Any, adaptor: Any) -> bool:
    is_active = db.session.scalar(_IS_ACTIVE, {"customer_id": document.customer_id})
    return bool(is_active) and not is_too_old(document, adaptor)
