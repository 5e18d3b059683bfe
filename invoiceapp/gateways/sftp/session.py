"""One SSH connection with an SFTP channel; every step bounded by a deadline."""

from __future__ import annotations

import socket
import stat
from collections.abc import Mapping
from typing import Any

import paramiko

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Deadline, Refused

from .failures import while_connecting, while_logging_in
from .keys import HostKeyPin, load_private_key

#: Seconds that the server may take for one answer.
STEP = 20.0
CHUNK = 32_768

#: In paramiko's default lists, but no longer good enough.
_WEAK = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-md5", "hmac-md5-96"],
}


def reach(config: Mapping[str, Any], deadline: Deadline) -> socket.socket:
    """A TCP connection to the server. Raises ``Unavailable``."""
    try:
        return socket.create_connection((config["host"], config.get("port") or 22), timeout=deadline.step())
    except (OSError, UnicodeError) as error:
        raise while_connecting(error) from error


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

    @property
    def host_key(self) -> str:
        """SHA-256 fingerprint of the server's key."""
        return self._ssh.get_remote_server_key().fingerprint

    @property
    def banner(self) -> str:
        """How the server named itself."""
        return self._ssh.remote_version

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

    def holds(self, path: str, content: bytes, deadline: Deadline) -> bool:
        """Whether the file on the server is ``content``. Where it may not be read, its size decides."""
        if self.size(path, deadline) != len(content):
            return False
        try:
            with self._within(deadline).open(path, "rb") as file:
                return file.read(len(content) + 1) == content
        except PermissionError:
            return True

    def write(self, path: str, content: bytes, deadline: Deadline) -> None:
        """Write the whole file and confirm its size; raises ``OSError`` where it differs.

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
        if found != len(content):
            raise OSError(f"wrote {len(content)} bytes, the server has {found}")

    def rename_over(self, old: str, new: str, deadline: Deadline) -> None:
        """Rename, replacing ``new`` (``posix-rename@openssh.com``; not every server has it)."""
        self._within(deadline).posix_rename(old, new)

    def rename(self, old: str, new: str, deadline: Deadline) -> None:
        """Rename; the server refuses where ``new`` exists (SFTP version 3)."""
        self._within(deadline).rename(old, new)

    def remove(self, path: str, deadline: Deadline) -> None:
        """Delete a file."""
        self._within(deadline).remove(path)

    def close(self) -> None:
        """End the connection without waiting for the server."""
        self._ssh.close()
