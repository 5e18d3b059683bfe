# ruff: noqa: S321 - unencrypted FTP is the warned choice of the user; here are its exceptions only.
"""``ftplib`` with sockets from the guard, a deadline over every step, and encrypted data that every server takes.

Raises what ``ftplib`` and sockets raise, and ``OutboundError``.
"""

from __future__ import annotations

import ftplib  # nosec B402 # what the receiver has; without encryption only where the user says so
import socket
import ssl
from contextlib import suppress

from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import Reason, reason_of
from invoiceapp.outbound.guard import Guard

CHUNK = 65_536
#: Bytes that one reply may have, with all its lines.
_LARGEST_REPLY = 65_536
#: Seconds to wait for the other end of an encrypted data connection to say goodbye, which some never do.
_FAREWELL = 5.0
#: Seconds to wait for the server's words on a data connection that broke.
_EXPLANATION = 5.0
#: What a server may listen on for data: the guard closes some of these to others, but here the port is drawn at random.
_DATA_PORTS = range(1024, 65_536)


class Client(ftplib.FTP):
    """A control connection and the data connections that it asks for; always passive."""

    deadline: Deadline
    """Of the conversation under way; set anew for each"""

    def __init__(self, guard: Guard, host: str, deadline: Deadline) -> None:
        """Connects nothing yet. ``host``: the name that certificates are compared with."""
        super().__init__(encoding="utf-8")
        self.host, self.deadline = host, deadline
        self._guard = guard
        self._context: ssl.SSLContext | None = None
        self._unread = bytearray()
        self._room = _LARGEST_REPLY

    def reach(self, port: int, usual: frozenset[int]) -> None:
        """The TCP connection."""
        self.sock = self._guard.connect(self.host, port, self.deadline, usual)
        self.af = self.sock.family

    def encrypt(self, context: ssl.SSLContext) -> None:
        """From here on all is encrypted, data too (the server must be told that by ``PROT P``)."""
        # What came in clear before counts for nothing afterwards: anybody could have put it there (RFC 4217 15).
        self._unread.clear()
        self.sock = context.wrap_socket(self._ready(), server_hostname=self.host)
        self._context = context

    @property
    def encryption(self) -> ssl.SSLSocket | None:
        """The encrypted control connection; None where it is open to read."""
        return self.sock if isinstance(self.sock, ssl.SSLSocket) else None

    def greeting(self) -> str:
        """The server's first words."""
        self.welcome = self.getresp()
        return self.welcome

    def _ready(self) -> socket.socket:
        """The control connection, with the time limit of one step."""
        if self.sock is None:
            raise EOFError("the connection is closed")
        self.sock.settimeout(self.deadline.step())
        return self.sock

    def putline(self, line: str) -> None:
        """As in ``ftplib``, within the deadline."""
        self._ready()
        super().putline(line)

    def getresp(self) -> str:
        """As in ``ftplib``, but never without end."""
        self._room = _LARGEST_REPLY
        return super().getresp()

    def getline(self) -> str:
        """As in ``ftplib``, within the deadline: its own reader waits anew for every byte."""
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > self._room:
                raise ftplib.error_proto("a reply without end")
            self._unread += self._receive()
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        self._room -= len(line)
        if self._room < 0:
            raise ftplib.error_proto("a reply without end")
        return line.rstrip(b"\r").decode(self.encoding, "replace")

    def _receive(self) -> bytes:
        try:
            data = self._ready().recv(CHUNK)
        except ssl.SSLError as error:
            # Both sides had agreed on an encryption: vsftpd's last words are in clear.
            if reason_of(error) is Reason.TLS:
                raise EOFError(f"the encryption broke: {error.reason}") from None
            raise
        if not data:
            raise EOFError("the server closed the connection")
        return data

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """As in ``ftplib``, to the address of the control connection whatever address the server names."""
        host, port = self.makepasv()
        data = self._guard.connect(host, port, self.deadline, _DATA_PORTS)
        # The goodbye of TLS is a small packet after large ones; it must not wait for their acknowledgement.
        data.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            reply = self.sendcmd(cmd)
            # As ftplib: some servers send a 200 before the 150.
            if reply[0] == "2":
                reply = self.getresp()
            if reply[0] != "1":
                raise ftplib.error_reply(reply)
            return self._encrypted(data), None
        except BaseException:
            data.close()
            raise

    def _encrypted(self, data: socket.socket) -> socket.socket:
        control = self.encryption
        if self._context is None or control is None:
            return data
        data.settimeout(self.deadline.step())
        try:
            # The session of the control connection proves that both belong together; vsftpd and ProFTPD insist on it.
            return self._context.wrap_socket(data, server_hostname=self.host, session=control.session)
        except OSError:
            self._ask_why()
            raise

    def upload(self, data: socket.socket, content: bytes) -> str:
        """Send all over a data connection and close it; the server's final reply."""
        with data:
            try:
                for start in range(0, len(content), CHUNK):
                    data.settimeout(self.deadline.step())
                    data.sendall(content[start : start + CHUNK])
            except OSError:
                self._ask_why()
                raise
            self._say_goodbye(data)
        return self.voidresp()

    def download(self, cmd: str, most: int) -> bytes:
        """What the server sends for ``RETR`` or ``NLST``; one byte more than ``most`` where it is longer than that."""
        data, _ = self.ntransfercmd(cmd)
        found = bytearray()
        with data:
            while len(found) <= most:
                data.settimeout(self.deadline.step())
                chunk = data.recv(CHUNK)
                if not chunk:
                    self._say_goodbye(data)
                    break
                found += chunk
        if len(found) <= most:
            self.voidresp()
        else:
            # Interrupted by us; what the server says of that changes nothing.
            with suppress(ftplib.Error):
                self.voidresp()
        return bytes(found[: most + 1])

    def _say_goodbye(self, data: socket.socket) -> None:
        """End an encrypted data connection properly; how it went shows in the server's reply and the file's size."""
        if isinstance(data, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                data.settimeout(self.deadline.step(_FAREWELL))
                data.unwrap()

    def _ask_why(self) -> None:
        """A data connection broke: raise the server's own words on it, where it has any."""
        patient, self.deadline = self.deadline, Deadline(self.deadline.step(_EXPLANATION), _EXPLANATION)
        try:
            with suppress(OSError, EOFError):
                self.voidresp()
        finally:
            self.deadline = patient
