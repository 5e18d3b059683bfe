"""Files of the archive that are encrypted at rest: AES-256-GCM, each bound to its name.

A magic line, a line with the key's id, a random nonce, the ciphertext. Header and name are authenticated, so that neither
a file that was swapped for another nor a changed header opens. The key is derived for this purpose (HKDF-SHA256) from
one of ``ENCRYPTION_KEYS``.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from invoiceapp.domain.findings import Text
from invoiceapp.services import secrets

from .base import ArchiveLocked

MAGIC = b"INVOICEAPP-ARCHIVED 1\n"
_PURPOSE = b"invoiceapp archive v1"
_NONCE_BYTES = 12


def _cipher(material: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, None, _PURPOSE).derive(material))


def is_sealed(kept: bytes) -> bool:
    """By its first line."""
    return kept.startswith(MAGIC)


def is_current(kept: bytes) -> bool:
    """Whether it is sealed with the first key."""
    return kept.startswith(_header(next(iter(secrets.key_material()))))


def _header(key_id: str) -> bytes:
    return MAGIC + key_id.encode() + b"\n"


def sealed(name: str, content: bytes) -> bytes:
    """``content`` under the first of ``ENCRYPTION_KEYS``."""
    key_id, material = next(iter(secrets.key_material().items()))
    header, nonce = _header(key_id), os.urandom(_NONCE_BYTES)
    return header + nonce + _cipher(material).encrypt(nonce, content, header + name.encode())


def opened(name: str, kept: bytes) -> bytes | None:
    """The content; None where it was changed or belongs to another name. Raises ``ArchiveLocked``."""
    line, _, rest = kept[len(MAGIC) :].partition(b"\n")
    key_id = line.decode("utf-8", "replace")
    material = secrets.key_material().get(key_id)
    if material is None:
        raise ArchiveLocked(
            Text(
                f"Filen i arkivet er låst med nøglen »{key_id[:40]}«, som ikke er blandt ENCRYPTION_KEYS. Den, der driver "
                "serveren, skal tilføje nøglen igen.",
                f"The file in the archive is sealed with the key “{key_id[:40]}”, which is not among ENCRYPTION_KEYS. Whoever "
                "runs the server must add the key again.",
            )
        )
    try:
        return _cipher(material).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _header(key_id) + name.encode())
    except (InvalidTag, ValueError):
        return None
