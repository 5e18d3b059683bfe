"""The receiving partners of the export, each in a process of its own, and a gateway's form values for each."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import partners
from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER

#: Bytes that an HTTPS receiver says to everything.
_HTTP_ANSWER = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"id":"17"}'


@dataclass(frozen=True, slots=True)
class Target:
    """A running partner."""

    kind: str
    """Of gateway"""
    meaning: str
    form: dict[str, str]


@contextlib.contextmanager
def _sftp(folder: Path, connections: int) -> Iterator[Target]:
    inbox = folder / "in"
    inbox.mkdir()
    same = {"host": partners.HOST, "connections": str(connections)}
    if partners.has_sshd():
        with partners.sshd(folder) as (port, key, fingerprint):
            login = {"username": getpass.getuser(), "private_key": key, "host_key": fingerprint, "folder": str(inbox)}
            yield Target("sftp", "SFTP, OpenSSH", {**same, "port": str(port), **login})
        return
    with partners.started("sftp", folder) as port:
        login = {"username": DEMO_USER, "password": DEMO_PASSWORD, "host_key": (folder / "host_key").read_text()}
        yield Target("sftp", "SFTP, the demo's server", {**same, "port": str(port), "folder": ".", **login})


@contextlib.contextmanager
def _http(folder: Path, connections: int) -> Iterator[Target]:
    root, _ = partners.write_pair(folder)
    (folder / "answer").write_bytes(_HTTP_ANSWER)
    with partners.started("https", folder) as port:
        form = {
            "url": f"https://{partners.HOST}:{port}/in", "auth": "bearer", "token": partners.PASSWORD,
            "ca_certificate": root, "reference_pointer": "/id", "connections": str(connections),
        }  # fmt: skip
        yield Target("http", "HTTPS, POST with token", form)


@contextlib.contextmanager
def _as2(folder: Path, connections: int) -> Iterator[Target]:
    own, key = partners.write_pair(folder, "own")
    theirs, _ = partners.write_pair(folder, "partner")
    with partners.started("as2", folder) as port:
        form = {
            "url": f"http://{partners.HOST}:{port}/as2", "as2_from": "Firma", "as2_to": "Partner", "sign": "true",
            "digest": "sha256", "encrypt": "aes256-cbc", "key_transport": "pkcs1v15", "own_certificate": own,
            "own_key": key, "partner_certificate": theirs, "mdn": "sync", "mdn_signed": "true",
            "connections": str(connections),
        }  # fmt: skip
        yield Target("as2", "AS2, signed, encrypted, signed MDN", form)


TARGETS: dict[str, Callable[[Path, int], contextlib.AbstractContextManager[Target]]] = {
    "sftp": _sftp, "http": _http, "as2": _as2,
}  # fmt: skip
