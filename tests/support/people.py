"""People for tests: ``join("navn@example.com", Role.MEMBER)`` makes a user where there is none, and a membership."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import select

from invoiceapp.models import Membership, Role, Subscription, User, db, new_id


class Join(Protocol):
    """The fixture ``join``."""

    def __call__(self, email: str, role: Role, *, of: Subscription | None = None, **columns: Any) -> Membership: ...


def joined(subscription: Subscription, email: str, role: Role, **columns: Any) -> Membership:
    """A member of the subscription."""
    user = db.session.scalar(select(User).where(User.email == email))
    if user is None:
        user = User(email=email, name="", password="correct-horse-battery", active=True, fs_uniquifier=new_id())
        db.session.add(user)
        db.session.flush()
    row = Membership(subscription_id=subscription.id, user_id=user.id, role=role, **columns)
    db.session.add(row)
    db.session.commit()
    return row
