"""Zips from anybody: judged by their directory before a byte of theirs is unpacked, and never unpacked onto the disk."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from invoiceapp.domain.findings import Text

_ENCRYPTED = 0x1
_LONGEST_NAME = 300
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at most; more is no pack of ours, or one to be checked in parts."""

    files: int = 200_000
    bytes: int = 20 * 1024**3
    """Of all files together, unpacked"""
    json: int = 64 * 1024**2
    """Of the manifest, and of any other file that is parsed: parsed it takes some thirty times as much memory"""


class Unsafe(Exception):
    """No zip, a damaged one, or one that is made to harm; ``text`` says which."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


_DAMAGED = Text(
    "Filen er ikke en hel zip-fil: den er afkortet, ændret eller noget andet.",
    "The file is no whole zip: it was cut, changed, or is something else.",
)


@contextmanager
def opened(file: IO[bytes], limits: Limits) -> Iterator[zipfile.ZipFile]:
    """The zip, once its directory has been judged. Raises ``Unsafe``."""
    try:
        pack = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise Unsafe(_DAMAGED) from error
    with pack:
        _judge(pack, _size(file), limits)
        yield pack


def read(pack: zipfile.ZipFile, path: str, most: int) -> bytes | None:
    """One file; None where it is not there. Raises ``Unsafe`` where it is damaged or larger than ``most``."""
    try:
        info = pack.getinfo(path)
    except KeyError:
        return None
    if info.file_size > most:
        raise Unsafe(_too_large(path))
    try:
        return pack.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise Unsafe(Text(f"{path} i pakken er ødelagt.", f"{path} in the pack is damaged.")) from error


def _size(file: IO[bytes]) -> int:
    position = file.tell()
    size = file.seek(0, 2)
    file.seek(position)
    return size


def _judge(pack: zipfile.ZipFile, size: int, limits: Limits) -> None:
    infos = pack.infolist()
    if len(infos) > limits.files or sum(one.file_size for one in infos) > limits.bytes:
        raise Unsafe(
            Text(
                "Zip-filen fylder mere udpakket, end her må læses. Kontrollér en mindre pakke.",
                "The zip is larger unpacked than may be read here. Verify a smaller pack.",
            )
        )
    # Files that lie upon each other unpack to far more than the zip holds.
    if sum(one.compress_size for one in infos) > size:
        raise Unsafe(_DAMAGED)
    if len({one.filename for one in infos}) < len(infos):
        raise Unsafe(Text("Zip-filen har to filer med samme navn.", "The zip has two files of one name."))
    if pack.comment or (infos and min(one.header_offset for one in infos) > 0):
        raise Unsafe(Text("Zip-filen rummer mere end sine filer.", "The zip holds more than its files."))
    for one in infos:
        if not _is_plain(one):
            shown = ascii(one.orig_filename[:120])[1:-1]
            raise Unsafe(
                Text(
                    f"Zip-filen har en fil, som ikke må være der: {shown}",
                    f"The zip has a file that may not be there: {shown}",
                )
            )


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """A file, not encrypted, in a way that we unpack, whose name leads nowhere else."""
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    path = PurePosixPath(name)
    is_inside = (
        bool(name) and len(name) <= _LONGEST_NAME and name.isprintable() and not path.is_absolute()
        and str(path) == name and ".." not in path.parts and not set(name) & set('\\:*?"<>|')
    )  # fmt: skip
    is_file = kind in (0, stat.S_IFREG) and not info.is_dir()
    return is_inside and is_file and not info.flag_bits & _ENCRYPTED and info.compress_type in _METHODS


def _too_large(path: str) -> Text:
    return Text(f"{path} i pakken er for stor.", f"{path} in the pack is too large.")
