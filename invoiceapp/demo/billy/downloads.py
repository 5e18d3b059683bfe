"""One-time download addresses."""

from __future__ import annotations

import secrets
import threading

#: Older unused addresses die first, so that polling cannot fill the memory.
_KEPT = 20_000


class Downloads:
    """Tokens that open one record's file once."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def issue(self, plural: str, record_id: str) -> str:
        """A new token for the file of a record."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._open[token] = (plural, record_id)
            while len(self._open) > _KEPT:
                del self._open[next(iter(self._open))]
        return token

    def redeem(self, token: str) -> tuple[str, str] | None:
        """Plural resource name and id that the token stands for; None where it is unknown or used."""
        with self._lock:
            return self._open.pop(token, None)
