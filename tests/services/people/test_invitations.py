"""An invitation works once, for 72 hours, for one e-mail and one role."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from support.people import Join

from invoiceapp.domain.findings import Text
from invoiceapp.models import Invitation, Membership, Role, SignInFailure, User, db, utcnow
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.people import groups, invitations, members
from invoiceapp.services.people.access import NotAllowed, NotYours
from invoiceapp.services.people.invitations import DeadInvitation, Sent
from invoiceapp.services.sign_in import account_mail

EMAIL, PASSWORD, FROM = "ny@example.com", "fire helt almindelige ord", "192.0.2.1"


@pytest.fixture
def owner(user: User) -> Membership:
    return user.memberships[0]


def invited(owner: Membership, email: str = EMAIL, role: Role = Role.MEMBER, **more: Any) -> str:
    """The token of a new invitation."""
    sent = invitations.invite(owner.subscription_id, owner.user_id, email, role, **more)
    assert sent.link
    return sent.link.rpartition("/")[2]


def test_the_token_has_256_bits_and_only_its_hash_is_kept(owner: Membership) -> None:
    token = invited(owner)
    row = db.session.scalars(select(Invitation)).one()
    assert len(token) == 43 and row.token_hash == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(vars(row))
    assert row.expires_at - row.created_at <= timedelta(hours=72)


def test_a_newcomer_becomes_a_member_with_the_role_the_groups_and_the_last_day(owner: Membership) -> None:
    group_id = groups.make(owner.subscription_id, "Bogholderi")
    day = utcnow().date() + timedelta(days=30)
    token = invited(owner, " NY@Example.com ", Role.AUDITOR, group_ids=[group_id, "fremmed"], last_day=day.isoformat())
    user = invitations.accept_as_new(token, "Ny Revisor", PASSWORD, FROM)
    [row] = user.memberships
    assert (user.email, user.name, row.role, row.last_day) == (EMAIL, "Ny Revisor", Role.AUDITOR, day)
    assert [group.name for group in row.groups] == ["Bogholderi"]
    assert user.confirmed_at is None


def test_a_known_person_accepts_as_themself_and_nobody_else_does(owner: Membership, join: Join) -> None:
    known = join("kendt@example.com", Role.OWNER, of=_another())
    other = join("anden@example.com", Role.MEMBER)
    token = invited(owner, "Kendt@example.com")
    assert invitations.offered(token, FROM).is_known
    with pytest.raises(NotYours):
        invitations.accept(token, other.user_id, FROM)
    assert invitations.accept(token, known.user_id, FROM) == owner.subscription_id
    assert {row.role for row in known.user.memberships} == {Role.OWNER, Role.MEMBER}


def _another() -> Any:
    from invoiceapp.models import Subscription

    row = Subscription(name="Anden ApS")
    db.session.add(row)
    db.session.commit()
    return row


def _used(token: str, owner: Membership) -> None:
    invitations.accept_as_new(token, "Ny", PASSWORD, FROM)


def _row() -> Invitation:
    return db.session.scalars(select(Invitation).order_by(Invitation.id)).first()  # type: ignore[return-value]


def _old(token: str, owner: Membership) -> None:
    _row().expires_at = utcnow() - timedelta(seconds=1)
    db.session.commit()


DEATHS = {
    "used": _used,
    "too old": _old,
    "withdrawn": lambda token, owner: invitations.withdraw(_row().id, owner.user_id),
    "sent anew": lambda token, owner: invitations.resend(_row().id, owner.user_id),
    "invited again": lambda token, owner: invited(owner),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_dead_link_says_what_a_wrong_one_says(owner: Membership, death: str) -> None:
    token = invited(owner)
    DEATHS[death](token, owner)
    said = set()
    for tried in (token, "x" * 43):
        for act in (
            lambda tried=tried: invitations.offered(tried, FROM),
            lambda tried=tried: invitations.accept(tried, owner.user_id, FROM),
            lambda tried=tried: invitations.accept_as_new(tried, "Ny", PASSWORD, FROM),
        ):
            with pytest.raises(DeadInvitation) as caught:
                act()
            said.add(caught.value.text)
    assert len(said) == 1
    assert len(db.session.scalars(select(SignInFailure)).all()) > 0


def test_the_new_link_works(owner: Membership) -> None:
    invited(owner)
    sent = invitations.resend(_row().id, owner.user_id)
    assert sent.link and invitations.offered(sent.link.rpartition("/")[2], FROM).email == EMAIL
    assert len(invitations.pending(owner.subscription_id)) == 1


@pytest.mark.parametrize("columns", [{"last_day": utcnow().date() - timedelta(days=2)}, {"suspended_at": utcnow()}])
def test_the_link_of_somebody_whose_access_has_ended_is_dead(owner: Membership, join: Join, columns: Any) -> None:
    token = invited(join("a@example.com", Role.ADMIN))
    for name, value in columns.items():
        setattr(db.session.scalars(select(Membership).where(Membership.role == Role.ADMIN)).one(), name, value)
    db.session.commit()
    with pytest.raises(DeadInvitation):
        invitations.offered(token, FROM)


def test_of_two_who_use_a_link_at_once_one_comes_in(app: Flask, owner: Membership) -> None:
    token = invited(owner)
    db.session.remove()
    start = threading.Barrier(2)

    def act(name: str) -> bool:
        with app.app_context():
            start.wait()
            try:
                invitations.accept_as_new(token, name, PASSWORD, FROM)
            except (DeadInvitation, Conflict):
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, ("En", "To"))) == [False, True]
    assert len(db.session.scalars(select(User).where(User.email == EMAIL)).all()) == 1


def test_an_administrator_invites_neither_owners_nor_administrators(owner: Membership, join: Join) -> None:
    admin = join("a@example.com", Role.ADMIN)
    for role in (Role.OWNER, Role.ADMIN):
        with pytest.raises(NotAllowed):
            invitations.invite(admin.subscription_id, admin.user_id, EMAIL, role)
    invitations.invite(owner.subscription_id, owner.user_id, EMAIL, Role.ADMIN)
    with pytest.raises(NotAllowed):
        invitations.resend(_row().id, admin.user_id)
    with pytest.raises(NotAllowed):
        invitations.withdraw(_row().id, admin.user_id)


@pytest.mark.parametrize(
    ("email", "role", "wrong"),
    [("ny", Role.MEMBER, "email"), ("ejer@example.com", Role.MEMBER, "email"), (EMAIL, Role.AUDITOR, "last_day")],
)
def test_what_cannot_be_is_refused(owner: Membership, email: str, role: Role, wrong: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        invitations.invite(owner.subscription_id, owner.user_id, email, role)
    assert set(caught.value.errors) == {wrong}


def test_nobody_is_mailed_again_and_again(owner: Membership) -> None:
    for _turn in range(invitations.MOST_TO_ONE):
        invited(owner)
    with pytest.raises(Conflict):
        invited(owner)
    invited(owner, "anden@example.com")


@pytest.mark.parametrize(
    ("name", "password", "wrong"),
    [("", PASSWORD, "name"), ("Ny", "for kort", "password"), ("Ny", "x" * 200, "password")],
)
def test_a_newcomer_needs_a_name_and_a_password_that_holds(
    owner: Membership, name: str, password: str, wrong: str
) -> None:
    token = invited(owner)
    with pytest.raises(InvalidInput) as caught:
        invitations.accept_as_new(token, name, password, FROM)
    assert set(caught.value.errors) == {wrong}
    assert invitations.offered(token, FROM)


def test_who_is_a_member_already_keeps_their_role(owner: Membership, join: Join) -> None:
    token = invited(owner)
    known = join(EMAIL, Role.ADMIN)
    invitations.accept(token, known.user_id, FROM)
    assert [row.role for row in known.user.memberships] == [Role.ADMIN]


class Post:
    """Takes what would be mailed."""

    def __init__(self, error: ServiceError | None = None) -> None:
        self.sent: list[tuple[str, str]] = []
        self.error = error

    def send(self, to: str, _subject: str, text: str, _html: str) -> None:
        assert not db.session().in_transaction()
        if self.error:
            raise self.error
        self.sent.append((to, text))


def _with_mail(monkeypatch: pytest.MonkeyPatch, post: Post) -> None:
    monkeypatch.setattr(account_mail, "is_possible", lambda: True)
    monkeypatch.setattr(account_mail, "send", post.send)


def test_with_a_mail_server_only_the_mail_has_the_link(owner: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post()
    _with_mail(monkeypatch, post)
    sent = invitations.invite(owner.subscription_id, owner.user_id, EMAIL, Role.MEMBER)
    assert sent == Sent(EMAIL)
    [(to, text)] = post.sent
    token = text.partition("/invitations/")[2].split()[0]
    user = invitations.accept_as_new(token, "Ny", PASSWORD, FROM)
    assert to == EMAIL and user.confirmed_at is not None


def test_the_mail_says_what_it_is_who_invites_and_until_when(
    owner: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post()
    _with_mail(monkeypatch, post)
    last_day = utcnow().date() + timedelta(days=30)
    invitations.invite(owner.subscription_id, owner.user_id, EMAIL, Role.AUDITOR, last_day=last_day.isoformat())
    [(_to, text)] = post.sent
    for words in ("inviterer dig til", "sender fakturaer fra Billy", f"til og med {last_day:%d.%m.%Y}", "72 timer"):
        assert words in text, words
    assert "\n-- " not in text


def test_a_mail_that_did_not_leave_is_told_and_can_be_sent_again(
    owner: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Text("Nej", "No")
    _with_mail(monkeypatch, Post(ServiceError(text)))
    assert invitations.invite(owner.subscription_id, owner.user_id, EMAIL, Role.MEMBER) == Sent(EMAIL, problem=text)
    post = Post()
    _with_mail(monkeypatch, post)
    invitations.resend(_row().id, owner.user_id)
    assert [to for to, _text in post.sent] == [EMAIL]


def test_leaving_ends_what_one_has_invited(owner: Membership, join: Join) -> None:
    admin = join("a@example.com", Role.ADMIN)
    token = invited(admin)
    members.leave(admin.subscription_id, admin.user_id)
    with pytest.raises(DeadInvitation):
        invitations.offered(token, FROM)


def test_an_invitation_of_somebody_who_was_deactivated_is_dead(owner: Membership, join: Join) -> None:
    inviter = join("b@example.com", Role.OWNER)
    token = invited(inviter)
    assert invitations.offered(token, FROM).email == EMAIL
    inviter.user.active = False
    db.session.commit()
    with pytest.raises(invitations.DeadInvitation):
        invitations.offered(token, FROM)
