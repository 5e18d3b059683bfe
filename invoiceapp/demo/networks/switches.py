"""What is the matter with a register, for as long as somebody wants it."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from flask import Response, request

#: Seconds that a slow register lets wait, unless it is set right before.
_LONGEST = 30
_REMEMBERED = 2_000


class Trouble(StrEnum):
    """What every question meets."""

    DOWN = "down"
    """An error of the register's own: 503, SERVFAIL"""
    SLOW = "slow"
    """Silence"""
    BUSY = "busy"
    """Too many questions: 429 with ``Retry-After``, REFUSED"""


@dataclass(slots=True)
class Switch:
    """Of one register. May be turned while it runs."""

    latency: float = 0.0
    """Seconds before each answer"""
    trouble: Trouble | None = None
    retry_after: int = 2
    asked: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """The last questions: names, or paths with their query"""
    _right: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """As at the start; whoever still waits is let go."""
        self.latency, self.trouble = 0.0, None
        self.asked.clear()
        self._right.set()
        self._right = threading.Event()

    def meet(self, question: str) -> Trouble | None:
        """Note a question, wait as long as is to be waited; what it meets instead of an answer."""
        self.asked.append(question)
        time.sleep(self.latency)
        if self.trouble is Trouble.SLOW:
            self._right.wait(_LONGEST)
        return self.trouble

    def refusal(self) -> Response | None:
        """For Flask's ``before_request``."""
        trouble = self.meet(request.full_path.rstrip("?"))
        if trouble is Trouble.BUSY:
            return Response("Too many requests", 429, {"Retry-After": str(self.retry_after)}, mimetype="text/plain")
        if trouble is Trouble.DOWN:
            return Response("<!doctype html><title>Maintenance</title>", 503, mimetype="text/html")
        return None


@dataclass(slots=True)
class RegisterSwitch(Switch):
    """Of NemHandelsregisteret."""

    is_older: bool = False
    """Spelled as before 15 September 2026"""

    def reset(self) -> None:
        """As at the start."""
        # A class with slots is made anew, which a bare super() does not know (Python issue 90562).
        Switch.reset(self)
        self.is_older = False
