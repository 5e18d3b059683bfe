"""The archive: immutable files named by the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError


class ArchiveUnavailable(ServiceError):
    """The disk is full, or the folder cannot be reached: nothing was stored or read; try again later."""


class ArchiveCorrupt(ServiceError):
    """A file is missing or its content is not what was stored."""


def _path(sha256: str) -> Path:
    return config().archive_dir / sha256[:2] / sha256[2:4] / sha256


def store(content: bytes) -> str:
    """Keep ``content`` and return its SHA-256. Storing the same bytes again changes nothing.

    Written beside, synced and renamed, so that a crash leaves no half file
    under a final name. Raises ``ArchiveUnavailable``.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    path = _path(sha256)
    try:
        if path.exists() and path.read_bytes() == content:
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
                _sync_folder(path.parent)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ArchiveUnavailable(
            Text(
                f"Arkivet kan ikke skrives ({error.strerror}). Den, der driver serveren, skal give plads på disken; intet er tabt.",
                f"The archive cannot be written ({error.strerror}). Whoever runs the server must free disk space; nothing is lost.",
            )
        ) from error
    return sha256


def _sync_folder(folder: Path) -> None:
    """Make the new name as durable as the bytes: a database row will say that they exist."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(sha256: str) -> bytes:
    """The bytes, read back and compared with their name. Raises ``ArchiveCorrupt``, ``ArchiveUnavailable``."""
    try:
        content = _path(sha256).read_bytes()
    except FileNotFoundError as error:
        if not config().archive_dir.is_dir():
            raise _unreadable(error) from error
        raise ArchiveCorrupt(Text("Filen mangler i arkivet.", "The file is missing from the archive.")) from error
    except OSError as error:
        raise _unreadable(error) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArchiveCorrupt(
            Text(
                "Filen i arkivet er blevet ændret; den sendes ikke.",
                "The file in the archive was changed; it is not sent.",
            )
        )
    return content


def _unreadable(error: OSError) -> ArchiveUnavailable:
    return ArchiveUnavailable(
        Text(
            f"Arkivet kan ikke læses lige nu ({error.strerror}); vi prøver igen.",
            f"The archive cannot be read at the moment ({error.strerror}); we will try again.",
        )
    )
