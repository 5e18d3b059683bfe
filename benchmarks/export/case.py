"""One export from the first page to the last delivery: its processes, its figures."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Worker

from benchmarks import results
from invoiceapp import create_app
from invoiceapp.config import load
from invoiceapp.models import RunState, db
from invoiceapp.services.export import runs

from . import parts, processes, product
from .limit import Parts
from .targets import TARGETS

#: Of each worker, in megabytes; and how much its memory may grow over the second half of the run.
GOAL_MB, GOAL_GROWTH = 350, 0.05
_LOOK = 0.5
_READY_SECONDS = 60


class Failed(Exception):
    """The case cannot be measured: why."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be measured."""

    partner: str
    workers: int
    documents: int
    latency: float
    """Seconds of each answer of Billy"""
    database: str
    longest: float
    """Seconds after which the run is given up"""

    @property
    def connections(self) -> int:
        """The partner lets every worker in."""
        return max(self.workers, 2)


@dataclass(slots=True)
class Memory:
    """Megabytes of each worker over the run: pairs of documents arrived and what the kernel counts."""

    samples: dict[int, list[tuple[int, float]]] = field(default_factory=dict)

    def look(self, pids: list[int], arrived: int) -> None:
        """Note what they have now."""
        for pid in pids:
            self.samples.setdefault(pid, []).append((arrived, processes.resident_mb(pid)))

    def plain(self, pid: int) -> dict[str, float]:
        """Largest, at the end, and the slope of the line through the second half, in MB per 1 000 documents of the run."""
        samples = self.samples[pid]
        later = samples[len(samples) // 2 :]
        slope = 0.0
        if later[0][0] < later[-1][0]:
            slope = statistics.linear_regression(*zip(*later, strict=True)).slope * 1_000
        first, last = later[0][1], later[-1][1]
        return {
            "largest_mb": max(value for _, value in samples), "last_mb": last, "mb_per_1000": slope,
            "growth": last / first - 1 if first else 0.0,
        }  # fmt: skip


def measure(case: Case) -> dict[str, Any]:
    """The row of one case. Raises ``Failed``; whatever it started has ended when this returns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        return _Running(case, folder, stack).measure()


class _Running:
    """A case and everything that runs for it."""

    def __init__(self, case: Case, folder: Path, stack: ExitStack) -> None:
        self._case, self._folder, self._stack = case, folder, stack
        place = folder / "partner"
        place.mkdir()
        self._billy, self._billy_pid = stack.enter_context(processes.books(case.documents))
        self._target = stack.enter_context(TARGETS[case.partner](place, case.connections))
        url = stack.enter_context(product.database(case.database, folder))
        socket = folder / "valkey.sock"
        self._settings = product.environment(folder, url, socket)
        stack.enter_context(create_app(load(self._settings), pages=False).app_context())
        stack.callback(_let_go)
        self._adaptor_id, self._gateway_id = product.set_up(self._target, self._billy)
        self._valkey_pid = stack.enter_context(processes.valkey(folder, socket))
        self._redis = stack.enter_context(Redis.from_url(f"unix://{socket}"))
        self._memory = Memory()

    def measure(self) -> dict[str, Any]:
        """Parts alone, then the run."""
        bundles = parts.samples(self._case.documents)
        alone = {
            "convert": parts.convert(bundles), "send": parts.send(self._gateway_id, parts.written(bundles)),
            "commit": parts.transactions(self._adaptor_id, self._case.documents),
        }  # fmt: skip
        parts.make_answers_ready(self._adaptor_id)
        workers = [self._worker(number) for number in range(self._case.workers)]
        clock = self._start("invoiceapp.jobs.clock", name="clock")
        self._wait_until_ready(workers)
        return self._run(workers, clock, alone)

    def _run(
        self, workers: list[subprocess.Popen[bytes]], clock: subprocess.Popen[bytes], alone: dict[str, parts.Part]
    ) -> dict[str, Any]:
        pids = [one.pid for one in workers]
        self._ask(f"/_bench/begin?latency={self._case.latency}")
        commits, others = product.xact_commits(), self._others(clock.pid)
        mine, worked = time.process_time(), sum(map(processes.cpu_seconds, pids))
        begun = time.time()
        run_id = runs.start(self._adaptor_id, trigger="manual", actor="benchmark").id
        progress = self._watch(run_id, pids, begun)
        seen = json.loads(self._ask("/_bench/seen"))
        spent = {name: after - others[name] for name, after in self._others(clock.pid).items()}
        spent["benchmark"] = time.process_time() - mine
        worked = sum(map(processes.cpu_seconds, pids)) - worked
        phases = product.phases(run_id)
        processes.end(workers)
        reports = [json.loads((self._folder / f"report-{number}").read_text()) for number in range(len(workers))]
        after = product.xact_commits()
        done = max(progress.arrived, 1)
        transactions = (
            after - commits if after is not None and commits is not None else _sum(reports, "commits")
        ) / done
        seconds = max(phases["accept"][1] - (seen["first"] or begun), 0.001)
        calls = sum(seen["calls"].values())
        found = Parts(
            workers=self._case.workers, cores=results.cores(), calls=calls / done, latency=self._case.latency * 1_000,
            fetching=seen["connections"], connections=self._case.connections, transactions=transactions,
            others=sum(spent.values()) * 1_000 / done,
            writers=1 if self._case.database == "sqlite" else self._case.workers, **alone,
        ).plain()  # fmt: skip
        rate = progress.arrived / seconds
        return {
            "partner": self._case.partner, "receiver": self._target.meaning, "workers": self._case.workers,
            "database": self._case.database, "documents": self._case.documents, "arrived": progress.arrived,
            "stuck": progress.stuck, "is_whole": progress.arrived == self._case.documents,
            "rules": parts.rule_sets(), "seconds": seconds, "documents_per_second": rate,
            "reached": rate / found["limit"], **found,
            "phases": {name: {"first": first - begun, "last": last - begun} for name, (first, last) in phases.items()},
            "calls": seen["calls"], "calls_per_document": calls / done, "transactions_per_document": transactions,
            "statements_per_document": _sum(reports, "statements") / done,
            "worker_cpu_ms": worked * 1_000 / done,
            "others_cpu_ms": {name: value * 1_000 / done for name, value in spent.items()},
            "memory": [self._memory.plain(pid) for pid in pids],
        }  # fmt: skip

    def _watch(self, run_id: str, pids: list[int], begun: float) -> product.Progress:
        """Until nothing more moves, or the time is over. Raises ``Failed``."""
        while True:
            progress = product.progress(run_id)
            self._memory.look(pids, progress.arrived)
            if progress.run is RunState.FAILED:
                raise Failed(f"the run failed: {progress.error}\n{self._logs()}")
            if progress.is_over:
                return progress
            if time.time() - begun > self._case.longest:
                raise Failed(f"not over after {self._case.longest:.0f} s: {progress}\n{self._logs()}")
            time.sleep(_LOOK)

    def _worker(self, number: int) -> subprocess.Popen[bytes]:
        return self._start("benchmarks.export.worker", str(self._folder / f"report-{number}"), name=f"worker-{number}")

    def _start(self, module: str, *arguments: str, name: str) -> subprocess.Popen[bytes]:
        command = processes.python(module, *arguments)
        return self._stack.enter_context(processes.started(command, self._settings, self._folder / f"{name}.log"))

    def _wait_until_ready(self, workers: list[subprocess.Popen[bytes]]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while Worker.count(connection=self._redis) < len(workers):
            if time.monotonic() > deadline or any(one.poll() is not None for one in workers):
                raise Failed(f"the workers do not start\n{self._logs()}")
            time.sleep(0.1)

    def _others(self, clock: int) -> dict[str, float]:
        """Seconds of CPU so far of whoever is neither a worker nor the benchmark itself."""
        named = {"billy": self._billy_pid, "valkey": self._valkey_pid, "clock": clock}
        spent = {name: processes.cpu_seconds(pid) for name, pid in named.items()}
        server = product.server_pid()
        if server is not None:
            spent["database"] = processes.cpu_seconds(server)
        partner = filter(processes.is_partner, processes.children(os.getpid()))
        return {**spent, "partner": sum(map(processes.cpu_seconds, partner))}

    def _ask(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._billy}{path}", timeout=30) as answer:
            return bytes(answer.read())

    def _logs(self) -> str:
        """The ends of all logs of the product."""
        found = sorted(self._folder.glob("*.log"))
        return "\n".join(f"--- {one.name}\n{one.read_text(errors='replace')[-1_500:]}" for one in found)


def _sum(reports: list[dict[str, float]], name: str) -> float:
    return sum(report.get(name, 0.0) for report in reports)


def _let_go() -> None:
    db.session.remove()
    db.engine.dispose()
