"""Reading a release that came from outside: a zip, a JAR (which is a zip) or an unpacked folder.

Nothing is ever extracted as a whole: the installer asks for single files, and
these are read up to a limit. What looks like an attack refuses the release.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Protocol

from invoiceapp.domain.findings import Text

#: OIOUBL's largest sheet is 4 MB; a whole JAR of all editions has about 300 files.
LARGEST_FILE = 32 * 1024 * 1024
LARGEST_RELEASE = 512 * 1024 * 1024
MOST_FILES = 20_000
#: Style sheets shrink to a thirtieth.
LARGEST_RATIO = 200


#: What the standard library raises for zips that are damaged or made by nobody: names in no encoding, sizes of nothing.
_CORRUPT = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError,
)  # fmt: skip


class PackRefused(ValueError):
    """A release that is not installed; ``text`` says why and what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Release(Protocol):
    """The files of a release, by their path with slashes."""

    @property
    def names(self) -> list[str]:
        """All files."""
        ...

    @property
    def sha256(self) -> str:
        """Of the archive; of a folder, over the names and contents of its files."""
        ...

    def read(self, name: str) -> bytes:
        """One file. Raises ``PackRefused`` for one that is too large."""
        ...


@contextmanager
def opened(path: Path) -> Iterator[Release]:
    """A release on disk. Raises ``PackRefused`` for what is none, or looks like an attack."""
    if path.is_dir():
        yield _Folder(path)
        return
    if not path.is_file():
        raise PackRefused(Text(f"{path} findes ikke.", f"{path} does not exist."))
    try:
        with zipfile.ZipFile(path) as archive:
            yield _Zip(path, archive)
    except PackRefused:
        raise
    except _CORRUPT as error:
        raise PackRefused(
            Text(
                f"{path.name} kan ikke læses som zip-fil: {error}. Hent den igen.",
                f"{path.name} cannot be read as a zip file: {error}. Download it again.",
            )
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> PackRefused:
    reason = error.strerror or str(error)
    return PackRefused(Text(f"{path} kan ikke læses: {reason}.", f"{path} cannot be read: {reason}."))


def _suspicious(name: str) -> PackRefused:
    shown = name[:100]
    return PackRefused(
        Text(
            f"Pakken er afvist: »{shown}« peger ud af pakken. Hent den igen fra udgiveren.",
            f"The release is refused: “{shown}” points outside of it. Download it again from its publisher.",
        )
    )


def _too_large(name: str) -> PackRefused:
    return PackRefused(
        Text(
            f"Pakken er afvist: {name} er større, end officielle regler er.",
            f"The release is refused: {name} is larger than official rules are.",
        )
    )


def is_inside(name: str) -> bool:
    """Whether a path with slashes stays below the folder that it starts from."""
    path = PurePosixPath(name)
    has_drive = re.match(r"[A-Za-z]:", name) is not None
    return not (path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or has_drive)


@dataclass
class _Zip:
    path: Path
    archive: zipfile.ZipFile

    def __post_init__(self) -> None:
        self._files: Mapping[str, zipfile.ZipInfo] = {}
        files = {}
        entries = self.archive.infolist()
        if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > LARGEST_RELEASE:
            raise _too_large(self.path.name)
        for entry in entries:
            if not is_inside(entry.filename) or stat.S_ISLNK(entry.external_attr >> 16):
                raise _suspicious(entry.filename)
            if not entry.is_dir():
                files[entry.filename] = entry
        self._files = files

    @property
    def names(self) -> list[str]:
        return list(self._files)

    @property
    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, name: str) -> bytes:
        entry = self._files[name]
        if entry.file_size > LARGEST_FILE or entry.file_size > LARGEST_RATIO * max(entry.compress_size, 1):
            raise _too_large(name)
        with self.archive.open(entry) as file:
            # The size in the directory is what the sender wrote there: what counts is what comes out.
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise _too_large(name)
        return content


@contextmanager
def _opened_file(path: Path) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise _unreadable(path, error) from error


@dataclass
class _Folder:
    path: Path

    def __post_init__(self) -> None:
        self._files: dict[str, Path] = {}
        size = 0
        for folder, folders, names in os.walk(self.path):
            for name in (*folders, *names):
                path = Path(folder, name)
                if path.is_symlink():
                    raise _suspicious(path.relative_to(self.path).as_posix())
            for name in names:
                path = Path(folder, name)
                if path.is_file():  # a pipe would be waited for
                    self._files[path.relative_to(self.path).as_posix()] = path
                    size += path.stat().st_size
            if len(self._files) > MOST_FILES or size > LARGEST_RELEASE:
                raise _too_large(self.path.name)

    @property
    def names(self) -> list[str]:
        return list(self._files)

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for name in sorted(self._files):
            with _opened_file(self._files[name]) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def read(self, name: str) -> bytes:
        with _opened_file(self._files[name]) as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise _too_large(name)
        return content
