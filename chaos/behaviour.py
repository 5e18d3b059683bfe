"""What partners do to those who send to them, by seeded chance."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Act(StrEnum):
    """One way to take a document, or not to."""

    TAKE = "taken"
    SLOW = "taken slowly"
    CUT_AFTER = "taken, then cut"
    """accepted, and the line is cut before the answer"""
    LATE = "taken, answered too late"
    """accepted, and answered after the sender's deadline"""
    TWICE = "taken, answered twice"
    FAULT_AFTER = "taken, then a fault"
    """accepted, and then answered as if the server had failed"""
    CUT_BEFORE = "cut before it was taken"
    BUSY = "busy"
    REFUSE = "refused"


TAKING = frozenset({Act.TAKE, Act.SLOW, Act.CUT_AFTER, Act.LATE, Act.TWICE, Act.FAULT_AFTER})
#: Per thousand; the rest is taken and answered at once.
CHANCES = {
    Act.SLOW: 30, Act.CUT_AFTER: 60, Act.LATE: 15, Act.TWICE: 30, Act.FAULT_AFTER: 15, Act.CUT_BEFORE: 40, Act.BUSY: 40,
}  # fmt: skip
#: Per thousand: documents that a partner does not want, however often they come.
REFUSED = 15
#: Seconds before a partner finds what it has just taken.
LAG = 0.5


@dataclass(frozen=True)
class Mood:
    """Decides; all partners are well again once the file ``well`` exists."""

    seed: int
    well: Path

    def act(self, partner: str, key: str, times: int) -> Act:
        """What the partner does when ``key`` comes for the ``times``-th time."""
        chance = random.Random(f"{self.seed}/{partner}/{key}")
        if chance.randrange(1000) < REFUSED:
            return Act.REFUSE
        if self.well.exists():
            return Act.TAKE
        drawn = random.Random(f"{self.seed}/{partner}/{key}/{times}").randrange(1000)
        for act, share in CHANCES.items():
            if drawn < share:
                return act
            drawn -= share
        return Act.TAKE


def ports(path: Path) -> dict[str, int]:
    """Where each partner listens."""
    found: dict[str, int] = json.loads(path.read_text())
    return found
