"""Whether an adaptor works, and which gateways it may reach.

A deactivated or deleted adaptor reads nothing and sends nothing; what waits keeps waiting. A test adaptor never
reaches a live gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from sqlalchemy import ColumnElement, and_, exists, or_, select

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import registry
from invoiceapp.models import Adaptor, Customer, Delivery, Document, Environment, ExportRule, Gateway, db
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A gateway as it was when its transport was opened: that is where the bytes would go."""

    environment: Environment
    config: str
    """``version`` of its settings"""

    @property
    def place(self) -> str:
        """Tells one place where bytes can go from another, for ``Attempt.place``."""
        return f"{self.environment.value}/{self.config}"


def opened(gateway: Gateway) -> Opened:
    """Asked in the transaction in which the gateway was read."""
    return Opened(gateway.environment, version([gateway.kind, gateway.config, *filter(None, [gateway.account])]))


def require_to_send(delivery_id: str, gateway_id: str, used: Opened) -> None:
    """The last look before the first byte. Raises ``NotNow``, ``Stopped``.

    Inside the caller's transaction, until whose end nobody switches adaptor, gateway or customer.
    """
    its_adaptor = select(Delivery.adaptor_id).where(Delivery.id == delivery_id).scalar_subquery()
    adaptor = db.session.scalars(
        select(Adaptor)
        .where(Adaptor.id == its_adaptor)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).one()
    gateway = db.session.scalars(
        select(Gateway)
        .where(Gateway.id == gateway_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).one()
    if not is_working(adaptor):
        raise NotNow("its adaptor is switched off")
    if not may_reach(adaptor.environment, gateway.environment):
        raise NotNow("a test adaptor never reaches a live gateway")
    if opened(gateway) != used:
        raise NotNow("the gateway's settings were changed since it was opened")
    _require_wanted(delivery_id, adaptor)


def _require_wanted(delivery_id: str, adaptor: Adaptor) -> None:
    """Raises ``Stopped``. What was tried before goes on, and so does what a person sends again."""
    document = db.session.scalar(
        select(Document)
        .join(Delivery, Delivery.document_id == Document.id)
        .where(Delivery.id == delivery_id, Delivery.first_sent_at.is_(None), ~outgoing.repeats())
        .execution_options(populate_existing=True)
    )
    if document is None:
        return
    is_active = db.session.scalar(
        select(ExportRule.active).where(ExportRule.customer_id == document.customer_id).with_for_update(read=True)
    )
    if not is_active or is_too_old(document, adaptor):
        raise Stopped(document.id)
