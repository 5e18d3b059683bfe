"""Reading folders of an FTP server where partners lay files for us (``file_drop.Mailbox``)."""

from __future__ import annotations

import ftplib  # nosec B402 # what the receiver has; without encryption only where the user says so
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TypeVar

from invoiceapp.gateways.base import Deadline, Transport, TransportError
from invoiceapp.gateways.file_drop import inbox_closed, inbox_unanswered

from .client import Client
from .session import Session

#: Seconds that the server may take for one answer.
STEP = 30.0
_LARGEST_LIST = 4_000_000
#: RFC 959 5.4: many servers say 450 of an empty folder.
_EMPTY = "450"

T = TypeVar("T")


class FtpMailbox(ABC):
    """The part of the transport that reads, moves and removes; every method raises a ``TransportError``."""

    @abstractmethod
    def _opened(self, deadline: Deadline) -> Session: ...

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""

    def list_files(self, folder: str) -> list[tuple[str, int]]:
        """Name and bytes of each file in the folder."""
        return self._with(lambda client: _listed(client, folder))

    def read_file(self, path: str, most: int) -> bytes:
        """Its first ``most`` bytes at most."""
        return self._with(lambda client: client.download(f"RETR {path}", most)[:most])

    def move_file(self, path: str, new_path: str) -> None:
        """Rename in place of what has that name; makes the new folder."""
        self._with(lambda client: _move(client, path, new_path))

    def remove_file(self, path: str) -> None:
        """Delete; fine where it is gone already."""
        self._with(lambda client: _remove(client, path))

    def _with(self, work: Callable[[Client], T]) -> T:
        try:
            return work(self._opened(Deadline(Transport.DEADLINE, STEP)).client)
        except TransportError:
            self.close()
            raise
        except Exception as error:
            # ftplib raises ValueError and AttributeError too. What failed once is not used again.
            self.close()
            raise inbox_unanswered(f"{type(error).__name__}: {error}") from None


def _listed(client: Client, folder: str) -> list[tuple[str, int]]:
    _require_folder(client, folder)
    try:
        return list(_by_facts(_lines(client, f"MLSD {folder}")))
    except ftplib.error_perm:
        # vsftpd does not offer RFC 3659 7.
        names = {line.rpartition("/")[2] for line in _lines(client, f"NLST {folder}")}
    sizes = ((name, _size(client, str(PurePosixPath(folder) / name))) for name in sorted(names))
    return [(name, size) for name, size in sizes if size is not None]


def _require_folder(client: Client, folder: str) -> None:
    """Raises ``Refused``: to a list of what is not there some servers answer that it is empty."""
    here = client.pwd()
    try:
        client.cwd(folder)
    except ftplib.error_perm as error:
        raise inbox_closed(folder, str(error)) from error
    client.cwd(here)


def _lines(client: Client, command: str) -> list[str]:
    try:
        content = client.download(command, _LARGEST_LIST)
    except ftplib.error_temp as error:
        if str(error)[:3] != _EMPTY:
            raise
        return []
    if len(content) > _LARGEST_LIST:
        raise EOFError("the list is too long to be true")
    return content.decode("utf-8", "replace").splitlines()


def _by_facts(lines: list[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        facts, _, name = line.partition(" ")
        known = dict(fact.partition("=")[::2] for fact in facts.lower().split(";"))
        if known.get("type") == "file" and known.get("size", "").isdecimal():
            yield name, int(known["size"])


def _size(client: Client, path: str) -> int | None:
    """None for what is no file."""
    try:
        return client.size(path)
    except ftplib.error_perm:
        return None


def _move(client: Client, path: str, new_path: str) -> None:
    with suppress(ftplib.error_perm):
        # It may be there already.
        client.mkd(str(PurePosixPath(new_path).parent))
    try:
        client.rename(path, new_path)
    except ftplib.error_perm:
        # Servers that do not overwrite.
        _remove(client, new_path)
        client.rename(path, new_path)


def _remove(client: Client, path: str) -> None:
    try:
        client.delete(path)
    except ftplib.error_perm:
        if _size(client, path) is not None:
            raise
