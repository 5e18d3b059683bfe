"""When the certificates in a configuration end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from invoiceapp.gateways.base import Expiry

from .fields import FIELDS

_LABELS = {field.name: field.label for field in FIELDS}


def ends_of(name: str, config: Mapping[str, Any]) -> list[Expiry]:
    """The first to end of the certificates (PEM) in a field; nothing where they cannot be read."""
    try:
        found = x509.load_pem_x509_certificates(str(config.get(name) or "").encode())
    except ValueError:
        return []
    first = min(found, key=lambda one: one.not_valid_after_utc)
    return [Expiry(name, _LABELS[name], first.not_valid_after_utc, first.fingerprint(hashes.SHA256()).hex())]
