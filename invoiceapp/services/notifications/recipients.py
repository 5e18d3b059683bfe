"""Who is told: the users of a subscription, and other addresses that have confirmed."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, time, timedelta

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.current import config
from invoiceapp.domain.fields import FieldInvalid, parse_email
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Mail,
    MailState,
    Membership,
    Notice,
    Preference,
    Recipient,
    Subscription,
    User,
    Watch,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.people import access

from . import letters

#: How long the link that confirms an address works.
CONFIRM_WITHIN = timedelta(days=7)
#: Mails to strangers: other addresses of a subscription, and questions a day to one of them and to all.
MOST_OTHERS, MOST_QUESTIONS, MOST_QUESTIONS_TO_ALL = 20, 3, 40
_UNSUBSCRIBE = "notification-unsubscribe"
_DEAD_LINK = Text(
    "Linket virker ikke længere. Bed om et nyt hos den, der har skrevet dig på.",
    "The link does not work any more. Ask the person who entered you for a new one.",
)


def of_user(subscription_id: str, user_id: str) -> Recipient:
    """A user's row; a new one that is not stored yet where there is none, with the defaults."""
    known = db.session.scalar(
        select(Recipient).where(Recipient.subscription_id == subscription_id, Recipient.user_id == user_id)
    )
    return known or _new(subscription_id, user_id=user_id)


def _new(subscription_id: str, **values: str) -> Recipient:
    return Recipient(
        id=new_id(), subscription_id=subscription_id, zone="Europe/Copenhagen", daily_at=time(7, 30),
        **{"name": "", "language": "da", **values},
    )  # fmt: skip


def stored(subscription_id: str, user_id: str) -> Recipient:
    """As ``of_user``, kept. Inside the caller's transaction."""
    row = of_user(subscription_id, user_id)
    if row not in db.session:
        try:
            with db.session.begin_nested():
                db.session.add(row)
        except IntegrityError:
            # Somebody else made it at the same moment.
            row = of_user(subscription_id, user_id)
    return row


def audience(subscription_id: str, adaptor: Adaptor | None = None) -> list[Recipient]:
    """All who may be told of the adaptor, or of the subscription itself: members who have access now and may see it, with a
    row made where there was none, and confirmed others.

    Inside the caller's transaction.
    """
    query = select(Membership).join(Membership.user).where(Membership.subscription_id == subscription_id, User.active)
    members = {row.user_id for row in db.session.scalars(query) if access.is_active(row) and _sees(row, adaptor)}
    rows = db.session.scalars(
        select(Recipient).where(Recipient.subscription_id == subscription_id).order_by(Recipient.id)
    ).all()
    missing = members - {row.user_id for row in rows}
    made = [stored(subscription_id, user_id) for user_id in sorted(missing)]
    told = [row for row in rows if (row.user_id in members if row.user_id else row.gets_mail)]
    return told + made


def _sees(row: Membership, adaptor: Adaptor | None) -> bool:
    return adaptor is None or access.standing(adaptor, access.person_of(row)) is not None


def may_mail(row: Recipient) -> bool:
    """Whether somebody is to get mails now: one of the ``audience`` who has not unsubscribed."""
    if not row.gets_mail or row.user_id is None:
        return row.gets_mail
    mine = (Membership.subscription_id == row.subscription_id, Membership.user_id == row.user_id)
    membership = db.session.scalar(select(Membership).where(*mine))
    return membership is not None and access.is_active(membership)


def others(subscription_id: str) -> list[Recipient]:
    """Addresses that belong to no user, oldest first, confirmed or not."""
    query = select(Recipient).where(Recipient.subscription_id == subscription_id, Recipient.user_id.is_(None))
    return list(db.session.scalars(query.order_by(Recipient.id)))


def add(subscription_id: str, email: str, name: str, language: str, now: datetime | None = None) -> str:
    """Enter another address and ask it to confirm; its id. Raises ``InvalidInput`` and ``Conflict``."""
    email = email.strip().lower()
    try:
        parse_email(email)
    except FieldInvalid as error:
        raise InvalidInput({"email": error.text}) from error
    with transaction() as session:
        # Two at once wait for each other here.
        session.get_one(Subscription, subscription_id, with_for_update=True)
        known = others(subscription_id)
        if any(row.email == email for row in known):
            raise Conflict(Text("Adressen er der allerede.", "The address is there already."))
        if len(known) >= MOST_OTHERS:
            raise Conflict(
                Text(f"Der kan højst være {MOST_OTHERS} andre adresser.", f"At most {MOST_OTHERS} other addresses.")
            )
        row = _new(subscription_id, email=email, name=name.strip()[:200], language="en" if language == "en" else "da")
        session.add(row)
        session.flush()
        _ask(row, now)
        return row.id


def ask_again(recipient_id: str, now: datetime | None = None) -> None:
    """Send a new link to an address that has not confirmed, or has unsubscribed. Raises ``Conflict``."""
    now = now or utcnow()
    with transaction() as session:
        subscription_id = session.scalar(select(Recipient.subscription_id).where(Recipient.id == recipient_id))
        session.get_one(Subscription, subscription_id, with_for_update=True)
        row = session.get_one(Recipient, recipient_id, with_for_update={"of": Recipient}, populate_existing=True)
        if row.gets_mail or row.user_id:
            raise Conflict(Text("Adressen er bekræftet allerede.", "The address is confirmed already."))
        _ask(row, now)


def _require_few_questions(row: Recipient, now: datetime) -> None:
    """Counted by address: one that is removed and entered again is the same stranger."""
    questions = (
        Mail.subscription_id == row.subscription_id,
        Mail.kind == letters.CONFIRM,
        Mail.created_at > now - timedelta(days=1),
    )
    to_it, to_all = db.session.execute(
        select(func.count().filter(Mail.to == row.address), func.count()).where(*questions)
    ).one()
    if to_it >= MOST_QUESTIONS:
        raise Conflict(
            Text(
                "Adressen er spurgt flere gange i dag. Prøv i morgen.",
                "It was asked several times today. Try tomorrow.",
            )
        )
    if to_all >= MOST_QUESTIONS_TO_ALL:
        raise Conflict(
            Text(
                "Der er spurgt mange adresser det seneste døgn. Prøv i morgen.",
                "Many addresses were asked within a day. Try tomorrow.",
            )
        )


def _ask(row: Recipient, now: datetime | None = None) -> None:
    """Inside the caller's transaction, which has locked the subscription. Raises ``Conflict``."""
    now, token = now or utcnow(), secrets.token_urlsafe(32)
    _require_few_questions(row, now)
    row.token_hash, row.token_ends = _hash(token), now + CONFIRM_WITHIN
    company = db.session.get_one(Subscription, row.subscription_id).name
    db.session.add(letters.confirmation(row, company, f"{config().base_url}/notifications/confirm/{token}", now))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def asked(token: str, now: datetime | None = None) -> Recipient:
    """Whose link it is, for the page that asks. Raises ``ServiceError`` for a link that does not work (any more)."""
    row = db.session.scalar(select(Recipient).where(Recipient.token_hash == _hash(token)))
    if row is None or row.token_ends is None or row.token_ends < (now or utcnow()):
        raise ServiceError(_DEAD_LINK)
    return row


def confirm(token: str, now: datetime | None = None) -> Recipient:
    """The address wants to be told. Works once. Raises ``ServiceError``."""
    with transaction():
        row = asked(token, now)
        row.confirmed_at, row.unsubscribed_at, row.token_hash, row.token_ends = now or utcnow(), None, None, None
    return row


def remove(recipient_id: str) -> None:
    """Forget another address, and what it was told; mails that were sent stay, without the person."""
    with transaction() as session:
        row = session.get_one(Recipient, recipient_id, with_for_update={"of": Recipient})
        if row.user_id:
            raise Conflict(Text("En bruger kan ikke fjernes her.", "A user cannot be removed here."))
        _forget(row)


def forget_user(subscription_id: str, user_id: str) -> None:
    """Tell a person nothing of this subscription any more, because they leave it. Inside the caller's transaction."""
    row = of_user(subscription_id, user_id)
    if row in db.session:
        _forget(row)


def _forget(row: Recipient) -> None:
    _withdraw(row.id)
    db.session.execute(delete(Notice).where(Notice.recipient_id == row.id))
    db.session.execute(delete(Preference).where(Preference.recipient_id == row.id))
    db.session.execute(update(Watch).where(Watch.escalate_to == row.id).values(escalate_to=None))
    db.session.execute(update(Mail).where(Mail.recipient_id == row.id).values(recipient_id=None))
    db.session.delete(row)


def _links() -> URLSafeSerializer:
    return URLSafeSerializer(config().secret_key, salt=_UNSUBSCRIBE)


def unsubscribe_url(recipient_id: str) -> str:
    """In every mail; needs no sign-in, and may be used again and again."""
    return f"{config().base_url}/notifications/unsubscribe/{_links().dumps(recipient_id)}"


def of_unsubscribe(token: str) -> Recipient:
    """Whose link it is. Raises ``ServiceError``."""
    try:
        row = db.session.get(Recipient, str(_links().loads(token)))
    except BadSignature as error:
        raise ServiceError(_DEAD_LINK) from error
    if row is None:
        raise ServiceError(_DEAD_LINK)
    return row


def unsubscribe(token: str) -> Recipient:
    """No mails any more. Raises ``ServiceError``."""
    with transaction():
        row = of_unsubscribe(token)
        row.unsubscribed_at = row.unsubscribed_at or utcnow()
        _forget_waiting(row.id)
        _withdraw(row.id)
    return row


def _withdraw(recipient_id: str) -> None:
    """Mails that were not begun leave no more: failed, without an error. Inside the caller's transaction."""
    waiting = (Mail.recipient_id == recipient_id, Mail.state.in_((MailState.PENDING, MailState.LEASED)))
    db.session.execute(
        update(Mail)
        .where(*waiting)
        .values(
            state=MailState.FAILED, fence=Mail.fence + 1, next_at=None, lease_owner=None, error=None, finished_at=utcnow(),
            text="", html="",
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip


def _forget_waiting(recipient_id: str) -> None:
    waiting = (Notice.recipient_id == recipient_id, Notice.mail_id.is_(None), Notice.mail_at.is_not(None))
    db.session.execute(update(Notice).where(*waiting).values(mail_at=None))


def want_mail(subscription_id: str, user_id: str) -> None:
    """A user who unsubscribed wants mails again."""
    with transaction():
        stored(subscription_id, user_id).unsubscribed_at = None
