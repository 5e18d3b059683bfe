from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.permissions import (
    LOCKED,
    Action,
    Grant,
    Grantee,
    Level,
    Person,
    Reason,
    Role,
    at_least,
    at_most,
    keeps_an_owner,
    may_appoint,
    standing,
)

ANNA = Person("anna", Role.MEMBER, frozenset({"books"}))

levels = st.sampled_from(list(Level))
grants = st.lists(
    st.builds(
        Grant, st.sampled_from(list(Grantee)), levels, st.sampled_from([None, "anna", "bo", "books", "warehouse"])
    )
)
people = st.builds(
    Person, st.sampled_from(["anna", "bo"]), st.sampled_from(list(Role)),
    st.frozensets(st.sampled_from(["books", "warehouse"])),
)  # fmt: skip


def test_what_is_shared_with_nobody_does_not_exist_for_a_member():
    assert standing(ANNA, "bo", [], is_locked=False) is None


def test_who_made_it_manages_it_also_when_it_is_locked():
    found = standing(ANNA, "anna", [], is_locked=True)
    assert found is not None and (found.level, found.reason) == (Level.MANAGER, Reason.CREATOR)


@pytest.mark.parametrize(
    ("grant", "level"),
    [
        (Grant(Grantee.EVERYBODY, Level.OPERATOR), Level.OPERATOR),
        (Grant(Grantee.ADMINS, Level.MANAGER), None),
        (Grant(Grantee.GROUP, Level.EDITOR, "books"), Level.EDITOR),
        (Grant(Grantee.GROUP, Level.EDITOR, "warehouse"), None),
        (Grant(Grantee.USER, Level.VIEWER, "anna"), Level.VIEWER),
        (Grant(Grantee.USER, Level.MANAGER, "bo"), None),
    ],
)
def test_a_grant_is_for_those_it_names(grant, level):
    found = standing(ANNA, None, [grant], is_locked=False)
    assert (found.level if found else None) is level


def test_the_highest_of_several_counts_and_says_where_it_comes_from():
    shared = [Grant(Grantee.EVERYBODY, Level.VIEWER), Grant(Grantee.GROUP, Level.EDITOR, "books")]
    found = standing(ANNA, None, shared, is_locked=False)
    assert found is not None and (found.level, found.reason, found.grantee_id) == (Level.EDITOR, Reason.GROUP, "books")


def test_a_lock_leaves_use_and_takes_editing():
    shared = [Grant(Grantee.USER, Level.MANAGER, "anna")]
    found = standing(ANNA, None, shared, is_locked=True)
    assert found is not None and (found.level, found.is_capped) == (LOCKED, True)
    low = standing(ANNA, None, [Grant(Grantee.EVERYBODY, Level.VIEWER)], is_locked=True)
    assert low is not None and (low.level, low.is_capped) == (Level.VIEWER, False)


def test_an_administrator_sees_only_what_is_shared_with_them():
    admin = Person("bo", Role.ADMIN)
    assert standing(admin, "anna", [], is_locked=False) is None
    found = standing(admin, "anna", [Grant(Grantee.ADMINS, Level.MANAGER)], is_locked=False)
    assert found is not None and found.reason is Reason.ADMINS


@given(person=people, creator=st.sampled_from([None, "anna", "bo"]), shared=grants, is_locked=st.booleans())
def test_owners_manage_and_auditors_only_look_whatever_is_shared(person, creator, shared, is_locked):
    found = standing(person, creator, shared, is_locked=is_locked)
    if person.role is Role.OWNER:
        assert found is not None and found.may(Action.MANAGE)
    if person.role is Role.AUDITOR:
        assert found is not None and found.level is Level.VIEWER and not found.may(Action.OPERATE)
    if found and is_locked and found.reason not in (Reason.OWNER, Reason.CREATOR):
        assert not found.may(Action.EDIT)


@given(person=people, shared=grants, more=grants, is_locked=st.booleans())
def test_sharing_more_never_takes_anything_away(person, shared, more, is_locked):
    before = standing(person, None, shared, is_locked=is_locked)
    after = standing(person, None, [*shared, *more], is_locked=is_locked)
    if before is not None:
        assert after is not None and at_least(after.level, before.level)


@given(one=levels, other=levels)
def test_the_lower_of_two_levels_holds_no_more_than_either(one, other):
    lower = at_most(one, other)
    assert at_least(one, lower) and at_least(other, lower) and lower in (one, other)


@pytest.mark.parametrize(
    ("actor", "role", "may"),
    [
        (Role.OWNER, Role.OWNER, True), (Role.OWNER, Role.AUDITOR, True), (Role.ADMIN, Role.OWNER, False),
        (Role.ADMIN, Role.ADMIN, False), (Role.ADMIN, Role.MEMBER, True), (Role.ADMIN, Role.AUDITOR, True),
        (Role.MEMBER, Role.MEMBER, False), (Role.AUDITOR, Role.MEMBER, False),
    ],
)  # fmt: skip
def test_who_may_give_which_role(actor, role, may):
    assert may_appoint(actor, role) is may


def test_the_last_owner_is_needed():
    assert keeps_an_owner(["anna", "bo"], "anna") and keeps_an_owner(["anna"], "bo")
    assert not keeps_an_owner(["anna"], "anna")
