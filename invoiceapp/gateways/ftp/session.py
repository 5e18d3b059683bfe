# ruff: noqa: S321 - unencrypted FTP is the warned choice of the user; here are its exceptions only.
"""One FTP conversation: reach the server, encrypt, log in, and work in one folder."""

from __future__ import annotations

import ftplib  # nosec B402 # what the receiver has; without encryption only where the user says so
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from invoiceapp.gateways.base import Deadline
from invoiceapp.gateways.certificates import tls_context
from invoiceapp.outbound.guard import Guard

from .client import Client
from .failures import Stage, code_of, during, incomplete
from .fields import IMPLICIT, NONE, PORTS, folder_of, host_of, port_of, security_of

#: Command unknown, not understood, not implemented, not for this parameter (RFC 959 4.2).
_NOT_OFFERED = {500, 501, 502, 503, 504}
#: RFC 3659 7.2: the facts stand after a space, before the name.
_SIZE_FACT = re.compile(r"^ (?:\S*;)?size=([0-9]{1,15});", re.MULTILINE | re.IGNORECASE)
_LARGEST_LIST = 4_000_000


def greet(config: Mapping[str, Any], guard: Guard, deadline: Deadline) -> Client:
    """A connection, encrypted as the settings say. Raises ``Refused`` or ``Unavailable``; closes it then."""
    security = security_of(config)
    context = None if security == NONE else tls_context(config)
    client = Client(guard, host_of(config), deadline)
    try:
        with during(Stage.GREETING):
            client.reach(port_of(config), PORTS)
            if context is not None and security == IMPLICIT:
                client.encrypt(context)
            client.greeting()
        if context is not None and security != IMPLICIT:
            with during(Stage.ENCRYPTION):
                client.voidcmd("AUTH TLS")
                client.encrypt(context)
    except Exception:
        client.close()
        raise
    return client


def log_in(client: Client, config: Mapping[str, Any]) -> None:
    """With user name and password. Raises ``Refused`` or ``Unavailable``."""
    password = str(config["password"])
    with during(Stage.LOGIN):
        try:
            client.login(str(config["username"]), password)
        except (ftplib.error_perm, ftplib.error_temp) as no:
            # A server may repeat what it was told.
            code, words = str(no)[:3], str(no)[3:]
            raise type(no)(code + words.replace(password, "…")) from None
    if client.encryption is not None:
        with during(Stage.ENCRYPTION):
            # RFC 4217 9: without both, the server would expect data in clear.
            client.voidcmd("PBSZ 0")
            client.voidcmd("PROT P")


def enter(client: Client, config: Mapping[str, Any]) -> Session:
    """The folder, on a connection that is logged in. Raises ``Refused`` or ``Unavailable``."""
    folder = folder_of(config)
    with during(Stage.FOLDER, folder):
        with suppress(ftplib.error_perm):
            # Some servers read names as UTF-8 only where asked to.
            if "UTF8" in client.sendcmd("FEAT").upper():
                client.sendcmd("OPTS UTF8 ON")
        client.voidcmd("TYPE I")
        if folder != ".":
            client.cwd(folder)
    return Session(client, folder)


def open_session(config: Mapping[str, Any], guard: Guard, deadline: Deadline) -> Session:
    """All of it. Raises ``Refused`` or ``Unavailable``; leaves nothing open then."""
    client = greet(config, guard, deadline)
    try:
        log_in(client, config)
        return enter(client, config)
    except Exception:
        client.close()
        raise


def certificate_ends(client: Client) -> str | None:
    """When the server's certificate ends, ISO 8601; None without encryption."""
    certificate = client.encryption.getpeercert() if client.encryption else None
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC).isoformat()


@dataclass(frozen=True, slots=True)
class Found:
    """A file on the server; ``size`` is None where the server does not tell it."""

    size: int | None
    told_by: str
    """The command"""


class Session:
    """Files in one folder. Names are without folder; raises what ``Client`` raises unless said otherwise."""

    def __init__(self, client: Client, folder: str) -> None:
        """Of a client that stands in the folder."""
        self._client = client
        self._folder = folder
        self._looks: list[Callable[[str], Found | None]] = [self._ask_size, self._ask_facts, self._list]
        self.certificate_ends = certificate_ends(client)

    @property
    def client(self) -> Client:
        """The connection, which stands in the folder."""
        return self._client

    @property
    def server(self) -> str:
        """How the server named itself."""
        return (self._client.welcome or "")[:200]

    @property
    def encryption(self) -> str:
        """The protocol version, such as ``TLSv1.3``; empty where there is none."""
        sock = self._client.encryption
        return (sock.version() or "") if sock is not None else ""

    @property
    def sees(self) -> bool:
        """Whether the server lets us see which files there are."""
        return bool(self._looks)

    def begin(self, deadline: Deadline) -> None:
        """All that follows happens within the deadline."""
        self._client.deadline = deadline

    def is_alive(self) -> bool:
        """Whether the connection still answers."""
        try:
            self._client.voidcmd("NOOP")
        except (ftplib.Error, OSError, EOFError):
            return False
        return True

    def find(self, name: str) -> Found | None:
        """The file of that name, None where there is none, or where nothing can be seen."""
        for look in tuple(self._looks):
            try:
                return look(name)
            except ftplib.error_perm as no:
                if code_of(no) not in _NOT_OFFERED:
                    return None
                self._looks.remove(look)
        return None

    def _find_written(self, name: str) -> Found | None:
        """As ``find``, for a file that must be there: a command that does not see it is not believed any more."""
        for look in tuple(self._looks):
            try:
                return look(name)
            except ftplib.error_perm:
                self._looks.remove(look)
        return None

    def _ask_size(self, name: str) -> Found:
        size = self._client.size(name)
        if size is None:
            raise ftplib.error_proto("SIZE answered without a size")
        return Found(size, "SIZE")

    def _ask_facts(self, name: str) -> Found:
        size = _SIZE_FACT.search(self._client.sendcmd(f"MLST {name}"))
        return Found(int(size[1]) if size else None, "MLST")

    def _list(self, name: str) -> Found | None:
        try:
            names = self._client.download("NLST", _LARGEST_LIST)
        except ftplib.error_temp as error:
            # RFC 959 5.4: 450 for an empty folder, among others.
            if code_of(error) != 450:
                raise
            return None
        if len(names) > _LARGEST_LIST:
            raise ftplib.error_perm("502 the list is too long to be used")
        listed = {line.strip().rpartition("/")[2] for line in names.decode("utf-8", "replace").splitlines()}
        return Found(None, "NLST") if name in listed else None

    def holds(self, name: str, content: bytes, size: int | None) -> bool | None:
        """Whether the file is ``content``; None where it may not be read and its ``size`` does not differ."""
        if size is not None and size != len(content):
            return False
        try:
            read = self._client.download(f"RETR {name}", len(content))
        except ftplib.error_perm:
            return None
        if size is not None and len(read) < size:
            raise EOFError("the file was not sent whole")
        return read == content

    def write(self, name: str, content: bytes) -> tuple[str, str]:
        """Write the whole file and confirm it: the server's reply, and the command that proved it, empty where none could.

        Raises ``TransportError`` only.
        """
        with during(Stage.WRITE, self._folder):
            data = self._begin_upload(name)
        with during(Stage.CONTENT, self._folder):
            reply = self._client.upload(data, content)
        with during(Stage.LOOK, self._folder):
            found = self._find_written(name)
            if found is not None and found.size is not None:
                if found.size != len(content):
                    raise incomplete(f"size {found.size} instead of {len(content)}")
                return reply, found.told_by
            held = self.holds(name, content, None)
            if held is False:
                raise incomplete("read back with other content")
            return reply, "RETR" if held else ""

    def _begin_upload(self, name: str) -> socket.socket:
        try:
            return self._client.ntransfercmd(f"STOR {name}")[0]
        except ftplib.error_perm as no:
            # A broken attempt may have left a file that the server does not overwrite (ProFTPD by default).
            try:
                self._client.delete(name)
            except ftplib.error_perm:
                raise no from None
            return self._client.ntransfercmd(f"STOR {name}")[0]

    def touch(self, name: str) -> None:
        """Write an empty file, without looking at it afterwards."""
        self._client.upload(self._begin_upload(name), b"")

    def prepare_rename(self, old: str) -> None:
        """``RNFR``; moves nothing yet."""
        reply = self._client.sendcmd(f"RNFR {old}")
        if reply[0] != "3":
            raise ftplib.error_reply(reply)

    def ask_rename(self, new: str) -> None:
        """``RNTO``; where this raises, the server cannot have seen the line. Most servers overwrite."""
        self._client.putcmd(f"RNTO {new}")

    def renamed(self) -> str:
        """The server's reply to ``RNTO``."""
        return self._client.voidresp()

    def remove(self, name: str) -> None:
        """Delete a file."""
        self._client.delete(name)

    def discard(self, name: str) -> None:
        """Delete a file that is of no use any more; it may stay as well."""
        with suppress(ftplib.Error, OSError, EOFError):
            self._client.delete(name)

    def close(self) -> None:
        """End the connection without waiting for the server."""
        self._client.close()
