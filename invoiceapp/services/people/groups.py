"""Groups of members that something is shared with by one name."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Grantee
from invoiceapp.models import Group, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

from . import roster, sharing
from .access import NotYours

_LONGEST = 100


def make(subscription_id: str, name: str) -> str:
    """A new group without members; its id. Raises ``InvalidInput`` (``name``)."""
    with transaction() as session:
        roster.hold(subscription_id)
        row = Group(subscription_id=subscription_id, name=_free_name(subscription_id, name))
        session.add(row)
        session.flush()
        return row.id


def _free_name(subscription_id: str, name: str, but: str = "") -> str:
    name = name.strip()[:_LONGEST]
    if not name:
        raise InvalidInput({"name": Text("Skriv et navn.", "Write a name.")})
    others = (group for group in sharing.groups(subscription_id) if group.id != but)
    if any(group.name.casefold() == name.casefold() for group in others):
        raise InvalidInput({"name": Text("Der er allerede en gruppe med det navn.", "A group has that name already.")})
    return name


def _held(group_id: str) -> Group:
    """In the caller's transaction. Raises ``NotYours`` where somebody has deleted it."""
    subscription_id = db.session.scalar(select(Group.subscription_id).where(Group.id == group_id))
    roster.hold(subscription_id or "")
    row = db.session.get(Group, group_id, populate_existing=True)
    if row is None:
        raise NotYours
    return row


def save(group_id: str, name: str, membership_ids: Collection[str], actor_id: str) -> None:
    """Another name or other members; more of them only by who may share all that is shared with the group.

    Raises ``InvalidInput`` (``name``), ``Conflict``, ``NotYours``, ``NotAllowed``.
    """
    with transaction():
        row = _held(group_id)
        row.name = _free_name(row.subscription_id, name, group_id)
        people = roster.people(row.subscription_id)
        actor = roster.administrator(people, actor_id)
        wanted = [one for one in people.values() if one.id in membership_ids]
        if {one.id for one in wanted} - {one.id for one in row.members}:
            sharing.require_fill(actor, [group_id])
        row.members = wanted


def delete(group_id: str) -> None:
    """Its members lose what they had only through it. Raises ``NotYours``."""
    with transaction() as session:
        row = _held(group_id)
        sharing.withdraw(row.subscription_id, Grantee.GROUP, row.id)
        session.delete(row)
