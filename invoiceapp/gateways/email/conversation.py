"""smtplib on a socket of the guard's, with one deadline for all that is said and heard.

smtplib limits each read; a server that sends a byte now and then could hold it for hours.
"""

from __future__ import annotations

import smtplib
import ssl
from typing import Any

from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.guard import Guard

#: 25 relay, 465 submission over TLS (RFC 8314), 587 submission (RFC 6409).
PORTS = frozenset({25, 465, 587})

#: What ``smtplib`` and the socket below it raise.
FAILURES = (smtplib.SMTPException, OSError)

_CHUNK = 16_384
#: RFC 5321 4.5.3.1.5 promises 512 octets and servers write more.
_LONGEST_LINE = 8_192
_MOST_LINES = 200


class Conversation(smtplib.SMTP):
    """A greeted connection. ``deadline`` is replaced for each mail. Raises ``OSError`` and ``SMTPException``."""

    def __init__(self, guard: Guard, host: str, port: int, deadline: Deadline, tls: ssl.SSLContext | None) -> None:
        """``tls``: encrypts from the start. Also raises ``OutboundError``."""
        self.deadline = deadline
        self._unread = b""
        connection = guard.connect(host, port, deadline, PORTS)
        # RFC 5321 4.1.3: our own name would have to be looked up, which takes its time and is often wrong.
        own = connection.getsockname()[0]
        super().__init__(local_hostname=f"[IPv6:{own}]" if ":" in own else f"[{own}]")
        self._host = host.strip("[]")
        self.sock = connection
        try:
            if tls is not None:
                connection.settimeout(deadline.step())
                self.sock = tls.wrap_socket(connection, server_hostname=self._host)
            code, words = self.getreply()
            if code != 220:
                raise smtplib.SMTPConnectError(code, words)
        except BaseException:
            connection.close()
            self.close()
            raise

    def encrypt(self, context: ssl.SSLContext) -> None:
        """STARTTLS (RFC 3207)."""
        self.starttls(context=context)
        # What was said before, or slipped in behind the yes, is forgotten (RFC 3207 4.2).
        self._unread = b""

    def send(self, s: Any) -> None:
        """Text or bytes, by the deadline."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        if self._unread:
            # Commands are sent one by one: a second reply to one would be taken for the answer to the next.
            raise smtplib.SMTPServerDisconnected("the server answers what it was not asked")
        content = s.encode("ascii") if isinstance(s, str) else bytes(s)
        for start in range(0, len(content), _CHUNK):
            self.sock.settimeout(self.deadline.step())
            self.sock.sendall(content[start : start + _CHUNK])

    def getreply(self) -> tuple[int, bytes]:
        """Code and words; -1 for what is no reply."""
        return self.reply()

    def reply(self, most: float | None = None) -> tuple[int, bytes]:
        """As ``getreply``. ``most``: seconds that the server may take for it."""
        words = []
        for _ in range(_MOST_LINES):
            line = self._line(most)
            words.append(line[4:].strip())
            if not (line[:3].isascii() and line[:3].isdigit()):
                return -1, b"\n".join(words)
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(words)
        raise smtplib.SMTPServerDisconnected("an endless reply")

    def _line(self, most: float | None) -> bytes:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        while b"\n" not in self._unread:
            if len(self._unread) > _LONGEST_LINE:
                raise smtplib.SMTPServerDisconnected("an endless line")
            self.sock.settimeout(self.deadline.step(most))
            chunk = self.sock.recv(4_096)
            if not chunk:
                raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line
