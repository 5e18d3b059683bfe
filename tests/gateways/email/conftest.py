"""Mail servers with a certificate of their own authority."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from invoiceapp.demo.partners.smtp_server import SmtpServer


@dataclass(frozen=True)
class Authority:
    """A root certificate (PEM) and a server context whose certificate it signed."""

    root: str
    server: ssl.SSLContext
    folder: Path
    """With ``cert.pem`` and ``key.pem`` of the server"""
    ends: datetime
    """When the server's certificate does"""


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: str, key: Any, issuer: str, issuer_key: Any, extension: x509.ExtensionType
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return builder.add_extension(extension, critical=True).sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Test root", root_key, "Test root", root_key, x509.BasicConstraints(ca=True, path_length=0))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = _certificate("mail", key, "Test root", root_key, names)
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(own.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Authority(root.public_bytes(pem).decode(), context, folder, own.not_valid_after_utc)


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    """Where the servers of ``serve`` keep what they took."""
    return tmp_path / "mails"


@pytest.fixture
def serve(mails: Path) -> Iterator[Callable[..., SmtpServer]]:
    """Starts mail servers; keyword arguments go to ``SmtpServer``."""
    running: list[SmtpServer] = []

    def start(**options: Any) -> SmtpServer:
        running.append(SmtpServer(mails, **options))
        return running[-1]

    yield start
    for server in running:
        server.close()


class ScriptedServer:
    """Answers each command, and ``.`` for the end of the message; an answer of None cuts the connection."""

    def __init__(
        self, answers: dict[str, bytes | None], trickle: float | None = None, starttls: ssl.SSLContext | None = None
    ) -> None:
        """``trickle``: seconds between the bytes of an answer that is not the usual one."""
        usual = {"EHLO": b"250 mail", "MAIL": b"250 ok", "RCPT": b"250 ok", "DATA": b"354 go", ".": b"250 kept"}
        self._answers = usual | answers
        self._own, self._trickle, self._starttls = answers.values(), trickle, starttls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with contextlib.suppress(OSError):
                    client.settimeout(5)
                    self._converse(client)
                client.close()

    def _converse(self, client: socket.socket) -> None:
        client.sendall(b"220 mail\r\n")
        if self._listen(client):
            assert self._starttls is not None
            with self._starttls.wrap_socket(client, server_side=True) as encrypted:
                self._listen(encrypted)

    def _listen(self, client: socket.socket) -> bool:
        """Until the client leaves, or (True) wants encryption."""
        in_message = False
        with client.makefile("rb") as lines:
            for line in lines:
                self.lines.append(line.decode("latin-1").strip())
                if in_message and self.lines[-1] != ".":
                    continue
                answer = self._answer(self.lines[-1])
                if answer is None:
                    return False
                in_message = answer.startswith(b"354")
                self._say(client, answer)
                if self._starttls is not None and self.lines[-1] == "STARTTLS":
                    return True
        return False

    def _say(self, client: socket.socket, answer: bytes) -> None:
        if self._trickle is None or answer not in self._own:
            client.sendall(answer + b"\r\n")
            return
        with contextlib.suppress(OSError):
            for byte in answer:
                client.sendall(bytes([byte]))
                time.sleep(self._trickle)

    def _answer(self, line: str) -> bytes | None:
        longest_first = sorted(self._answers, key=len, reverse=True)
        return next((self._answers[key] for key in longest_first if line.upper().startswith(key)), b"250 ok")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._listener.close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """Starts scripted servers for one connection each."""
    made: list[ScriptedServer] = []

    def start(answers: dict[str, bytes | None], **options: Any) -> ScriptedServer:
        made.append(ScriptedServer(answers, **options))
        return made[-1]

    yield start
    for server in made:
        server.close()


class OAuthServer(SmtpServer):
    """aiosmtpd with XOAUTH2: takes the tokens in ``good``."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, login=("nobody", "nothing"), **options)
        self.good: set[str] = set()
        self.shown: list[str] = []
        """The tokens that were tried"""
        # aiosmtpd looks for mechanisms at the handler, anew for each connection.
        self._controller.handler.auth_XOAUTH2 = self._by_token

    async def _by_token(self, server: SMTP, args: list[str]) -> AuthResult:
        blob = base64.b64decode(args[1]).decode() if len(args) > 1 else (await server.challenge_auth("")).decode()
        user, token = re.fullmatch("user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01", blob).groups()
        self.shown.append(token)
        if (user, token) in {("firma@firma.example", good) for good in self.good}:
            return AuthResult(success=True)
        # What Google and Microsoft do: the reason as a challenge, to be answered with nothing.
        answer = await server.challenge_auth('{"status":"401"}')
        assert answer == b""
        return AuthResult(success=False, handled=False)


@pytest.fixture
def token_mail(mails: Path, authority: Authority) -> Iterator[OAuthServer]:
    server = OAuthServer(mails, starttls=authority.server)
    yield server
    server.close()


@dataclass
class TokenServer:
    """Gives what ``answers`` holds: status, and JSON or text; the last one for ever."""

    answers: list[tuple[int, Any]]
    headers: dict[str, str]
    forms: list[dict[str, str]]
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    known = TokenServer([], {}, [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            known.forms.append(dict(parse_qsl(content.decode())))
            status, body = known.answers.pop(0) if len(known.answers) > 1 else known.answers[0]
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            for name, value in {**known.headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield known
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()
