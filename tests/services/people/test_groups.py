"""Who may put people into a group that something is shared with."""

from __future__ import annotations

from typing import Any

import pytest

from invoiceapp.models import Adaptor, Group, Membership, Role, db
from invoiceapp.services.errors import Conflict
from invoiceapp.services.people import groups, invitations
from invoiceapp.services.people.access import NotAllowed
from tests.support.people import Join

PASSWORD, FROM = "correct-horse-battery-9", "127.0.0.1"


@pytest.fixture
def owner(join: Join) -> Membership:
    return join("ejer@example.com", Role.OWNER)


@pytest.fixture
def admin(join: Join) -> Membership:
    return join("admin@example.com", Role.ADMIN)


@pytest.fixture
def group_id(adaptor: Adaptor, owner: Membership) -> str:
    """A group that manages the adaptor, which administrators only see."""
    found = groups.make(adaptor.subscription_id, "Ledelsen")
    adaptor.grants = [_line("group", "manager", id=found), _line("admins", "viewer")]
    db.session.commit()
    return found


def _line(to: str, level: str, **more: Any) -> dict[str, Any]:
    return {"to": to, "level": level, **more}


def _members(group_id: str) -> list[str]:
    return [one.id for one in db.session.get_one(Group, group_id, populate_existing=True).members]


def test_administrators_cannot_give_themselves_what_a_group_has(
    owner: Membership, admin: Membership, group_id: str
) -> None:
    with pytest.raises(Conflict):
        groups.save(group_id, "Ledelsen", [admin.id], admin.user_id)
    with pytest.raises(Conflict):
        invitations.invite(admin.subscription_id, admin.user_id, "mig@example.com", Role.MEMBER, [group_id])
    assert _members(group_id) == []
    groups.save(group_id, "Ledelsen", [admin.id], owner.user_id)
    assert _members(group_id) == [admin.id]
    groups.save(group_id, "Ledelsen", [], admin.user_id)
    assert _members(group_id) == [], "taking out is always possible"


def test_who_may_share_it_all_may_fill_the_group(
    owner: Membership, admin: Membership, group_id: str, adaptor: Adaptor
) -> None:
    adaptor.grants = [_line("group", "manager", id=group_id), _line("admins", "manager")]
    db.session.commit()
    groups.save(group_id, "Ledelsen", [admin.id], admin.user_id)
    assert _members(group_id) == [admin.id]


def test_a_group_without_access_is_filled_by_any_administrator_and_by_nobody_else(
    owner: Membership, admin: Membership, join: Join
) -> None:
    member = join("m@example.com", Role.MEMBER)
    group_id = groups.make(owner.subscription_id, "Bogholderi")
    groups.save(group_id, "Bogholderi", [member.id], admin.user_id)
    assert _members(group_id) == [member.id]
    with pytest.raises(NotAllowed):
        groups.save(group_id, "Bogholderi", [], member.user_id)


def test_an_invitation_gives_no_group_that_has_grown_since(
    owner: Membership, admin: Membership, adaptor: Adaptor
) -> None:
    group_id = groups.make(owner.subscription_id, "Ledelsen")
    link = invitations.invite(admin.subscription_id, admin.user_id, "ny@example.com", Role.MEMBER, [group_id]).link
    adaptor.grants = [_line("group", "manager", id=group_id), _line("admins", "viewer")]
    db.session.commit()
    assert link
    user = invitations.accept_as_new(link.rpartition("/")[2], "Ny", PASSWORD, FROM)
    assert [row.role for row in user.memberships] == [Role.MEMBER] and _members(group_id) == []
