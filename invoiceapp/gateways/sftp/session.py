"""One SSH connection with an SFTP channel; every step bounded by a deadline."""

from __future__ import annotations

import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import paramiko

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Deadline, Refused
from invoiceapp.gateways.file_drop import vanished

from .failures import while_connecting, while_logging_in
from .keys import HostKeyPin, load_private_key

CHUNK = 32_768
#: Files that a folder is believed to hold.
MOST_FILES = 20_000

#: In paramiko's default lists, but no longer good enough.
_WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-md5", "hmac-md5-96"],
}


def greet(connection: socket.socket, pin: HostKeyPin, deadline: Deadline) -> paramiko.Transport:
    """The encrypted connection, once the server has shown the pinned key.

    Raises ``Refused`` or ``Unavailable``; closes the connection then.
    """
    ssh = paramiko.Transport(connection, disabled_algorithms=_WEAK)
    try:
        options = ssh.get_security_options()
        options.key_types = pin.algorithms(options.key_types)
        limit = deadline.step()
        ssh.banner_timeout = ssh.handshake_timeout = ssh.auth_timeout = ssh.channel_timeout = limit
        ssh.start_client(timeout=limit)
        shown = ssh.get_remote_server_key()
    except Exception as error:
        # Paramiko hands on whatever its reader thread met, of any class.
        ssh.close()
        connection.close()
        raise while_connecting(error) from error
    try:
        pin.confirm(shown)
    except Refused:
        ssh.close()
        raise
    return ssh


def log_in(ssh: paramiko.Transport, config: Mapping[str, Any]) -> None:
    """Key first, then password where the server wants (also) that. Raises ``Refused`` or ``Unavailable``."""
    key_text, password = config.get("private_key"), config.get("password")
    if not key_text and not password:
        raise Refused(
            Text(
                "Der mangler en adgangskode eller en privat nøgle. Udfyld en af dem i gatewayens indstillinger.",
                "There is no password and no private key. Fill in one of them in the settings of the gateway.",
            )
        )
    key = load_private_key(key_text, config.get("passphrase")) if key_text else None
    try:
        further = ssh.auth_publickey(config["username"], key) if key else ["password"]
        if further and password:
            further = ssh.auth_password(config["username"], password)
        if further:
            raise paramiko.AuthenticationException(f"the server also wants: {', '.join(further)}")
    except Exception as error:
        # As in greet(): any class.
        raise while_logging_in(error, connected=ssh.is_active()) from error


def open_session(ssh: paramiko.Transport, deadline: Deadline) -> Session:
    """The SFTP channel on a connection that is logged in. Raises ``Unavailable``."""
    try:
        return Session(ssh, deadline)
    except Exception as error:
        # As in greet(): any class.
        raise while_connecting(error) from error


class Session:
    """An opened SFTP session. Its file operations raise what paramiko raises."""

    def __init__(self, ssh: paramiko.Transport, deadline: Deadline) -> None:
        """Open the SFTP channel on a connection that is logged in."""
        self._ssh = ssh
        self._channel = ssh.open_session(timeout=deadline.step())
        self._channel.settimeout(deadline.step())
        self._channel.invoke_subsystem("sftp")
        self._sftp = paramiko.SFTPClient(self._channel)
        # Read now: a connection that ends after the rename must not keep a delivery from its receipt.
        self.host_key: str = ssh.get_remote_server_key().fingerprint
        """SHA-256 fingerprint of the server's key"""
        self.banner: str = ssh.remote_version
        """How the server named itself"""

    @property
    def connection(self) -> socket.socket:
        """The TCP connection."""
        connection = self._ssh.sock
        assert isinstance(connection, socket.socket)
        return connection

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, as far as this side can know."""
        return self._ssh.is_active() and not self._channel.closed

    def _within(self, deadline: Deadline) -> paramiko.SFTPClient:
        """The client, with the channel's time limit set for one step."""
        self._channel.settimeout(deadline.step())
        return self._sftp

    def answered(self, error: Exception) -> bool:
        """Whether ``error`` is the server's own no, not a lost connection.

        Paramiko raises bare ``OSError`` for both, so the connection has to be looked at.
        """
        return isinstance(error, OSError) and not isinstance(error, TimeoutError | ConnectionError) and self.is_open

    def size(self, path: str, deadline: Deadline) -> int | None:
        """Bytes of the file, or None where there is none."""
        try:
            return self._within(deadline).stat(path).st_size
        except FileNotFoundError:
            return None

    def is_folder(self, path: str, deadline: Deadline) -> bool:
        """Whether ``path`` is a folder. Raises ``FileNotFoundError`` where nothing is there."""
        return stat.S_ISDIR(self._within(deadline).stat(path).st_mode or 0)

    def holds(self, path: str, content: bytes, deadline: Deadline) -> bool | None:
        """Whether the file on the server is ``content``; None where it has that size and cannot be read."""
        if self.size(path, deadline) != len(content):
            return False
        try:
            with self._within(deadline).open(path, "rb") as file:
                return file.read(len(content) + 1) == content
        except (PermissionError, FileNotFoundError):
            # A folder that may be written only, or one whose files are taken away.
            return None

    def write(self, path: str, content: bytes, deadline: Deadline) -> None:
        """Write the whole file and confirm its size; raises ``OSError`` where it differs, ``Unknown`` where it is gone.

        Each chunk waits for its answer: paramiko's pipelined mode drops the answers
        of single writes, a full disk among them, and can block without a limit.
        """
        file = self._within(deadline).open(path, "wb")
        for start in range(0, len(content), CHUNK):
            self._within(deadline)
            file.write(content[start : start + CHUNK])
        self._within(deadline)
        file.close()
        found = self.size(path, deadline)
        if found is None:
            raise vanished(path)
        if found != len(content):
            raise OSError(f"wrote {len(content)} bytes, the server has {found}")

    def touch(self, path: str, deadline: Deadline) -> None:
        """Make an empty file. It is not looked at again, as the receiver may take it at once."""
        file = self._within(deadline).open(path, "wb")
        self._within(deadline)
        file.close()

    def rename_over(self, old: str, new: str, deadline: Deadline) -> None:
        """Rename, replacing ``new`` (``posix-rename@openssh.com``; not every server has it)."""
        self._within(deadline).posix_rename(old, new)

    def rename(self, old: str, new: str, deadline: Deadline) -> None:
        """Rename; the server refuses where ``new`` exists (SFTP version 3)."""
        self._within(deadline).rename(old, new)

    def remove(self, path: str, deadline: Deadline) -> None:
        """Delete a file; it may be gone already."""
        with suppress(FileNotFoundError):
            self._within(deadline).remove(path)

    def list_files(self, folder: str, deadline: Deadline) -> list[tuple[str, int]]:
        """Name and bytes of the files in a folder. Raises ``OSError`` where there are too many to be true."""
        found: list[tuple[str, int]] = []
        # One request at a time: answers that nobody reads any more would mix with those that follow.
        for entry in self._within(deadline).listdir_iter(folder, read_aheads=1):
            self._within(deadline)
            if len(found) >= MOST_FILES:
                raise OSError(f"more than {MOST_FILES} files")
            if stat.S_ISREG(entry.st_mode or stat.S_IFREG):
                found.append((entry.filename, entry.st_size or 0))
        return found

    def read(self, path: str, most: int, deadline: Deadline) -> bytes:
        """The first ``most`` bytes of a file."""
        content = bytearray()
        with self._within(deadline).open(path, "rb") as file:
            while len(content) < most and (chunk := file.read(min(CHUNK, most - len(content)))):
                content += chunk
                self._within(deadline)
        return bytes(content)

    def make_folder(self, path: str, deadline: Deadline) -> None:
        """Make a folder where there is none."""
        try:
            self._within(deadline).stat(path)
        except FileNotFoundError:
            self._within(deadline).mkdir(path)

    def close(self) -> None:
        """End the connection without waiting for the server."""
        self._ssh.close()
