"""API keys: what they look like, what is kept of them, and everything that ends them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from invoiceapp.domain.permissions import Level
from invoiceapp.models import (
    ApiToken,
    Membership,
    Role,
    SignInFailure,
    Subscription,
    TokenScope,
    User,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people.access import NotYours
from invoiceapp.services.sign_in import throttling, tokens
from invoiceapp.services.sign_in.tokens import Standing

HERE = "192.0.2.7"


@pytest.fixture
def has_pages() -> bool:
    return False


@pytest.fixture
def member(user, subscription) -> Membership:
    found: Membership = db.session.scalars(select(Membership)).one()
    return found


def made(member: Membership, **values: Any) -> str:
    given = {"name": "Excel", "scope": "read", "days": "90", "adaptor_ids": (), "open_ids": ()} | values
    return tokens.make(member, **given)


def the_row() -> ApiToken:
    return db.session.scalars(select(ApiToken).execution_options(populate_existing=True)).one()


def test_a_key_has_256_bits_and_only_its_hash_is_kept(member):
    text = made(member)
    assert re.fullmatch(r"ia_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
    secret = text.split("_", 2)[2]
    row = the_row()
    kept = " ".join(str(getattr(row, column.name)) for column in ApiToken.__table__.columns)
    assert secret not in kept and row.public_id in text
    assert made(member, name="Another") != text


def test_a_key_is_good_for_its_person_its_subscription_and_no_more_than_its_scope(member, user, subscription):
    key = tokens.use(made(member), HERE)
    assert (key.user_id, key.subscription_id) == (user.id, subscription.id)
    assert (key.limit, key.adaptor_ids) == (Level.VIEWER, None)
    assert tokens.use(made(member, name="B", scope="operate"), HERE).limit is Level.OPERATOR


def test_a_key_may_be_for_chosen_adaptors_only_and_not_for_those_that_its_person_cannot_see(member, adaptor):
    key = tokens.use(made(member, adaptor_ids=[adaptor.id], open_ids=[adaptor.id]), HERE)
    assert key.adaptor_ids == {adaptor.id}
    with pytest.raises(NotYours):
        made(member, name="B", adaptor_ids=["01ANOTHER"], open_ids=[adaptor.id])


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "  "), ("name", "x" * 101), ("scope", "manage"), ("days", "0"), ("days", "366"), ("days", "1e2"), ("days", ""),
     ("days", "0000003659"), ("days", "9" * 5000), ("days", "²")],
)  # fmt: skip
def test_what_was_typed_wrongly_makes_no_key(member, field, value):
    with pytest.raises(InvalidInput) as refused:
        made(member, **{field: value})
    assert set(refused.value.errors) == {field}
    assert db.session.scalars(select(ApiToken)).all() == []


def test_two_clicks_make_one_key_because_a_name_is_used_once_while_its_key_works(member):
    made(member)
    with pytest.raises(InvalidInput):
        made(member, name="excel")
    tokens.revoke(the_row().id, "x", user_id=member.user_id)
    made(member)


def test_nobody_has_more_keys_than_they_can_look_after(member, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_KEYS", 1)
    made(member)
    with pytest.raises(InvalidInput):
        made(member, name="B")


def end(what: str, member: Membership, row: ApiToken) -> None:
    user: User = member.user
    match what:
        case "revoked":
            row.revoked_at = utcnow()
        case "expired":
            row.expires_at = utcnow() - timedelta(seconds=1)
        case "suspended":
            member.suspended_at = utcnow()
        case "past its last day":
            member.last_day = date(2020, 1, 1)
        case "removed":
            db.session.delete(member)
        case "deactivated":
            user.active = False
        case "new password":
            user.fs_uniquifier = new_id()
        case "without the second factor":
            member.subscription.needs_second_factor = True
    db.session.commit()


ENDINGS = {
    "revoked": Standing.REVOKED, "expired": Standing.EXPIRED, "suspended": Standing.NO_ACCESS,
    "past its last day": Standing.NO_ACCESS, "removed": Standing.NO_ACCESS, "deactivated": Standing.NO_ACCESS,
    "new password": Standing.NO_ACCESS, "without the second factor": Standing.NO_ACCESS,
}  # fmt: skip


@pytest.mark.parametrize("what", ENDINGS)
def test_a_key_ends_at_once_with_what_its_person_may(member, user, what):
    text = made(member)
    tokens.use(text, HERE)
    end(what, member, the_row())
    with pytest.raises(tokens.Refused):
        tokens.use(text, HERE)
    assert tokens.standing(the_row(), db.session.get_one(User, user.id)) is ENDINGS[what]


def test_wrong_keys_are_all_answered_alike(member):
    text = made(member)
    head, public_id, secret = text.split("_", 2)
    wrong = ["", "x", f"{head}_{public_id}_{'A' * 43}", f"{head}_{'0' * 12}_{secret}", f"{text} ", f"xx{text}"]
    said = set()
    for one in wrong:
        with pytest.raises(tokens.Refused) as refused:
            tokens.use(one, HERE)
        said.add(refused.value.text)
    assert len(said) == 1


def test_who_guesses_must_wait_and_who_has_the_right_key_in_the_same_office_need_not(member):
    text = made(member)
    for _guess in range(20):
        with pytest.raises(tokens.Refused):
            tokens.use(f"ia_{'0' * 12}_{'A' * 43}", HERE)
    failures = db.session.scalars(select(SignInFailure.failures)).all()
    with pytest.raises(throttling.Throttled):
        tokens.use(f"ia_{'1' * 12}_{'A' * 43}", HERE)
    assert db.session.scalars(select(SignInFailure.failures)).all() == failures
    assert tokens.use(text, HERE)


def test_use_is_noted_with_its_address_and_at_most_once_a_minute(member, monkeypatch):
    text, now = made(member), utcnow()
    writes: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _cu, sql, *_r: writes.append(sql[:6]))
    for seconds, address in ((0, HERE), (59, "192.0.2.8"), (61, "192.0.2.9")):
        monkeypatch.setattr(tokens, "utcnow", lambda at=now + timedelta(seconds=seconds): at)
        tokens.use(text, address)
        db.session.rollback()
    assert writes.count("UPDATE") == 2
    assert (the_row().last_used_at, the_row().last_used_ip) == (now + timedelta(seconds=61), "192.0.2.9")


def test_a_key_that_ends_within_two_weeks_says_so(member, user):
    made(member, days="15")
    assert tokens.standing(the_row(), user) is Standing.WORKS
    the_row().expires_at -= timedelta(days=2)
    assert tokens.standing(the_row(), user) is Standing.ENDS_SOON


def test_only_its_person_and_its_subscription_can_revoke_a_key(member, subscription):
    made(member)
    row, other = the_row(), Subscription(name="B")
    db.session.add(other)
    db.session.commit()
    for whose in ({"user_id": "01OTHER"}, {"subscription_id": other.id}, {}):
        with pytest.raises(NotYours):
            tokens.revoke(row.id, "x", **whose)
    with pytest.raises(NotYours):
        tokens.revoke("01NONE", "x", user_id=member.user_id)
    tokens.revoke(row.id, "admin@example.com", subscription_id=subscription.id)
    first = the_row().revoked_at
    tokens.revoke(row.id, "other@example.com", user_id=member.user_id)
    assert (the_row().revoked_at, the_row().revoked_by) == (first, "admin@example.com")


def test_everybodys_keys_stand_in_their_subscription_only(member, subscription):
    made(member)
    assert [row.name for row in tokens.of_subscription(subscription.id)] == ["Excel"]
    assert tokens.of_subscription("01OTHER") == [] and tokens.of_person("01OTHER") == []
    assert member.role is Role.OWNER and the_row().scope is TokenScope.READ
