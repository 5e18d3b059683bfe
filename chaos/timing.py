"""Fifty times faster than in real life, and clocks that may be wrong.

Leases, pauses and deadlines keep their proportions: a lease is still more than twice what one sending may take, and a partner
is still asked twice, with a pause, before anything is sent again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

#: Seconds. In real life 300, 120 and 60.
LEASE = 6.0
DEADLINE = 2.4
STEP = 0.6
#: In real life 30; a shorter time the system cannot be asked for.
SILENCE = 3
RETRIES = (0, 0.6, 1, 2, 3, 4, 4, 4)
FIRST_QUESTION = 1.2
QUESTIONS = (6, 6, 6, 6, 6, 6)
#: What lies further ahead than this was put there by a clock that was wrong.
FURTHEST = 10.0


def hurry() -> None:
    """Before the product starts: its constants are set in its modules, and must exist there."""
    from invoiceapp import factory
    from invoiceapp.domain import delivery as plan
    from invoiceapp.gateways.base import Transport
    from invoiceapp.gateways.email import session as email_session
    from invoiceapp.gateways.email import transport as email
    from invoiceapp.gateways.http import transport as http
    from invoiceapp.gateways.sftp import transport as sftp
    from invoiceapp.jobs import clock
    from invoiceapp.services import background, bell
    from invoiceapp.services.export import breaker, conversion, delivery, outcomes, probing, run_reading, slots

    lease, second = timedelta(seconds=LEASE), timedelta(seconds=1)
    settings: Sequence[tuple[Any, str, Any]] = (
        (plan, "RETRY_PLAN", RETRIES), (plan, "QUESTION_PLAN", QUESTIONS), (outcomes, "FIRST_QUESTION", FIRST_QUESTION),
        (delivery, "LEASE", lease), (delivery, "_PAUSE", second), (probing, "_LEASE", lease),
        (slots, "HOLD", lease), (slots, "_RENEW", 2 * second), (breaker, "RESTS", (1, 1, 2, 2, 2)), (breaker, "LONGEST_WISH", 2),
        (conversion, "LEASE", lease), (conversion, "_PAUSE", second), (run_reading, "LEASE", lease),
        (run_reading, "_RENEWAL", second), (background, "LEASE", lease), (bell, "WAITS", 1),
        (bell, "WAITS_BETWEEN_SLICES", int(LEASE)), (factory, "SILENCE", SILENCE),
        (http, "STEP", STEP), (email, "STEP", STEP), (sftp, "STEP", STEP), (email, "GOODBYE", STEP),
        (email_session, "FINAL_STEP", STEP), (Transport, "DEADLINE", DEADLINE),
        (clock, "ENTRIES", {name: (task, 1) for name, (task, _seconds) in clock.ENTRIES.items()}),
    )  # fmt: skip
    for owner, name, value in settings:
        getattr(owner, name)
        setattr(owner, name, value)


class Offset:
    """Seconds by which a process's clock is wrong, read from a file that may change at any time."""

    def __init__(self, path: Path) -> None:
        self._path, self._read_at, self._seconds = path, 0.0, 0.0

    def seconds(self) -> float:
        now = time.monotonic()
        if now - self._read_at > 0.05:
            self._read_at = now
            try:
                self._seconds = float(self._path.read_text() or 0)
            except (OSError, ValueError):
                self._seconds = 0.0
        return self._seconds


def jump(path: Path, seconds: float) -> None:
    """Set the clock of the process that reads ``path`` wrong by so much, at once."""
    draft = path.with_suffix(".draft")
    draft.write_text(str(seconds))
    os.replace(draft, path)


def be_wrong(path: Path) -> None:
    """The clock of this process: all moments and ids of the product, and the scheduler of a clock process."""
    import rq_scheduler.scheduler

    from invoiceapp.jobs import clock
    from invoiceapp.models import types

    offset = Offset(path)
    real = datetime

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return real.now(tz) + timedelta(seconds=offset.seconds())

        @classmethod
        def utcnow(cls) -> datetime:  # type: ignore[override]
            return real.utcnow() + timedelta(seconds=offset.seconds())

    shifted_time = SimpleNamespace(time_ns=lambda: time.time_ns() + int(offset.seconds() * 1e9))
    for owner in (types, clock, rq_scheduler.scheduler):
        vars(owner)["datetime"] = Shifted
    vars(types)["time"] = shifted_time
