"""Small things that processes on this machine need of the operating system."""

from __future__ import annotations

import ctypes
import signal
import socket
import sys
from concurrent.futures import ProcessPoolExecutor

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Linux: end when the parent is killed, so that no stray process is left behind (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_pool(pool: ProcessPoolExecutor) -> None:
    """Kill a pool's processes: one that hangs does not hear a shutdown."""
    # Before Python 3.14 there is no public way to their pids.
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)


def free_port(wanted: int = 0) -> int:
    """``wanted`` on loopback, or any free port where it is taken (or 0)."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")
