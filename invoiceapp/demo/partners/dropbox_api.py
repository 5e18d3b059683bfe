"""The part of Dropbox that an uploader meets, on loopback: the page where a person lets an app in, tokens, and three calls.

Written after Dropbox's public API reference: its addresses, its way of
answering and its error tags. Scopes and teams are left out.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from .dropbox_account import ACCOUNT, DropboxAccount, DropboxFaults, Refusal, bad


class DropboxApi:
    """Listens from construction until ``close``; one thread a connection. Files lie in ``folder``."""

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", port: int = 0, *, faults: DropboxFaults | None = None
    ) -> None:
        """Raises ``OSError`` where the port is taken."""
        self.folder = folder
        self.faults = faults or DropboxFaults()
        self.account = DropboxAccount(folder, self.faults)
        self.calls: list[str] = []
        """Paths of the calls, in order"""
        self.connections: list[socket.socket] = []
        """Open ones; the handlers add and remove theirs"""
        self.accepted = 0
        """Connections so far"""
        self._server = ThreadingHTTPServer((host, port), _handler(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_port)
        self.url = f"http://{host}:{self.port}"
        """To be used in place of Dropbox's three hosts"""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="demo-dropbox", daemon=True
        )
        self._thread.start()

    def expire_tokens(self) -> None:
        """As if the access tokens' hours were over."""
        self.account.expire_tokens()

    def cut_connections(self) -> None:
        """Drop every client."""
        while self.connections:
            with contextlib.suppress(OSError):
                self.connections.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening and drop every client."""
        self._server.shutdown()
        self._thread.join()
        self.cut_connections()
        self._server.server_close()


def _handler(api: DropboxApi) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"api": api})


class _Handler(BaseHTTPRequestHandler):
    """Reads requests and writes answers; what they mean is ``DropboxApi``'s."""

    api: DropboxApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Remember the connection, so that it can be dropped."""
        super().setup()
        self.api.connections.append(self.connection)
        self.api.accepted += 1

    def finish(self) -> None:
        """Forget the connection."""
        with contextlib.suppress(OSError):
            super().finish()
        with contextlib.suppress(ValueError):
            self.api.connections.remove(self.connection)

    def handle(self) -> None:
        """A client may vanish at any moment."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the demo's own log is what people read."""

    def do_GET(self) -> None:
        """The page with the buttons."""
        self._answer(self._show_page)

    def do_POST(self) -> None:
        """The button, and the API."""
        self._answer(self._post)

    def _answer(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Refusal as refusal:
            self._write(refusal.status, refusal.body, refusal.headers)
        except (KeyError, ValueError, AttributeError) as error:
            self._write(400, f"Error in call to API function: {type(error).__name__}")

    def _show_page(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != "/oauth2/authorize":
            raise Refusal(404, "Not found")
        self._write(
            200, self.api.account.page(dict(parse_qsl(parts.query))), {"Content-Type": "text/html; charset=utf-8"}
        )

    def _post(self) -> None:
        path, faults = urlsplit(self.path).path, self.api.faults
        self.api.calls.append(path)
        content = self._body(cut=faults.drop_in_body and path == "/2/files/upload")
        if content is None:
            self._cut()
            return
        if path == "/oauth2/authorize":
            self._write(302, "", {"Location": self.api.account.answered(_form(content))})
            return
        if path == "/oauth2/token":
            self._write(200, self.api.account.token(_form(content)))
            return
        self._call(path, content)

    def _call(self, path: str, content: bytes) -> None:
        faults = self.api.faults
        if faults.instead is not None:
            status, headers, body = faults.instead
            raise Refusal(status, body.decode(), headers)
        self.api.account.require_token(self.headers.get("Authorization", ""))
        if faults.rate_limited is not None:
            error = {"reason": {".tag": "too_many_requests"}, "retry_after": faults.rate_limited}
            busy = {"error_summary": "too_many_requests/...", "error": error}
            raise Refusal(429, busy, {"Retry-After": str(faults.rate_limited)})
        if path == "/2/users/get_current_account":
            self._write(200, ACCOUNT)
        elif path == "/2/files/get_metadata":
            self._write(200, self.api.account.metadata(json.loads(content)))
        elif path == "/2/files/upload":
            if self.headers.get("Content-Type") != "application/octet-stream":
                raise bad('Bad HTTP "Content-Type" header')
            self._after_upload(self.api.account.upload(json.loads(self.headers["Dropbox-API-Arg"]), content))
        else:
            raise Refusal(404, "Not found")

    def _after_upload(self, stored: dict[str, Any]) -> None:
        faults = self.api.faults
        if faults.drop_after_upload:
            self._cut()
        elif faults.half_answer:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + json.dumps(stored).encode()[:40])
            self._cut()
        elif faults.fail_after_upload:
            self._write(500, "Internal error")
        else:
            self._write(200, stored)

    def _body(self, *, cut: bool) -> bytes | None:
        """None where the connection is to be cut in the middle of it, or the client went away there."""
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length // 2 if cut else length)
        return None if len(content) < length else content

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _write(self, status: int, body: str | dict[str, Any], headers: dict[str, str] | None = None) -> None:
        is_text = isinstance(body, str)
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "text/plain; charset=utf-8" if is_text else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Dropbox-Request-Id", secrets.token_hex(8))
        self.end_headers()
        self.wfile.write(content)


def _form(content: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(content.decode(), keep_blank_values=True).items()}
