"""All benchmarks, one after the other: ``make bench``, or ``make bench BENCH=quick`` for less than five minutes.

Each runs in a process of its own and writes JSON into ``build/bench``; one that fails does not keep the others from running. At
the end of a whole run ``benchmarks.report`` brings the tables and plots of the documents up to date; a quick run's figures are
too rough for them. ``python -m benchmarks NAME …`` runs these alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import report, results
from .measure import QUICK

_MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One of the set."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] | None = ()
    """The arguments of a quick run; None where it is left out"""
    longest: float = 30 * _MINUTES
    """Seconds after which it is given up"""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """As this run has it."""
        return [sys.executable, "-m", self.module, *((self.quick if QUICK else self.arguments) or ())]


#: The simulation comes last, because it is fed with what the others measure.
SET = (
    Benchmark("convert", "benchmarks.convert"),
    Benchmark("validate", "benchmarks.validate"),
    Benchmark("cold-start", "benchmarks.cold_start"),
    Benchmark("memory", "benchmarks.worker"),
    Benchmark("gateways", "benchmarks.gateways"),
    Benchmark("as4", "benchmarks.as4"),
    Benchmark("customers", "benchmarks.customers", quick=None),
    Benchmark("network", "benchmarks.network", quick=None),
    Benchmark("schedules", "benchmarks.schedules", quick=None),
    Benchmark("export-sqlite", "benchmarks.export", quick=("--documents", "200", "--workers", "2", "--partners", "sftp"), longest=90 * _MINUTES),
    Benchmark("export-postgresql", "benchmarks.export", ("--database", "postgresql"), quick=None, longest=90 * _MINUTES),
    Benchmark("fairness", "benchmarks.fairness", quick=None),
    Benchmark("listing-sqlite", "benchmarks.listing", quick=None, longest=60 * _MINUTES),
    Benchmark("listing-postgresql", "benchmarks.listing", ("--database", "postgresql"), quick=None, longest=60 * _MINUTES),
    Benchmark("nightly-sqlite", "benchmarks.nightly", quick=None, longest=60 * _MINUTES),
    Benchmark("nightly-postgresql", "benchmarks.nightly", ("--database", "postgresql"), quick=None, longest=60 * _MINUTES),
    Benchmark(
        "manual export", "pytest", ("-q", "tests/crash/test_manual_export.py"), quick=None, longest=60 * _MINUTES,
        environment={"MANUAL_EXPORT_DOCUMENTS": "5000"},
    ),
    Benchmark(
        "faults", "pytest", ("-q", "-n", "auto", "tests/faults"), quick=None, longest=60 * _MINUTES, environment={"FAULT_SENDS": "150"}
    ),
    Benchmark("simulation", "benchmarks.simulation"),
)  # fmt: skip


def run(one: Benchmark) -> str:
    """Run it to its end; what went wrong, or nothing."""
    if importlib.util.find_spec(one.module) is None:
        return "there is no such module"
    environment = {**os.environ, **one.environment}
    try:
        status = subprocess.run(one.command, env=environment, timeout=one.longest, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"given up after {one.longest / 60:.0f} minutes"
    return f"ended with status {status}" if status else ""


def chosen(names: list[str]) -> list[Benchmark]:
    """What this run measures."""
    if names:
        return [one for one in SET if one.name in names]
    return [one for one in SET if not QUICK or one.quick is not None]


def main() -> int:
    """Run all, say how they ended; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in SET))
    names = parser.parse_args().names
    if unknown := set(names) - {one.name for one in SET}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    wanted = chosen(names)
    print(
        f"Python {platform.python_version()}, {results.cores()} cores; {'quick' if QUICK else 'whole'} run of {len(wanted)}"
    )
    failed: dict[str, str] = {}
    begun = time.monotonic()
    for number, one in enumerate(wanted, 1):
        print(f"\n=== {number}/{len(wanted)} {one.name} (after {(time.monotonic() - begun) / 60:.0f} min)", flush=True)
        problem = run(one)
        if problem:
            failed[one.name] = problem
            print(f"--- {one.name}: {problem}", flush=True)
    print(f"\nThe figures lie in {results.FOLDER}/*.json ({(time.monotonic() - begun) / 60:.0f} min).")
    if QUICK:
        print(
            "A quick run leaves the documents as they are; `python -m benchmarks.report` would write its figures into them."
        )
    else:
        report.main()
    for name, problem in failed.items():
        print(f"FAILED {name}: {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
