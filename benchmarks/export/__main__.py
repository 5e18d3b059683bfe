"""Thousands of invoices from the stand-in Billy to a partner: ``python -m benchmarks.export``.

Everything is real but the distance: the workers and the clock of the product, Valkey, the database, and receivers in processes of
their own; Billy's answers come ``--latency`` milliseconds late. Each case is an export of its own into an empty database. What is
reached is compared with the limit that the parts allow, measured in the same run: see ``limit.py``. With ``RULES_DIR`` the official
rules judge. ``BENCH_PROFILE=FILE`` keeps what cProfile saw in each worker.
"""

from __future__ import annotations

import argparse
import signal
import sys
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import results

from . import limit
from .case import GOAL_GROWTH, GOAL_MB, Case, Failed, measure
from .targets import TARGETS

#: Part of the limit, and documents a second on two cores.
GOAL_REACHED, GOAL_RATE = 0.85, 110
#: Seconds that a case may take: two minutes, and a quarter of a second for each document.
_LEAST, _EACH = 120.0, 0.25
#: Seconds for all that comes before and after, so that nothing can hang for ever.
_AROUND = 300


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def _partners(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - TARGETS.keys():
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose of {', '.join(TARGETS)}")
    return names


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4], metavar="N,N")
    parser.add_argument("--partners", type=_partners, default=list(TARGETS), metavar="NAME,NAME")
    parser.add_argument("--latency", type=float, default=50.0, help="milliseconds of each answer of Billy")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--longest", type=float, help="seconds that a case may take")
    parser.add_argument("--json", type=Path, help=f"else {results.FOLDER}/export-DATABASE.json")
    return parser.parse_args()


def _verdict(is_reached: bool) -> str:
    return "reached" if is_reached else "MISSED"


def show(row: dict[str, Any]) -> None:
    """Print a case."""
    rate, reached = row["documents_per_second"], row["reached"]
    print(
        f"\n{row['receiver']}, {row['workers']} worker(s), {row['database']}, {row['rules']}: {row['arrived']} of "
        f"{row['documents']} documents in {row['seconds']:.1f} s = {rate:.1f} a second  (goal {GOAL_RATE} on two cores: "
        f"{_verdict(rate >= GOAL_RATE)})"
    )
    resources = ", ".join(f"{name} {value:.0f}" for name, value in row["resources"].items())
    print(
        f"  {reached:.0%} of the limit of {row['limit']:.0f}, set by {row['slowest']} (goal {GOAL_REACHED:.0%}: "
        f"{_verdict(reached >= GOAL_REACHED)}); {resources}"
    )
    parts = row["parts"]
    print(
        f"  alone, ms (CPU): convert {parts['convert']['wall']:.2f} ({parts['convert']['cpu']:.2f}), send "
        f"{parts['send']['wall']:.2f} ({parts['send']['cpu']:.2f}), commit {parts['commit']['wall']:.2f} "
        f"({parts['commit']['cpu']:.2f})"
    )
    print(
        f"  a document: {row['calls_per_document']:.2f} calls over {parts['fetching']} connection(s), "
        f"{row['transactions_per_document']:.1f} transactions, {row['statements_per_document']:.0f} statements, "
        f"{row['worker_cpu_ms']:.1f} ms CPU of the workers, "
        + ", ".join(f"{name} {value:.1f}" for name, value in row["others_cpu_ms"].items())
    )
    print("  s after the start: " + ", ".join(
        f"{name} {phase['first']:.1f}-{phase['last']:.1f}" for name, phase in row["phases"].items()
    ))  # fmt: skip
    for memory in row["memory"]:
        is_good = memory["largest_mb"] < GOAL_MB and memory["growth"] < GOAL_GROWTH
        print(
            f"  a worker's memory: {memory['largest_mb']:.0f} MB at most, {memory['last_mb']:.0f} at the end, "
            f"{memory['mb_per_1000']:+.2f} MB per 1 000 documents (goal {GOAL_MB} and flat: {_verdict(is_good)})"
        )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _overdue(*_: object) -> None:
    raise Failed("it hangs before or after the run")


def main() -> int:
    """Measure every case and print it; the exit status is 1 where one could not be measured."""
    arguments = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, _overdue)
    longest = arguments.longest or _LEAST + _EACH * arguments.documents
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    path = arguments.json or results.FOLDER / f"export-{arguments.database}.json"
    for partner, workers in product(arguments.partners, arguments.workers):
        case = Case(partner, workers, arguments.documents, arguments.latency / 1_000, arguments.database, longest)
        try:
            signal.alarm(int(longest + _AROUND))
            rows.append(measure(case))
        except Failed as error:
            failed.append({"partner": partner, "workers": workers, "why": str(error)})
            print(f"\n{partner}, {workers} worker(s): {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("\nstopped", file=sys.stderr)
            return 130
        else:
            show(rows[-1])
        finally:
            signal.alarm(0)
        # After each case, so that what was measured is kept whatever comes.
        results.write(path.stem, results.command(), rows, path=path, failed=failed, limit={"formula": limit.__doc__})
    print(f"\n{path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
