"""Timing that can be compared on a noisy machine: windows in ABBA order, medians and spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 0.5
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Rate:
    """Documents per second of one process: median, smallest and largest window."""

    median: float
    low: float
    high: float


def window(work: Callable[[], object], seconds: float) -> float:
    """Documents a second during one window."""
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        work()
        count += 1
    return count / elapsed


def rates(work: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, Rate]:
    """Rates of several pieces of work, measured in turn, forwards and backwards, after one warm-up of each."""
    for function in work.values():
        function()
    found: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds):
        names = list(work) if number % 2 == 0 else list(reversed(work))
        for name in names:
            found[name].append(window(work[name], WINDOW))
    return {name: Rate(statistics.median(v), min(v), max(v)) for name, v in found.items()}
