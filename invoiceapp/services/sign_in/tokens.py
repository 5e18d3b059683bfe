"""API keys: made and revoked by people, used by their programs.

A key looks like ``ia_<public id>_<secret>``. It can never do more than its person at that moment: whoever is suspended,
removed or deactivated, or has a new password or e-mail address, has no key that works.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from sqlalchemy import Table, and_, select, update
from sqlalchemy.orm import joinedload

from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Level
from invoiceapp.models import ApiToken, Membership, TokenScope, User, cut, db, utcnow
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people.access import NotYours, is_active
from invoiceapp.services.sign_in import throttling
from invoiceapp.services.sign_in.second_factors import lacks_second_factor

LEVELS = {TokenScope.READ: Level.VIEWER, TokenScope.OPERATE: Level.OPERATOR}
DEFAULT_DAYS, MOST_DAYS = 90, 365
#: Keys of one person in one subscription that work at the same time.
MOST_KEYS = 20
#: Before its end a key is marked as soon out.
SOON = timedelta(days=14)
LONGEST_NAME = 100
_USED_EVERY = timedelta(minutes=1)
_PREFIX = "ia"
_FORM = re.compile(rf"{_PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_NOBODY = "0" * 64


class Refused(ServiceError):
    """A key that does not work; whatever the reason, the words are the same, so that they tell a guesser nothing."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "API-nøglen mangler, er forkert, udløbet eller tilbagekaldt, eller dens ejer har ikke adgang længere.",
                "The API key is missing, wrong, expired or revoked, or its owner has no access any more.",
            )
        )


class Standing(StrEnum):
    """Whether a key works, for lists."""

    WORKS = "works"
    ENDS_SOON = "ends_soon"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NO_ACCESS = "no_access"
    """its person has a new password or e-mail address, or no access at the moment"""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was shown and works."""

    id: str
    user_id: str
    subscription_id: str
    limit: Level
    adaptor_ids: frozenset[str] | None


def make(
    membership: Membership, name: str, scope: str, days: str, adaptor_ids: Sequence[str], open_ids: Iterable[str]
) -> str:
    """A new key for this person and subscription: its text, which is kept nowhere.

    ``days`` as typed; ``adaptor_ids``: the only ones, none for all; they must be among ``open_ids``, which the person may
    see. Raises ``InvalidInput``, ``NotYours``.
    """
    if not set(adaptor_ids) <= set(open_ids):
        raise NotYours
    user, subscription_id, now = membership.user, membership.subscription_id, utcnow()
    public_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    name = name.strip()
    lasts = _days(days)
    errors = _errors(name, scope, lasts)
    with transaction() as session:
        # Held, so that two clicks make one key.
        session.get_one(Membership, membership.id, with_for_update={"of": Membership, "key_share": True})
        alive = [row.name.casefold() for row in of_person(membership.user_id, subscription_id) if is_alive(row, now)]
        if name.casefold() in alive:
            errors["name"] = Text("Du har allerede en nøgle med det navn.", "You already have a key with that name.")
        elif len(alive) >= MOST_KEYS:
            errors["name"] = Text(
                f"Du har allerede {MOST_KEYS} nøgler. Tilbagekald en, du ikke bruger.",
                f"You already have {MOST_KEYS} keys. Revoke one that you do not use.",
            )
        if errors:
            raise InvalidInput(errors)
        session.add(
            ApiToken(
                subscription_id=subscription_id, user_id=membership.user_id, name=name, scope=TokenScope(scope),
                adaptor_ids=sorted(set(adaptor_ids)) or None, public_id=public_id, secret_hash=_hash(secret),
                credentials_hash=_hash(user.fs_uniquifier), expires_at=now + timedelta(days=lasts or 0),
            )
        )  # fmt: skip
    return f"{_PREFIX}_{public_id}_{secret}"


def _days(text: str) -> int | None:
    """How long a key is to work; None where that is no number or out of bounds."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_DAYS))
    return int(text) if is_number and 1 <= int(text) <= MOST_DAYS else None


def _errors(name: str, scope: str, days: int | None) -> dict[str, Text]:
    errors = {}
    if not name or len(name) > LONGEST_NAME:
        errors["name"] = Text(
            f"Skriv et navn på højst {LONGEST_NAME} tegn, så du kan kende nøglen igen.",
            f"Write a name of at most {LONGEST_NAME} characters, so that you know the key again.",
        )
    if scope not in {one.value for one in TokenScope}:
        errors["scope"] = Text("Vælg, hvad nøglen må.", "Choose what the key may do.")
    if days is None:
        errors["days"] = Text(f"Skriv et tal fra 1 til {MOST_DAYS}.", f"Write a number from 1 to {MOST_DAYS}.")
    return errors


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- lists -----------------------------------------------------------------------------------------------------------


def of_person(user_id: str, subscription_id: str | None = None) -> list[ApiToken]:
    """The person's own, newest first; of one subscription, or of all."""
    query = select(ApiToken).where(ApiToken.user_id == user_id).options(joinedload(ApiToken.subscription))
    if subscription_id is not None:
        query = query.where(ApiToken.subscription_id == subscription_id)
    return list(db.session.scalars(query.order_by(ApiToken.id.desc())))


def of_subscription(subscription_id: str) -> list[ApiToken]:
    """Everybody's for one subscription, newest first."""
    query = (
        select(ApiToken)
        .where(ApiToken.subscription_id == subscription_id)
        .options(joinedload(ApiToken.user), joinedload(ApiToken.subscription))
        .order_by(ApiToken.id.desc())
    )
    return list(db.session.scalars(query))


def is_alive(row: ApiToken, now: datetime) -> bool:
    """Neither revoked nor expired."""
    return row.revoked_at is None and row.expires_at > now


def standing(row: ApiToken, user: User) -> Standing:
    """Whether the key, which is this person's, works now."""
    now = utcnow()
    if row.revoked_at is not None:
        return Standing.REVOKED
    if row.expires_at <= now:
        return Standing.EXPIRED
    member = next((one for one in user.memberships if one.subscription_id == row.subscription_id), None)
    if member is None or not _works(row, user, member, now):
        return Standing.NO_ACCESS
    return Standing.ENDS_SOON if row.expires_at - now <= SOON else Standing.WORKS


def revoke(token_id: str, actor: str, *, user_id: str | None = None, subscription_id: str | None = None) -> None:
    """End one, of this person or of this subscription; a second time changes nothing. Raises ``NotYours``."""
    with transaction() as session:
        row = session.get(ApiToken, token_id, with_for_update=True, populate_existing=True)
        is_own = row is not None and (row.user_id == user_id or row.subscription_id == subscription_id)
        if row is None or not is_own:
            raise NotYours
        if row.revoked_at is None:
            row.revoked_at, row.revoked_by = utcnow(), cut(actor, 255)


# --- use -------------------------------------------------------------------------------------------------------------


def use(text: str, address: str | None) -> Key:
    """What a key that a program shows is good for, noting that it was used.

    Only wrong keys wait (``throttling``): the right ones of the same office must not. In transactions of its own. Raises
    ``Refused``, ``Throttled``.
    """
    key = _known(text, address)
    if key is None:
        throttling.check("token", address=address)
        throttling.failed("token", address=address)
        raise Refused
    return key


def _known(text: str, address: str | None) -> Key | None:
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    now = utcnow()
    with reading() as session:
        found = session.execute(
            select(ApiToken, User, Membership)
            .join(User, ApiToken.user_id == User.id)
            .join(
                Membership,
                and_(Membership.user_id == ApiToken.user_id, Membership.subscription_id == ApiToken.subscription_id),
            )
            .where(ApiToken.public_id == form[1])
        ).one_or_none()
        # Unknown ids take the same time.
        is_right = hmac.compare_digest(_hash(form[2]), found[0].secret_hash if found else _NOBODY)
        if found is None or not is_right or not _works(*found, now):
            return None
        row = found[0]
        chosen = frozenset(row.adaptor_ids) if row.adaptor_ids else None
        key = Key(row.id, row.user_id, row.subscription_id, LEVELS[row.scope], chosen)
        is_noted = row.last_used_at is not None and now - row.last_used_at < _USED_EVERY
    if not is_noted:
        _note_use(key.id, now, address)
    return key


def _works(row: ApiToken, user: User, membership: Membership, now: datetime) -> bool:
    return (
        is_alive(row, now)
        and user.active
        and is_active(membership, now)
        and hmac.compare_digest(row.credentials_hash, _hash(user.fs_uniquifier))
        and not lacks_second_factor(user)
    )


def _note_use(token_id: str, now: datetime, address: str | None) -> None:
    # The table and not the model: that a key is used is no act for the audit log.
    table = cast(Table, ApiToken.__table__)
    with transaction() as session:
        values = {"last_used_at": now, "last_used_ip": cut(address, 64)}
        session.execute(update(table).where(table.c.id == token_id).values(**values))
