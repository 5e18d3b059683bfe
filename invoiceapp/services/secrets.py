"""Secrets at rest: AES-256-GCM per value, bound to the row and field it belongs to.

A stored value is ``v1.<key id>.<base64 nonce + ciphertext>``. The associated
data names table, row and field, so that a ciphertext moved to another row does
not open.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from invoiceapp.current import config
from invoiceapp.domain.fields import Field, counting
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Gateway, SigningKey, User, Webhook, db

from .database import transaction
from .errors import ServiceError

_NONCE_BYTES = 12


class SecretUnreadable(ServiceError):
    """The key that encrypted a value is not among ``ENCRYPTION_KEYS``, or the value was moved."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "En gemt adgangskode kan ikke læses med serverens krypteringsnøgle. Skriv adgangskoden igen.",
                "A saved password cannot be read with the server's encryption key. Enter the password again.",
            )
        )


def key_material() -> dict[str, bytes]:
    """The 32 bytes of each of ``ENCRYPTION_KEYS`` by its id, the first first."""
    keys = {}
    for pair in config().encryption_keys:
        key_id, _, text = pair.partition(":")
        material = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if set("-_") & set(text) else None)
        # A generated local secret is longer than a key; hashing gives 32 bytes whatever the form.
        keys[key_id] = material if len(material) == 32 else hashlib.sha256(material).digest()
    return keys


def _keys() -> dict[str, AESGCM]:
    return {key_id: AESGCM(material) for key_id, material in key_material().items()}


def encrypt(value: str, context: str) -> str:
    """Ciphertext of ``value`` for the place named by ``context`` (``gateway/<id>/password``)."""
    key_id, cipher = next(iter(_keys().items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = cipher.encrypt(nonce, value.encode(), context.encode())
    return f"v1.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode('ascii')}"


def decrypt(stored: str, context: str) -> str:
    """The value. Raises ``SecretUnreadable``."""
    try:
        _, key_id, text = stored.split(".", 2)
        data = base64.urlsafe_b64decode(text)
        return _keys()[key_id].decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode()).decode()
    except (KeyError, ValueError, InvalidTag) as error:
        raise SecretUnreadable from error


def totp_context(user_id: str) -> str:
    """Of the secret behind a person's authenticator app."""
    return f"user_account/{user_id}/totp"


def optional_where_kept(fields: Iterable[Field], kept: Mapping[str, str]) -> tuple[Field, ...]:
    """The fields for reading a form: a required secret that is already saved may stay empty."""
    return tuple(
        dataclasses.replace(field, required=False) if field.secret and field.name in kept else field for field in fields
    )


def kept_for(
    fields: Iterable[Field], old: Mapping[str, object], new: Mapping[str, object], stored: Mapping[str, str]
) -> dict[str, str]:
    """The stored secrets that may stay: those that still count, and where an address changed, only those of them that are
    never shown to the partner.

    A password must not follow to a server it was not given for.
    """
    declared = tuple(fields)
    counts = counting(declared, new)
    needed = {name: value for name, value in stored.items() if name in counts}
    moved = any(
        field.is_address and field.name in counts and old.get(field.name) != new.get(field.name) for field in declared
    )
    if not (moved and old):
        return needed
    kept_here = {field.name for field in declared if field.is_kept_here}
    return {name: value for name, value in needed.items() if name in kept_here}


def lost_by_moving(
    fields: Iterable[Field], stored: Mapping[str, str], kept: Mapping[str, str], new: Mapping[str, object]
) -> dict[str, Text]:
    """Complaints about secrets that must be entered again for the new address."""
    counts = counting(fields, new)
    text = Text(
        "Adressen er ændret. Skriv adgangskoden eller nøglen igen.",
        "The address has changed. Enter the password or key again.",
    )
    return {name: text for name in stored if name in counts and name not in kept and not new.get(name)}


def seal(
    fields: Iterable[Field], values: Mapping[str, object], stored: Mapping[str, str], context: str
) -> tuple[dict[str, object], dict[str, str]]:
    """Split parsed values into what may be shown and what is encrypted.

    An empty secret keeps the stored one: secrets are write-only and the form never shows them.
    """
    shown: dict[str, object] = {}
    secret = dict(stored)
    for field in fields:
        value = values.get(field.name)
        if not field.secret:
            shown[field.name] = value
        elif value:
            secret[field.name] = encrypt(str(value), f"{context}/{field.name}")
    return shown, secret


def unseal(config_values: Mapping[str, object], secrets: Mapping[str, str], context: str) -> dict[str, object]:
    """Everything a source or transport needs, secrets in clear. Never stored, logged or shown."""
    return {
        **config_values,
        **{name: decrypt(value, f"{context}/{name}") for name, value in secrets.items()},
    }


@dataclasses.dataclass(slots=True)
class Rotation:
    """What ``rotate`` did."""

    rewritten: int = 0
    current: int = 0
    """Encrypted with the first key already"""
    unreadable: list[str] = dataclasses.field(default_factory=list)
    """Where the values stand that no key opens: ``gateway/<id>/<field> (<name>)``"""


def rotate() -> Rotation:
    """Encrypt every stored secret with the first key, each row in a transaction of its own. May be done twice."""
    done = Rotation()
    for gateway_id in db.session.scalars(select(Gateway.id).order_by(Gateway.id)).all():
        with transaction() as session:
            gateway = session.get(Gateway, gateway_id, with_for_update={"key_share": True}, populate_existing=True)
            if gateway is not None:
                gateway.secrets = _rotated(done, gateway.secrets, f"gateway/{gateway.id}", gateway.name)
    for adaptor_id in db.session.scalars(select(Adaptor.id).order_by(Adaptor.id)).all():
        with transaction() as session:
            adaptor = session.get(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
            if adaptor is not None:
                adaptor.source_secrets = _rotated(done, adaptor.source_secrets, f"adaptor/{adaptor.id}", adaptor.name)
    for webhook_id in db.session.scalars(select(Webhook.id).order_by(Webhook.id)).all():
        with transaction() as session:
            webhook = session.get(Webhook, webhook_id, with_for_update={"key_share": True}, populate_existing=True)
            if webhook is not None:
                webhook.secrets = _rotated(done, webhook.secrets, f"webhook/{webhook.id}", webhook.url)
    for key_id in db.session.scalars(select(SigningKey.id).order_by(SigningKey.id)).all():
        with transaction() as session:
            key = session.get_one(SigningKey, key_id, with_for_update={"key_share": True}, populate_existing=True)
            key.secrets = _rotated(done, key.secrets, f"signing_key/{key.id}", key.id)
    # Flask-Security's mixin says that ids are numbers.
    user_ids: Any = User.id
    for user_id in db.session.scalars(
        select(user_ids).where(User.tf_totp_secret.is_not(None)).order_by(user_ids)
    ).all():
        with transaction() as session:
            user = session.get(User, user_id, with_for_update={"key_share": True, "of": User}, populate_existing=True)
            if user is not None and user.tf_totp_secret is not None:
                kept = {"totp": user.tf_totp_secret}
                user.tf_totp_secret = _rotated(done, kept, f"user_account/{user.id}", user.email)["totp"]
    return done


def _rotated(done: Rotation, stored: Mapping[str, str], context: str, name: str) -> dict[str, str]:
    """A row's values under the first key; one that cannot be read stays, for the day its key comes back."""
    first = f"v1.{next(iter(_keys()))}."
    new = dict(stored)
    for field, value in stored.items():
        place = f"{context}/{field}"
        try:
            clear = decrypt(value, place)
        except SecretUnreadable:
            done.unreadable.append(f"{place} ({name})")
            continue
        if value.startswith(first):
            done.current += 1
        else:
            new[field] = encrypt(clear, place)
            done.rewritten += 1
    return new
