"""Who is told of an adaptor: those who have access today and may see it."""

from __future__ import annotations

from datetime import timedelta

from support.people import joined

from invoiceapp.models import Adaptor, Recipient, Role, Subscription, db, utcnow
from invoiceapp.services.notifications import recipients


def told(adaptor: Adaptor | None, subscription: Subscription) -> set[str]:
    return {row.address for row in recipients.audience(subscription.id, adaptor)}


def test_nobody_is_told_of_what_they_may_not_see(subscription: Subscription, adaptor: Adaptor) -> None:
    joined(subscription, "ejer@example.com", Role.OWNER)
    joined(subscription, "admin@example.com", Role.ADMIN)
    named = joined(subscription, "navngivet@example.com", Role.MEMBER)
    joined(subscription, "udenfor@example.com", Role.MEMBER)
    adaptor.grants = [{"to": "admins", "level": "viewer"}, {"to": "user", "level": "viewer", "id": named.user_id}]
    db.session.add(Recipient(subscription_id=subscription.id, email="postkasse@example.com", confirmed_at=utcnow()))
    db.session.commit()
    seeing = {"ejer@example.com", "admin@example.com", "navngivet@example.com", "postkasse@example.com"}
    assert told(adaptor, subscription) == seeing
    assert told(None, subscription) == seeing | {"udenfor@example.com"}


def test_who_has_no_access_now_is_told_nothing_and_mailed_nothing(subscription: Subscription, adaptor: Adaptor) -> None:
    joined(subscription, "ude@example.com", Role.OWNER, suspended_at=utcnow())
    joined(subscription, "slut@example.com", Role.OWNER, last_day=utcnow().date() - timedelta(days=2))
    inside = joined(subscription, "inde@example.com", Role.OWNER)
    assert told(adaptor, subscription) == {"inde@example.com"}
    row = recipients.stored(subscription.id, inside.user_id)
    assert recipients.may_mail(row)
    inside.suspended_at = utcnow()
    db.session.commit()
    assert not recipients.may_mail(row)
