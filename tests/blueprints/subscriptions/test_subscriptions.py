"""Settings of a subscription, another one, and switching."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from support.people import joined

from invoiceapp.models import Membership, Role, Subscription, User, db, new_id


def text_of(client: FlaskClient, path: str) -> str:
    return client.get(path).get_data(as_text=True)


def version_on(page: str) -> str:
    return page.partition('name="version" value="')[2].partition('"')[0]


def test_name_and_second_factor_are_kept(signed_in: FlaskClient, subscription: Subscription, submit: Any) -> None:
    version = version_on(text_of(signed_in, "/subscriptions/settings"))
    form = {"name": "Nyt navn ApS", "version": version, "needs_second_factor": "1"}
    assert submit(signed_in, "/subscriptions/settings", form).status_code == 303
    db.session.expire_all()
    assert (subscription.name, subscription.needs_second_factor) == ("Nyt navn ApS", True)


def test_two_who_save_at_once_overwrite_nothing(
    signed_in: FlaskClient, subscription: Subscription, submit: Any
) -> None:
    version = version_on(text_of(signed_in, "/subscriptions/settings"))
    subscription.name = "En anden var her"
    db.session.commit()
    answer = submit(signed_in, "/subscriptions/settings", {"name": "Mit", "version": version})
    assert answer.status_code == 409 and 'value="Mit"' in answer.get_data(as_text=True)
    assert submit(signed_in, "/subscriptions/settings", {"name": " "}).status_code == 422


def test_an_owner_makes_another_one_and_two_clicks_make_one(signed_in: FlaskClient, user: User, submit: Any) -> None:
    assert submit(signed_in, "/subscriptions/new", {"name": "Klient A/S"}).status_code == 303
    assert "Klient A/S" in text_of(signed_in, "/subscriptions/settings")
    assert submit(signed_in, "/subscriptions/new", {"name": "Klient A/S"}).status_code == 422
    roles = db.session.scalars(select(Membership.role).where(Membership.user_id == user.id)).all()
    assert roles == [Role.OWNER, Role.OWNER]


@pytest.mark.parametrize("path", ["/subscriptions/new", "/subscriptions/settings"])
def test_members_neither_make_nor_set(member: FlaskClient, path: str, submit: Any) -> None:
    assert member.get(path).status_code == 403
    assert submit(member, path, {"name": "x"}).status_code == 403


def test_switching_shows_the_other_one_and_only_ones_own(
    signed_in: FlaskClient, subscription: Subscription, submit: Any
) -> None:
    other, foreign = Subscription(name="Anden ApS"), Subscription(name="Fremmed ApS")
    db.session.add_all([other, foreign])
    db.session.commit()
    assert "/choose" not in text_of(signed_in, "/people")
    joined(other, "ejer@example.com", Role.OWNER)
    page = text_of(signed_in, "/people")
    assert f"/subscriptions/{other.id}/choose" in page and foreign.id not in page
    assert submit(signed_in, f"/subscriptions/{other.id}/choose").status_code == 303
    assert 'value="Anden ApS"' in text_of(signed_in, "/subscriptions/settings")
    for row_id in (foreign.id, new_id()):
        assert submit(signed_in, f"/subscriptions/{row_id}/choose").status_code == 404
