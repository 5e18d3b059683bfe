"""How often a program may call: so many times a minute for each key, counted in this process.

No row and no Redis: a limit that writes for every call would cost more than the call. With several web processes a key may
call that many times as often, which is still a limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import ceil

from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError

#: Calls of one key in a minute, in one process.
CALLS = 300
_WINDOW = 60.0
#: Keys that are counted before those of past minutes are forgotten.
_MOST = 10_000


class TooOften(ServiceError):
    """Wait ``seconds`` before the next call."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(
            Text(
                f"Nøglen har kaldt mere end {CALLS} gange på et minut. Vent {seconds} sekunder.",
                f"The key has called more than {CALLS} times within a minute. Wait {seconds} seconds.",
            )
        )


class Rates:
    """Calls by key. ``clock`` counts seconds, from anywhere."""

    def __init__(self, calls: int = CALLS, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls, self._clock = calls, clock
        self._lock = threading.Lock()
        self._counted: dict[str, tuple[float, int]] = {}

    def count(self, key: str) -> None:
        """One call more. Raises ``TooOften``."""
        now = self._clock()
        with self._lock:
            if len(self._counted) > _MOST:
                self._counted = {one: seen for one, seen in self._counted.items() if now - seen[0] < _WINDOW}
            begun, calls = self._counted.get(key, (now, 0))
            if now - begun >= _WINDOW:
                begun, calls = now, 0
            self._counted[key] = (begun, calls + 1)
        if calls >= self._calls:
            raise TooOften(ceil(begun + _WINDOW - now))
