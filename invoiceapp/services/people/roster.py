"""The people of a subscription while something about them changes: one change at a time, and an owner is always left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import ADMINISTRATORS, keeps_an_owner, may_appoint
from invoiceapp.models import Invitation, Membership, Role, Subscription, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict

from .access import NotAllowed, NotYours, is_active

#: Members by their user's id.
People = dict[str, Membership]


class LastOwner(Conflict):
    """Nobody would be left who may do everything."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "Det er den sidste ejer. Gør først en anden til ejer, så der altid er en, der kan administrere virksomheden.",
                "This is the last owner. Make somebody else an owner first, so that there is always one to run the subscription.",
            )
        )


def hold(subscription_id: str) -> None:
    """Let others who change people, groups or sharing here wait until the caller's transaction ends.

    The rows that refer to the subscription are written as ever. Raises ``NotYours``.
    """
    query = select(Subscription.id).where(Subscription.id == subscription_id).with_for_update(key_share=True)
    if db.session.scalar(query) is None:
        raise NotYours


def people(subscription_id: str) -> People:
    """As they are stored now."""
    mine = Membership.subscription_id == subscription_id
    query = select(Membership).where(mine).options(joinedload(Membership.user)).order_by(Membership.id)
    return {row.user_id: row for row in db.session.scalars(query.execution_options(populate_existing=True))}


@contextmanager
def changing(subscription_id: str) -> Iterator[People]:
    """The members, in a transaction that changes them; who is removed is to be taken out.

    At its end an owner is left, or nothing is changed, and invitations whose sender may no longer give their role are
    withdrawn. Raises ``NotYours``, ``LastOwner``.
    """
    with transaction():
        hold(subscription_id)
        found = people(subscription_id)
        before = _lasting_owners(found)
        yield found
        leaving = before - _lasting_owners(found)
        if leaving and not keeps_an_owner(_lasting_owners(found), ""):
            raise LastOwner
        _withdraw_groundless(subscription_id, found)


def _lasting_owners(found: Mapping[str, Membership]) -> set[str]:
    """Owners on whom one can rely: not suspended, without a last day, and able to sign in."""
    return {
        user_id
        for user_id, row in found.items()
        if row.role is Role.OWNER and row.suspended_at is None and row.last_day is None and row.user.active
    }


def is_last_owner(row: Membership) -> bool:
    """Whether nobody would be left who may do everything, if this member went."""
    owners = _lasting_owners(people(row.subscription_id))
    return row.user_id in owners and not keeps_an_owner(owners, row.user_id)


def administrator(found: Mapping[str, Membership], user_id: str, *roles: Role) -> Membership:
    """Who acts, if they may give and take all the ``roles`` now. Raises ``NotAllowed``."""
    row = found.get(user_id)
    if row is None or not is_active(row) or row.role not in ADMINISTRATORS:
        raise NotAllowed
    if not all(may_appoint(row.role, role) for role in roles):
        raise NotAllowed
    return row


def may_still_invite(invitation: Invitation, inviter: Membership | None) -> bool:
    """Whether whoever sent it could send it today."""
    if inviter is None or not inviter.user.active:
        return False
    return is_active(inviter) and may_appoint(inviter.role, invitation.role)


def _withdraw_groundless(subscription_id: str, found: Mapping[str, Membership]) -> None:
    for row in open_invitations(subscription_id):
        if not may_still_invite(row, found.get(row.invited_by_id)):
            row.withdrawn_at = utcnow()


def open_invitations(subscription_id: str) -> Iterable[Invitation]:
    """Those that are neither used nor withdrawn, newest first; also those that are too old."""
    return db.session.scalars(
        select(Invitation)
        .where(
            Invitation.subscription_id == subscription_id,
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
        .order_by(Invitation.id.desc())
        .execution_options(populate_existing=True)
    ).all()
