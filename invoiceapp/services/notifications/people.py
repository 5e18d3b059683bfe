"""Whom somebody can choose to be told: members, with a row of theirs or without, and other addresses that get mails."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from invoiceapp.models import Membership, Recipient, User, db
from invoiceapp.services.database import transaction

from . import recipients


@dataclass(frozen=True, slots=True)
class Person:
    """One choice; ``key`` is a user's id, or an other address's recipient id."""

    key: str
    name: str
    address: str


def choosable(subscription_id: str) -> list[Person]:
    """Members by address, then other addresses; without those who want no mails."""
    rows = db.session.scalars(select(Recipient).where(Recipient.subscription_id == subscription_id)).all()
    silent = {row.user_id for row in rows if not row.gets_mail}
    members = db.session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.subscription_id == subscription_id, User.active)
        .order_by(User.email)
    )
    found = [Person(str(user.id), user.name, user.email) for user in members if str(user.id) not in silent]
    return found + [Person(row.id, row.name, row.address) for row in rows if not row.user_id and row.gets_mail]


def key_of(recipient_id: str | None) -> str:
    """Of a recipient's row; empty for nobody."""
    row = db.session.get(Recipient, recipient_id) if recipient_id else None
    return (row.user_id or row.id) if row else ""


def recipient_of(subscription_id: str, key: str) -> str | None:
    """The row of a choice, made where a member has none; None for nobody, and for what is no choice."""
    if key not in {one.key for one in choosable(subscription_id)}:
        return None
    with transaction() as session:
        if session.get(User, key) is None:
            return key
        return recipients.stored(subscription_id, key).id
