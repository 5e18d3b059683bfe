"""A process that has read all the code once and forks a worker for each case, so that a case costs no start of Python.

It has one thread, and opens nothing before it forks: what an installation is, it is told by each case.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Zygote:
    """The test's side: starts workers, waits for them, and ends what is left of them with ``reset``."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(there.fileno())], pass_fds=[there.fileno()], cwd=ROOT,
                env=environment | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "APP_ENV": "local"},
            )  # fmt: skip
        self._pipe = Connection(here.detach())
        self._living: set[int] = set()

    def start(self, **case: Any) -> int:
        """A worker's process id; ``case`` as ``_live``."""
        self._pipe.send(case)
        pid: int = self._pipe.recv()
        self._living.add(pid)
        return pid

    def wait(self, pid: int, *, stopped: bool = False) -> int:
        """How it ended: the exit code, or minus the signal. With ``stopped`` until it is stopped by a signal."""
        self._pipe.send((pid, os.WUNTRACED if stopped else 0))
        if not self._pipe.poll(60):
            raise AssertionError("the worker does not end")
        status: int = self._pipe.recv()
        if os.WIFSTOPPED(status):
            return -os.WSTOPSIG(status)
        self._living.discard(pid)
        return os.waitstatus_to_exitcode(status)

    def reset(self) -> None:
        for pid in list(self._living):
            os.kill(pid, signal.SIGKILL)
            self.wait(pid)

    def close(self) -> None:
        self._pipe.close()
        self._process.wait(timeout=30)


def main() -> None:
    # Here, so that the test's side does without them.
    from invoiceapp import create_app
    from invoiceapp.gateways.base import registry

    from . import steps  # noqa: F401 - for the workers

    registry()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(INSTANCE_DIR=folder, DATABASE_URL=f"sqlite:///{folder}/none.sqlite3")
        create_app(pages=False)
        pipe = Connection(int(sys.argv[1]))
        while True:
            try:
                asked = pipe.recv()
            except EOFError:
                return
            if isinstance(asked, tuple):
                pipe.send(os.waitpid(*asked)[1])
                continue
            pid = os.fork()
            if pid == 0:
                pipe.close()
                _live(**asked)
            pipe.send(pid)


def _live(*, environment: dict[str, str], log: str, kind: str, step: str, work: str, endpoint: Any = None) -> None:
    """The worker, which never returns: does ``steps.WORK[work]`` and does not survive ``step`` of a transport of this kind."""
    import pytest

    from invoiceapp import create_app
    from tests.faults.worker import know

    from . import steps

    try:
        with open(log, "ab") as file:
            for standard in (sys.stdout, sys.stderr):
                os.dup2(file.fileno(), standard.fileno())
        os.environ.update(environment)
        know(endpoint, pytest.MonkeyPatch())
        steps.arm(kind, step)
        with create_app(pages=False).app_context():
            steps.WORK[work]()
        code = 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
