"""Receiving partners for ``benchmarks.gateways`` and ``benchmarks.export``, so that the sender's process does nothing but send.

``python -m benchmarks.partners KIND FOLDER`` prints its port and serves until its standard input ends. FOLDER holds what
``write_pair`` wrote, and ``answer`` for the kinds that give the same answer to every request.
"""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from invoiceapp.demo.partners.dropbox_api import DropboxApi
from invoiceapp.demo.partners.sftp_server import SftpServer
from invoiceapp.demo.partners.smtp_server import SmtpServer
from invoiceapp.gateways.as2.certificates import load_certificate
from invoiceapp.gateways.certificates import load_key

from . import as2_partner

SSHD = Path("/usr/sbin/sshd")
USER, PASSWORD = "bench", "only-for-the-benchmark"
HOST = "127.0.0.1"
PEM = serialization.Encoding.PEM


def write_pair(folder: Path, name: str = "server") -> tuple[str, str]:
    """A self-signed RSA certificate for this machine and its key, as PEM and as ``<name>.pem`` in the folder."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    builder = builder.not_valid_after(now + timedelta(days=400)).add_extension(names, critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(PEM).decode()
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    (folder / f"{name}.pem").write_text(private + certificate)
    return certificate, private


@contextlib.contextmanager
def started(kind: str, folder: Path) -> Iterator[int]:
    """One of ``KINDS`` in a process of its own; its port."""
    command = [sys.executable, "-m", "benchmarks.partners", kind, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(timeout=20)


def has_sshd() -> bool:
    """Whether OpenSSH's server is there and may be started."""
    return SSHD.exists() and getpass.getuser() == "root"


@contextlib.contextmanager
def sshd(home: Path) -> Iterator[tuple[int, str, str]]:
    """OpenSSH: its port, the key that it lets in, and the fingerprint of its own. Files may lie in ``home``."""
    for name in ("host", "user"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)]
        subprocess.run(make, check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", home / "host.pub"], check=True, capture_output=True, text=True).stdout
    port = _free_port()
    (home / "config").write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\nStrictModes no\n"
        "UsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nUseDNS no\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", home / "config"], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port, (home / "user").read_text(), shown.split()[1]
    finally:
        process.terminate()
        process.wait(timeout=10)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection((HOST, port), timeout=1).close()
            return
        time.sleep(0.05)
    raise SystemExit("the benchmark's server does not listen")


def _context(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context


def _sftp(folder: Path) -> int:
    server = SftpServer(folder / "in", folder / "host")
    (folder / "host_key").write_text(server.host_key)
    return server.port


def _ftps(folder: Path) -> int:
    with warnings.catch_warnings():
        # It stands on asyncore.
        warnings.simplefilter("ignore", DeprecationWarning)
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.handlers import TLS_FTPHandler
        from pyftpdlib.servers import FTPServer
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder / "in"), perm="elradfmwMT")
    values = {
        "authorizer": authorizer, "certfile": str(folder / "server.pem"), "tls_control_required": True,
        "tls_data_required": True,
    }  # fmt: skip
    server = FTPServer((HOST, 0), type("Handler", (TLS_FTPHandler,), values))
    threading.Thread(target=server.serve_forever, kwargs={"handle_exit": False}, daemon=True).start()
    return int(server.address[1])


def _smtp(folder: Path) -> int:
    return SmtpServer(folder / "in", login=(USER, PASSWORD), starttls=_context(folder)).port


def _dropbox(folder: Path) -> int:
    return DropboxApi(folder / "in").port


def _http(folder: Path) -> int:
    return _answering((folder / "answer").read_bytes(), None)


def _https(folder: Path) -> int:
    return _answering((folder / "answer").read_bytes(), _context(folder))


def _answering(answer: bytes, context: ssl.SSLContext | None) -> int:
    """Gives each request the same answer: as little server as there can be."""
    return _conversing(lambda _headers, _body: answer, context)


def _conversing(answer: Callable[[dict[str, str], bytes], bytes], context: ssl.SSLContext | None) -> int:
    """Reads whole requests, gives each its answer, and keeps connections; names of header fields are lower-case."""
    listener = socket.create_server((HOST, 0))

    def converse(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = context.wrap_socket(client, server_side=True) if context else client
            with connection.makefile("rb") as requests:
                while headers := _headers(requests):
                    body = requests.read(int(headers["content-length"]))
                    connection.sendall(answer(headers, body))

    def accept() -> None:
        while True:
            threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def _headers(requests: Iterator[bytes]) -> dict[str, str]:
    """Of the next request; none where there is no further one."""
    found: dict[str, str] = {}
    next(requests, None)
    for line in requests:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            break
        found[name.lower()] = value.strip()
    return found


def _as2(folder: Path) -> int:
    """An AS2 partner that opens each message and gives its signed receipt."""
    own, theirs = (load_certificate((folder / f"{name}.pem").read_text()) for name in ("partner", "own"))
    key = load_key((folder / "partner.pem").read_text())
    return _conversing(lambda headers, body: as2_partner.answer(headers, body, own, key, theirs), None)


KINDS: dict[str, Callable[[Path], int]] = {
    "sftp": _sftp, "ftps": _ftps, "smtp": _smtp, "dropbox": _dropbox, "http": _http, "https": _https, "as2": _as2,
}  # fmt: skip


def main() -> None:
    """Serve until told to end."""
    kind, folder = sys.argv[1:]
    logging.disable()
    (Path(folder) / "in").mkdir(exist_ok=True)
    print(KINDS[kind](Path(folder)), flush=True)
    sys.stdin.read()
    # Without waiting for threads that still serve somebody.
    os._exit(0)


if __name__ == "__main__":
    main()
