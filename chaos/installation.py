"""Everything real, in a folder of its own: Valkey, a database, partners, workers and clocks. Loopback and sockets only."""

from __future__ import annotations

import base64
import errno
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from invoiceapp.processes import die_with_parent, free_port
from invoiceapp.supervisor import valkey_binary
from tests.support.postgres import PostgresCluster

from .partners import NAMES

ROOT = Path(__file__).resolve().parents[1]
#: Seconds until what died is started again, and that a start may take.
PAUSE, LONGEST_START = 0.5, 180.0
#: Bytes beyond which nobody may write where no small disk can be mounted.
SMALL_FILE = 4096


@dataclass
class Process:
    """One process that is started again when it dies."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    running: subprocess.Popen[bytes] | None = None
    restart_at: float | None = None
    is_stopped: bool = False

    def start(self) -> None:
        self.restart_at, self.is_stopped = None, False
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, preexec_fn=die_with_parent
            )

    def send(self, number: signal.Signals) -> None:
        if self.running is not None and self.running.poll() is None:
            self.running.send_signal(number)
            self.is_stopped = number == signal.SIGSTOP

    def look_after(self) -> bool:
        """Start it again a moment after its death; True where it has just been found dead."""
        if self.running is not None and self.running.poll() is not None and self.restart_at is None:
            self.restart_at = time.monotonic() + PAUSE
            return True
        if self.restart_at is not None and time.monotonic() >= self.restart_at:
            self.start()
        return False

    def end(self) -> None:
        if self.running is None:
            return
        self.running.kill()
        self.running.wait(timeout=10)
        self.running = None


class Postgres(PostgresCluster):
    """One that is restarted, without waiting for anybody."""

    def restart(self) -> None:
        data = str(self._folder / "data")
        self._run("pg_ctl", "-D", data, "-w", "-m", "immediate", "-l", str(self._folder / "log"), "restart")


class Installation:
    """Use with ``with``: at its end all processes are gone, and so is the folder."""

    def __init__(self, database: str, documents: int, workers: int, seed: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.partners_folder, self._logs, self.disk = (self._folder / name for name in ("partners", "logs", "disk"))
        for folder in (self.partners_folder, self._logs, self.disk):
            folder.mkdir()
        self._is_mounted = _mount(self.disk, 96 + documents // 20)
        self._postgres = Postgres() if database == "postgresql" else None
        self._socket = self._folder / "valkey.sock"
        self.ports = {name: free_port() for name in NAMES}
        (self.partners_folder / "ports.json").write_text(json.dumps(self.ports))
        self.environment: dict[str, str] = {}
        self.redis = self._process(
            "redis", [str(valkey_binary()), "--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._folder)]
        )  # fmt: skip
        self.partners = self._process("partners", _python("chaos.partners", str(self.partners_folder), str(seed)))
        self.workers = [self._product("worker", number) for number in range(1, workers + 1)]
        self.clocks = [self._product("clock", number) for number in (1, 2)]

    def _process(self, name: str, command: list[str]) -> Process:
        return Process(name, command, {**os.environ, "PYTHONPATH": str(ROOT)}, self._logs / f"{name}.log")

    def _product(self, kind: str, number: int) -> Process:
        name = f"{kind} {number}"
        return self._process(name, _python("chaos.process", kind, str(self.offset(name))))

    def offset(self, name: str) -> Path:
        """The file that says how wrong a process's clock is."""
        return self._folder / f"{name.replace(' ', '-')}.offset"

    @property
    def disk_kind(self) -> str:
        return "a tmpfs that is filled up" if self._is_mounted else "RLIMIT_FSIZE of the workers (no root, so no tmpfs)"

    @property
    def is_postgresql(self) -> bool:
        return self._postgres is not None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        url = f"sqlite:///{self.disk / 'books.sqlite3'}"
        if self._postgres is not None:
            self._postgres.__enter__()
            url = self._postgres.new_database()
        self.environment = {
            "APP_ENV": "local", "DATABASE_URL": url, "REDIS_URL": f"unix://{self._socket}", "DEMO": "0",
            "INSTANCE_DIR": str(self._folder / "instance"), "ARCHIVE_DIR": str(self.disk / "archive"),
            "ENCRYPTION_KEYS": "k1:" + base64.b64encode(os.urandom(32)).decode(), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        for process in (*self.workers, *self.clocks):
            process.environment |= self.environment
        self.redis.start()
        self.partners.start()
        wait_until(self._redis_answers, "Valkey")
        wait_until((self.partners_folder / "ready.json").exists, "the partners")

    def _redis_answers(self) -> bool:
        with Redis.from_url(self.environment["REDIS_URL"]) as connection:
            try:
                return bool(connection.ping())
            except RedisError:
                return False

    @property
    def host_key(self) -> str:
        return str(json.loads((self.partners_folder / "ready.json").read_text())["host_key"])

    @property
    def ledger(self) -> Path:
        return self.partners_folder / "ledger.jsonl"

    def everybody(self) -> list[Process]:
        return [self.redis, self.partners, *self.workers, *self.clocks]

    def look_after(self) -> list[str]:
        """Start again what died; the names of what has just been found dead."""
        return [process.name for process in self.everybody() if process.look_after()]

    def flush(self) -> None:
        """Redis forgets all. Where it is away it has done so already."""
        with Redis.from_url(self.environment["REDIS_URL"]) as connection, suppress(RedisError):
            connection.flushall()

    def restart_database(self) -> None:
        """PostgreSQL only."""
        if self._postgres is not None:
            self._postgres.restart()

    def lock_database(self) -> Callable[[], None]:
        """SQLite only: somebody else writes, until the answer is called."""
        connection = sqlite3.connect(self.disk / "books.sqlite3", timeout=0.2, isolation_level=None)
        # Where a stopped worker holds the lock, it is locked already.
        with suppress(sqlite3.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
        return connection.close

    def fill_disk(self) -> Callable[[], None]:
        """No byte more can be written, until the answer is called."""
        if self._is_mounted:
            return _fill(self.disk / "filler")
        limited = [process.running.pid for process in self.workers if process.running is not None]
        for pid in limited:
            _limit(pid, SMALL_FILE)

        def free() -> None:
            for pid in limited:
                _limit(pid, resource.RLIM_INFINITY)

        return free

    def heal_partners(self) -> None:
        """From now on they take what comes and answer at once."""
        (self.partners_folder / "well").touch()

    def stop_product(self) -> None:
        """Workers and clocks end, so that nobody writes while books and ledger are compared."""
        for process in (*self.clocks, *self.workers):
            process.end()

    def keep_logs(self, folder: Path) -> None:
        """What the processes wrote, and the partners' ledger."""
        shutil.copytree(self._logs, folder, dirs_exist_ok=True)
        shutil.copy(self.ledger, folder)

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.everybody()):
            process.end()
        if self._postgres is not None:
            self._postgres.__exit__()
        if self._is_mounted:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _mount(folder: Path, megabytes: int) -> bool:
    """A small disk in memory, where we may mount one."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _fill(path: Path) -> Callable[[], None]:
    with path.open("wb", buffering=0) as file:
        for size in (1_000_000, 4_096):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    # A second storm may have filled it meanwhile, and the first one freed it.
    return partial(path.unlink, missing_ok=True)


def _limit(pid: int, size: int) -> None:
    # It may have died meanwhile.
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def wait_until(ready: Callable[[], bool], what: str, seconds: float = LONGEST_START) -> None:
    """Raises ``TimeoutError``."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not start within {seconds:.0f} s")
        time.sleep(0.05)
