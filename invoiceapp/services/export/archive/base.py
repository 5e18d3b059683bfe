"""What a place for the archive's files must do, and what can be wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError

#: The SHA-256 of a content, as files are named.
NAME = re.compile("[0-9a-f]{64}")


class ArchiveUnavailable(ServiceError):
    """The store is full, away or refuses us: nothing was stored or read; try again later."""


class ArchiveLocked(ArchiveUnavailable):
    """A file is sealed with a key that is not among ``ENCRYPTION_KEYS``; it can be read once the key is back."""


class ArchiveCorrupt(ServiceError):
    """A file is missing or its content is not what was stored."""


class ArchiveMissing(ArchiveCorrupt):
    """It is not there."""


class ArchiveChanged(ArchiveCorrupt):
    """It is there, and is not what it is named by."""


def corrupt_as_missing() -> ArchiveMissing:
    """For whoever finds that a file is not there."""
    return ArchiveMissing(Text("Filen mangler i arkivet.", "The file is missing from the archive."))


class Store(Protocol):
    """A place for files. Every failure is an ``OSError`` whose ``strerror`` says why."""

    @property
    def url(self) -> str:
        """Where it is, as in ``ARCHIVE_URL``; without secrets."""

    @property
    def advice(self) -> Text:
        """What whoever runs the server is to do when it cannot be written; a sentence without its full stop."""

    def put(self, name: str, content: bytes, *, is_new: bool) -> None:
        """Keep ``content``, whole or not at all, durable on return. ``is_new``: where somebody was first, theirs stays."""

    def get(self, name: str) -> bytes | None:
        """What is kept; None: no such file, in a store that is there."""

    def require(self) -> None:
        """Fail where the store itself is away, such as a folder that is not mounted: then no file of it is missing."""

    def refresh(self, name: str, content: bytes) -> None:
        """Let a file be as young as one that was just put; ``content`` is what is kept."""

    def changed_at(self, name: str) -> datetime | None:
        """When it was put or refreshed last; None: no such file."""

    def remove(self, name: str) -> None:
        """Without complaint where it is gone already."""

    def names(self, after: str, upto: str) -> Iterator[str]:
        """Names that come after ``after``, up to ``upto``, in their order; a page of them is in memory."""


def place(name: str) -> str:
    """Where in a store a file lies, so that no folder grows large."""
    return f"{name[:2]}/{name[2:4]}/{name}"
