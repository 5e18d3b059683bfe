"""Whoever stores a file and whoever removes it take turns, so that nobody removes what was stored since they looked.

No store can compare and remove in one request. The locks are files in ``INSTANCE_DIR``, which all processes share; the
kernel lets go of them when a process is killed.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from invoiceapp.current import config


@contextmanager
def storing(name: str) -> Iterator[None]:
    """Nobody removes the file meanwhile; others may store it, too."""
    with _held(name, fcntl.LOCK_SH):
        yield


@contextmanager
def removing(name: str) -> Iterator[None]:
    """Nobody else stores or removes the file meanwhile."""
    with _held(name, fcntl.LOCK_EX):
        yield


@contextmanager
def _held(name: str, how: int) -> Iterator[None]:
    # One of 256, so that a slow store keeps few waiting.
    path = config().instance_dir / "archive-turns" / name[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, how)
        yield
