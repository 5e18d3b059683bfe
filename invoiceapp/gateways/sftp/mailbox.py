"""Reading folders of an SFTP server where partners lay files for us (``file_drop.Mailbox``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeVar

from invoiceapp.gateways.base import Deadline, Transport, TransportError
from invoiceapp.gateways.file_drop import inbox_closed, inbox_unanswered

from .session import Session
from .watchdog import Watchdog

#: Seconds that the server may take for one answer.
STEP = 20.0

T = TypeVar("T")


class SftpMailbox(ABC):
    """The part of the transport that reads, moves and removes; every method raises a ``TransportError``."""

    @abstractmethod
    def _opened(self, deadline: Deadline, watchdog: Watchdog) -> Session: ...

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""

    def list_files(self, folder: str) -> list[tuple[str, int]]:
        """Name and bytes of each file in the folder."""

        def listed(session: Session, deadline: Deadline) -> list[tuple[str, int]]:
            try:
                return session.list_files(folder, deadline)
            except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
                raise inbox_closed(folder, f"{type(error).__name__}: {error}") from error

        return self._within_deadline(listed)

    def read_file(self, path: str, most: int) -> bytes:
        """Its first ``most`` bytes at most."""
        return self._within_deadline(lambda session, deadline: session.read(path, most, deadline))

    def move_file(self, path: str, new_path: str) -> None:
        """Rename in place of what has that name; makes the new folder."""
        self._within_deadline(lambda session, deadline: _move(session, path, new_path, deadline))

    def remove_file(self, path: str) -> None:
        """Delete; fine where it is gone already."""
        self._within_deadline(lambda session, deadline: session.remove(path, deadline))

    def _within_deadline(self, work: Callable[[Session, Deadline], T]) -> T:
        deadline = Deadline(Transport.DEADLINE, STEP)
        try:
            with Watchdog(Transport.DEADLINE) as watchdog:
                return work(self._opened(deadline, watchdog), deadline)
        except TransportError:
            self.close()
            raise
        except Exception as error:
            # Of any class, see session.greet(). What failed once is not used again.
            self.close()
            raise inbox_unanswered(f"{type(error).__name__}: {error}") from error


def _move(session: Session, path: str, new_path: str, deadline: Deadline) -> None:
    session.make_folder(str(PurePosixPath(new_path).parent), deadline)
    try:
        session.rename_over(path, new_path, deadline)
    except OSError as error:
        if not session.answered(error):
            raise
        # For servers that lack posix-rename.
        session.remove(new_path, deadline)
        session.rename(path, new_path, deadline)
