from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from invoiceapp.models import Membership, Role, Subscription, User, db
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.people import accounts

PASSWORD = "langt nok kodeord"


def test_a_company_and_its_owner_are_made_together(app: Flask) -> None:
    accounts.create_owner("Revision ApS", " Chef@Example.COM ", PASSWORD)
    membership = db.session.scalar(select(Membership))
    assert membership is not None
    assert (membership.user.email, membership.role, membership.subscription.name) == (
        "chef@example.com", Role.OWNER, "Revision ApS",
    )  # fmt: skip


def test_the_password_is_never_stored_as_it_is(app: Flask) -> None:
    app.config.update(SECURITY_PASSWORD_HASH="argon2", SECURITY_PASSWORD_SINGLE_HASH=["argon2"])
    accounts.create_owner("Revision ApS", "chef@example.com", PASSWORD)
    user = db.session.scalar(select(User))
    assert user is not None
    assert user.password is not None
    assert PASSWORD not in user.password


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("chef", PASSWORD),
        ("a@b.dk, c@d.dk", PASSWORD),
        ("a@b.dk", "for kort"),
        ("a@b.dk", "Password2026!"),
        ("a@b.dk", "x2 æ9" * 40),
    ],
)
def test_a_bad_address_or_a_short_password_makes_nothing(app: Flask, email: str, password: str) -> None:
    with pytest.raises(InvalidInput):
        accounts.create_owner("Revision ApS", email, password)
    assert db.session.scalar(select(Subscription)) is None


def test_an_address_belongs_to_one_person(app: Flask) -> None:
    accounts.create_owner("Revision ApS", "chef@example.com", PASSWORD)
    with pytest.raises(Conflict):
        accounts.create_owner("Revision To ApS", "CHEF@example.com", PASSWORD)
    assert len(db.session.scalars(select(Subscription)).all()) == 1


def test_a_company_that_nobody_belongs_to_yet_is_taken_over_and_one_with_people_never(app: Flask) -> None:
    waiting = Subscription(name="Revision ApS")
    db.session.add(waiting)
    db.session.commit()
    accounts.create_owner("Revision ApS", "chef@example.com", PASSWORD)
    accounts.create_owner("Revision ApS", "fremmed@example.com", PASSWORD)
    memberships = db.session.scalars(select(Membership).order_by(Membership.id)).all()
    assert memberships[0].subscription_id == waiting.id != memberships[1].subscription_id
