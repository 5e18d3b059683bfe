"""The end of a conversation that a server draws out.

Paramiko's time limits begin anew with every byte that comes, and one of its waits has none.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Watchdog:
    """Cuts the connection that it watches when the time is over; a context manager that leaves no thread behind.

    It stands beside a ``Deadline`` of the same length, which ends whatever comes between two steps.
    """

    def __init__(self, seconds: float) -> None:
        """Of the whole conversation; they count from entering it."""
        self._connection: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.name = "sftp-watchdog"
        self._timer.daemon = True

    def watch(self, connection: socket.socket) -> None:
        """From now on it is this connection that is cut."""
        self._connection = connection

    def _cut(self) -> None:
        """Its reader, in whatever thread, finds the end of the stream; closing is left to the owner."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
