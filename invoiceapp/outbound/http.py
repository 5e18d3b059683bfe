"""HTTP through the guard: no redirects, no proxy, one deadline for all, and a limit to what is read.

Redirects are not followed because ``requests`` sends body and credentials
again to wherever a 307 points. What was sent is counted, because a request
that the server cannot have seen whole was provably not accepted (RFC 9112 8).
"""

from __future__ import annotations

import errno
import io
import re
import socket
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .deadline import Deadline
from .errors import OutboundError, Reason, Sent, failure
from .guard import Guard

LARGEST_ANSWER = 1_000_000
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. Names of ``headers`` are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_good(self) -> bool:
        """2xx."""
        return 200 <= self.status <= 299

    @property
    def text(self) -> str:
        """The body as text, whatever it claims to be."""
        return self.body.decode("utf-8", "replace")

    @property
    def retry_after(self) -> float | None:
        """Seconds that it asks to wait, from either form of the header (RFC 9110 10.2.3); None where it does not."""
        said = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}", said, re.ASCII):
            return float(said)
        try:
            when = parsedate_to_datetime(said)
        except ValueError:
            return None
        # An HTTP date is always in GMT, also where it says "-0000".
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class _Outgoing:
    """A request body that knows how much of it was handed to the network."""

    def __init__(self, content: bytes, deadline: Deadline) -> None:
        self._content = content
        self._deadline = deadline
        self._at = 0
        self._ended = False

    def __len__(self) -> int:
        return len(self._content)

    def read(self, size: int = -1) -> bytes:
        chunk = self._content[self._at :] if size < 0 else self._content[self._at : self._at + size]
        if chunk:
            # The time-out of the socket counts for one piece only.
            self._deadline.step()
        self._at += len(chunk)
        # Asked once more after the last byte: that byte was written without an error.
        self._ended = not chunk
        return chunk

    @property
    def sent(self) -> Sent:
        if self._ended:
            return Sent.ALL
        return Sent.PART if self._at else Sent.NOTHING


@dataclass(slots=True)
class _Way:
    """How sockets come about, for the connections of one client."""

    guard: Guard
    usual: Collection[int]
    deadline: Deadline
    """Of the request that is under way"""
    has_begun: bool = False
    """Whether anything of that request was handed to the network"""


class _Incoming(io.RawIOBase):
    """What arrives on a socket. Each piece is waited for until the deadline, so that a trickle cannot outlive it."""

    def __init__(self, connection: socket.socket, raw: io.RawIOBase, way: _Way) -> None:
        self._connection, self._raw, self._way = connection, raw, way
        self.is_head = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(self._way.deadline.step())
        found = self._raw.readinto(buffer)
        if found == 0 and self.is_head:
            # http.client would take the headers so far for all of them, and an answer without a body for whole.
            raise ConnectionResetError("the connection ended within the headers")
        return found

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, way: _Way, connection: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(connection, *args, **kwargs)
        self._incoming = _Incoming(connection, self.fp.detach(), way)
        self.fp = io.BufferedReader(self._incoming)

    def begin(self) -> None:
        super().begin()
        self._incoming.is_head = False


class _Guarded:
    """Mixed into urllib3's connections: their sockets come from the guard."""

    way: _Way
    host: str
    port: int

    def _new_conn(self) -> Any:
        return self.way.guard.connect(self.host, self.port, self.way.deadline, self.way.usual)

    def send(self, data: Any) -> None:
        self.way.has_begun = True
        try:
            super().send(data)  # type: ignore[misc]
        except ssl.SSLEOFError as error:
            # As a closed connection without TLS, so that urllib3 reads what the server said before it closed:
            # an answer, or that it does not accept our certificate, which TLS 1.3 tells after the handshake.
            raise BrokenPipeError(errno.EPIPE, str(error)) from error

    def response_class(self, *args: Any, **kwargs: Any) -> HTTPResponse:
        return _Response(self.way, *args, **kwargs)


def _pool(base: type[HTTPConnectionPool], connection: type[Any], way: _Way) -> type[HTTPConnectionPool]:
    guarded = type(f"Guarded{connection.__name__}", (_Guarded, connection), {"way": way})
    return type(f"Guarded{base.__name__}", (base,), {"ConnectionCls": guarded})


class _Adapter(HTTPAdapter):
    def __init__(self, way: _Way, context: ssl.SSLContext) -> None:
        self._way, self._context = way, context
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._way),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._way),
        }

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """The context alone says what is trusted; requests would add the public roots to a private one."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"ssl_context": self._context, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """As above: nothing is added to the context."""


class HttpClient:
    """Requests to one partner; used by one thread.

    Each over a connection of its own: HTTP/1.1 knows answers by their order only, so that one that comes twice would be
    taken for the next document's. ``keeps`` is for those that only read, and many times.
    """

    def __init__(
        self,
        guard: Guard,
        context: ssl.SSLContext | None = None,
        usual: Collection[int] = (80, 443),
        *,
        keeps: bool = False,
    ) -> None:
        """``context``: of ``tls.client_context``; None trusts the public roots. ``usual``: see ``Guard.connect``."""
        self._keeps = keeps
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        self._way = _Way(guard, usual, Deadline(0, 0))
        adapter = _Adapter(self._way, context or ssl.create_default_context())
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def request(
        self, method: str, url: str, deadline: Deadline, *, headers: Mapping[str, str] | None = None,
        content: bytes = b"", most: int = LARGEST_ANSWER,
    ) -> Answer:  # fmt: skip
        """One request, answered whole by ``deadline``; any status is an answer. Raises ``OutboundError``, whose
        ``sent`` says how much of the request left.
        """
        if not urlsplit(url).hostname:
            raise OutboundError(Reason.NAME_UNKNOWN, "the address names no host")
        if not self._keeps:
            self._session.close()
        self._way.deadline, self._way.has_begun = deadline, False
        outgoing = _Outgoing(content, deadline)
        try:
            limit = deadline.step()
            response = self._session.request(
                method, url, data=outgoing if content else None, headers=dict(headers or {}),
                timeout=(limit, limit), allow_redirects=False, stream=True,
            )  # fmt: skip
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _failure(error, outgoing, self._way) from None
        with response:
            return Answer(
                response.status_code,
                {name.lower(): value for name, value in response.headers.items()},
                _body(response, most),
            )

    def close(self) -> None:
        """Give the connections back; may be called twice."""
        self._session.close()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _body(response: requests.Response, most: int) -> bytes:
    body = bytearray()
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > most:
                raise OutboundError(
                    Reason.TOO_LARGE, f"more than {most} bytes", sent=Sent.ALL, status=response.status_code
                )
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise OutboundError(
            _cause(error).reason, type(error).__name__, sent=Sent.ALL, status=response.status_code
        ) from None
    return bytes(body)


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and what lies below it: urllib3 and requests wrap, by cause, context, ``reason`` and arguments."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or any(one is known for known in found):
            continue
        found.append(one)
        waiting += [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
    return found


def _cause(error: BaseException) -> OutboundError:
    """The reason at the bottom of what ``requests`` raised; its words may hold the address, so only classes are kept."""
    chain = _chain(error)
    for one in chain:
        if isinstance(one, OutboundError):
            return one
    if any(isinstance(one, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema) for one in chain):
        return OutboundError(Reason.NAME_UNKNOWN, type(error).__name__)
    for one in chain:
        if isinstance(one, OSError) and not isinstance(one, requests.RequestException):
            return failure(one)
    if any(isinstance(one, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError) for one in chain):
        return OutboundError(Reason.TIMEOUT, type(error).__name__)
    return OutboundError(Reason.NOT_UNDERSTOOD if _is_garbled(chain) else Reason.CUT, type(error).__name__)


def _is_garbled(chain: list[BaseException]) -> bool:
    """What came back is no HTTP."""
    return any(
        type(one).__name__ in ("BadStatusLine", "InvalidHeader", "LineTooLong", "UnknownProtocol") for one in chain
    )


def _failure(error: BaseException, outgoing: _Outgoing, way: _Way) -> OutboundError:
    cause = _cause(error)
    sent = outgoing.sent
    if not len(outgoing) and way.has_begun:
        # Without a body nobody counted; the request may have left whole.
        sent = Sent.ALL
    return OutboundError(cause.reason, cause.detail, sent=sent)
