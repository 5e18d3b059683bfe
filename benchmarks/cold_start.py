"""How long until the first page and the first document: ``python -m benchmarks.cold_start``.

Real processes as production starts them: gunicorn until ``/healthz`` and the sign-in page answer; a worker until the first of the
documents that wait is converted. "all rules first" is a worker that compiles every format's rules before it looks for work, as
ours did before; it is started in the same run.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import func, select

from invoiceapp import create_app
from invoiceapp.config import load
from invoiceapp.models import Rendition, db
from invoiceapp.processes import free_port
from invoiceapp.services import bell
from invoiceapp.services.database import reading
from invoiceapp.services.export import runs

from . import results
from .export import processes, product
from .export.targets import Target
from .measure import QUICK

ROUNDS = 2 if QUICK else 5
DOCUMENTS = 20
#: Seconds.
PAGE_GOAL, DOCUMENT_GOAL, LONGEST = 2.0, 3.0, 60.0
_ALL_FIRST = (
    "from invoiceapp import create_app\n"
    "from invoiceapp.jobs import worker\n"
    "from invoiceapp.formats.base import registry\n"
    "from invoiceapp.services.export.validators import validator\n"
    "with create_app(pages=False).app_context():\n"
    "    validator().warm(list(registry().values()))\n"
    "worker.main()\n"
)
WORKERS = {
    "worker: first document": processes.python("invoiceapp.jobs.worker"),
    "worker with all rules first: first document": [sys.executable, "-c", _ALL_FIRST],
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes live."""

    folder: Path
    settings: dict[str, str]


def wait(ready: Callable[[], bool], what: str, pause: float = 0.01) -> float:
    """The moment at which it was ready (``perf_counter``)."""
    deadline = time.perf_counter() + LONGEST
    while not ready():
        if time.perf_counter() > deadline:
            raise SystemExit(f"{what} did not happen within {LONGEST:.0f} s")
        time.sleep(pause)
    return time.perf_counter()


def web(place: Place) -> dict[str, float]:
    """Seconds from the start of gunicorn to the first answers."""
    port = free_port()
    options = ["--no-control-socket", "--worker-class", "gthread", "--workers", "1", "--threads", "8"]
    command = processes.python("gunicorn", "app:app", *options, "--bind", f"127.0.0.1:{port}")
    started = time.perf_counter()
    with processes.started(command, place.settings, place.folder / "web.log"):
        found = {}
        for name, path in (("web: /healthz", "/healthz"), ("web: sign-in page", "/login")):
            found[name] = wait(lambda path=path: _answers(port, path), name) - started  # type: ignore[misc]
        return found


def _answers(port: int, path: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=LONGEST).status_code == 200
    return False


def worker(place: Place, command: list[str]) -> float:
    """Seconds from the start of a worker to the first document that it has converted."""
    _begin_anew(place.folder)
    bell.ring("convert")
    started = time.perf_counter()
    with processes.started(command, place.settings, place.folder / "worker.log"):
        return wait(_has_converted, "the first document") - started


def _begin_anew(folder: Path) -> None:
    """The database as it was when nothing had been converted."""
    _let_go()
    for path in folder.glob("bench.sqlite3*"):
        path.unlink()
    shutil.copy(folder / "seed", folder / "bench.sqlite3")


def _let_go() -> None:
    db.session.remove()
    db.engine.dispose()


def _has_converted() -> bool:
    # Only reading: asked so often, it would keep the worker from writing.
    with reading() as session:
        return bool(session.scalar(select(func.count()).select_from(Rendition)))


@contextlib.contextmanager
def prepared() -> Iterator[Place]:
    """A database with documents that wait for their conversion, and a Valkey."""
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True))
        folder = Path(name)
        billy, _ = stack.enter_context(processes.books(DOCUMENTS))
        settings = product.environment(folder, f"sqlite:///{folder / 'bench.sqlite3'}", folder / "valkey.sock")
        stack.enter_context(processes.valkey(folder, folder / "valkey.sock"))
        stack.enter_context(create_app(load(settings), pages=False).app_context())
        stack.callback(_let_go)
        # Nothing is ever sent to it: it rests.
        target = Target("http", "nobody", {"url": "http://127.0.0.1:9/in", "auth": "none"})
        adaptor_id, _ = product.set_up(target, billy)
        run_id = runs.start(adaptor_id, trigger="manual", actor="benchmark").id
        while runs.execute(run_id):
            pass
        db.session.rollback()
        with contextlib.closing(sqlite3.connect(folder / "bench.sqlite3")) as connection:
            connection.execute("VACUUM INTO ?", (str(folder / "seed"),))
        yield Place(folder, settings)


def main() -> None:
    """Measure, print and keep."""
    found: dict[str, list[float]] = {}
    with prepared() as place:
        for number in range(ROUNDS + 1):
            taken = web(place)
            for name, command in WORKERS.items() if number % 2 else reversed(WORKERS.items()):
                taken[name] = worker(place, command)
            if number:  # the first round fills the system's cache of files
                for name, seconds in taken.items():
                    found.setdefault(name, []).append(seconds)
            print({name: round(seconds, 2) for name, seconds in taken.items()}, flush=True)
    rows: list[dict[str, Any]] = []
    for name, seconds in found.items():
        goal = PAGE_GOAL if name.startswith("web") else DOCUMENT_GOAL
        median = statistics.median(seconds)
        rows.append(
            {
                "seconds_to": name,
                "median": median,
                "low": min(seconds),
                "high": max(seconds),
                "goal": goal,
                "reached": median < goal,
            }
        )
        print(f"{name}: {median:.2f} s (goal < {goal:g} s: {'reached' if median < goal else 'MISSED'})")
    results.write("cold-start", results.command(), rows, note=_NOTE)


_NOTE = "Seconds from the start of the process, files in the system's cache. The last row is the baseline: all rules before any work."

if __name__ == "__main__":
    results.no_arguments(__doc__)
    main()
