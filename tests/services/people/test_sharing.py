"""What a form of sharing says, and what it gives to whom."""

from __future__ import annotations

import pytest
from support.people import Join

from invoiceapp.domain.permissions import Grant, Grantee, Level, Reason
from invoiceapp.models import Adaptor, Role, db
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import groups, members, sharing
from invoiceapp.services.people.sharing import Choice, Sharing


@pytest.fixture
def has_pages() -> bool:
    """Nobody signs in here."""
    return False


FORM = {
    "level.everybody": "operator", "level.admins": "manager", "level.group.G": "editor", "level.user.U": "viewer",
    "level.user.V": "",
}  # fmt: skip
LINES = {
    Choice.ME: set(),
    Choice.EVERYBODY: {Grantee.EVERYBODY, Grantee.ADMINS, Grantee.GROUP, Grantee.USER},
    Choice.ADMINS: {Grantee.ADMINS},
    Choice.CHOSEN: {Grantee.ADMINS, Grantee.GROUP, Grantee.USER},
}


@pytest.mark.parametrize("choice", Choice)
def test_only_the_lines_of_the_choice_count(choice: Choice) -> None:
    found = sharing.read(FORM | {"who": choice.value, "is_locked": "1"})
    assert {grant.grantee for grant in found.grants} == LINES[choice]
    assert found.is_locked and found.choice is choice
    assert found.level(Grantee.USER, "V") is None


@pytest.mark.parametrize(
    "form",
    [
        {"who": "everybody"}, {"who": "admins"}, {"who": "chosen", "level.admins": "manager"}, {"who": "nobody"}, {},
        {"who": "chosen", "level.user.U": "owner"}, {"who": "chosen", "level.planet.U": "viewer"},
        {"who": "me", "level.user.U.x": "queen"},
    ],
)  # fmt: skip
def test_a_form_that_says_nothing_usable_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        sharing.read(form)


def test_everybody_is_told_their_level_and_why(adaptor: Adaptor, join: Join) -> None:
    owner, admin = join("ejer@example.com", Role.OWNER), join("admin@example.com", Role.ADMIN)
    creator, grouped, outside = (join(f"{name}@example.com", Role.MEMBER) for name in ("c", "g", "o"))
    group_id = groups.make(adaptor.subscription_id, "Bogholderi")
    groups.save(group_id, "Bogholderi", [grouped.id], owner.user_id)
    adaptor.creator_id = creator.user_id
    db.session.commit()
    wanted = Sharing(
        (Grant(Grantee.ADMINS, Level.EDITOR), Grant(Grantee.GROUP, Level.MANAGER, group_id)), is_locked=True
    )
    found = {one.member.id: one for one in sharing.effects(adaptor, wanted)}
    told = {key: (one.standing.level, one.standing.reason) for key, one in found.items() if one.standing}
    assert told == {
        owner.id: (Level.MANAGER, Reason.OWNER),
        creator.id: (Level.MANAGER, Reason.CREATOR),
        admin.id: (Level.OPERATOR, Reason.ADMINS),
        grouped.id: (Level.OPERATOR, Reason.GROUP),
    }
    uncapped = found[grouped.id].uncapped
    assert uncapped is not None and uncapped.level is Level.MANAGER
    assert found[outside.id].standing is None


def test_a_deleted_group_and_a_removed_person_have_nothing_to_come_back_to(adaptor: Adaptor, join: Join) -> None:
    owner, member = join("ejer@example.com", Role.OWNER), join("m@example.com", Role.MEMBER)
    group_id = groups.make(adaptor.subscription_id, "Bogholderi")
    adaptor.grants = [
        {"to": "group", "level": "editor", "id": group_id}, {"to": "user", "level": "viewer", "id": member.user_id}
    ]  # fmt: skip
    db.session.commit()
    assert sharing.shared_with(adaptor.subscription_id, Grantee.GROUP, group_id) == [adaptor]
    groups.delete(group_id)
    assert adaptor.grants == [{"to": "user", "level": "viewer", "id": member.user_id}]
    members.remove(member.id, owner.user_id)
    assert adaptor.grants == []
