"""Members come, change and go; an owner is always left, also when two act at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from support.people import Join

from invoiceapp.domain.permissions import Grantee
from invoiceapp.models import (
    Adaptor,
    Gateway,
    Invitation,
    Membership,
    Notice,
    NoticeKind,
    Preference,
    Recipient,
    Role,
    SignInKind,
    SignInSession,
    Subscription,
    User,
    Watch,
    db,
    utcnow,
)
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.people import groups, invitations, members, roster, sharing
from invoiceapp.services.people.access import NotAllowed, NotYours
from invoiceapp.services.people.roster import LastOwner
from invoiceapp.services.sign_in import sessions


@pytest.fixture
def has_pages() -> bool:
    """Nobody signs in here."""
    return False


@pytest.fixture
def owner(user: User) -> Membership:
    return user.memberships[0]


def tomorrow() -> str:
    return f"{utcnow() + timedelta(days=2):%Y-%m-%d}"


def yesterday() -> str:
    return f"{utcnow() - timedelta(days=2):%Y-%m-%d}"


Act = Callable[[Membership, str], object]
WAYS: dict[str, Act] = {
    "demoted": lambda row, actor: members.change(row.id, actor, Role.ADMIN, ""),
    "given an end": lambda row, actor: members.change(row.id, actor, Role.OWNER, tomorrow()),
    "removed": lambda row, actor: members.remove(row.id, actor),
    "gone": lambda row, _actor: members.leave(row.subscription_id, row.user_id),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_last_owner_cannot_be(owner: Membership, join: Join, way: str) -> None:
    join("admin@example.com", Role.ADMIN)
    join("for.en.tid@example.com", Role.OWNER, last_day=utcnow().date() + timedelta(days=9))
    join("ude@example.com", Role.OWNER, suspended_at=utcnow())
    with pytest.raises(LastOwner):
        WAYS[way](owner, owner.user_id)
    assert (owner.role, owner.last_day, owner.suspended_at) == (Role.OWNER, None, None)


@pytest.mark.parametrize("way", WAYS)
def test_one_of_two_owners_can_be(owner: Membership, join: Join, way: str) -> None:
    other = join("anden@example.com", Role.OWNER)
    WAYS[way](owner, owner.user_id)
    assert [row.user_id for row in roster.people(other.subscription_id).values() if row.role is Role.OWNER][-1:] == [
        other.user_id
    ]


def test_two_owners_who_remove_each_other_at_once_leave_one(app: Flask, owner: Membership, join: Join) -> None:
    other = join("anden@example.com", Role.OWNER)
    pairs = [(owner.id, other.user_id), (other.id, owner.user_id)]
    db.session.remove()
    start = threading.Barrier(2)

    def act(pair: tuple[str, str]) -> bool:
        with app.app_context():
            start.wait()
            try:
                members.remove(*pair)
            except (LastOwner, NotAllowed, NotYours):
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, pairs)) == [False, True]
    [left] = db.session.scalars(select(Membership))
    assert left.role is Role.OWNER


def test_two_owners_who_leave_at_once_leave_one(app: Flask, owner: Membership, join: Join) -> None:
    subscription_id, user_ids = owner.subscription_id, [owner.user_id, join("anden@example.com", Role.OWNER).user_id]
    db.session.remove()
    start = threading.Barrier(2)

    def act(user_id: str) -> bool:
        with app.app_context():
            start.wait()
            try:
                members.leave(subscription_id, user_id)
            except LastOwner:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, user_ids)) == [False, True]


def test_an_administrator_touches_no_owner_and_no_administrator(owner: Membership, join: Join) -> None:
    admin, other = join("admin@example.com", Role.ADMIN), join("to@example.com", Role.ADMIN)
    member = join("m@example.com", Role.MEMBER)
    join("anden@example.com", Role.OWNER)
    for row in (owner, other, admin):
        for act in (
            lambda row=row: members.change(row.id, admin.user_id, Role.MEMBER, ""),
            lambda row=row: members.suspend(row.id, admin.user_id),
            lambda row=row: members.remove(row.id, admin.user_id),
        ):
            with pytest.raises(NotAllowed):
                act()
    for role in (Role.ADMIN, Role.OWNER):
        with pytest.raises(NotAllowed):
            members.change(member.id, admin.user_id, role, "")
    members.change(member.id, admin.user_id, Role.AUDITOR, tomorrow())
    assert member.role is Role.AUDITOR


@pytest.mark.parametrize("state", ["suspended", "ended", "member", "auditor", "elsewhere"])
def test_who_does_not_administer_now_changes_nobody(owner: Membership, join: Join, state: str) -> None:
    member = join("m@example.com", Role.MEMBER)
    actor = {
        "suspended": lambda: join("a@example.com", Role.ADMIN, suspended_at=utcnow()).user_id,
        "ended": lambda: join("a@example.com", Role.ADMIN, last_day=utcnow().date() - timedelta(days=2)).user_id,
        "member": lambda: member.user_id,
        "auditor": lambda: join("a@example.com", Role.AUDITOR, last_day=utcnow().date()).user_id,
        "elsewhere": lambda: join("a@example.com", Role.OWNER, of=_another()).user_id,
    }[state]()
    with pytest.raises(NotAllowed):
        members.remove(member.id, actor)
    assert db.session.get(Membership, member.id) is not None


def _another() -> Subscription:
    row = Subscription(name="Anden ApS")
    db.session.add(row)
    db.session.commit()
    return row


def test_an_auditor_needs_a_last_day_and_no_last_day_has_passed(owner: Membership, join: Join) -> None:
    member = join("m@example.com", Role.MEMBER)
    for role, day in ((Role.AUDITOR, ""), (Role.MEMBER, yesterday()), (Role.MEMBER, "i morgen")):
        with pytest.raises(InvalidInput) as caught:
            members.change(member.id, owner.user_id, role, day)
        assert set(caught.value.errors) == {"last_day"}
    assert (member.role, member.last_day) == (Role.MEMBER, None)


def test_suspending_keeps_everything_but_the_access(owner: Membership, join: Join, adaptor: Adaptor) -> None:
    member = join("m@example.com", Role.MEMBER)
    group_id = groups.make(owner.subscription_id, "Bogholderi")
    groups.save(group_id, "Bogholderi", [member.id], owner.user_id)
    members.suspend(member.id, owner.user_id)
    assert member.suspended_at is not None
    assert [group.name for group in member.groups] == ["Bogholderi"]
    members.lift(member.id, owner.user_id)
    assert member.suspended_at is None


def test_nobody_suspends_themself(owner: Membership, join: Join) -> None:
    join("anden@example.com", Role.OWNER)
    with pytest.raises(NotAllowed):
        members.suspend(owner.id, owner.user_id)


def _share_by_name(row: Any, user_id: str) -> None:
    row.grants = [{"to": "user", "level": "manager", "id": user_id}, {"to": "admins", "level": "viewer"}]
    row.creator_id = user_id
    db.session.commit()


def test_removal_takes_all_that_was_given_to_the_person_here(
    owner: Membership, join: Join, adaptor: Adaptor, gateway: Gateway
) -> None:
    member = join("m@example.com", Role.MEMBER)
    user_id, subscription_id = member.user_id, member.subscription_id
    group_id = groups.make(subscription_id, "Bogholderi")
    groups.save(group_id, "Bogholderi", [member.id], owner.user_id)
    for row in (adaptor, gateway):
        _share_by_name(row, user_id)
    told = Recipient(subscription_id=subscription_id, user_id=user_id)
    kept = Recipient(subscription_id=subscription_id, email="andre@example.com")
    db.session.add_all([told, kept])
    db.session.flush()
    db.session.add_all(
        [
            Preference(recipient_id=told.id),
            Notice(subscription_id=subscription_id, recipient_id=told.id, event="x", kind=NoticeKind.OPENED, title={}),
        ]
    )
    db.session.get_one(Watch, adaptor.id).escalate_to = told.id
    db.session.commit()
    token = sessions.begin(user_id, SignInKind.PASSWORD, "127.0.0.1", "test")

    members.remove(member.id, owner.user_id)

    assert adaptor.grants == gateway.grants == [{"to": "admins", "level": "viewer"}]
    assert adaptor.creator_id is None and gateway.creator_id is None
    assert db.session.get_one(Watch, adaptor.id).escalate_to is None
    assert [row.email for row in db.session.scalars(select(Recipient))] == ["andre@example.com"]
    assert not db.session.scalars(select(Notice)).all()
    assert not sharing.shared_with(subscription_id, Grantee.USER, user_id)
    assert not sessions.alive(user_id) and token


def test_who_belongs_somewhere_else_stays_signed_in(owner: Membership, join: Join) -> None:
    member = join("m@example.com", Role.MEMBER)
    join("m@example.com", Role.MEMBER, of=_another())
    sessions.begin(member.user_id, SignInKind.PASSWORD, "127.0.0.1", "test")
    user_id = member.user_id
    members.remove(member.id, owner.user_id)
    assert db.session.scalars(select(SignInSession.ended_at).where(SignInSession.user_id == user_id)).all() == [None]


@pytest.mark.parametrize("stays", [True, False])
def test_the_ownership_is_handed_over(owner: Membership, join: Join, stays: bool) -> None:
    heir = join("arving@example.com", Role.MEMBER, last_day=utcnow().date() + timedelta(days=9))
    members.transfer(heir.id, owner.user_id, stays_owner=stays)
    assert (heir.role, heir.last_day) == (Role.OWNER, None)
    assert owner.role is (Role.OWNER if stays else Role.ADMIN)


def test_the_ownership_goes_to_nobody_without_access(owner: Membership, join: Join) -> None:
    for email, columns in (
        ("1@example.com", {"suspended_at": utcnow()}),
        ("2@example.com", {"last_day": utcnow().date() - timedelta(days=2)}),
    ):
        with pytest.raises(Conflict):
            members.transfer(join(email, Role.MEMBER, **columns).id, owner.user_id, stays_owner=False)
    auditor = join("3@example.com", Role.AUDITOR, last_day=utcnow().date())
    with pytest.raises(Conflict):
        members.transfer(auditor.id, owner.user_id, stays_owner=False)
    assert owner.role is Role.OWNER


def test_an_administrator_hands_no_ownership_over(owner: Membership, join: Join) -> None:
    admin, member = join("a@example.com", Role.ADMIN), join("m@example.com", Role.MEMBER)
    with pytest.raises(NotAllowed):
        members.transfer(member.id, admin.user_id, stays_owner=True)


@pytest.mark.parametrize("way", ["demoted", "removed", "suspended"])
def test_invitations_of_somebody_who_may_no_longer_give_the_role_are_withdrawn(
    owner: Membership, join: Join, way: str
) -> None:
    admin = join("a@example.com", Role.ADMIN)
    other = join("b@example.com", Role.ADMIN)
    for actor in (admin, other):
        invitations.invite(owner.subscription_id, actor.user_id, f"ny-{actor.user.email}", Role.MEMBER)
    {
        "demoted": lambda: members.change(admin.id, owner.user_id, Role.MEMBER, ""),
        "removed": lambda: members.remove(admin.id, owner.user_id),
        "suspended": lambda: members.suspend(admin.id, owner.user_id),
    }[way]()
    assert [row.email for row in invitations.pending(owner.subscription_id)] == ["ny-b@example.com"]
    assert db.session.scalar(select(Invitation.withdrawn_at).where(Invitation.email == "ny-a@example.com"))
