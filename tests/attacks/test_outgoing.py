"""Addresses of our own inside that somebody types, hides or lets a name turn into (SSRF). The guard itself: tests/outbound."""

from __future__ import annotations

import ast
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.outbound import LOOPBACK

import invoiceapp
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.gateways.base import registry
from invoiceapp.outbound.guard import Guard
from invoiceapp.sources.base import CredentialsRefused, SourceError
from invoiceapp.sources.billy.client import BillyClient

pytestmark = pytest.mark.server

SOURCES = Path(invoiceapp.__file__).parent
#: What can open a connection, by the top of its name or whole.
_NETWORK = frozenset(
    {
        "aiobotocore", "aiohttp", "asyncio", "botocore", "dns", "fsspec", "ftplib", "http.client", "httpx", "imaplib", "paramiko", "poplib", "pycurl", "requests",
        "s3fs", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc",
    }
)  # fmt: skip
#: Who may, and why that is safe. Everybody else asks ``invoiceapp.outbound``.
_KNOWN: Mapping[str, str] = {
    "outbound": "the guard and what is built on it",
    "gateways/ftp": "ftplib on sockets of the guard, also for data",
    "gateways/sftp": "paramiko on sockets of the guard",
    "gateways/email": "smtplib on sockets of the guard",
    "gateways/as2": "TLS contexts and names of errors", "gateways/http": "TLS contexts",
    "gateways/providers": "TLS contexts", "gateways/accesspoint": "TLS contexts", "gateways/certificates.py": "TLS contexts",
    "discovery/dns.py": "name servers of the settings, judged by the guard", "discovery/sml.py": "kinds of DNS records",
    "discovery/turns.py": "TLS contexts",
    "sources/billy/client.py": "takes addresses apart", "sources/billy/connection.py": "TLS contexts",
    "factory.py": "how the connection to Redis is probed",
    "services/delivery/moves.py": "this machine's name", "services/export/archive/objects.py": "the store of the settings",
    "processes.py": "a port of this machine for the demo",
}  # fmt: skip
#: Spellings of this machine that a resolver understands, or that hide it.
_THIS_MACHINE = ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost"]  # fmt: skip


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in _NETWORK or name in _NETWORK}


def _modules() -> dict[str, Path]:
    """All but the demo, which stands in for partners on this machine."""
    found = {str(path.relative_to(SOURCES)): path for path in SOURCES.rglob("*.py")}
    return {name: path for name, path in found.items() if not name.startswith("demo/")}


def test_nobody_but_the_known_ones_can_open_a_connection() -> None:
    users = {name for name, path in _modules().items() if _imported(path)}
    unknown = {name for name in users if not any(name == one or name.startswith(f"{one}/") for one in _KNOWN)}
    assert not unknown, "open connections through invoiceapp.outbound"
    assert not [one for one in _KNOWN if not any(name == one or name.startswith(f"{one}/") for name in users)]


def test_only_the_guard_connects_sockets_and_looks_names_up() -> None:
    calls = ("create_connection", "getaddrinfo", "gethostbyname", "open_connection", "urlopen", "urlretrieve")
    found = {
        (name, node.attr)
        for name, path in _modules().items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in calls
    }
    assert {name for name, _call in found} == {"outbound/guard.py"}


@dataclass
class Inside:
    """A service of this machine that nobody outside may reach."""

    port: int
    _reached: list[int] = field(default_factory=list)
    """The port of each that came, in order"""

    def visitors(self) -> int:
        """How many came since the last time."""
        with socket.create_connection(("127.0.0.1", self.port)) as own:
            mine = own.getsockname()[1]
            while mine not in self._reached:
                own.recv(1)
        count = self._reached.index(mine)
        self._reached.clear()
        return count

    def note(self, port: int) -> None:
        """Somebody came."""
        self._reached.append(port)


@pytest.fixture
def inside() -> Iterator[Inside]:
    server = socket.create_server(("127.0.0.1", 0))
    found = Inside(server.getsockname()[1])

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, address = server.accept()
                found.note(address[1])
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield found
    # Wakes accept up.
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def _value(one: Field, host: str, port: int) -> Any:
    if one.name == "host":
        return host.strip("[]")
    if one.type is FieldType.URL or one.is_address:
        return f"https://{host}:{port}/"
    if one.name == "port":
        return port
    if one.default is not None:
        return one.default
    return {FieldType.EMAIL: "firma@example.com", FieldType.GLN: "5798000000001"}.get(one.type, "firma")


def _tested(kind: str, guard: Guard, host: str, port: int) -> None:
    """The connection test of a gateway, as the page does it; whatever becomes of it."""
    transport = registry()[kind]
    values = {one.name: _value(one, host, port) for one in transport.fields}
    with suppress(Exception), transport(values, guard) as opened:
        opened.check()


#: Their addresses are typed; those of the others come from registers, which is tested with them.
_TYPED = ["accesspoint", "as2", "email", "ftp", "http", "sftp"]


@pytest.mark.parametrize("kind", _TYPED)
def test_a_gateway_reaches_no_service_of_this_machine(inside: Inside, kind: str) -> None:
    _tested(kind, LOOPBACK, "127.0.0.1", inside.port)
    assert inside.visitors(), "this test asks nothing"
    for host in _THIS_MACHINE:
        _tested(kind, Guard(), host, inside.port)
    assert inside.visitors() == 0


def test_the_accounting_system_is_no_service_of_this_machine(inside: Inside) -> None:
    with pytest.raises(SourceError):
        BillyClient("token", f"http://127.0.0.1:{inside.port}", guard=LOOPBACK, tries=1).get_one("/x", "x")
    assert inside.visitors() == 1
    for scheme in ("http", "https"):
        for host in _THIS_MACHINE:
            with pytest.raises(SourceError):
                BillyClient("token", f"{scheme}://{host}:{inside.port}", sleep=lambda _: None).get_one("/x", "x")
    assert inside.visitors() == 0


@pytest.mark.parametrize("port", [22, 25, 6379, 5432, 11211])
def test_the_accounting_system_does_not_listen_where_other_services_do(port: int) -> None:
    with pytest.raises(CredentialsRefused):
        BillyClient("token", f"https://127.0.0.1:{port}", guard=LOOPBACK, tries=1).get_one("/x", "x")
