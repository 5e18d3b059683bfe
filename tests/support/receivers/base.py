"""What all receivers have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

from invoiceapp.domain.network import ReceivingEndpoint
from invoiceapp.gateways.base import Consignment

HOST = "127.0.0.1"
USER, PASSWORD = "invoices", "S3CR3T-kode-7"
Config = dict[str, Any]


class Receiver:
    """Listens on ``port`` from construction until ``close``."""

    kind: ClassVar[str]
    wire_id: ClassVar[str]
    """Name in ``Transport.wire_ids`` of what the effects are known by"""
    ftp = False
    """Whether a proxy must know the protocol"""
    times_sent: ClassVar[int] = 1
    """How often a document stands in what travels"""
    port: int

    def __init__(self) -> None:
        self.effects: list[tuple[str, str]] = []
        """Wire id and SHA-256 of every document that took effect, in order"""
        self.on_effect: Callable[[], None] = _nothing

    def config(self, port: int | None = None) -> Config:
        """A gateway's configuration, for this server or for another port."""
        raise NotImplementedError

    def addressed(self, consignment: Consignment, config: Config) -> Consignment:
        """With what is looked up just before sending, where that tells the way."""
        return consignment

    def endpoint(self, port: int) -> ReceivingEndpoint | None:
        """What a register says of it, on another port; None where no register is asked."""
        return None

    def secrets(self) -> list[str]:
        """What no text may hold."""
        return [PASSWORD]

    def wrong_login(self, config: Config) -> Config:
        """The configuration with credentials that are not taken any more."""
        return config | {"password": "wrong"}

    def elsewhere(self, config: Config, port: int) -> Config:
        """The configuration for a server with TLS on ``port`` whose certificate nobody signed, or a key that is not pinned."""
        raise NotImplementedError

    def fill_up(self) -> None:
        """No more room."""
        raise NotImplementedError

    def say_no(self, name: str) -> None:
        """From now on the document with this wire id is not taken."""
        raise NotImplementedError

    def note(self, name: str, content: bytes) -> None:
        self.effects.append((name, hashlib.sha256(content).hexdigest()))
        self.on_effect()

    def visible(self) -> list[str]:
        """SHA-256 of everything that the receiver sees as a document."""
        return [sha256 for _, sha256 in self.effects]

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _nothing() -> None:
    pass


class FolderReceiver(Receiver):
    """Of files in a folder, where nobody looks at those that begin with a dot."""

    wire_id = "filename"
    folder: Path

    def visible(self) -> list[str]:
        """Of the files as they lie there now."""
        return [sha256_of(path.read_bytes()) for path in self.folder.rglob("[!.]*") if path.is_file()]

    def say_no(self, name: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(b"another file")


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
