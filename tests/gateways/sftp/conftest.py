"""A real OpenSSH server and the demo server."""

from __future__ import annotations

import contextlib
import getpass
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER, SftpServer
from invoiceapp.gateways.sftp import SftpTransport

SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class OpenSsh:
    """A running sshd that takes one key for the current user."""

    port: int
    folder: Path
    private_key: str
    fingerprints: dict[str, str]
    """By key type"""

    def config(self, **changes: Any) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": getpass.getuser(),
            "private_key": self.private_key,
            "host_key": self.fingerprints["ssh-ed25519"],
            "folder": str(self.folder),
        } | changes

    def locked_key(self, passphrase: str) -> str:
        """The private key, encrypted."""
        key = serialization.load_ssh_private_key(self.private_key.encode(), None)
        lock = serialization.BestAvailableEncryption(passphrase.encode())
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, lock).decode()

    def transport(self, **changes: Any) -> SftpTransport:
        return SftpTransport(self.config(**changes), LOOPBACK)


def _write_key(path: Path, key: Any) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(text)
    path.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH) + b"\n"
    )


def _fingerprint(path: Path) -> str:
    return subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True).stdout.split()[1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, "sshd ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("sshd does not listen")


@contextlib.contextmanager
def _running(home: Path, *settings: str) -> Iterator[OpenSsh]:
    """An sshd with these further lines in its configuration."""
    if not SSHD.exists() or getpass.getuser() != "root":
        pytest.skip("needs OpenSSH's sshd and its privilege separation user")
    folder = home / "in"
    folder.mkdir()
    _write_key(home / "host_ed25519", ed25519.Ed25519PrivateKey.generate())
    _write_key(home / "host_rsa", rsa.generate_private_key(65537, 2048))
    _write_key(home / "user", ed25519.Ed25519PrivateKey.generate())
    port = _free_port()
    lines = "\n".join(settings)
    (home / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host_ed25519\nHostKey {home}/host_rsa\n"
        f"AuthorizedKeysFile {home}/user.pub\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nUseDNS no\n"
        f"{lines}\n"
    )
    # Left there: servers of other test processes need it too.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", home / "config"], stderr=log)
    try:
        _wait_for(port, process)
        yield OpenSsh(
            port,
            folder,
            (home / "user").read_text(),
            {"ssh-ed25519": _fingerprint(home / "host_ed25519.pub"), "ssh-rsa": _fingerprint(home / "host_rsa.pub")},
        )
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSsh]:
    with _running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def openssh_with(tmp_path: Path) -> Iterator[Callable[..., OpenSsh]]:
    """Makes an sshd of the test's own: ``openssh_with("Ciphers aes256-cbc")``."""
    with contextlib.ExitStack() as stack:
        yield lambda *settings: stack.enter_context(_running(tmp_path, *settings))


@pytest.fixture
def at_openssh(openssh: OpenSsh) -> Callable[..., SftpTransport]:
    """Makes a transport for the running sshd; keyword arguments change its settings."""
    return openssh.transport


@pytest.fixture
def inbox(openssh: OpenSsh) -> Path:
    """The folder of sshd, emptied."""
    for path in openssh.folder.iterdir():
        path.unlink()
    return openssh.folder


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[SftpServer]:
    server = SftpServer(tmp_path / "received", tmp_path / "host_key")
    yield server
    server.close()


@pytest.fixture
def at_demo(demo: SftpServer) -> Callable[..., SftpTransport]:
    """Makes a transport for the demo server; keyword arguments change its settings."""

    def make(**changes: Any) -> SftpTransport:
        login = {"username": DEMO_USER, "password": DEMO_PASSWORD, "host_key": demo.host_key}
        return SftpTransport({"host": "127.0.0.1", "port": demo.port, **login, **changes}, LOOPBACK)

    return make
