"""Pages of members, invitations and groups."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from support.people import joined

from invoiceapp.models import Adaptor, Group, Invitation, Membership, Role, Subscription, User, db, utcnow
from invoiceapp.services.people import groups

DAY = (utcnow() + timedelta(days=30)).date()


@pytest.fixture
def owner(user: User) -> Membership:
    return user.memberships[0]


def text_of(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def link_on(page: str) -> str:
    found = re.search(r'value="http://localhost(/invitations/[\w-]+)"', page)
    assert found, page
    return found[1]


def invited(signed_in: FlaskClient, submit: Any, **form: Any) -> str:
    """The path of a new invitation, as the page shows it once."""
    form = {"email": "ny@example.com", "role": "member", **form}
    assert submit(signed_in, "/people/invitations", form).status_code == 303
    return link_on(text_of(signed_in, "/people"))


def test_the_list_shows_everybody_and_administrators_see_more(
    signed_in: FlaskClient, member: FlaskClient, subscription: Subscription, submit: Any
) -> None:
    joined(subscription, "revisor@example.com", Role.AUDITOR, last_day=DAY)
    path = invited(signed_in, submit)
    seen, told = text_of(signed_in, "/people"), text_of(member, "/people")
    assert "revisor@example.com" in seen and "revisor@example.com" in told
    assert str(DAY.year) in seen and str(DAY.year) in told
    for hidden in ("ny@example.com", "ejer@example.com", "invitations/", path):
        assert hidden not in told
    assert "ny@example.com" in seen and "ejer@example.com" in seen


def test_the_link_is_shown_once(signed_in: FlaskClient, submit: Any) -> None:
    path = invited(signed_in, submit)
    assert path not in text_of(signed_in, "/people")
    assert db.session.scalars(select(Invitation.email)).all() == ["ny@example.com"]


def test_what_was_typed_is_kept_where_something_is_wrong(
    signed_in: FlaskClient, subscription: Subscription, submit: Any
) -> None:
    group_id = groups.make(subscription.id, "Bogholderi")
    form = {"email": "ny", "role": "auditor", "groups": group_id}
    answer = submit(signed_in, "/people/invitations", form)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'value="ny"' in page and f'value="{group_id}" checked' in page and 'href="#field-email"' in page


def test_sending_anew_and_withdrawing(signed_in: FlaskClient, submit: Any) -> None:
    old = invited(signed_in, submit)
    first = db.session.scalars(select(Invitation.id)).one()
    assert submit(signed_in, f"/people/invitations/{first}/resend").status_code == 303
    new = link_on(text_of(signed_in, "/people"))
    assert text_of(signed_in, new) and text_of(signed_in, old, 404)
    second = db.session.scalars(select(Invitation.id).where(Invitation.withdrawn_at.is_(None))).one()
    assert submit(signed_in, f"/people/invitations/{first}/withdraw").status_code == 404
    assert submit(signed_in, f"/people/invitations/{second}/withdraw").status_code == 303
    text_of(signed_in, new, 404)


def test_a_role_is_changed_and_the_last_owner_is_not(signed_in: FlaskClient, owner: Membership, submit: Any) -> None:
    row = joined(owner.subscription, "m@example.com", Role.MEMBER)
    assert submit(signed_in, f"/people/members/{row.id}", {"role": "auditor", "last_day": ""}).status_code == 422
    form = {"role": "auditor", "last_day": DAY.isoformat()}
    assert submit(signed_in, f"/people/members/{row.id}", form).status_code == 303
    assert db.session.get_one(Membership, row.id).last_day == DAY
    refused = submit(signed_in, f"/people/members/{owner.id}", {"role": "member", "last_day": ""})
    assert refused.status_code == 409 and "sidste ejer" in refused.get_data(as_text=True)
    assert submit(signed_in, "/people/leave").headers["Location"].endswith("/people/leave")
    db.session.expire_all()
    assert owner.role is Role.OWNER


def test_suspending_shuts_out_at_once_and_lifting_lets_in(
    signed_in: FlaskClient, member: FlaskClient, submit: Any
) -> None:
    row = db.session.scalars(select(Membership).where(Membership.role == Role.MEMBER)).one()
    path = f"/people/members/{row.id}"
    submit(signed_in, f"{path}/suspend")
    assert member.get("/people").status_code != 200
    assert "Suspenderet" in text_of(signed_in, "/people") or "Suspended" in text_of(signed_in, "/people")
    submit(signed_in, f"{path}/lift")
    assert member.get("/people").status_code == 200


def test_removing_says_what_goes_with_the_person(
    signed_in: FlaskClient, owner: Membership, adaptor: Adaptor, submit: Any
) -> None:
    row = joined(owner.subscription, "m@example.com", Role.MEMBER)
    adaptor.grants = [{"to": "user", "level": "editor", "id": row.user_id}]
    db.session.commit()
    page = text_of(signed_in, f"/people/members/{row.id}/remove")
    assert adaptor.name in page
    assert submit(signed_in, f"/people/members/{row.id}/remove").status_code == 303
    text_of(signed_in, f"/people/members/{row.id}", 404)
    db.session.expire_all()
    assert adaptor.grants == []


def test_the_last_owner_is_not_offered_to_be_removed(signed_in: FlaskClient, owner: Membership) -> None:
    assert 'id="remove"' not in text_of(signed_in, f"/people/members/{owner.id}/remove")
    second = joined(owner.subscription, "anden@example.com", Role.OWNER)
    assert 'id="remove"' in text_of(signed_in, f"/people/members/{second.id}/remove")


def test_who_invites_sees_what_a_member_gets_at_once(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    def told() -> str:
        return text_of(signed_in, "/people").partition('id="for-everybody"')[2].partition("</div>")[0]

    adaptor.grants, adaptor.is_locked = [{"to": "everybody", "level": "editor"}], False
    db.session.commit()
    assert adaptor.name in told() and ("Redaktør" in told() or "Editor" in told())
    adaptor.is_locked = True
    db.session.commit()
    assert "Operatør" in told() or "Operator" in told()
    adaptor.grants = []
    db.session.commit()
    assert adaptor.name not in told()


def test_leaving_the_only_subscription_signs_out(member: FlaskClient, signed_in: FlaskClient, submit: Any) -> None:
    assert submit(member, "/people/leave").headers["Location"].endswith("/login")
    assert member.get("/people").status_code == 302
    assert signed_in.get("/people").status_code == 200


def test_an_administrator_may_not_touch_owners_by_any_address(
    app: Flask, owner: Membership, member: FlaskClient, submit: Any
) -> None:
    row = db.session.scalars(select(Membership).where(Membership.role == Role.MEMBER)).one()
    row.role = Role.ADMIN
    db.session.commit()
    for path in (f"/people/members/{owner.id}", f"/people/members/{owner.id}/remove"):
        assert member.get(path).status_code == 403
    for path in ("", "/suspend", "/lift", "/remove", "/transfer"):
        assert submit(member, f"/people/members/{owner.id}{path}", {"role": "member"}).status_code == 403
    assert submit(member, "/people/invitations", {"email": "x@example.com", "role": "owner"}).status_code == 403
    assert submit(member, "/people/invitations", {"email": "x@example.com", "role": "member"}).status_code == 303


def test_the_ownership_is_handed_over(signed_in: FlaskClient, owner: Membership, submit: Any) -> None:
    row = joined(owner.subscription, "m@example.com", Role.MEMBER)
    assert submit(signed_in, f"/people/members/{row.id}/transfer", {"stays": "no"}).status_code == 303
    db.session.expire_all()
    assert (row.role, owner.role) == (Role.OWNER, Role.ADMIN)


def test_groups_are_made_filled_renamed_and_deleted(
    signed_in: FlaskClient, member: FlaskClient, owner: Membership, adaptor: Adaptor, submit: Any
) -> None:
    assert submit(signed_in, "/people/groups", {"name": " "}).status_code == 422
    assert submit(signed_in, "/people/groups", {"name": "Bogholderi"}).status_code == 303
    assert submit(signed_in, "/people/groups", {"name": "bogholderi"}).status_code == 422
    row = db.session.scalars(select(Group)).one()
    submit(signed_in, f"/people/groups/{row.id}", {"name": "Bogholderiet", "members": owner.id})
    assert "Bogholderiet" in text_of(member, "/people/groups")
    assert [one.id for one in db.session.get_one(Group, row.id).members] == [owner.id]
    adaptor.grants = [{"to": "group", "level": "editor", "id": row.id}]
    db.session.commit()
    path = f"/people/groups/{row.id}/delete"
    assert adaptor.name in text_of(signed_in, path)
    assert member.get(path).status_code == 403
    submit(signed_in, path)
    db.session.expire_all()
    assert not db.session.scalars(select(Group)).all() and adaptor.grants == []


def test_people_of_elsewhere_do_not_exist(
    signed_in: FlaskClient, stranger: FlaskClient, owner: Membership, submit: Any
) -> None:
    group_id = groups.make(owner.subscription_id, "Bogholderi")
    invited(signed_in, submit)
    invitation_id = db.session.scalars(select(Invitation.id)).one()
    for path in (f"/people/members/{owner.id}", f"/people/groups/{group_id}", f"/people/groups/{group_id}/delete"):
        assert stranger.get(path).status_code == 404
        assert submit(stranger, path, {"role": "owner", "name": "x"}).status_code == 404
    for path in ("resend", "withdraw"):
        assert submit(stranger, f"/people/invitations/{invitation_id}/{path}").status_code == 404
