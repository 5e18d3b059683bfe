"""A mail server on loopback that stores every message, and switches for its failures."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import time
from asyncio import WriteTransport
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class SmtpFaults:
    """What goes wrong from now on; may be changed while the server runs."""

    mailbox: str | None = None
    """The reply to every recipient, such as ``550 5.1.1 No such user``"""
    data: str | None = None
    """The reply to every message, such as ``452 4.3.1 Disk full``; the message is not kept"""
    drop_before_data: bool = False
    """Cut the connection at the recipient"""
    drop_after_data: bool = False
    """Keep the message, then cut the connection instead of answering"""


class SmtpServer:
    """Listens from construction until ``close``. Messages lie as ``.eml`` files in ``folder``."""

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        login: tuple[str, str] | None = None,
        starttls: ssl.SSLContext | None = None,
        implicit_tls: ssl.SSLContext | None = None,
        faults: SmtpFaults | None = None,
    ) -> None:
        """``login``: user and password that it takes, and wants under STARTTLS. Raises ``OSError`` where the port is taken."""
        folder.mkdir(parents=True, exist_ok=True)
        self.faults = faults or SmtpFaults()
        self.logins = 0
        self._login = login
        listener = socket.create_server((host, port))
        self.port = int(listener.getsockname()[1])
        self._controller = _ListeningController(
            _Mailbox(folder, self.faults),
            listener,
            hostname=host,
            port=self.port,
            ssl_context=implicit_tls,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=self._authenticate,
            auth_required=login is not None and starttls is not None,
            # aiosmtpd does not see that implicit TLS already encrypts.
            auth_require_tls=starttls is not None,
            server_hostname="localhost",
        )
        self._controller.start()

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        if self._login is None or (data.login.decode(), data.password.decode()) != self._login:
            return AuthResult(success=False, handled=False)
        self.logins += 1
        return AuthResult(success=True)

    def close(self) -> None:
        """Stop listening and drop every client."""
        self._controller.stop()


class _ListeningController(Controller):
    """A controller on a socket that is bound already, so that port 0 gives a free port without a race."""

    def __init__(self, handler: object, listener: socket.socket, **options: Any) -> None:
        super().__init__(handler, **options)
        self._listener = listener
        self._clients: WeakSet[SMTP] = WeakSet()

    def factory(self) -> SMTP:
        """A client's session."""
        found: SMTP = super().factory()  # type: ignore[no-untyped-call]
        self._clients.add(found)
        return found

    def cancel_tasks(self, stop_loop: bool = True) -> None:
        """Also drop the clients, which asyncio would complain of when they are forgotten."""
        for client in self._clients:
            if isinstance(client.transport, WriteTransport):
                client.transport.abort()
        super().cancel_tasks(stop_loop)

    def _create_server(self) -> Coroutine[Any, Any, Any]:
        server: Coroutine[Any, Any, Any] = self.loop.create_server(
            self._factory_invoker, sock=self._listener, ssl=self.ssl_context
        )
        return server


class _Mailbox:
    """aiosmtpd's handler: its method names are that library's."""

    def __init__(self, folder: Path, faults: SmtpFaults) -> None:
        self._folder = folder
        self._faults = faults
        self._count = itertools.count()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._faults.drop_before_data:
            _cut(server)
        if self._faults.mailbox is not None:
            return self._faults.mailbox
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self._faults.data is not None:
            return self._faults.data
        name = f"{time.time_ns()}-{next(self._count)}.eml"
        # Written under another name first: a reader never sees half a message.
        draft = self._folder / f".{name}"
        draft.write_bytes(envelope.original_content or b"")
        draft.rename(self._folder / name)
        if self._faults.drop_after_data:
            _cut(server)
        return "250 2.0.0 Kept"


def _cut(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.WriteTransport)
    server.transport.abort()
