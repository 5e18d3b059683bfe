"""Where the demo's stand-ins listen: written by the process that runs them, read by everybody else."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

#: Ports wanted at the first start; taken ones are replaced by free ones.
BILLY_PORT, SFTP_PORT, SMTP_PORT = 8101, 8102, 8103


@dataclass(frozen=True, slots=True)
class Addresses:
    """Loopback addresses of the three stand-ins."""

    billy_url: str
    """The API's base, ending in ``/v2``"""
    pages_url: str
    """Where a person sees what the receivers got"""
    sftp_port: int
    smtp_port: int
    host_key: str


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


def anchor(instance_dir: Path) -> date:
    """The day of the first start: the demo's documents are dated before it and stay the same ever after."""
    path = folder(instance_dir) / "anchor"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(date.today().isoformat(), encoding="ascii")
    return date.fromisoformat(path.read_text(encoding="ascii").strip())
