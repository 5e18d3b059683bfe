"""Timing that can be compared on a noisy machine: windows in ABBA order, medians and spread."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

#: ``BENCH=quick``: the same work, seen for a shorter time.
QUICK = os.environ.get("BENCH") == "quick"
WINDOW = 0.15 if QUICK else 0.5
ROUNDS = 3 if QUICK else 5

#: Does a piece of work for that many seconds, once at least; how often a second it was done.
Window = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Rate:
    """Documents per second of one process: median, smallest and largest window."""

    median: float
    low: float
    high: float

    def row(self) -> dict[str, float]:
        """For ``results.write``."""
        return {"median": self.median, "low": self.low, "high": self.high}


def window(work: Callable[[], object], seconds: float) -> float:
    """Documents a second during one window."""
    count, started = 0, time.perf_counter()
    while True:
        work()
        count += 1
        elapsed = time.perf_counter() - started
        if elapsed >= seconds:
            return count / elapsed


def rates(work: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, Rate]:
    """Rates of several pieces of work, measured in turn, forwards and backwards, after one warm-up of each."""
    return rates_of({name: partial(window, function) for name, function in work.items()}, rounds)


def rates_of(windows: Mapping[str, Window], rounds: int = ROUNDS) -> dict[str, Rate]:
    """The same of what times its windows itself, such as another process."""
    for one in windows.values():
        one(0)
    found: dict[str, list[float]] = {name: [] for name in windows}
    for number in range(rounds):
        names = list(windows) if number % 2 == 0 else list(reversed(windows))
        for name in names:
            found[name].append(windows[name](WINDOW))
    return {name: Rate(statistics.median(v), min(v), max(v)) for name, v in found.items()}
