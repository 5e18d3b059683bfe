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

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from invoiceapp.current import config
from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text

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


def _keys() -> dict[str, AESGCM]:
    keys = {}
    for pair in config().encryption_keys:
        key_id, _, text = pair.partition(":")
        material = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if set("-_") & set(text) else None)
        # A generated local secret is longer than a key; hashing gives 32 bytes whatever the form.
        keys[key_id] = AESGCM(material if len(material) == 32 else hashlib.sha256(material).digest())
    return keys


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


def optional_where_kept(fields: Iterable[Field], kept: Mapping[str, str]) -> tuple[Field, ...]:
    """The fields for reading a form: a required secret that is already saved may stay empty."""
    return tuple(
        dataclasses.replace(field, required=False) if field.secret and field.name in kept else field for field in fields
    )


def kept_for(
    fields: Iterable[Field], old: Mapping[str, object], new: Mapping[str, object], stored: Mapping[str, str]
) -> dict[str, str]:
    """The stored secrets that may stay: where an address changed, only those that are never shown to the partner.

    A password must not follow to a server it was not given for.
    """
    declared = tuple(fields)
    moved = any(field.is_address and old.get(field.name) != new.get(field.name) for field in declared)
    if not (moved and old):
        return dict(stored)
    kept_here = {field.name for field in declared if field.is_kept_here}
    return {name: value for name, value in stored.items() if name in kept_here}


def lost_by_moving(stored: Mapping[str, str], kept: Mapping[str, str], new: Mapping[str, object]) -> dict[str, Text]:
    """Complaints about secrets that must be entered again for the new address."""
    text = Text(
        "Adressen er ændret. Skriv adgangskoden eller nøglen igen.",
        "The address has changed. Enter the password or key again.",
    )
    return {name: text for name in stored if name not in kept and not new.get(name)}


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
