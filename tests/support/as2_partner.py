"""An AS2 partner for tests: OpenSSL's command line and the standard library, nothing of the product's AS2."""

from __future__ import annotations

import base64
import email
import hashlib
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from asn1crypto import cms

from invoiceapp.gateways.base import Incoming

BOUNDARY, INNER = "outer-boundary-1", "inner-boundary-2"
PROCESSED = "automatic-action/MDN-sent-automatically; processed"
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Received:
    """One message as the partner understood it."""

    headers: dict[str, str]
    """Names lower-case"""
    body: bytes
    content: bytes
    filename: str
    mic: str
    kinds: tuple[str, ...]
    """What lay inside one another, from the outside: ``enveloped-data``, ``multipart/signed``, ``compressed-data``"""

    @property
    def message_id(self) -> str:
        return self.headers["message-id"]


@dataclass
class Opener:
    """Opens messages with our key, and checks the signature against exactly one certificate."""

    folder: Path
    key: Path
    certificate: Path
    their_certificate: Path
    digest: str = "sha256"
    _numbers: Any = field(default_factory=lambda: iter(range(1_000_000)))

    def cms(self, content: bytes, *arguments: str | Path) -> bytes:
        number = next(self._numbers)
        source, target = self.folder / f"{number}.in", self.folder / f"{number}.out"
        source.write_bytes(content)
        command = ["openssl", "cms", *arguments, "-in", source, "-out", target]
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=20)
        return target.read_bytes()

    def open(self, headers: dict[str, str], body: bytes) -> Received:
        named = [name for name in ("content-type", "content-disposition") if name in headers]
        octets = "".join(f"{name}: {headers[name]}\r\n" for name in named).encode() + b"\r\n" + body
        # RFC 4130 7.3.1: of a bare document the content alone is hashed.
        hashed, kinds = body, []
        while True:
            entity = email.message_from_bytes(octets)
            kind = str(entity.get_param("smime-type") or entity.get_content_type())
            if kind not in ("enveloped-data", "authEnveloped-data", "multipart/signed", "compressed-data"):
                break
            octets = self._inside(kind, entity, octets)
            if kind == "multipart/signed" or "multipart/signed" not in kinds:
                hashed = octets
            kinds.append(kind)
        mic = base64.b64encode(hashlib.new(self.digest, hashed).digest()).decode()
        content = entity.get_payload(decode=True)
        assert isinstance(content, bytes)
        if not kinds:
            content = body
        return Received(headers, body, content, entity.get_filename() or "", mic, tuple(kinds))

    def _inside(self, kind: str, entity: email.message.Message, octets: bytes) -> bytes:
        if kind == "multipart/signed":
            arguments = ("-verify", "-noverify", "-nointern", "-certfile", self.their_certificate)
            return self.cms(octets, *arguments)
        der = octets.partition(b"\r\n\r\n")[2]
        if entity["Content-Transfer-Encoding"] == "base64":
            der = base64.b64decode(der)
        if kind == "compressed-data":
            return bytes(cms.ContentInfo.load(der)["content"].decompressed)
        return self.cms(der, "-decrypt", "-inform", "DER", "-inkey", self.key, "-recip", self.certificate)


def report(about: str, mic: str | None, disposition: str = PROCESSED, notifications: int = 1, more: str = "") -> bytes:
    """A multipart/report (RFC 3798), CRLF."""
    lines = ["Reporting-UA: test", "Final-Recipient: rfc822; Partner AS2", f"Original-Message-ID: {about}"]
    lines += (
        [f"Disposition: {disposition}"] + ([f"Received-Content-MIC: {mic}"] if mic else []) + ([more] if more else [])
    )
    notification = "Content-Type: message/disposition-notification\r\n\r\n" + "\r\n".join(lines) + "\r\n"
    parts = ["Content-Type: text/plain\r\n\r\nThank you.\r\n", *[notification] * notifications]
    body = "".join(f"--{INNER}\r\n{part}\r\n" for part in parts) + f"--{INNER}--\r\n"
    kind = f'multipart/report; report-type=disposition-notification; boundary="{INNER}"'
    return f"Content-Type: {kind}\r\n\r\n{body}".encode()


def unsigned(octets: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of a report that nobody signed."""
    head, _, body = octets.partition(b"\r\n\r\n")
    return {"content-type": head.decode().partition(": ")[2], "message-id": "<mdn-1@partner>"}, body


def enclose(octets: bytes, signature: bytes, extra: bytes = b"") -> tuple[dict[str, str], bytes]:
    """Headers and body of a multipart/signed."""
    signed = b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    parts = [octets, signed + base64.encodebytes(signature), *([extra] if extra else [])]
    line = f"--{BOUNDARY}".encode()
    body = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
    kind = f'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="{BOUNDARY}"'
    return {"content-type": kind, "message-id": "<mdn-1@partner>"}, body


class Partner:
    """Takes messages on loopback, opens them and answers; ``answer`` may be replaced."""

    def __init__(self, folder: Path, own: Any, theirs: Any) -> None:
        """``own`` and ``theirs``: pairs with ``certificate_path`` and ``key_path``."""
        self.own = own
        self.opener = Opener(folder, own.key_path, own.certificate_path, theirs.certificate_path)
        self.received: list[Received] = []
        self.requests = 0
        self.missing = 0
        """Octets of the answer's body that are promised and do not come"""
        self.answer: Callable[[Received], Answer | None] = self.signed_receipt
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/as2"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()

    def sign(self, octets: bytes, *options: str | Path, by: Any = None) -> bytes:
        """A detached signature (DER) by OpenSSL."""
        signer = by or self.own
        pair = ("-signer", signer.certificate_path, "-inkey", signer.key_path)
        return self.opener.cms(octets, "-sign", "-binary", "-outform", "DER", "-md", "sha256", *pair, *options)

    def signed_receipt(self, message: Received, **changes: Any) -> Answer:
        """A good receipt; keyword arguments go to ``report``."""
        octets = report(message.message_id, **({"mic": f"{message.mic}, sha-256"} | changes))
        return 200, *enclose(octets, self.sign(octets))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        partner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):
                    return
                partner.requests += 1
                headers = {name.lower(): value for name, value in self.headers.items()}
                message = partner.opener.open(headers, body)
                partner.received.append(message)
                answer = partner.answer(message)
                if answer is None:
                    self.close_connection = True
                    return
                status, answered, content = answer
                self.send_response(status)
                for name, value in answered.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + partner.missing))
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = bool(partner.missing)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Inbox:
    """Where asynchronous receipts come in."""

    def __init__(self) -> None:
        self.came: list[Incoming] = []
        self._arrived = threading.Event()
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/inbound/1"

    def __enter__(self) -> Inbox:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()

    def wait(self) -> list[Incoming]:
        """All that came, as soon as one did."""
        assert self._arrived.wait(20), "no receipt came"
        return self.came

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = _body(self)
                headers = {name.lower(): value for name, value in self.headers.items()}
                inbox.came.append(Incoming("receipt", body, headers))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                inbox._arrived.set()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _body(request: BaseHTTPRequestHandler) -> bytes:
    """Of a known length, or in chunks (RFC 9112 7.1), as OpenAS2 sends its receipts."""
    if request.headers["Transfer-Encoding"] != "chunked":
        return request.rfile.read(int(request.headers["Content-Length"]))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
