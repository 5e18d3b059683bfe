"""The processes of one case: started, watched, and ended by their numbers whatever happens."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from invoiceapp.processes import die_with_parent
from invoiceapp.supervisor import valkey_binary

_STOP_SECONDS = 20
_TICK = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this case; Ctrl-C reaches only the benchmark, which ends all in order."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=out, start_new_session=True, preexec_fn=die_with_parent
        )
    try:
        yield process
    finally:
        end([process])


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask all to end, then kill those that do not."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def python(module: str, *arguments: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, "-m", module, *arguments]


@contextlib.contextmanager
def books(count: int) -> Iterator[tuple[int, int]]:
    """The stand-in Billy with ``count`` invoices; its port and process."""
    process = subprocess.Popen(
        python("benchmarks.export.books", str(count)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=die_with_parent,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.stdin.close()
        process.wait(_STOP_SECONDS)


@contextlib.contextmanager
def valkey(folder: Path, socket: Path) -> Iterator[int]:
    """A Valkey (or Redis) of this case; its process."""
    binary = valkey_binary()
    if binary is None:
        raise SystemExit("no Valkey or Redis server found: see docs/install.md")
    command = [
        binary, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--appendonly", "yes", "--save", "",
        "--loglevel", "warning",
    ]  # fmt: skip
    with started(command, dict(os.environ), folder / "valkey.log") as process:
        for _ in range(200):
            with contextlib.suppress(RedisError), Redis.from_url(f"unix://{socket}") as connection:
                if connection.ping():
                    break
            time.sleep(0.02)
        yield process.pid


def resident_mb(pid: int) -> float:
    """What the kernel counts for a process now; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it that live or were waited for; 0 where it has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, words[11:15])) / _TICK + sum(map(cpu_seconds, children(pid)))


def children(pid: int) -> list[int]:
    """Processes that this one has started and that live."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def is_partner(pid: int) -> bool:
    """Whether a process is a receiving partner: ``benchmarks.partners``, or OpenSSH's server."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"benchmarks.partners" in words or words[0].startswith((b"sshd", b"/usr/sbin/sshd"))
