"""Invitations: sent, sent anew, withdrawn and accepted.

The token is 256 random bits, of which only the SHA-256 is kept. It works once, for 72 hours, for one e-mail and one role,
and as long as whoever sent it may give that role. A wrong, old or used one is answered alike.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask_security import hash_password
from flask_security.proxies import _security
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from invoiceapp.current import config
from invoiceapp.domain.fields import FieldInvalid, parse_email
from invoiceapp.domain.findings import Text
from invoiceapp.extensions import security
from invoiceapp.models import Invitation, Membership, Role, User, db, utcnow
from invoiceapp.services import audit
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.sign_in import account_mail, throttling

from . import roster, sharing, words
from .access import NotYours
from .members import name_of, required_last_day

LASTS = timedelta(hours=72)
#: Within a day: to one address, whoever invites it, and from one subscription.
MOST_TO_ONE, MOST_FROM_ONE = 5, 100
#: Characters, as in ``sign_in.py``.
_LONGEST_PASSWORD = 128
NOT_THE_SAME = Text("De to adgangskoder er ikke ens.", "The two passwords are not the same.")


class DeadInvitation(ServiceError):
    """Unknown, used, withdrawn, too old, or from somebody who may no longer invite: nobody is told which."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "Invitationen virker ikke længere. Bed den, der inviterede dig, om en ny.",
                "The invitation does not work any more. Ask whoever invited you for a new one.",
            )
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """A new invitation. Without a mail server its ``link`` is for the inviter to hand over; it is shown once."""

    email: str
    link: str | None = None
    problem: Text | None = None
    """Why the mail did not leave"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invitation offers, for the page that asks."""

    email: str
    company: str
    role: Role
    last_day: date | None
    inviter: str
    expires_at: datetime
    is_known: bool
    """Whether somebody with that e-mail can sign in already"""


def pending(subscription_id: str) -> list[Invitation]:
    """Those that can still be accepted or sent anew, newest first."""
    return list(roster.open_invitations(subscription_id))


def invite(
    subscription_id: str, actor_id: str, email: str, role: Role, group_ids: Collection[str] = (), last_day: str = ""
) -> Sent:
    """Invite somebody; an older invitation of the same e-mail is withdrawn.

    Raises ``InvalidInput`` (``email``, ``last_day``), ``NotAllowed``, ``Conflict``.
    """
    email = email.strip().lower()
    try:
        parse_email(email)
    except FieldInvalid as error:
        raise InvalidInput({"email": error.text}) from error
    day = required_last_day(role, last_day)
    with roster.changing(subscription_id) as found:
        inviter = roster.administrator(found, actor_id, role)
        if any(row.user.email.lower() == email for row in found.values()):
            raise InvalidInput({"email": Text("Personen er allerede medlem.", "The person is a member already.")})
        known = {group.id for group in sharing.groups(subscription_id)}
        chosen = sorted(known.intersection(group_ids))
        sharing.require_fill(inviter, chosen)
        row, token = _new(subscription_id, inviter, email, role, chosen, day)
        letter = _Letter.of(row, inviter, token)
    return letter.handed_over()


def resend(invitation_id: str, actor_id: str) -> Sent:
    """A new invitation in place of one that is open; its link is dead. Raises as ``invite``, and ``NotYours``."""
    with roster.changing(_subscription_of(invitation_id)) as found:
        old = _open(invitation_id)
        inviter = roster.administrator(found, actor_id, old.role)
        sharing.require_fill(inviter, old.group_ids)
        row, token = _new(old.subscription_id, inviter, old.email, old.role, old.group_ids, old.last_day)
        letter = _Letter.of(row, inviter, token)
    return letter.handed_over()


def withdraw(invitation_id: str, actor_id: str) -> None:
    """Its link is dead from now on. Raises ``NotYours``, ``NotAllowed``."""
    with roster.changing(_subscription_of(invitation_id)) as found:
        row = _open(invitation_id)
        roster.administrator(found, actor_id, row.role)
        row.withdrawn_at = utcnow()


def _subscription_of(invitation_id: str) -> str:
    return db.session.scalar(select(Invitation.subscription_id).where(Invitation.id == invitation_id)) or ""


def _open(invitation_id: str) -> Invitation:
    """In the caller's transaction. Raises ``NotYours`` where it is used or withdrawn."""
    row = db.session.get(Invitation, invitation_id, populate_existing=True)
    if row is None or row.accepted_at or row.withdrawn_at:
        raise NotYours
    return row


def _new(
    subscription_id: str, inviter: Membership, email: str, role: Role, group_ids: list[str], last_day: date | None
) -> tuple[Invitation, str]:
    """Raises ``Conflict`` where there are too many."""
    _require_few(subscription_id, email)
    for older in roster.open_invitations(subscription_id):
        if older.email == email:
            older.withdrawn_at = utcnow()
    token = secrets.token_urlsafe(32)
    row = Invitation(
        subscription_id=subscription_id, email=email, role=role, group_ids=group_ids, last_day=last_day,
        token_hash=_hash(token), invited_by_id=inviter.user_id, expires_at=utcnow() + LASTS,
    )  # fmt: skip
    db.session.add(row)
    return row, token


def _require_few(subscription_id: str, email: str) -> None:
    recent = select(func.count()).select_from(Invitation).where(Invitation.created_at > utcnow() - timedelta(days=1))
    to_one = db.session.scalar(recent.where(Invitation.email == email)) or 0
    from_one = db.session.scalar(recent.where(Invitation.subscription_id == subscription_id)) or 0
    if to_one >= MOST_TO_ONE or from_one >= MOST_FROM_ONE:
        raise Conflict(
            Text(
                "Der er sendt mange invitationer det seneste døgn. Prøv igen i morgen.",
                "Many invitations were sent within a day. Try again tomorrow.",
            )
        )


@dataclass(frozen=True, slots=True)
class _Letter:
    """What the mail needs, without the database: nothing is held while the mail server is talked to."""

    to: str
    language: str | None
    company: str
    inviter: str
    role: Role
    last_day: date | None
    link: str

    @classmethod
    def of(cls, row: Invitation, inviter: Membership, token: str) -> _Letter:
        user = _user_of(row.email)
        return cls(
            row.email, user.language if user else inviter.user.language, inviter.subscription.name, name_of(inviter.user),
            row.role, row.last_day, f"{config().base_url}/invitations/{token}",
        )  # fmt: skip

    def handed_over(self) -> Sent:
        """Mail it, or give the link to the inviter where this installation sends no mails."""
        if not account_mail.is_possible():
            return Sent(self.to, link=self.link)
        subject = Text(f"Invitation til {self.company}", f"Invitation to {self.company}")
        button = Text("Se invitationen", "See the invitation")
        try:
            account_mail.write(self.to, self.language, subject, self._paragraphs(), button=(button, self.link))
        except ServiceError as error:
            return Sent(self.to, problem=error.text)
        return Sent(self.to)

    def _paragraphs(self) -> list[Text]:
        role, hint = words.ROLES[self.role], words.ROLE_HINTS[self.role]
        found = [
            Text(
                f"{self.inviter} inviterer dig til {self.company} i invoiceapp som {role.da.lower()}: {hint.da}",
                f"{self.inviter} invites you to {self.company} in invoiceapp as {role.en.lower()}: {hint.en}",
            ),
            _PROGRAM,
        ]
        if self.last_day is not None:
            found.append(
                Text(
                    f"Adgangen gælder til og med {self.last_day:%d.%m.%Y}.",
                    f"The access lasts until {self.last_day:%d/%m/%Y}, that day included.",
                )
            )
        return [*found, _LINK_LASTS]


_PROGRAM = Text(
    "invoiceapp sender fakturaer fra Billy som e-fakturaer og viser, om de er kommet frem.",
    "invoiceapp sends invoices from Billy as e-invoices, and shows whether they have arrived.",
)
_LINK_LASTS = Text("Linket virker i 72 timer og kun én gang.", "The link works for 72 hours, and only once.")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _user_of(email: str) -> User | None:
    return db.session.scalar(select(User).where(func.lower(User.email) == email))


def _usable(token: str) -> Invitation | None:
    row = db.session.scalar(
        select(Invitation).where(Invitation.token_hash == _hash(token)).execution_options(populate_existing=True)
    )
    if row is None or row.accepted_at or row.withdrawn_at or row.expires_at <= utcnow():
        return None
    inviter = db.session.scalar(
        select(Membership)
        .where(Membership.subscription_id == row.subscription_id, Membership.user_id == row.invited_by_id)
        .execution_options(populate_existing=True)
    )
    return row if roster.may_still_invite(row, inviter) else None


def offered(token: str, address: str | None) -> Offer:
    """What the token offers. ``address``: the IP address that asks. Raises ``DeadInvitation``, ``Throttled``."""
    throttling.check("invitation", address=address)
    with reading():
        row = _usable(token)
        found = _offer(row) if row else None
    if found is None:
        throttling.failed("invitation", address=address)
        raise DeadInvitation
    return found


def _offer(row: Invitation) -> Offer:
    is_known = _user_of(row.email) is not None
    inviter = name_of(row.invited_by)
    return Offer(row.email, row.subscription.name, row.role, row.last_day, inviter, row.expires_at, is_known)


def accept(token: str, user_id: str, address: str | None) -> str:
    """Become a member, as the person whose e-mail was invited; the subscription's id.

    Raises ``DeadInvitation``, ``Throttled``, ``NotYours`` for somebody else's.
    """
    offered(token, address)
    with transaction() as session:
        user = session.get_one(User, user_id)
        row = _held(token)
        if user.email.lower() != row.email:
            raise NotYours
        return _join(row, user_id)


def accept_as_new(token: str, name: str, password: str, address: str | None) -> User:
    """Make a user for the e-mail that was invited, and a member of them.

    Raises ``DeadInvitation``, ``Throttled``, ``InvalidInput`` (``name``, ``password``), ``Conflict``.
    """
    offer = offered(token, address)
    name, hashed = name.strip()[:200], _hashed(offer.email, name, password)
    try:
        with audit.acting_as(offer.email), transaction() as session:
            row = _held(token)
            user: Any = security.datastore.create_user(email=row.email, name=name, password=hashed, active=True)
            # Whoever has the link from a mail reads mails at the address.
            user.confirmed_at = utcnow() if account_mail.is_possible() else None
            session.flush()
            _join(row, user.id)
            return user  # type: ignore[no-any-return]
    except IntegrityError as error:
        raise Conflict(
            Text(
                "Der er allerede en bruger med den e-mail. Log ind, og åbn linket igen.",
                "There is a user with that e-mail already. Sign in, and open the link again.",
            )
        ) from error


def _hashed(email: str, name: str, password: str) -> str:
    """Before the transaction, because it takes a while. Raises ``InvalidInput``."""
    errors: dict[str, Text] = {}
    if not name.strip():
        errors["name"] = Text("Skriv dit navn.", "Write your name.")
    wrong, normalized = _security.password_util.validate(password, False, user=User(email=email, name=name))
    if wrong:
        errors["password"] = Text(str(wrong[0]), str(wrong[0]))
    elif len(normalized) > _LONGEST_PASSWORD:
        errors["password"] = Text(
            f"Adgangskoden må højst være på {_LONGEST_PASSWORD} tegn.",
            f"The password must be at most {_LONGEST_PASSWORD} characters.",
        )
    if errors:
        raise InvalidInput(errors)
    return str(hash_password(normalized))


def _held(token: str) -> Invitation:
    """In the caller's transaction: of two who use a link at once, one is too late. Raises ``DeadInvitation``."""
    subscription_id = db.session.scalar(select(Invitation.subscription_id).where(Invitation.token_hash == _hash(token)))
    if subscription_id is None:
        raise DeadInvitation
    roster.hold(subscription_id)
    row = _usable(token)
    if row is None:
        raise DeadInvitation
    return row


def _join(row: Invitation, user_id: str) -> str:
    """Who became a member in another way meanwhile stays what they are."""
    row.accepted_at, row.accepted_by_id = utcnow(), user_id
    people = roster.people(row.subscription_id)
    if user_id not in people:
        inviter = people[row.invited_by_id]
        # What a group may do can have grown since.
        groups = [
            group
            for group in sharing.groups(row.subscription_id)
            if group.id in row.group_ids and sharing.may_fill(inviter, group.id)
        ]
        db.session.add(
            Membership(
                subscription_id=row.subscription_id,
                user_id=user_id,
                role=row.role,
                last_day=row.last_day,
                groups=groups,
            )
        )
    return row.subscription_id
