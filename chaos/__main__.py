"""``python -m chaos``: build, storm, settle, compare. Ends with 1 where our books and the partners' do not agree."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from flask import Flask
from sqlalchemy.exc import DBAPIError

from invoiceapp import create_app
from invoiceapp.demo.billy.server import serve
from invoiceapp.models import db
from invoiceapp.services.export import runs

from . import books, filling, report, timing
from .checker import Planned, Result, compare
from .installation import ROOT, Installation, wait_until
from .ledger import lines
from .report import Story
from .storm import Storm

#: Part of the documents that come from Billy, and the most of them.
FROM_BILLY, MOST_FROM_BILLY = 0.1, 300
#: Part of the storm in which documents come due.
BUSY = 0.7
#: Clocks that are wrong from the beginning: the first worker's and the second one's, in seconds.
WRONG = (600, -600)
LOOK = 0.05
#: Seconds without any move after which nothing moves any more. A killed worker takes long to start on a busy machine.
QUIET = 45.0
OUT = ROOT / "build" / "chaos"
T = TypeVar("T")


class Run:
    """One chaos run from its beginning to its end."""

    def __init__(self, story: Story, settle: float, installation: Installation) -> None:
        self.story, self._settle, self._here = story, settle, installation
        self._chance = random.Random(story.seed)
        self._made = self._began = time.monotonic()

    def say(self, what: str) -> None:
        self.story.happenings.append((round(time.monotonic() - self._began, 1), what))

    def carry_out(self, app: Flask) -> Result:
        with app.app_context():
            ground = filling.prepare(self._here.ports, self._here.host_key)
            for process, wrong in zip(self._here.workers, WRONG, strict=False):
                timing.jump(self._here.offset(process.name), wrong)
            # They take as long to start as all the rest.
            for process in (*self._here.workers, *self._here.clocks):
                process.start()
            from_billy = min(int(self.story.documents * FROM_BILLY), MOST_FROM_BILLY)
            company = filling.company(from_billy)
            with serve("127.0.0.1", 0, company) as billy:
                plan = filling.connect(ground, billy.url, company)
                plan += filling.fill(ground, self.story.documents - from_billy, self.story.seconds * BUSY, self._chance)
                self._steadily(lambda: runs.start(ground.adaptor_id, trigger="manual"))
                # An open transaction of ours would keep all others waiting.
                db.session.remove()
                self._storm()
                self._let_settle()
            self._here.stop_product()
            return compare((Planned(**one) for one in plan), self._steadily(books.entries), lines(self._here.ledger))

    def _storm(self) -> None:
        wait_until(lambda: next(lines(self._here.ledger), None) is not None, "delivering")
        self._began = time.monotonic()
        storm = Storm(self._here, self._chance, self.say)
        storm.plan(self.story.seconds)
        while (now := time.monotonic() - self._began) < self.story.seconds:
            storm.blow(now)
            self._here.look_after()
            time.sleep(LOOK)
        self.story.figures["seconds of building"] = round(self._began - self._made, 1)
        self.story.figures["deliveries at the end of the storm"] = self._steadily(books.figures)
        self.say("calm")
        storm.calm()
        self._here.heal_partners()

    def _let_settle(self) -> None:
        """Until nothing is left to do or nothing moves, or the time is over."""
        began = changed = time.monotonic()
        moved, seen = 0, self._steadily(books.figures)
        while self._steadily(books.left) and time.monotonic() - changed < QUIET:
            moved += self._steadily(books.set_right)
            for _ in range(10):
                self._here.look_after()
                time.sleep(LOOK)
            now = self._steadily(books.figures)
            if now != seen:
                seen, changed = now, time.monotonic()
            if time.monotonic() - began > self._settle:
                self.say("the time is over, and it still moves: a slower machine needs a longer --settle")
                break
        self.story.figures |= {
            "seconds of settling": round(time.monotonic() - began, 1),
            "moments of wrong clocks set right": moved,
            "deliveries": seen,
        }

    def _steadily(self, ask: Callable[[], T]) -> T:
        """The database and its disk may be away for a moment."""
        for _ in range(100):
            try:
                return ask()
            except DBAPIError:
                db.session.remove()
                time.sleep(0.2)
        return ask()


def carried_out(story: Story, settle: float) -> Result:
    """All of it; what the processes wrote lies in ``build/chaos`` afterwards."""
    with Installation(story.database, story.documents, story.workers, story.seed) as installation:
        story.disk = installation.disk_kind
        os.environ.update(installation.environment)
        run = Run(story, settle, installation)
        try:
            return run.carry_out(create_app(pages=False))
        finally:
            installation.keep_logs(OUT / f"{story.database}-logs")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=270, help="of storm; building and settling come besides")
    parser.add_argument("--settle", type=float, help="seconds that it may take afterwards until nothing moves")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    parser.add_argument("--report", type=Path)
    asked = parser.parse_args()
    began = time.monotonic()
    story = Story(asked.seed, asked.database, asked.documents, asked.workers, asked.seconds, "")
    result = carried_out(story, asked.settle or max(120.0, asked.seconds))
    story.figures["seconds altogether"] = round(time.monotonic() - began, 1)
    path = asked.report or OUT / f"{asked.database}.md"
    report.write(path, story, result)
    print("\n".join([*report.summary(story, result), f"report: {os.path.relpath(path)}"]))
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
