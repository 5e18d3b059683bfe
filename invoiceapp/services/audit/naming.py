"""What people call the rows that entries are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from invoiceapp.models import (
    Adaptor,
    ApiToken,
    Customer,
    Document,
    Gateway,
    Group,
    Invitation,
    LegalHold,
    Membership,
    SettingTemplate,
    User,
    cut,
    db,
)

_NAMES: Mapping[str, Any] = {
    "adaptor": Adaptor.name, "api_token": ApiToken.name, "customer": Customer.name, "document": Document.number,
    "gateway": Gateway.name, "group": Group.name, "hold": LegalHold.name, "invitation": Invitation.email,
    "template": SettingTemplate.name,
}  # fmt: skip
_LONGEST = 200


def name_of(kind: str, row_id: str, subscription_id: str | None) -> str:
    """Of a row of the subscription; "" of all others, and of what has no name."""
    if kind == "membership":
        query = select(User.email).join(Membership, Membership.user_id == User.id).where(Membership.id == row_id)
        found = db.session.scalar(query.where(Membership.subscription_id == subscription_id))
    elif kind in _NAMES:
        model = _NAMES[kind].class_
        found = db.session.scalar(
            select(_NAMES[kind]).where(model.id == row_id, model.subscription_id == subscription_id)
        )
    else:
        return ""
    return cut(found or "", _LONGEST)


def gateways(subscription_id: str) -> dict[str, str]:
    """Names of its gateways by id."""
    query = select(Gateway.id, Gateway.name).where(Gateway.subscription_id == subscription_id)
    return {row.id: row.name for row in db.session.execute(query)}
