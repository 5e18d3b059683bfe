"""What is done to whom, and when: drawn from a seed before the run begins."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from . import timing
from .installation import Installation, Process

#: How often each happens, by weight. Each happens once at least, where there is time.
WEIGHTS = {
    "kill a worker": 5, "stop a worker": 4, "kill a clock": 1, "stop a clock": 1, "flush Redis": 2, "restart Redis": 2,
    "database": 2, "fill the disk": 1, "move a clock": 4, "kill the partners": 1,
}  # fmt: skip
#: Mean seconds between two of them.
BETWEEN = 2.5
#: Seconds.
STOPPED = (timing.LEASE + 1, timing.LEASE + 5)
LOCKED, FULL, REDIS_AWAY = 3.0, 3.0, 2.0
JUMPS = (-600, -60, 0, 60, 600)


def drawn(chance: random.Random, seconds: float) -> list[tuple[float, str]]:
    """Moments and what happens then."""
    count = max(int(seconds / BETWEEN), 1)
    first = list(WEIGHTS)
    chance.shuffle(first)
    more = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=max(count - len(first), 0))
    return sorted((chance.uniform(0, seconds), what) for what in [*first[:count], *more])


@dataclass
class Storm:
    """Carries it out, from the main thread's loop."""

    installation: Installation
    chance: random.Random
    say: Callable[[str], None]
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: itertools.count[int] = field(default_factory=itertools.count)

    def plan(self, seconds: float) -> None:
        for at, what in drawn(self.chance, seconds):
            self._at(at, lambda what=what, at=at: self._do(what, at))  # type: ignore[misc]

    def blow(self, now: float) -> None:
        """All that is due ``now`` seconds after the beginning."""
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()

    def calm(self) -> None:
        """What was to end later ends now: a full disk, a lock. All run, and all clocks are right."""
        self.blow(math.inf)
        for process in (*self.installation.workers, *self.installation.clocks):
            if process.is_stopped:
                process.send(signal.SIGCONT)
            timing.jump(self.installation.offset(process.name), 0)

    def _at(self, moment: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._later, (moment, next(self._count), what))

    def _do(self, what: str, at: float) -> None:
        here = self.installation
        match what:
            case "kill a worker" | "kill a clock":
                self._kill(self.chance.choice(here.workers if "worker" in what else here.clocks))
            case "stop a worker" | "stop a clock":
                self._stop(self.chance.choice(here.workers if "worker" in what else here.clocks), at)
            case "flush Redis":
                self.say("flush Redis")
                here.flush()
            case "restart Redis":
                self.say("restart Redis")
                here.redis.send(signal.SIGKILL)
            case "database":
                self._hit_database(at)
            case "fill the disk":
                self.say("fill the disk")
                self._at(at + FULL, here.fill_disk())
            case "move a clock":
                self._move(self.chance.choice([*here.workers, *here.clocks]))
            case _:
                self._kill(here.partners)

    def _kill(self, process: Process) -> None:
        self.say(f"kill: {process.name}")
        process.send(signal.SIGKILL)

    def _stop(self, process: Process, at: float) -> None:
        if process.is_stopped:
            return
        seconds = self.chance.uniform(*STOPPED)
        self.say(f"stop: {process.name} for {seconds:.1f} s")
        process.send(signal.SIGSTOP)
        self._at(at + seconds, lambda: process.send(signal.SIGCONT))

    def _hit_database(self, at: float) -> None:
        if self.installation.is_postgresql:
            self.say("restart the database")
            self.installation.restart_database()
            return
        self.say("lock the database")
        self._at(at + LOCKED, self.installation.lock_database())

    def _move(self, process: Process) -> None:
        seconds = self.chance.choice(JUMPS)
        self.say(f"move a clock: {process.name} is {seconds:+} s wrong")
        timing.jump(self.installation.offset(process.name), seconds)
