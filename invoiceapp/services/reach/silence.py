"""Registers that do not answer are left alone for a while, so that a look-up of many customers does not wait for each."""

from __future__ import annotations

import threading
import time
from collections import Counter

from invoiceapp.discovery.base import Register

#: Questions in a row without an answer, after which a register is asked nothing more for ``REST`` seconds.
MOST_SILENT = 10
REST = 60.0


class Silence:
    """What registers did not answer, by where they are (``settings.fingerprint``); shared by everybody in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row: Counter[tuple[str, Register]] = Counter()
        self._until: dict[tuple[str, Register], float] = {}

    def is_left_alone(self, where: str, register: Register) -> bool:
        """Whether asking it makes no sense yet."""
        return time.monotonic() < self._until.get((where, register), 0.0)

    def note(self, where: str, register: Register, *, answered: bool) -> None:
        """What became of a question."""
        with self._lock:
            if answered:
                self._in_a_row.pop((where, register), None)
                return
            self._in_a_row[where, register] += 1
            if self._in_a_row[where, register] >= MOST_SILENT:
                self._until[where, register] = time.monotonic() + REST
                del self._in_a_row[where, register]

    def forget(self) -> None:
        """For tests."""
        self._in_a_row.clear()
        self._until.clear()


SILENCE = Silence()
