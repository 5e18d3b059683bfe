"""A small S3-compatible store on this machine: signatures, checksums and conditions are looked at as the real ones do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from invoiceapp.config import ObjectAccess

BUCKET, KEY_ID, SECRET, REGION = "fakturaer", "TESTKEY", "secret-of-the-store", "eu-north-1"
#: Names of one page, so that there are several.
PAGE = 3


class ObjectStand:
    """``objects``: content by key. ``trouble``: answers instead of the real one, ``(status, code)``, first come first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.empty()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def empty(self) -> None:
        """As if it were new."""
        self.objects: dict[str, bytes] = {}
        self.changed_at: dict[str, datetime] = {}
        self.trouble: list[tuple[int, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.knows_conditions = True

    @property
    def access(self) -> ObjectAccess:
        """How it is reached."""
        host, port = self._server.server_address[:2]
        return ObjectAccess(f"http://{host!s}:{port}", REGION, KEY_ID, SECRET, path_style=True)

    def stop(self) -> None:
        """From now on it is away."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def methods(self) -> list[str]:
        """Of the requests so far."""
        return [method for method, _ in self.asked]


@contextmanager
def object_stand() -> Iterator[ObjectStand]:
    stand = ObjectStand()
    try:
        yield stand
    finally:
        stand.stop()


def _signature(handler: BaseHTTPRequestHandler, given: dict[str, str]) -> str:
    """As the request must have been signed with our secret (AWS Signature Version 4)."""
    parts = urlsplit(handler.path)
    pairs = sorted((name, value) for name, values in parse_qs(parts.query, True).items() for value in values)
    query = "&".join(f"{quote(name, '-_.~')}={quote(value, '-_.~')}" for name, value in pairs)
    names = given["SignedHeaders"].split(";")
    headers = "".join(f"{name}:{' '.join((handler.headers[name] or '').split())}\n" for name in names)
    request = "\n".join(
        [handler.command, parts.path, query, headers, given["SignedHeaders"], handler.headers["x-amz-content-sha256"]]
    )
    scope = given["Credential"].partition("/")[2]
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", handler.headers["x-amz-date"], scope, digest])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, stand: ObjectStand) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stand = stand


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    body = b""

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status: int, code: str) -> None:
        # A 412 names the condition, as the real one does.
        condition = "<Condition>If-None-Match</Condition>" if status == 412 else ""
        self.answer(status, f"<Error><Code>{code}</Code><Message>No.</Message>{condition}</Error>".encode())

    def refusal(self) -> tuple[int, str] | None:
        if self.server.stand.trouble:
            return self.server.stand.trouble.pop(0)
        kind, _, rest = (self.headers["Authorization"] or "").partition(" ")
        given = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
        if kind != "AWS4-HMAC-SHA256" or not given["Credential"].startswith(f"{KEY_ID}/"):
            return 403, "InvalidAccessKeyId"
        if given["Signature"] != _signature(self, given):
            return 403, "SignatureDoesNotMatch"
        if urlsplit(self.path).path.split("/")[1] != BUCKET:
            return 404, "NoSuchBucket"
        return None

    def handle_one(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = urlsplit(self.path)
        key = unquote(parts.path).partition(f"/{BUCKET}/")[2]
        with self.server.stand.lock:
            self.server.stand.asked.append((self.command, key))
            refusal = self.refusal()
            if refusal is not None:
                self.fail(*refusal)
            elif self.command == "GET" and not key:
                self.list(parse_qs(parts.query))
            else:
                getattr(self, f"_{self.command.lower()}")(key)

    do_GET = do_PUT = do_HEAD = do_DELETE = handle_one

    def _put(self, key: str) -> None:
        digest = hashlib.sha256(self.body).digest()
        if self.headers["x-amz-checksum-sha256"] != base64.b64encode(digest).decode():
            self.fail(400, "BadDigest")
        elif self.headers["If-None-Match"] and not self.server.stand.knows_conditions:
            self.fail(501, "NotImplemented")
        elif self.headers["If-None-Match"] and key in self.server.stand.objects:
            self.fail(412, "PreconditionFailed")
        else:
            self.server.stand.objects[key], self.server.stand.changed_at[key] = self.body, datetime.now(UTC)
            self.answer(200, headers={"ETag": '"x"'})

    def _get(self, key: str) -> None:
        if key not in self.server.stand.objects:
            self.fail(404, "NoSuchKey")
        else:
            when = format_datetime(self.server.stand.changed_at.get(key, datetime.now(UTC)), usegmt=True)
            self.answer(200, self.server.stand.objects[key], {"Last-Modified": when, "ETag": '"x"'})

    _head = _get

    def _delete(self, key: str) -> None:
        self.server.stand.objects.pop(key, None)
        self.answer(204)

    def list(self, query: dict[str, list[str]]) -> None:
        prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
        found = sorted(key for key in self.server.stand.objects if key.startswith(prefix) and key > after)
        rows = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in found[:PAGE])
        cut = "true" if found[PAGE:] else "false"
        self.answer(200, f"<ListBucketResult><IsTruncated>{cut}</IsTruncated>{rows}</ListBucketResult>".encode())
