"""A worker that is asked to stop (SIGTERM) ends after the document in hand, and gives back the rest of its batch."""

from __future__ import annotations

import threading

_asked = threading.Event()


def ask() -> None:
    """From now on nothing new is begun in this process. Safe in a signal handler."""
    _asked.set()


def asked() -> bool:
    """Whether loops over a batch should give back what they have not begun."""
    return _asked.is_set()
