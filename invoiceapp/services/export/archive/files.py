"""The archive in a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from invoiceapp.domain.findings import Text

from .base import NAME, place


class FileStore:
    """Written beside, synced and renamed, so that a crash leaves no half file under a final name.

    fsspec's local file system promises none of that; this one is ours.
    """

    advice = Text("Den, der driver serveren, skal give plads på disken", "Whoever runs the server must free disk space")

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        """See ``Store``."""
        return self._folder.as_uri()

    def _path(self, name: str) -> Path:
        return self._folder / place(name)

    def put(self, name: str, content: bytes, *, is_new: bool) -> None:
        """See ``Store``. Whoever was first wrote the same content: a rename over it changes nothing."""
        path = self._path(name)
        _make_folder(path.parent)
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

    def get(self, name: str) -> bytes | None:
        """See ``Store``."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def require(self) -> None:
        """See ``Store``."""
        self._folder.stat()

    def refresh(self, name: str, content: bytes) -> None:
        """See ``Store``."""
        os.utime(self._path(name))

    def changed_at(self, name: str) -> datetime | None:
        """See ``Store``."""
        try:
            return datetime.fromtimestamp(self._path(name).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """See ``Store``."""
        self._path(name).unlink(missing_ok=True)

    def names(self, after: str, upto: str) -> Iterator[str]:
        """See ``Store``. What is being written has another name."""
        for outer in _within(self._folder, after[:2], upto[:2]):
            first = after[2:4] if outer.name == after[:2] else ""
            last = upto[2:4] if outer.name == upto[:2] else "g"
            for inner in _within(outer, first, last):
                yield from (name for name in _sorted(inner) if NAME.fullmatch(name) and after < name <= upto)


def _within(folder: Path, first: str, last: str) -> Iterator[Path]:
    for name in _sorted(folder):
        if first <= name <= last and (folder / name).is_dir():
            yield folder / name


def _sorted(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def _make_folder(folder: Path) -> None:
    """With those above it, each as durable as what will lie in it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name as durable as the bytes: a database row will say that they exist."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
