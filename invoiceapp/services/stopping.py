"""A worker that is asked to stop (SIGTERM) ends after the document in hand, and gives back the rest of its batch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_asked = threading.Event()


def ask() -> None:
    """From now on nothing new is begun in this process. Safe in a signal handler."""
    _asked.set()


def hear() -> None:
    """SIGTERM asks this process to stop. Without a handler the first process of a container would not hear it at all."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: ask())


def asked() -> bool:
    """Whether loops over a batch should give back what they have not begun."""
    return _asked.is_set()


def until_asked(items: Iterable[T]) -> Iterator[T]:
    """The same items, for a loop that claims each before its work: none after we were asked to stop."""
    for item in items:
        if _asked.is_set():
            return
        yield item
