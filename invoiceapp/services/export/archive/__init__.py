"""The archive: immutable files named by the SHA-256 of their content, in the store that ``ARCHIVE_URL`` names.

Nothing is believed: what is read is compared with its name, sealed or plain, wherever it lay. A plain file fits its name
as it is; one that does not may be sealed (``ARCHIVE_ENCRYPTION``), and fits once it is opened. So the setting may be
switched at any time, and no content can pretend to be sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from invoiceapp.current import config
from invoiceapp.domain.findings import Text

from . import sealing, turns
from .base import (
    ArchiveChanged,
    ArchiveCorrupt,
    ArchiveLocked,
    ArchiveMissing,
    ArchiveUnavailable,
    Store,
    corrupt_as_missing,
)
from .opening import current, of_url

__all__ = [
    "ArchiveChanged",
    "ArchiveCorrupt",
    "ArchiveLocked",
    "ArchiveMissing",
    "ArchiveUnavailable",
    "Store",
    "current",
    "load",
    "names",
    "of_url",
    "opened",
    "reading",
    "remove",
    "seal",
    "store",
    "writing",
]


def store(content: bytes) -> str:
    """Keep ``content`` and return its SHA-256; durable when this returns. Storing the same bytes again changes nothing.

    Raises ``ArchiveUnavailable``.
    """
    name, at = hashlib.sha256(content).hexdigest(), current()
    with writing(at), turns.storing(name):
        kept = at.get(name)
        if kept is not None and _is_good(name, kept):
            # Fresh again, so that it is not discarded before the row that refers to it is there (services/keeping).
            at.refresh(name, kept)
        else:
            # What lies there damaged is mended: no other content has this name.
            at.put(name, seal(name, content), is_new=kept is None)
    return name


def load(sha256: str) -> bytes:
    """The bytes, read back and compared with their name. Raises ``ArchiveCorrupt``, ``ArchiveUnavailable``."""
    at = current()
    with reading(at):
        kept = at.get(sha256)
        if kept is None:
            at.require()
    if kept is None:
        raise corrupt_as_missing()
    return opened(sha256, kept)


def opened(name: str, kept: bytes) -> bytes:
    """The content of what a store keeps as ``name``. Raises ``ArchiveChanged``, ``ArchiveLocked``."""
    if hashlib.sha256(kept).hexdigest() == name:
        return kept
    content = sealing.opened(name, kept) if sealing.is_sealed(kept) else None
    if content is None or hashlib.sha256(content).hexdigest() != name:
        raise ArchiveChanged(
            Text(
                "Filen i arkivet er blevet ændret; den sendes ikke.",
                "The file in the archive was changed; it is not sent.",
            )
        )
    return content


def seal(name: str, content: bytes) -> bytes:
    """What a store is to keep of ``content``, by the setting of today."""
    return sealing.sealed(name, content) if config().archive_encryption else content


def _is_good(name: str, kept: bytes) -> bool:
    try:
        opened(name, kept)
    except (ArchiveCorrupt, ArchiveLocked):
        return False
    return True


def names(after: str = "", upto: str = "g") -> Iterator[str]:
    """Names of all files that come after ``after``, up to ``upto``, in their order. Raises ``ArchiveUnavailable``."""
    at = current()
    with reading(at):
        yield from at.names(after, upto)


def remove(sha256: str, before: datetime | None = None) -> bool:
    """Remove a file that nothing names any more, if it was last stored ``before``; whether it is gone.

    Raises ``ArchiveUnavailable``.
    """
    at = current()
    with writing(at), turns.removing(sha256):
        if before is not None:
            changed_at = at.changed_at(sha256)
            if changed_at is not None and changed_at > before:
                return False
        at.remove(sha256)
    return True


@contextmanager
def writing(at: Store) -> Iterator[None]:
    """What a store cannot do, in words."""
    try:
        yield
    except OSError as error:
        raise ArchiveUnavailable(
            Text(
                f"Arkivet kan ikke skrives ({error.strerror}). {at.advice.da}; intet er tabt.",
                f"The archive cannot be written ({error.strerror}). {at.advice.en}; nothing is lost.",
            )
        ) from error


@contextmanager
def reading(at: Store) -> Iterator[None]:
    """As ``writing``."""
    try:
        yield
    except OSError as error:
        raise ArchiveUnavailable(
            Text(
                f"Arkivet kan ikke læses lige nu ({error.strerror}); vi prøver igen.",
                f"The archive cannot be read at the moment ({error.strerror}); we will try again.",
            )
        ) from error
