"""Servers that say exactly what a test wants, and certificates of our own authorities."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: str
    key: str

    def locked(self, password: str) -> str:
        """The key, encrypted."""
        lock = serialization.BestAvailableEncryption(password.encode())
        key = serialization.load_pem_private_key(self.key.encode(), None)
        return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, lock).decode()


class Authority:
    """A root that issues certificates for names and addresses."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._folder = folder
        basic = x509.BasicConstraints(ca=True, path_length=0)
        self.root = self._signed(self._name, self._key, basic).public_bytes(PEM).decode()

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        return builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())

    def issue(self, name: str) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            known: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            known = x509.DNSName(name)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._signed(subject, key, x509.SubjectAlternativeName([known]))
        text = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return Pair(signed.public_bytes(PEM).decode(), text.decode())

    def server(self, name: str = "127.0.0.1", clients: Authority | None = None) -> ssl.SSLContext:
        """A server's context; with ``clients`` it wants a certificate of theirs."""
        pair, path = self.issue(name), self._folder / "pair.pem"
        path.write_text(pair.certificate + pair.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        path.unlink()
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=clients.root)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority("Test root", tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority("Other root", tmp_path_factory.mktemp("stranger"))


Script = Callable[[socket.socket], None]


@dataclass
class Peer:
    """A listener that hands each connection to a script in a thread."""

    script: Script
    context: ssl.SSLContext | None = None
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.closing = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, path: str = "/") -> str:
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}{path}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(20)
        with client, contextlib.suppress(OSError, EOFError):
            if self.context is None:
                self.script(client)
                return
            with self.context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as encrypted:
                try:
                    encrypted.do_handshake()
                except ssl.SSLError:
                    self.drain(encrypted)
                else:
                    self.script(encrypted)

    def drain(self, client: socket.socket) -> None:
        """Say no more, and read until the client leaves: a close with bytes unread resets what was said."""
        client.shutdown(socket.SHUT_WR)
        while client.recv(65_536):
            pass

    def read(self, client: socket.socket) -> bytes:
        """One whole request."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some(client)
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        while len(body) < length:
            body += self._some(client)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def _some(self, client: socket.socket) -> bytes:
        data = client.recv(65_536)
        if not data:
            raise EOFError
        return data

    def close(self) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    """``peer(b"HTTP/1.1 …")`` answers every request with these bytes and closes; ``peer(script=…)`` does as it is told.

    A script gets the peer and the connection.
    """
    made: list[Peer] = []

    def make(
        answer: bytes = b"", context: ssl.SSLContext | None = None, script: Callable[[Peer, socket.socket], None] | None = None
    ) -> Peer:  # fmt: skip
        def run(client: socket.socket) -> None:
            if script is not None:
                script(made_one, client)
                return
            made_one.read(client)
            client.sendall(answer)

        made_one = Peer(run, context)
        made.append(made_one)
        return made_one

    yield make
    for one in made:
        one.close()
