"""A consignment as the delivery machine hands it over, and a proxy that breaks connections."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from invoiceapp.gateways.base import Consignment, Payload

XML = b'<?xml version="1.0"?>\n<Invoice>' + b"<Line/>" * 2_000 + b"\n.\n.hidden dots\n</Invoice>\n"
PDF = b"%PDF-1.7 " + bytes(range(256)) * 20


@pytest.fixture
def consignment() -> Callable[..., Consignment]:
    """Makes a consignment; keyword arguments replace its fields."""

    def make(**changes: Any) -> Consignment:
        return replace(
            Consignment(
                key="mfrggzdfmztwq2lkmfrggzdfmztwq2lkmfrggzdfmztwq2lkabcd",
                payload=Payload(XML, "invoice.xml", "application/xml; charset=utf-8"),
                companions=(Payload(PDF, "faktura.pdf", "application/pdf"),),
                format="peppol-bis-3",
                document_no="2026-17",
                sender_name="Ærø Brød ApS",
                receiver_name="Kunde A/S",
                receiver_email="kreditor@kunde.example",
            ),
            **changes,
        )

    return make


class Proxy:
    """Passes bytes to ``target`` until the client has sent ``limit``; then resets, or falls silent."""

    def __init__(self, target: int, limit: int, *, stall: bool = False) -> None:
        self._target, self._left, self._stall = target, limit, stall
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._run)]
        self._threads[0].start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            back = threading.Thread(target=self._backward, args=(server, client))
            self._threads.append(back)
            back.start()
            self._forward(client, server)
            if not self._stall:
                server.shutdown(socket.SHUT_RDWR)
                back.join(timeout=5)
                # Lingering for 0 s makes the close a reset.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(4096):
                server.sendall(data[: self._left])
                self._left -= len(data)
                if self._left <= 0:
                    break

    def _backward(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(4096):
                if self._stall and self._left <= 0:
                    continue
                client.sendall(data)

    def close(self) -> None:
        for end in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        for end in (self._listener, *self._sockets):
            end.close()


@pytest.fixture
def proxy() -> Iterator[Callable[..., Proxy]]:
    """Makes proxies: ``proxy(target_port, limit, stall=False)``."""
    made: list[Proxy] = []

    def make(target: int, limit: int, *, stall: bool = False) -> Proxy:
        made.append(Proxy(target, limit, stall=stall))
        return made[-1]

    yield make
    for one in made:
        one.close()
