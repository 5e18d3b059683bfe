"""``python -m fuzz [target …]``: every target for FUZZ_SECONDS (600), as many at once as there are cores."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .engine import ROOT, Campaign, kept_as, noted
from .targets import TARGETS

OUT = ROOT / "build" / "fuzz"
MOST_MEMORY = 4 * 1024**3


@dataclass(frozen=True)
class Result:
    name: str
    executions: int
    outcomes: int
    findings: tuple[str, ...]


def one(name: str, seconds: float, seed: int) -> None:
    """In a process of its own: a target, and its result as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    OUT.mkdir(parents=True, exist_ok=True)
    campaign = Campaign(TARGETS[name], seed, OUT / f"{name}.current").run(seconds=seconds)
    found = []
    for finding, (content, detail) in campaign.findings.items():
        path = kept_as(OUT / name, content, finding)
        path.with_suffix(".txt").write_text(detail)
        found.append(f"{finding}: {path.relative_to(ROOT)}")
    print(json.dumps([campaign.executions, len(campaign.labels), found]))


def looked_at(name: str, seconds: float, seed: int) -> Result:
    """Start ``one`` and wait for it; a process that dies or hangs is a finding as well."""
    command = [sys.executable, "-m", "fuzz", "--one", name, "--seconds", str(seconds), "--seed", str(seed)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=seconds * 1.5 + 180, check=False)
        ended = "" if done.returncode == 0 else f"ended with {done.returncode} {done.stderr.decode()[-300:]}"
    except subprocess.TimeoutExpired:
        ended = "hangs"
    if not ended:
        executions, outcomes, findings = json.loads(done.stdout.splitlines()[-1])
        return Result(name, executions, outcomes, tuple(findings))
    current = OUT / f"{name}.current"
    kept = f": {kept_as(OUT / name, noted(current), 'crash').relative_to(ROOT)}" if current.exists() else ""
    return Result(name, 0, 0, (ended + kept,))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS") or 600))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FUZZ_SEED") or 0))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if asked.one:
        one(asked.one, asked.seconds, asked.seed)
        return 0
    unknown = set(asked.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    names = asked.targets or list(TARGETS)
    with ThreadPoolExecutor(asked.jobs) as threads:
        results = threads.map(lambda name: looked_at(name, asked.seconds, asked.seed), names)
        return shown(results)


def shown(results: object) -> int:
    """The table; 1 where there is a finding."""
    print(f"{'target':<24}{'executions':>12}{'outcomes':>10}  findings", flush=True)
    has_findings = False
    for result in results:  # type: ignore[attr-defined]
        print(
            f"{result.name:<24}{result.executions:>12}{result.outcomes:>10}  {len(result.findings) or '–'}", flush=True
        )
        for finding in result.findings:
            print(f"    {finding}", flush=True)
        has_findings = has_findings or bool(result.findings)
        Path(OUT / f"{result.name}.current").unlink(missing_ok=True)
    return 1 if has_findings else 0


if __name__ == "__main__":
    sys.exit(main())
