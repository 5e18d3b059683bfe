"""Where the demo's stand-ins listen: written by the process that runs them, read by everybody else."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from .networks.ports import Ports

#: Ports wanted at the first start; taken ones are replaced by free ones.
BILLY_PORT, SFTP_PORT, SMTP_PORT = 8101, 8102, 8103
NETWORK_PORTS = Ports(sml=8104, peppol_smp=8105, nemhandel_smp=8106, register=8107, directory=8108)
PROVIDER_PORTS = {"sproom": 8109, "ecourier": 8110, "storecove": 8111, "recommand": 8112, "accesspoint": 8113}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Loopback addresses of the stand-ins. Those that have a default are empty where an earlier version serves."""

    billy_url: str
    """The API's base, ending in ``/v2``"""
    pages_url: str
    """Where a person sees what the receivers got"""
    sftp_port: int
    smtp_port: int
    host_key: str
    dns_port: int = 0
    """The SML of both networks"""
    peppol_smp_url: str = ""
    nemhandel_smp_url: str = ""
    register_url: str = ""
    """NemHandelsregisteret, up to before ``/search``"""
    directory_url: str = ""
    """Peppol Directory, up to before ``/search``"""
    ca: str = ""
    """Root certificate (PEM) of the registers' TLS"""
    anchors: str = ""
    """Root certificate (PEM) of the SMPs' signatures"""
    providers: dict[str, str] = field(default_factory=dict)
    """Base addresses of the access-point providers, by kind of gateway"""


def folder(instance_dir: Path) -> Path:
    """Everything the demo keeps."""
    return instance_dir / "demo"


def _path(instance_dir: Path) -> Path:
    return folder(instance_dir) / "addresses.json"


def _last_path(instance_dir: Path) -> Path:
    return folder(instance_dir) / "addresses.last.json"


def write(instance_dir: Path, addresses: Addresses) -> None:
    """Publish the addresses, whole or not at all."""
    path = _path(instance_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(asdict(addresses)), encoding="utf-8")
    draft.replace(path)


def _stored(path: Path) -> Addresses | None:
    try:
        return Addresses(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def read(instance_dir: Path) -> Addresses | None:
    """The addresses that somebody serves at, or None."""
    stored = _stored(_path(instance_dir))
    if stored is None:
        return None
    billy = urlsplit(stored.billy_url)
    try:
        # The HTTP one: an SSH server would log a connection that says nothing as an error.
        socket.create_connection((billy.hostname or "127.0.0.1", billy.port or 80), timeout=1).close()
    except OSError:
        return None
    return stored


def forget(instance_dir: Path) -> None:
    """Publish no longer the addresses of a process that is gone; ``wanted_ports`` still knows them."""
    with suppress(FileNotFoundError):
        _path(instance_dir).replace(_last_path(instance_dir))


def wanted_ports(instance_dir: Path) -> tuple[int, int, int]:
    """Ports of Billy, SFTP and mail that a start asks for: the last ones, because the demo's rows point at them."""
    last = _stored(_path(instance_dir)) or _stored(_last_path(instance_dir))
    if last is None:
        return BILLY_PORT, SFTP_PORT, SMTP_PORT
    return urlsplit(last.billy_url).port or BILLY_PORT, last.sftp_port, last.smtp_port


def wanted_network_ports(instance_dir: Path) -> Ports:
    """The same of the networks' registers."""
    last = _stored(_path(instance_dir)) or _stored(_last_path(instance_dir))
    if last is None or not last.dns_port:
        return NETWORK_PORTS
    return Ports(
        last.dns_port, *(urlsplit(url).port or 0 for url in (
            last.peppol_smp_url, last.nemhandel_smp_url, last.register_url, last.directory_url,
        ))
    )  # fmt: skip


def wanted_provider_ports(instance_dir: Path) -> dict[str, int]:
    """The same of the access-point providers, by kind of gateway."""
    last = _stored(_path(instance_dir)) or _stored(_last_path(instance_dir))
    known = last.providers if last else {}
    return PROVIDER_PORTS | {kind: urlsplit(url).port or 0 for kind, url in known.items()}


def anchor(instance_dir: Path) -> date:
    """The day of the first start: the demo's documents are dated before it and stay the same ever after."""
    path = folder(instance_dir) / "anchor"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(date.today().isoformat(), encoding="ascii")
    return date.fromisoformat(path.read_text(encoding="ascii").strip())
