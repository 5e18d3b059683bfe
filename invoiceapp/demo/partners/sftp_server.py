"""An SFTP server on loopback with one user and one folder, and switches for its failures."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_FAILURE, SFTP_OK, SFTP_OP_UNSUPPORTED

DEMO_USER = "demo"
DEMO_PASSWORD = "demo"  # noqa: S105  (a loopback demo; shown on the demo's own page)


@dataclass
class SftpFaults:
    """What goes wrong from now on; may be changed while the server runs."""

    disk_full: bool = False
    rename_refused: bool = False
    no_posix_rename: bool = False
    drop_after_rename: bool = False
    """Rename, then cut the connection instead of answering"""


def host_key_at(path: Path) -> paramiko.PKey:
    """The Ed25519 host key in ``path``, made at the first call."""
    if not path.exists():
        text = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        path.touch(mode=0o600)
        path.write_bytes(text)
    return paramiko.Ed25519Key.from_private_key_file(str(path))


class SftpServer:
    """Listens from construction until ``close``; one thread a connection."""

    def __init__(
        self,
        folder: Path,
        host_key_file: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        faults: SftpFaults | None = None,
    ) -> None:
        """Serve ``folder``. Raises ``OSError`` where the port is taken."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.faults = faults or SftpFaults()
        self.logins = 0
        self._key = host_key_at(host_key_file)
        self._connections: list[paramiko.Transport] = []
        self._listener = socket.create_server((host, port))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="demo-sftp", daemon=True)
        self._thread.start()

    @property
    def host_key(self) -> str:
        """SHA-256 fingerprint, ``SHA256:…``."""
        return self._key.fingerprint

    def cut_connections(self) -> None:
        """Drop every client, as a restart of the server would."""
        while self._connections:
            self._connections.pop().close()

    def close(self) -> None:
        """Stop listening and drop every client."""
        # Shutting down wakes the blocked accept(); closing alone does not on Linux.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._listener.close()
        self.cut_connections()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        connection = paramiko.Transport(client)
        connection.add_server_key(self._key)
        connection.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, self, connection)
        self._connections.append(connection)
        # With an event it negotiates in its own thread, so that a silent client blocks nobody.
        connection.start_server(event=threading.Event(), server=_Login(self))


class _Login(paramiko.ServerInterface):
    def __init__(self, server: SftpServer) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        if (username, password) != (DEMO_USER, DEMO_PASSWORD):
            return AUTH_FAILED
        self._server.logins += 1
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind != "session":
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return OPEN_SUCCEEDED


class _File(paramiko.SFTPHandle):
    def __init__(self, descriptor: int, flags: int, faults: SftpFaults) -> None:
        super().__init__(flags)
        self._faults = faults
        self.readfile = self.writefile = os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb", buffering=0)

    def write(self, offset: int, data: Any) -> int:
        if self._faults.disk_full:
            return SFTP_FAILURE
        return super().write(offset, data)

    def stat(self) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Folder(paramiko.SFTPServerInterface):
    """One folder; ``..`` leads nowhere out of it. Errors of the disk become SFTP codes."""

    def __init__(self, server: paramiko.ServerInterface, owner: SftpServer, connection: paramiko.Transport) -> None:
        super().__init__(server)
        self._owner = owner
        self._connection = connection

    def _local(self, path: str) -> Path:
        return self._owner.folder / PurePosixPath(self.canonicalize(path)).relative_to("/")

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        try:
            return [paramiko.SFTPAttributes.from_stat(p.stat(), p.name) for p in self._local(path).iterdir()]
        except OSError as error:
            return _code(error)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return paramiko.SFTPAttributes.from_stat(self._local(path).stat())
        except OSError as error:
            return _code(error)

    lstat = stat

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        try:
            return _File(os.open(self._local(path), flags, 0o644), flags, self._owner.faults)
        except OSError as error:
            return _code(error)

    def remove(self, path: str) -> int:
        try:
            self._local(path).unlink()
        except OSError as error:
            return _code(error)
        return SFTP_OK

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        try:
            self._local(path).mkdir()
        except OSError as error:
            return _code(error)
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        if self._owner.faults.rename_refused or self._local(newpath).exists():
            return SFTP_FAILURE
        return self._replace(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        if self._owner.faults.no_posix_rename:
            return SFTP_OP_UNSUPPORTED
        if self._owner.faults.rename_refused:
            return SFTP_FAILURE
        return self._replace(oldpath, newpath)

    def _replace(self, oldpath: str, newpath: str) -> int:
        try:
            self._local(oldpath).replace(self._local(newpath))
        except OSError as error:
            return _code(error)
        if self._owner.faults.drop_after_rename:
            self._connection.close()
        return SFTP_OK


def _code(error: OSError) -> int:
    return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)
