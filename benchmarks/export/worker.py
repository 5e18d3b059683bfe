"""The product's worker, and what it cost: ``python -m benchmarks.export.worker REPORT``.

At its end it writes JSON: how many transactions were committed and how many statements executed. ``BENCH_PROFILE=FILE`` writes
what cProfile saw there, with the process's number behind its name.
"""

from __future__ import annotations

import cProfile
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from invoiceapp.jobs import worker

_counted: Counter[str] = Counter()


@event.listens_for(Engine, "commit")
def _commit(_connection: Any) -> None:
    _counted["commits"] += 1


@event.listens_for(Engine, "after_cursor_execute")
def _statement(*_arguments: Any) -> None:
    _counted["statements"] += 1


def main() -> None:
    """Work until stopped, then report."""
    report = Path(sys.argv.pop())
    profile = os.environ.get("BENCH_PROFILE")
    profiler = cProfile.Profile() if profile else None
    if profiler:
        profiler.enable()
    try:
        worker.main()
    finally:
        if profiler:
            profiler.disable()
            profiler.dump_stats(f"{profile}.{os.getpid()}")
        report.write_text(json.dumps(_counted))


if __name__ == "__main__":
    main()
