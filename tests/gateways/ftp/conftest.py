"""vsftpd and ProFTPD as Debian ships them, and a server of pyftpdlib that fails on demand."""

from __future__ import annotations

import getpass
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

with warnings.catch_warnings():
    # It stands on asyncore, and brings its own from Python 3.12 on.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

SBIN = "/usr/sbin:/usr/local/sbin"
NOBODY = 65_534
USER, PASSWORD = "invoices", "S3CR3T-kode"


@dataclass(frozen=True)
class Authority:
    """A root certificate (PEM) and the files of a certificate for 127.0.0.1 that it signed."""

    root: str
    certificate: Path
    key: Path
    both: Path
    ends: datetime


def _signed(subject: str, key: Any, issuer_key: Any, ends: datetime, extension: x509.ExtensionType) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named("Test root"))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(ends - timedelta(days=9)).not_valid_after(ends)
    return builder.add_extension(extension, critical=True).sign(issuer_key, hashes.SHA256())


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _signed("Test root", root_key, root_key, ends, x509.BasicConstraints(ca=True, path_length=0))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    pem = serialization.Encoding.PEM
    certificate = _signed("ftp", key, root_key, ends, address).public_bytes(pem)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for name, content in (("cert.pem", certificate), ("key.pem", private), ("both.pem", private + certificate)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    return Authority(
        root.public_bytes(pem).decode(), folder / "cert.pem", folder / "key.pem", folder / "both.pem", ends
    )


@dataclass(frozen=True)
class Server:
    """A running server and what to write in the form to reach it."""

    port: int
    inbox: Path
    settings: dict[str, Any]

    def config(self, **changes: Any) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, **self.settings, **changes}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _running(command: list[str], port: int, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    for _ in range(100):
        if process.poll() is not None:
            raise AssertionError(f"{command[0]} ended at once: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise AssertionError(f"{command[0]} does not listen: {log.read_text()}")


def _program(name: str) -> str:
    found = shutil.which(name, path=SBIN)
    if found is None or getpass.getuser() != "root":
        pytest.skip(f"needs {name} (scripts/system-packages test) and root, whose rights it gives up")
    return found


def _inbox(home: Path) -> Path:
    inbox = home / "root" / "in"
    inbox.mkdir(parents=True)
    (home / "root" / "read-only").mkdir()
    inbox.chmod(0o777)
    return inbox


@pytest.fixture(scope="session")
def new_home() -> Iterator[Callable[[], Path]]:
    """Makes folders that any user may enter, which pytest's are not: ProFTPD gives up root's rights early."""
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="ftp-server-")))
        made[-1].chmod(0o755)
        return made[-1]

    yield make
    for home in made:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def start_vsftpd(new_home: Callable[[], Path], authority: Authority) -> Iterator[Callable[..., Server]]:
    """Starts servers with Debian's defaults for TLS: a data connection must continue the session of its control connection.

    PAM needs files in /etc, so the one user is vsftpd's anonymous one, with a password and the rights of a system user
    that has a home.
    """
    program = _program("vsftpd")
    running: list[subprocess.Popen[bytes]] = []

    def start(**options: str) -> Server:
        home, port = new_home(), free_port()
        inbox = _inbox(home)
        (home / "empty").mkdir()
        (home / "passwords").write_text(f"{PASSWORD}\n")
        settings = {
            "listen": "YES", "listen_ipv6": "NO", "listen_address": "127.0.0.1", "listen_port": str(port),
            "background": "NO", "anonymous_enable": "YES", "local_enable": "NO", "write_enable": "YES",
            "anon_upload_enable": "YES", "anon_other_write_enable": "YES", "anon_world_readable_only": "NO",
            "anon_root": str(home / "root"), "ftp_username": "daemon", "secure_chroot_dir": str(home / "empty"),
            "secure_email_list_enable": "YES", "email_password_file": str(home / "passwords"),
            "ssl_enable": "YES", "allow_anon_ssl": "YES", "force_anon_logins_ssl": "YES", "force_anon_data_ssl": "YES",
            "rsa_cert_file": str(authority.certificate), "rsa_private_key_file": str(authority.key),
            "ssl_ciphers": "HIGH", "seccomp_sandbox": "NO", "max_login_fails": "1", "delay_failed_login": "0", **options,
        }  # fmt: skip
        (home / "conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        running.append(_running([program, str(home / "conf")], port, home / "log"))
        form = {"username": "anonymous", "password": PASSWORD, "folder": "/in", "ca_certificate": authority.root}
        return Server(port, inbox, form)

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def vsftpd(start_vsftpd: Callable[..., Server]) -> Server:
    return start_vsftpd()


@pytest.fixture(scope="session")
def implicit_vsftpd(start_vsftpd: Callable[..., Server]) -> Server:
    return start_vsftpd(implicit_ssl="YES")


@pytest.fixture(scope="session")
def start_proftpd(new_home: Callable[[], Path], authority: Authority) -> Iterator[Callable[..., Server]]:
    """Starts servers with mod_tls and its defaults; the keyword is a version of TLS."""
    program = _program("proftpd")
    if not Path("/usr/lib/proftpd/mod_tls.so").exists():
        pytest.skip("needs ProFTPD's mod_tls (Debian package proftpd-mod-crypto)")
    running: list[subprocess.Popen[bytes]] = []

    def start(protocol: str) -> Server:
        home, port = new_home(), free_port()
        inbox = _inbox(home)
        crypt = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True)
        (home / "users").touch(mode=0o600)
        (home / "users").write_text(f"{USER}:{crypt.stdout.strip()}:{NOBODY}:{NOBODY}::{home}/root:/bin/false\n")
        (home / "conf").write_text(
            f"ModulePath /usr/lib/proftpd\nLoadModule mod_tls.c\nServerType standalone\nDefaultServer on\nUseIPv6 off\n"
            f"DefaultAddress 127.0.0.1\nSocketBindTight on\nPort {port}\nUser nobody\nGroup nogroup\nAuthPAM off\n"
            f"AuthOrder mod_auth_file.c\nAuthUserFile {home}/users\nRequireValidShell off\nDefaultRoot ~\n"
            f"PidFile {home}/pid\nScoreboardFile {home}/scoreboard\nDelayEngine off\nWtmpLog off\nTransferLog none\n"
            f"SystemLog {home}/log\nUseReverseDNS off\nTLSEngine on\nTLSRequired on\nTLSProtocol {protocol}\nTLSLog {home}/tls\n"
            f"TLSECCertificateFile {authority.certificate}\nTLSECCertificateKeyFile {authority.key}\n"
        )
        running.append(_running([program, "-n", "-q", "-c", str(home / "conf")], port, home / "output"))
        form = {"username": USER, "password": PASSWORD, "folder": "in", "ca_certificate": authority.root}
        return Server(port, inbox, form)

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def proftpd(start_proftpd: Callable[..., Server]) -> Server:
    return start_proftpd("TLSv1.3")


@pytest.fixture(scope="session")
def proftpd_tls12(start_proftpd: Callable[..., Server]) -> Server:
    return start_proftpd("TLSv1.2")


@pytest.fixture(params=["vsftpd", "proftpd", "proftpd_tls12"])
def real(request: pytest.FixtureRequest) -> Server:
    """One of the real servers, its folder empty."""
    server: Server = request.getfixturevalue(request.param)
    for path in server.inbox.iterdir():
        path.unlink()
    return server


@dataclass
class Faults:
    """What a pyftpdlib server does wrong, by command."""

    replies: dict[str, str] = field(default_factory=dict)
    """Answered instead of doing it"""
    cut_before: set[str] = field(default_factory=set)
    """The connection ends without doing it"""
    cut_after: set[str] = field(default_factory=set)
    """It is done, and the connection ends instead of the final answer"""
    silent: set[str] = field(default_factory=set)
    """No answer at all"""
    instead: dict[str, str] = field(default_factory=dict)
    """Said instead of the final answer, though it was done"""
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Happens at the server just before it is done, once"""
    cut_in_data: bool = False
    """Both connections end in the middle of an upload"""
    half_data: bool = False
    """The data connection is closed after its first bytes, and all is said to be well"""
    truncate: bool = False
    """The file loses its second half after the upload"""


class Faulty:
    """Mixed into the handlers of pyftpdlib. ``faults``, ``seen`` and ``logins`` belong to one server."""

    faults: Faults
    seen: list[str]
    logins: list[str]
    _doing = ""

    def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
        self.seen.append(cmd)
        self._doing = cmd
        self.faults.before.pop(cmd, lambda: None)()
        if cmd in self.faults.replies:
            self.respond(self.faults.replies[cmd])
        elif cmd in self.faults.cut_before:
            self.close()
        elif cmd not in self.faults.silent:
            super().process_command(cmd, *args, **kwargs)

    def respond(self, resp: str, *args: Any, **kwargs: Any) -> None:
        is_final = resp[:1] != "1"
        if is_final and self._doing in self.faults.cut_after:
            self.close()
        else:
            super().respond(self.faults.instead.get(self._doing, resp) if is_final else resp, *args, **kwargs)

    def on_login(self, username: str) -> None:
        self.logins.append(username)

    def on_file_received(self, file: str) -> None:
        if self.faults.truncate:
            os.truncate(file, os.path.getsize(file) // 2)


class FaultyData:
    """Mixed into the data connections."""

    def recv(self, size: int) -> bytes:
        chunk: bytes = super().recv(size)
        faults = self.cmd_channel.faults
        if chunk and faults.cut_in_data:
            self.cmd_channel.close()
            return b""
        if chunk and faults.half_data:
            self.file_obj.write(chunk[:1000])
            self.handle_close()
            return b""
        return chunk


@dataclass(frozen=True)
class FaultyServer(Server):
    faults: Faults
    seen: list[str]
    """Commands"""
    logins: list[str]


@pytest.fixture
def start_faulty(tmp_path: Path, authority: Authority) -> Iterator[Callable[..., FaultyServer]]:
    """Starts servers; keyword arguments become attributes of the handler."""
    running: list[tuple[FTPServer, threading.Thread, threading.Event]] = []

    def start(
        *, tls: bool = False, rights: str = "elradfmwMT", host: str = "127.0.0.1", **attributes: Any
    ) -> FaultyServer:
        inbox = tmp_path / f"inbox-{len(running)}"
        inbox.mkdir()
        faults, seen, logins = Faults(), [], []
        authorizer = DummyAuthorizer()
        authorizer.add_user(USER, PASSWORD, str(inbox), perm=rights)
        handler_base, data_base = (TLS_FTPHandler, TLS_DTPHandler) if tls else (FTPHandler, DTPHandler)
        data = type("Data", (FaultyData, data_base), {})
        values = {
            "faults": faults, "seen": seen, "logins": logins, "authorizer": authorizer, "dtp_handler": data,
            "auth_failed_timeout": 0, **attributes,
        }  # fmt: skip
        if tls:
            values |= {"certfile": str(authority.both), "tls_control_required": True, "tls_data_required": True}
        server = FTPServer((host, 0), type("Handler", (Faulty, handler_base), values), ioloop=IOLoop())
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                server.serve_forever(timeout=0.02, blocking=False, handle_exit=False)
            server.close_all()

        thread = threading.Thread(target=serve)
        thread.start()
        running.append((server, thread, ending))
        settings = {"host": host, "username": USER, "password": PASSWORD, "security": "none"}
        if tls:
            settings |= {"security": "explicit", "ca_certificate": authority.root}
        return FaultyServer(server.address[1], inbox, settings, faults, seen, logins)

    yield start
    for _, thread, ending in running:
        ending.set()
        thread.join(timeout=5)


@pytest.fixture
def faulty(start_faulty: Callable[..., FaultyServer]) -> FaultyServer:
    return start_faulty()
