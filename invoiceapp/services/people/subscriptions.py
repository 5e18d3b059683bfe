"""A subscription's own settings, and making another one."""

from __future__ import annotations

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Membership, Role, Subscription, User
from invoiceapp.services.configuration import versions
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

_LONGEST = 200


def version(row: Subscription) -> str:
    """For the hidden field ``version`` of the form."""
    return versions.version([row.name, row.needs_second_factor])


def save(subscription_id: str, name: str, *, needs_second_factor: bool, shown: str | None = None) -> None:
    """Raises ``InvalidInput`` (``name``), ``ChangedMeanwhile``."""
    name = _named(name)
    with transaction() as session:
        row = session.get_one(
            Subscription, subscription_id, with_for_update={"key_share": True}, populate_existing=True
        )
        if (row.name, row.needs_second_factor) != (name, needs_second_factor):
            versions.require(shown, [row.name, row.needs_second_factor])
            row.name, row.needs_second_factor = name, needs_second_factor


def make(user_id: str, name: str) -> str:
    """Another subscription, which the user owns; its id. Raises ``InvalidInput`` (``name``)."""
    name = _named(name)
    with transaction() as session:
        # Two clicks at once make one.
        session.get_one(User, user_id, with_for_update={"key_share": True, "of": User}, populate_existing=True)
        query = select(Subscription.name).join(Membership).where(Membership.user_id == user_id)
        if name in session.scalars(query):
            raise InvalidInput({"name": Text("Du har allerede et af det navn.", "You have one of that name already.")})
        row = Subscription(name=name)
        session.add(row)
        session.flush()
        session.add(Membership(subscription_id=row.id, user_id=user_id, role=Role.OWNER))
        return row.id


def _named(name: str) -> str:
    name = name.strip()[:_LONGEST]
    if not name:
        raise InvalidInput({"name": Text("Skriv et navn.", "Write a name.")})
    return name
