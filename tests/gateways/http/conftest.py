"""Receiving partners on loopback, plain and with certificates of a test authority."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    certificate: str
    key: str


@dataclass(frozen=True)
class Authority:
    """One root, a server certificate for 127.0.0.1, and a client certificate; all PEM."""

    root: str
    server: Pair
    client: Pair
    ends: datetime

    def context(self, folder: Path, *, wants_client: bool = False) -> ssl.SSLContext:
        """For a server."""
        path = folder / "server.pem"
        path.write_text(self.server.certificate + self.server.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        if wants_client:
            context.load_verify_locations(cadata=self.root)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@pytest.fixture(scope="session")
def authority() -> Authority:
    now = datetime.now(UTC).replace(microsecond=0)
    root_key = ec.generate_private_key(ec.SECP256R1())

    def issue(subject: str, key: Any, extension: x509.ExtensionType) -> str:
        builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name("Test root"))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=20))
        return (
            builder.add_extension(extension, critical=True).sign(root_key, hashes.SHA256()).public_bytes(PEM).decode()
        )

    def pair(subject: str) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        plain = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return Pair(issue(subject, key, names), plain.decode())

    root = issue("Test root", root_key, x509.BasicConstraints(ca=True, path_length=0))
    return Authority(root, pair("server"), pair("client"), now + timedelta(days=20))


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """Names lower-case"""
    body: bytes


@dataclass
class Partner:
    """Answers every request as told and remembers it."""

    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    requests: list[Request] = field(default_factory=list)
    by_method: dict[str, int] = field(default_factory=dict)
    """Other statuses for some methods"""
    connections: int = 0
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/ind"


def _handler(partner: Partner) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def setup(self) -> None:
            super().setup()
            partner.connections += 1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.command in ("POST", "PUT") and str(len(body)) != headers.get("content-length"):
                return
            partner.requests.append(Request(self.command, self.path, headers, body))
            status = partner.by_method.get(self.command, partner.status)
            content = b"" if status == 204 else partner.body
            self.send_response(status)
            for name, value in partner.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = answer

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news here."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Partner]]:
    """Starts partners: ``serve(context=None, **fields of Partner)``."""
    running: list[tuple[_Server, threading.Thread]] = []

    def start(context: ssl.SSLContext | None = None, **fields: Any) -> Partner:
        partner = Partner(scheme="https" if context else "http", **fields)
        server = _Server(("127.0.0.1", 0), _handler(partner))
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        partner.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return partner

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()


NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

_NGINX_CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 100k;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    ssl_client_certificate {folder}/root.pem; ssl_verify_client on;
    location /ind/ {{ root {folder}/files; dav_methods PUT; create_full_put_path on; }}
    location /moved/ {{ return 308 https://other.example/ind/; }}
    location /slow/ {{ limit_rate 10; root {folder}/files; }}
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    url: str
    files: Path


@pytest.fixture(scope="session")
def nginx(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx that keeps what is PUT to it by those who show a certificate of the test authority."""
    if NGINX is None:
        pytest.skip("nginx is not installed: scripts/system-packages test")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "files" / "ind").mkdir(parents=True)
    (folder / "root.pem").write_text(authority.root)
    (folder / "server.pem").write_text(authority.server.certificate + authority.server.key)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(_NGINX_CONFIG.format(folder=folder, port=port))
    command = [NGINX, "-p", str(folder), "-e", str(folder / "errors"), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port, process)
            yield Nginx(f"https://127.0.0.1:{port}", folder / "files")
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, "nginx ended"
        time.sleep(0.05)
    raise AssertionError("nginx does not answer")
