"""What judges need is fetched into ``build/interop`` once, however many test processes ask for it at the same time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FETCHED = Path(__file__).resolve().parents[2] / "build" / "interop"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Whoever comes second waits, and then finds what was fetched. Maven does not share its own folder well either."""
    FETCHED.mkdir(parents=True, exist_ok=True)
    with (FETCHED / "fetching.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
