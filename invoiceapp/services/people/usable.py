"""Which gateways a person may choose for an adaptor: those they may use, and those that the adaptor uses already."""

from __future__ import annotations

from sqlalchemy import select

from invoiceapp.domain.permissions import Action
from invoiceapp.models import Adaptor, Customer, ExportRule, Gateway, db

from . import access


def _in_use(adaptor: Adaptor) -> set[str]:
    rules = (
        select(ExportRule.gateway_id)
        .join(Customer, Customer.id == ExportRule.customer_id)
        .where(Customer.adaptor_id == adaptor.id)
        .distinct()
    )
    return {*filter(None, (adaptor.default_gateway_id, *db.session.scalars(rules)))}


def gateways(adaptor: Adaptor | None = None) -> list[Gateway]:
    """By name; without an adaptor, for one that is to be made."""
    found = access.of_subscription(Gateway)
    used = _in_use(adaptor) if adaptor else set()
    return [row for row in found if row.id in used or access.may(Action.OPERATE, row)]


def require(gateway_id: str, adaptor: Adaptor | None = None) -> None:
    """Raises ``NotYours`` for a gateway of the tenant that the person may not choose; what is none is told elsewhere."""
    is_ours = gateway_id in {row.id for row in access.of_subscription(Gateway)}
    if is_ours and gateway_id not in {row.id for row in gateways(adaptor)}:
        raise access.NotYours
