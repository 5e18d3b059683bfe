"""The one door to tenant rows: every page reads and changes only what belongs to its subscription."""

from __future__ import annotations

from typing import Any, TypeVar

from flask_login import current_user
from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Membership, Role, Subscription, db
from invoiceapp.services.errors import ServiceError

T = TypeVar("T")


class NotYours(ServiceError):
    """A row that does not exist for this person; pages answer 404, so that foreign ids tell nothing."""

    def __init__(self) -> None:
        super().__init__(
            Text("Det findes ikke, eller du har ikke adgang.", "It does not exist, or you have no access.")
        )


class NotAllowed(ServiceError):
    """The person's role does not allow it."""

    def __init__(self) -> None:
        super().__init__(Text("Din rolle giver ikke adgang til det.", "Your role does not allow that."))


def membership() -> Membership:
    """The signed-in person's membership (the oldest; one subscription a person for now). Raises ``NotYours``."""
    found: list[Membership] = sorted(getattr(current_user, "memberships", []), key=lambda item: item.id)
    if not found:
        raise NotYours
    return found[0]


def actor() -> str:
    """The signed-in person as histories name them."""
    return str(current_user.email)


def subscription() -> Subscription:
    """The signed-in person's tenant."""
    return membership().subscription


def may_configure() -> bool:
    """Owners and admins change settings; members export and read."""
    return membership().role in (Role.OWNER, Role.ADMIN)


def require_configure() -> None:
    """Raises ``NotAllowed``."""
    if not may_configure():
        raise NotAllowed


def scoped(model: type[T], row_id: str) -> T:
    """The tenant's row. Raises ``NotYours`` for other tenants' ids and for ids that do not exist."""
    columns: Any = model
    row = db.session.scalar(
        select(model).where(columns.id == row_id, columns.subscription_id == membership().subscription_id)
    )
    if row is None:
        raise NotYours
    return row


def adaptors() -> list[Adaptor]:
    """The tenant's adaptors that were not deleted, oldest first."""
    query = (
        select(Adaptor)
        .where(Adaptor.subscription_id == membership().subscription_id, Adaptor.deleted_at.is_(None))
        .order_by(Adaptor.id)
    )
    return list(db.session.scalars(query))
