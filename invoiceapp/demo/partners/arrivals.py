"""What the partners received."""

from __future__ import annotations

import email
import email.policy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

SFTP_FOLDER = "sftp"
MAIL_FOLDER = "mail"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One file, or one attachment of a mail."""

    name: str
    kind: str
    """``sftp`` or ``email``"""
    size: int
    """Bytes"""
    sha256: str
    """Lower-case hexadecimal"""
    time: datetime
    """UTC"""

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "name": self.name,
            "kind": self.kind,
            "size": self.size,
            "sha256": self.sha256,
            "time": self.time.isoformat(),
        }


class Arrivals:
    """Reads the partners' folder anew at each call, so that it outlives a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Arrival]:
        """Everything that arrived, newest first. Unfinished files (leading dot) do not count."""
        return sorted((*self._files(), *self._attachments()), key=lambda found: (found.time, found.name), reverse=True)

    def _files(self) -> Iterator[Arrival]:
        for path in _complete(self._folder / SFTP_FOLDER):
            yield _arrival(path.name, "sftp", path.read_bytes(), path)

    def _attachments(self) -> Iterator[Arrival]:
        for path in _complete(self._folder / MAIL_FOLDER):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            for part in message.iter_attachments():
                yield _arrival(part.get_filename() or path.name, "email", part.get_payload(decode=True), path)


def _complete(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def _arrival(name: str, kind: str, content: Any, path: Path) -> Arrival:
    arrived = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Arrival(name, kind, len(content), hashlib.sha256(content).hexdigest(), arrived)
