"""A server that reads one HTTP request and then does what a test says with the socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class RawPartner:
    """Reads one request whole, then does what the test says with the socket, which is closed afterwards."""

    def __init__(self, reaction: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/ind"
        self.over = threading.Event()
        self.received = b""
        self._reaction = reaction
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while not self.received:
                client, _ = self._listener.accept()
                with client:
                    client.settimeout(5)
                    self._read(client)
                    if self.received:
                        self._reaction(client)

    def _read(self, client: socket.socket) -> None:
        length = 0
        while b"\r\n\r\n" not in self.received:
            chunk = client.recv(65_536)
            if not chunk:
                return
            self.received += chunk
        head, _, body = self.received.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            chunk = client.recv(65_536)
            body, self.received = body + chunk, self.received + chunk

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._listener.close()
