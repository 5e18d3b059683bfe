"""10 000 schedules that are due in one minute, and two clocks: ``python -m benchmarks.schedules``.

``DATABASE_URL`` of an empty PostgreSQL database measures that; without it a SQLite file is made.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from invoiceapp.domain.schedules import Kind, Timing
from invoiceapp.models import Adaptor, Schedule, ScheduleRun, Subscription, db, new_id, utcnow
from invoiceapp.services import bell
from invoiceapp.services.daily import due_runs

from . import results
from .customers import application

SCHEDULES = 10_000
CLOCKS = 2
#: Milliseconds for a hundred due rows.
GOAL = 20.0
_EIGHT = "08:00"
_KINDS = (
    Timing(Kind.INTERVAL, minutes=15), Timing(Kind.HOURLY, minute=5), Timing.from_json({"kind": "daily", "times": [_EIGHT], "weekdays": []}),
    Timing.from_json({"kind": "weekdays", "times": [_EIGHT, "16:00"], "weekdays": []}), Timing(Kind.CRON, cron="0 8 * * 1-5"),
)  # fmt: skip


def _build() -> None:
    """A schedule of each kind in turn, each of its own adaptor; every third keeps holidays."""
    subscription = Subscription(id=new_id(), name="Bench ApS")
    db.session.add(subscription)
    db.session.flush()
    owner, due = {"subscription_id": subscription.id}, utcnow() - timedelta(seconds=1)
    adaptors = [{"id": new_id(), "name": f"A {number}", "source_kind": "billy", **owner} for number in range(SCHEDULES)]
    db.session.execute(insert(Adaptor), adaptors)
    rows = [
        {
            "id": new_id(), "adaptor_id": adaptor["id"], "timing": _KINDS[number % len(_KINDS)].to_json(), "next_at": due,
            "anchor_at": datetime(2026, 1, 1, tzinfo=UTC), "holidays": ("run", "skip", "next")[number % 3], **owner,
        }
        for number, adaptor in enumerate(adaptors)
    ]  # fmt: skip
    db.session.execute(insert(Schedule), rows)
    db.session.commit()


def _tick_until_done() -> None:
    """One clock: seconds and due times of each claim, a line each."""
    while True:
        started = time.perf_counter()
        claimed = due_runs.claim()
        if not claimed:
            return
        print(time.perf_counter() - started, claimed)


def _clock(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.schedules", "--clock", str(folder)], stdout=subprocess.PIPE, text=True
    )


def measure() -> dict[str, Any]:
    """Milliseconds for a hundred due rows of one clock alone and of two at once, and the longest tick."""
    found: dict[str, Any] = {"database": "postgresql" if os.environ.get("DATABASE_URL") else "sqlite"}
    for clocks in (1, CLOCKS):
        with tempfile.TemporaryDirectory() as name:
            app = application(Path(name), os.environ.get("DATABASE_URL"))
            with app.app_context():
                db.drop_all()
                db.create_all()
                _build()
                processes = [_clock(Path(name)) for _ in range(clocks)]
                lines = [line.split() for process in processes for line in process.communicate()[0].splitlines()]
                if any(process.returncode for process in processes):
                    raise SystemExit("a clock failed")
                ticks = [(float(seconds), int(claimed)) for seconds, claimed in lines]
                rows = db.session.scalar(select(func.count()).select_from(ScheduleRun))
                claimed = sum(number for _, number in ticks)
                # More where a quarter of an hour began meanwhile, but each due time once.
                if rows != claimed or rows < SCHEDULES:
                    raise SystemExit(f"{rows} due times were written, {claimed} claimed, {SCHEDULES} were due")
                db.session.remove()
                db.engine.dispose()
        found[f"{clocks} clocks"] = statistics.median(seconds / claimed * 100_000 for seconds, claimed in ticks)
        found[f"{clocks} clocks, longest tick"] = max(seconds for seconds, _ in ticks)
    return found


def show(figures: dict[str, Any]) -> None:
    """Print the lines."""
    for clocks in (1, CLOCKS):
        value = figures[f"{clocks} clocks"]
        print(
            f"{SCHEDULES} schedules due at once, {figures['database']}, {clocks} clock(s): {value:.1f} ms for 100 due rows, longest "
            f"tick {figures[f'{clocks} clocks, longest tick']:.2f} s (goal < {GOAL:g} ms: {'reached' if value < GOAL else 'MISSED'})"
        )


if __name__ == "__main__":
    bell.ring = lambda *_arguments, **_options: True
    if "--clock" in sys.argv:
        with application(Path(sys.argv[-1]), os.environ.get("DATABASE_URL")).app_context():
            _tick_until_done()
    else:
        results.no_arguments(__doc__)
        _figures = measure()
        show(_figures)
        _rows = [
            {
                "database": _figures["database"], "clocks": clocks, "ms_for_100_due_rows": _figures[f"{clocks} clocks"],
                "longest_tick_s": _figures[f"{clocks} clocks, longest tick"], "goal_ms": GOAL,
            }
            for clocks in (1, CLOCKS)
        ]  # fmt: skip
        results.write("schedules", results.command(), _rows)
