"""The partners' own books: one line of JSON for all that a partner sees, on the disk before it answers.

Nothing of the product writes or reads them.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a partner saw."""

    partner: str
    """Name of the gateway that leads there"""
    key: str
    """What the wire calls the document: idempotency key, Message-ID or file name"""
    sha256: str
    """Of the document; empty where only a question came, or half of it"""
    takes_effect: bool
    """Whether the partner has one document more in its books now"""
    answer: str
    """What it did then: ``taken``, ``again``, ``cut``, ``refused`` …"""
    at: float = 0.0
    """Seconds since 1970 by the partner's clock"""


class Ledger:
    """Append-only; safe for many threads of one process."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, partner: str, key: str, sha256: str, takes_effect: bool, answer: str) -> None:
        """Returns when the line is on the disk."""
        line = Line(partner, key, sha256, takes_effect, answer, time.time())
        with self._lock:
            os.write(self._file, json.dumps(asdict(line)).encode() + b"\n")
        os.fsync(self._file)


def lines(path: Path) -> Iterator[Line]:
    """All of them, in order; none where the file is not there yet."""
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for text in file:
                yield Line(**json.loads(text))
