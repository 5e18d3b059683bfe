"""Whose account at a partner a gateway leads to, where its credentials decide that: a digest, never the secret.

It is noted when a person or a file gives credentials, so that a rotated encryption key, or a token that the partner renews
by itself, is no other account.
"""

from __future__ import annotations

import hashlib
import hmac

from invoiceapp.gateways.base import registry
from invoiceapp.models import Gateway
from invoiceapp.services import secrets


def note_given(gateway: Gateway) -> None:
    """After credentials were written to the gateway's row. Inside the caller's transaction. Raises ``SecretUnreadable``."""
    transport = registry().get(gateway.kind)
    if transport is None or not transport.credentials_decide:
        return
    names = sorted(
        field.name for field in transport.fields
        if field.secret and not field.is_kept_here and field.name in gateway.secrets
    )  # fmt: skip
    place = f"gateway/{gateway.id}"
    note(gateway, *(f"{name}={secrets.decrypt(gateway.secrets[name], f'{place}/{name}')}" for name in names))


def note(gateway: Gateway, *parts: str) -> None:
    """The gateway leads to the account that these identify; none: to nobody's. Inside the caller's transaction."""
    key = next(iter(secrets.key_material().values()))
    text = "\x1f".join(("gateway account", gateway.id, *parts))
    gateway.account = hmac.new(key, text.encode(), hashlib.sha256).hexdigest() if parts else None
