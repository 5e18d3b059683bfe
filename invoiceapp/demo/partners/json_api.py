"""A web API on loopback: what the stand-ins of the access-point providers have in common."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """One whole request."""

    method: str
    path: str
    """Decoded, without the query"""
    query: dict[str, str]
    headers: dict[str, str]
    """Names lower-case"""
    content: bytes

    def json(self) -> dict[str, Any]:
        """The body; raises ``ApiRefusal`` where it is no JSON object."""
        try:
            found = json.loads(self.content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ApiRefusal(400, {"error": "the body is no JSON object"})
        return found


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What is answered; ``body`` is JSON-ready, bytes, or None for nothing."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class ApiRefusal(Exception):
    """An answer that ends the request."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.answer = ApiAnswer(status, body)


class JsonApi:
    """Listens from construction until ``close``; subclasses say what a call means by ``answer``. May be used by several threads.

    ``instead`` is answered to everything; ``drop_answer`` cuts the connection where the answer to a document would stand.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises ``OSError`` where the port is taken."""
        self.calls: list[Call] = []
        self.taken: list[tuple[str, bytes]] = []
        """Our key (or the provider's id where it knows no key) and the bytes of every document that took effect, in order"""
        self.on_taken: Callable[[str, bytes], None] = lambda key, content: None
        self.instead: ApiAnswer | None = None
        self.drop_answer = False
        self.lock = threading.RLock()
        self.server = _Server((host, port), type("Handler", (_Handler,), {"api": self}))
        self.port = int(self.server.server_port)
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(
            target=self.server.serve_forever, args=(0.05,), name=type(self).__name__, daemon=True
        )
        self._thread.start()

    def answer(self, call: Call) -> ApiAnswer:
        """The meaning of a call. Raises ``ApiRefusal``."""
        raise NotImplementedError

    def take(self, key: str, content: bytes) -> None:
        """A document takes effect."""
        self.taken.append((key, content))
        self.on_taken(key, content)

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


class _Handler(BaseHTTPRequestHandler):
    api: JsonApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """A client may vanish at any moment."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the demo's own log is what people read."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        if len(content) < length:
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, unquote(parts.path), dict(parse_qsl(parts.query)), headers, content)
        self.api.calls.append(call)
        before = len(self.api.taken)
        try:
            answer = self.api.instead or self.api.answer(call)
        except ApiRefusal as refusal:
            answer = refusal.answer
        if self.api.drop_answer and len(self.api.taken) > before:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = _serve

    def _write(self, answer: ApiAnswer) -> None:
        body = answer.body
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
