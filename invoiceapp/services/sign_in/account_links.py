"""Links that prove who somebody is: to choose a new password, and to confirm an e-mail address.

They are signed, last two hours and work once: what they are bound to changes when they are used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from flask import current_app
from flask_security.recoverable import generate_reset_password_token
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from invoiceapp.current import config
from invoiceapp.domain.fields import FieldInvalid, parse_email
from invoiceapp.domain.findings import Text
from invoiceapp.models import User, db, utcnow
from invoiceapp.services import audit
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.sign_in import account_mail, sessions

LASTS = timedelta(hours=2)
_DEAD = Text(
    "Linket virker ikke længere. Det er brugt, erstattet af et nyere eller ældre end 2 timer. Bed om et nyt.",
    "The link does not work any more. It was used, replaced by a newer one, or is older than 2 hours. Ask for a new one.",
)
_NOBODY = Text("Ingen aktiv bruger har den e-mail.", "No active user has that e-mail.")


@dataclass(frozen=True, slots=True)
class Address:
    """What a link confirms: of whom, and which address."""

    user_id: str
    old: str
    new: str
    language: str | None


def _url(endpoint: str, **values: str) -> str:
    """At the address that people use, whatever the request says."""
    return config().base_url + current_app.url_map.bind("").build(endpoint, values)


def _reset_url(user: User) -> str:
    return _url("security.reset_password", token=generate_reset_password_token(user))  # type: ignore[no-untyped-call]


def reset_link(email: str) -> str:
    """For a command or an administrator to hand over. Raises ``ServiceError`` where no active user has the e-mail."""
    with transaction():
        user = find(email)
        audit.note_of_person("reset_link.made", user)
        return _reset_url(user)


def mail_reset(email: str) -> None:
    """Send the link, where there is somebody to send it to. Raises ``ServiceError``."""
    with reading() as session:
        user = _find(email)
        if user is None:
            return
        url = _reset_url(user)
        # Nothing is read while the mail server is talked to.
        session.expunge(user)
    account_mail.send_reset(user, url)


def find(email: str) -> User:
    """The active person who has the e-mail. Raises ``ServiceError``."""
    user = _find(email)
    if user is None:
        raise ServiceError(_NOBODY)
    return user


def _find(email: str) -> User | None:
    return db.session.scalar(select(User).where(func.lower(User.email) == email.strip().lower(), User.active))


def ask_to_confirm(user_id: str, address: str) -> str:
    """Send a link to an address that is to be the person's: another one, or the one they have. The address as it is kept.

    One that somebody else has gets no mail, and nobody is told. Raises ``InvalidInput`` and ``ServiceError``.
    """
    address = address.strip().lower()
    try:
        parse_email(address)
    except FieldInvalid as error:
        raise InvalidInput({"email": error.text}) from error
    with reading() as session:
        user = session.get_one(User, user_id)
        language, url = user.language, _url("account.confirm_email", token=_serializer().dumps(_payload(user, address)))
        is_taken = address != user.email.lower() and _is_taken(address)
    if not is_taken:
        account_mail.send_confirmation(address, language, url)
    return address


def proposed(token: str) -> Address:
    """What a link confirms. Raises ``ServiceError`` where it does not work any more."""
    try:
        loaded: Any = _serializer().loads(token, max_age=int(LASTS.total_seconds()))
        user_id, _state, address = loaded
    except (BadData, ValueError) as error:
        raise ServiceError(_DEAD) from error
    user = db.session.get(User, user_id)
    if user is None or not user.active or loaded != _payload(user, address):
        raise ServiceError(_DEAD)
    if address != user.email.lower() and _is_taken(address):
        raise ServiceError(_DEAD)
    return Address(str(user.id), user.email, address, user.language)


def confirm(token: str, here: str | None = None) -> Address:
    """Make it the person's address. Works once. Raises ``ServiceError``.

    Another address ends all of the person's sessions but ``here`` (a session's token), and voids links that were sent to
    the old one.
    """
    try:
        with transaction() as session:
            found = proposed(token)
            user = session.get_one(User, found.user_id, with_for_update={"of": User}, populate_existing=True)
            if found.new != user.email:
                user.fs_uniquifier = uuid4().hex
            user.email, user.confirmed_at = found.new, utcnow()
            if here is not None:
                sessions.keep(found.user_id, here)
    except IntegrityError as error:
        raise ServiceError(_DEAD) from error
    return found


def _payload(user: User, address: str) -> list[str]:
    """Bound to the account as it is: a new password, address or confirmation voids the link."""
    state = f"{user.fs_uniquifier} {user.email} {user.confirmed_at}"
    return [str(user.id), hashlib.sha256(state.encode()).hexdigest()[:32], address]


def _is_taken(address: str) -> bool:
    return db.session.scalar(select(User.email).where(func.lower(User.email) == address)) is not None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(config().secret_key, salt="account-address")
