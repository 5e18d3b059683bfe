"""The page of sharing: saved, warned of, and what the others then see."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from support.people import joined

from invoiceapp.models import Adaptor, Gateway, Membership, Role, SettingTemplate, Subscription, User, db
from invoiceapp.services.people import groups


@pytest.fixture
def template(subscription: Subscription) -> SettingTemplate:
    row = SettingTemplate(subscription_id=subscription.id, name="Skabelon", settings={"general": {"note": "Hej"}})
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def colleague(member: FlaskClient) -> Membership:
    return db.session.scalars(select(Membership).where(Membership.role == Role.MEMBER)).one()


def page_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status
    return answer.get_data(as_text=True)


def version_on(page: str) -> str:
    return page.partition('name="version" value="')[2].partition('"')[0]


def lines_on(page: str) -> str:
    return re.sub(r"<[^>]+>|\s+", " ", page[page.index('id="effects"') :])


@pytest.mark.parametrize("kind", ["adaptors", "gateways", "templates"])
def test_each_kind_is_shared_and_the_page_says_who_can_do_what(
    kind: str, signed_in: FlaskClient, colleague: Membership, adaptor: Adaptor, gateway: Gateway,
    template: SettingTemplate, submit: Any,
) -> None:  # fmt: skip
    row: Any = {"adaptors": adaptor, "gateways": gateway, "templates": template}[kind]
    path = f"/sharing/{kind}/{row.id}"
    form = {
        "who": "chosen",
        f"level.user.{colleague.user_id}": "editor",
        "version": version_on(page_of(signed_in, path)),
    }
    assert submit(signed_in, path, form).status_code == 303
    db.session.expire_all()
    assert row.grants == [{"to": "user", "level": "editor", "id": colleague.user_id}]
    assert "medarbejder" in lines_on(page_of(signed_in, path))
    assert submit(signed_in, path, form | {"who": "me"}).status_code == 409


def test_a_group_and_a_lock_are_told_in_words(
    signed_in: FlaskClient, user: User, colleague: Membership, adaptor: Adaptor, submit: Any
) -> None:
    group_id = groups.make(adaptor.subscription_id, "Bogholderi")
    groups.save(group_id, "Bogholderi", [colleague.id], user.id)
    path = f"/sharing/adaptors/{adaptor.id}"
    submit(signed_in, path, {"who": "chosen", f"level.group.{group_id}": "editor", "is_locked": "1"})
    told = lines_on(page_of(signed_in, path))
    assert "Bogholderi" in told and re.search("operat(or|ør)", told) and re.search("editor|redaktør", told)


def test_what_is_shared_decides_what_the_other_sees(
    signed_in: FlaskClient, member: FlaskClient, colleague: Membership, adaptor: Adaptor, submit: Any
) -> None:
    path, page = f"/sharing/adaptors/{adaptor.id}", f"/adaptors/general?adaptor={adaptor.id}"
    submit(signed_in, path, {"who": "me"})
    assert member.get(page).status_code == 404
    submit(signed_in, path, {"who": "chosen", f"level.user.{colleague.user_id}": "viewer"})
    assert 'id="sharing"' not in page_of(member, page)
    assert member.get(path).status_code == 403
    submit(signed_in, path, {"who": "chosen", f"level.user.{colleague.user_id}": "manager"})
    assert 'id="sharing"' in page_of(member, page)
    assert member.get(path).status_code == 200


def test_who_would_shut_themself_out_is_asked_first(
    signed_in: FlaskClient, member: FlaskClient, colleague: Membership, adaptor: Adaptor, submit: Any
) -> None:
    adaptor.grants = [{"to": "user", "level": "manager", "id": colleague.user_id}]
    db.session.commit()
    path = f"/sharing/adaptors/{adaptor.id}"
    form = {"who": "everybody", "level.everybody": "viewer", "version": version_on(page_of(member, path))}
    asked = submit(member, path, form)
    assert asked.status_code == 200 and 'name="agreed"' in asked.get_data(as_text=True)
    db.session.expire_all()
    assert adaptor.grants[0]["to"] == "user"
    done = submit(member, path, form | {"agreed": "1"})
    assert done.status_code == 303 and "/adaptors/general" in done.headers["Location"]
    assert member.get(path).status_code == 403


def test_nothing_is_shared_with_people_or_groups_of_elsewhere(
    signed_in: FlaskClient, stranger: FlaskClient, user: User, adaptor: Adaptor, submit: Any
) -> None:
    foreign = db.session.scalars(select(User).where(User.email == "fremmed@example.com")).one()
    group_id = groups.make(foreign.memberships[0].subscription_id, "Fremmede")
    path, before = f"/sharing/adaptors/{adaptor.id}", adaptor.grants
    auditor = joined(user.memberships[0].subscription, "r@example.com", Role.AUDITOR)
    for name in (f"level.user.{foreign.id}", f"level.group.{group_id}", f"level.user.{auditor.user_id}"):
        assert submit(signed_in, path, {"who": "chosen", name: "manager"}).status_code == 422
    db.session.expire_all()
    assert adaptor.grants == before
    assert stranger.get(path).status_code == 404
    assert submit(stranger, path, {"who": "me"}).status_code == 404


def test_a_choice_without_levels_keeps_what_was_ticked(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    answer = submit(signed_in, f"/sharing/adaptors/{adaptor.id}", {"who": "chosen", "is_locked": "1"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and 'value="chosen" checked' in page and 'href="#with-whom"' in page


def test_lists_say_with_whom(
    signed_in: FlaskClient, subscription: Subscription, adaptor: Adaptor, gateway: Gateway, submit: Any
) -> None:
    everybody = "users"
    colleague = joined(subscription, "bogholder@example.com", Role.MEMBER)
    for path, row in (("/adaptors", adaptor), ("/gateways", gateway)):
        assert f"#{everybody}" in page_of(signed_in, path)
        row.grants, row.is_locked = [{"to": "user", "level": "viewer", "id": colleague.user_id}], True
        db.session.commit()
        page = page_of(signed_in, path)
        assert "#share" in page and "#lock" in page
        assert f"Shared with {colleague.user.email}" in page or f"Delt med {colleague.user.email}" in page
