"""Members of a subscription: role and last day, suspension, removal, leaving, and handing the ownership over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Grantee
from invoiceapp.formatting import TIMEZONE
from invoiceapp.models import ApiToken, Membership, Role, SignInSession, User, db, utcnow
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.notifications import recipients
from invoiceapp.services.sign_in import sessions

from . import roster, sharing
from .access import NotAllowed, NotYours, is_active
from .roster import People

_ORDER = list(Role)
_AUDITOR_NEEDS_DAY = Text("En revisor skal have en sidste dag med adgang.", "An auditor needs a last day of access.")
_PAST = Text("Dagen er gået. Vælg i dag eller senere.", "That day has passed. Choose today or later.")


def listed(subscription_id: str) -> list[Membership]:
    """All members, owners first, then by name; with their users, groups and passkeys."""
    query = (
        select(Membership)
        .join(Membership.user)
        .where(Membership.subscription_id == subscription_id)
        .options(contains_eager(Membership.user).selectinload(User.webauthn))
    )
    return sorted(db.session.scalars(query), key=lambda row: (_ORDER.index(row.role), name_of(row.user).casefold()))


def name_of(user: User) -> str:
    """What a person is called in lists."""
    return user.name or user.email


def last_seen(rows: list[Membership]) -> dict[str, datetime]:
    """When each was here last, by the user's id, as far back as sessions are kept."""
    query = (
        select(SignInSession.user_id, func.max(SignInSession.last_seen_at))
        .where(SignInSession.user_id.in_([row.user_id for row in rows]))
        .group_by(SignInSession.user_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def required_last_day(role: Role, typed: str) -> date | None:
    """The last day of access for a role. Raises ``InvalidInput`` (``last_day``)."""
    try:
        day = date.fromisoformat(typed) if typed.strip() else None
    except ValueError as error:
        raise InvalidInput({"last_day": Text("Skriv en dato.", "Write a date.")}) from error
    if day is None and role is Role.AUDITOR:
        raise InvalidInput({"last_day": _AUDITOR_NEEDS_DAY})
    if day is not None and day < utcnow().astimezone(TIMEZONE).date():
        raise InvalidInput({"last_day": _PAST})
    return day


@contextmanager
def _changing(membership_id: str, actor_id: str) -> Iterator[tuple[Membership, Membership, People]]:
    """Whom it is about, who acts, and all members. Raises ``NotYours``, ``NotAllowed``, ``LastOwner``."""
    subscription_id = db.session.scalar(select(Membership.subscription_id).where(Membership.id == membership_id))
    with roster.changing(subscription_id or "") as found:
        row = next((one for one in found.values() if one.id == membership_id), None)
        if row is None:
            raise NotYours
        yield row, roster.administrator(found, actor_id, row.role), found


def change(membership_id: str, actor_id: str, role: Role, last_day: str) -> None:
    """Give another role or last day (ISO 8601; "" for none).

    Raises ``InvalidInput`` (``last_day``), ``NotYours``, ``NotAllowed``, ``LastOwner``.
    """
    day = required_last_day(role, last_day)
    with _changing(membership_id, actor_id) as (row, _actor, found):
        roster.administrator(found, actor_id, role)
        row.role, row.last_day = role, day


def suspend(membership_id: str, actor_id: str) -> None:
    """Take the access away for now; role, groups and what is shared stay. Raises as ``change``."""
    with _changing(membership_id, actor_id) as (row, actor, _found):
        if row is actor:
            raise NotAllowed
        row.suspended_at = row.suspended_at or utcnow()


def lift(membership_id: str, actor_id: str) -> None:
    """Give the access back. Raises as ``change``."""
    with _changing(membership_id, actor_id) as (row, _actor, _found):
        row.suspended_at = None


def remove(membership_id: str, actor_id: str) -> None:
    """Take somebody out; who is a member of nothing any more is signed out. Raises as ``change``."""
    with _changing(membership_id, actor_id) as (row, actor, found):
        user_id = row.user_id
        _take_out(row, found, actor.user.email)
    if not _belongs_somewhere(user_id):
        sessions.end_others(user_id, None)


def leave(subscription_id: str, user_id: str) -> bool:
    """A person takes themself out; whether they are still a member of something. Raises ``NotYours``, ``LastOwner``."""
    with roster.changing(subscription_id) as found:
        if user_id not in found:
            raise NotYours
        _take_out(found[user_id], found, found[user_id].user.email)
    return _belongs_somewhere(user_id)


def _take_out(row: Membership, found: People, by: str) -> None:
    """With everything that was given to the person here, so that nothing of it comes back with a new invitation."""
    sharing.withdraw(row.subscription_id, Grantee.USER, row.user_id)
    recipients.forget_user(row.subscription_id, row.user_id)
    mine = (ApiToken.subscription_id == row.subscription_id, ApiToken.user_id == row.user_id)
    for token in db.session.scalars(select(ApiToken).where(*mine, ApiToken.revoked_at.is_(None))):
        token.revoked_at, token.revoked_by = utcnow(), by
    del found[row.user_id]
    db.session.delete(row)


def _belongs_somewhere(user_id: str) -> bool:
    return db.session.scalar(select(Membership.id).where(Membership.user_id == user_id).limit(1)) is not None


def transfer(membership_id: str, actor_id: str, *, stays_owner: bool) -> None:
    """Make another member an owner; whoever does it stays one too, or becomes an administrator.

    Raises ``NotYours``, ``NotAllowed``, ``Conflict``.
    """
    with _changing(membership_id, actor_id) as (row, actor, _found):
        if actor.role is not Role.OWNER or row is actor:
            raise NotAllowed
        if not is_active(row) or not row.user.active or row.role is Role.AUDITOR:
            raise Conflict(
                Text(
                    "Den nye ejer skal have adgang nu og må ikke være revisor. Ret personens adgang først.",
                    "The new owner must have access now, and must not be an auditor. Change the person's access first.",
                )
            )
        row.role, row.last_day = Role.OWNER, None
        if not stays_owner:
            actor.role = Role.ADMIN
