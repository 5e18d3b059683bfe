"""Sealed files: chunks of AES-256-GCM, so that nothing can be read without the key, and nothing cut, moved or changed.

A file begins with a magic line and a line of JSON: the id of the key, and a random salt. Key and salt give the file a key
of its own (HKDF-SHA256), so that the chunk's number can be its nonce. Number and "is the last" are authenticated with each
chunk, together with the header (the STREAM construction). The key itself never lies in the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from invoiceapp.domain.findings import Text
from invoiceapp.services import secrets
from invoiceapp.services.errors import ServiceError

MAGIC = b"INVOICEAPP-SEALED 1\n"
CHUNK = 1024 * 1024
_SALT_BYTES, _TAG_BYTES, _LONGEST_HEADER = 32, 16, 1000
_PURPOSE = b"invoiceapp backup v1"


class BackupUnreadable(ServiceError):
    """No backup, one that another key sealed, or one that was cut or changed."""


_NO_BACKUP = Text("Filen er ikke en sikkerhedskopi herfra.", "The file is no backup of this program.")
_CHANGED = Text(
    "Sikkerhedskopien er beskadiget: den er afkortet eller ændret, siden den blev skrevet. Brug en anden kopi.",
    "The backup is damaged: it was cut or changed since it was written. Use another copy.",
)


def _key_missing(key_id: str) -> BackupUnreadable:
    return BackupUnreadable(
        Text(
            f"Sikkerhedskopien er låst med nøglen »{key_id}«, som ikke er blandt ENCRYPTION_KEYS. Tilføj nøglen igen.",
            f"The backup is sealed with the key “{key_id}”, which is not among ENCRYPTION_KEYS. Add the key again.",
        )
    )


def _cipher(material: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, _PURPOSE).derive(material))


class _Chunks:
    """What both sides agree on: nonce and associated data of each chunk."""

    def __init__(self, cipher: AESGCM, header: bytes) -> None:
        self._cipher, self._header, self._number = cipher, hashlib.sha256(header).digest(), 0

    def _turn(self, is_last: bool) -> tuple[bytes, bytes]:
        nonce = self._number.to_bytes(11) + bytes([is_last])
        self._number += 1
        return nonce, self._header + nonce

    def seal(self, data: bytes, is_last: bool) -> bytes:
        nonce, about = self._turn(is_last)
        return self._cipher.encrypt(nonce, data, about)

    def open(self, data: bytes, is_last: bool) -> bytes:
        nonce, about = self._turn(is_last)
        return self._cipher.decrypt(nonce, data, about)


class SealedWriter(io.RawIOBase):
    """Seals what is written to it into ``file`` under the first of ``ENCRYPTION_KEYS``. ``file`` stays open."""

    def __init__(self, file: IO[bytes]) -> None:
        key_id, material = next(iter(secrets.key_material().items()))
        salt = os.urandom(_SALT_BYTES)
        header = MAGIC + json.dumps({"key": key_id, "salt": salt.hex()}).encode() + b"\n"
        self._file, self._waiting = file, bytearray()
        self._chunks = _Chunks(_cipher(material, salt), header)
        file.write(header)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: object) -> int:
        """Takes all of it."""
        view = memoryview(data)  # type: ignore[arg-type]
        self._waiting += view
        while len(self._waiting) > CHUNK:
            self._file.write(self._chunks.seal(bytes(self._waiting[:CHUNK]), is_last=False))
            del self._waiting[:CHUNK]
        return view.nbytes

    def finish(self) -> None:
        """Write the last chunk: a file without it does not open to its end."""
        self._file.write(self._chunks.seal(bytes(self._waiting), is_last=True))
        self._waiting.clear()


class SealedReader(io.RawIOBase):
    """What was sealed in ``file``. Raises ``BackupUnreadable`` at once, or when a changed or missing chunk is met."""

    def __init__(self, file: IO[bytes]) -> None:
        magic, line = file.read(len(MAGIC)), file.readline(_LONGEST_HEADER)
        if magic != MAGIC:
            raise BackupUnreadable(_NO_BACKUP)
        try:
            header = json.loads(line)
            key_id, salt = str(header["key"]), bytes.fromhex(header["salt"])
        except (ValueError, KeyError, TypeError) as error:
            raise BackupUnreadable(_CHANGED) from error
        material = secrets.key_material().get(key_id)
        if material is None:
            raise _key_missing(key_id)
        self.key_id = key_id
        self._file, self._chunks = file, _Chunks(_cipher(material, salt), magic + line)
        self._open, self._next = b"", file.read(CHUNK + _TAG_BYTES)
        self._is_over = False

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; none at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        while not self._open and not self._is_over:
            self._open = self._one()
        found, self._open = self._open[:size], self._open[size:]
        return found

    def _one(self) -> bytes:
        sealed, self._next = self._next, self._file.read(CHUNK + _TAG_BYTES)
        # More than one chunk at a time is never in memory; whether one follows tells whether this is the last.
        self._is_over = not self._next
        try:
            return self._chunks.open(sealed, self._is_over)
        except InvalidTag as error:
            raise BackupUnreadable(_CHANGED) from error


def damaged() -> BackupUnreadable:
    """For whoever finds that what was sealed does not fit together."""
    return BackupUnreadable(_CHANGED)
