"""What the result of a conversion rests on beside the document: looked at once more in the transaction that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, exists, select

from invoiceapp.models import Adaptor, ApprovalWait, Customer, Delivery, ExportRule, Gateway, Subscription, db

#: Everything that people decide about the customer's documents.
_DECIDED = (
    Adaptor.settings, Adaptor.environment, Adaptor.start_date, ExportRule.active, ExportRule.format,
    ExportRule.gateway_id, ExportRule.settings, ExportRule.approved_at, Gateway.environment, Gateway.kind,
)  # fmt: skip
_AROUND = (
    Subscription.four_eyes, Customer.number,
    exists().where(Delivery.document_id == bindparam("document_id")).correlate(None),
    exists().where(ApprovalWait.document_id == bindparam("document_id")).correlate(None),
)  # fmt: skip
_NOW = (
    select(*_DECIDED, *_AROUND)
    .select_from(Adaptor)
    .join(ExportRule, ExportRule.customer_id == bindparam("customer_id"))
    .join(Customer, Customer.id == ExportRule.customer_id)
    .join(Gateway, Gateway.id == ExportRule.gateway_id)
    .join(Subscription, Subscription.id == Adaptor.subscription_id)
    .where(Adaptor.id == bindparam("adaptor_id"))
    # Whoever saves meanwhile waits. The document is locked first, as everywhere, then these in this order.
    .with_for_update(read=True, of=[Adaptor, ExportRule, Gateway])
)


def decided(adaptor: Adaptor, rule: ExportRule, gateway: Gateway) -> tuple[Any, ...]:
    """``Basis.decided`` as a conversion read it."""
    return (
        adaptor.settings, adaptor.environment, adaptor.start_date, rule.active, rule.format, rule.gateway_id,
        rule.settings, rule.approved_at, gateway.environment, gateway.kind,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Basis:
    """As it is now, and stays until the caller's transaction ends."""

    decided: tuple[Any, ...]
    """What people decide about the customer's documents"""
    four_eyes: dict[str, Any]
    """``Subscription.four_eyes``"""
    customer_number: str | None
    has_deliveries: bool
    """Whether any was ever made of the document"""
    waits_for_approval: bool


def now(document_id: str, adaptor_id: str, customer_id: str) -> Basis | None:
    """None where the customer has no rule (any more). Inside the caller's transaction, which has locked the document."""
    asked = {"document_id": document_id, "adaptor_id": adaptor_id, "customer_id": customer_id}
    row: Row[Any] | None = db.session.execute(_NOW, asked).one_or_none()
    if row is None:
        return None
    found, around = tuple(row[: len(_DECIDED)]), row[len(_DECIDED) :]
    return Basis(found, *around)
