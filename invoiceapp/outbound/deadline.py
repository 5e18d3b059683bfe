"""How long a conversation may take."""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock by which one conversation must be done."""

    def __init__(self, seconds: float, step: float) -> None:
        """``step``: seconds that the partner may take for one answer."""
        self._end = time.monotonic() + seconds
        self._step = step

    def step(self, most: float | None = None) -> float:
        """Seconds that the next step may take; raises ``TimeoutError`` where none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return min(self._step if most is None else most, left)
