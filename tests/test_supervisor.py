"""``python app.py`` as a program: what it starts, restarts and stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.product import Product

from invoiceapp import supervisor
from invoiceapp.discovery.client import Discovery
from invoiceapp.gateways.base import registry
from invoiceapp.processes import free_port

pytestmark = pytest.mark.server


def _children(pid: int) -> dict[str, int]:
    """Pid by what runs, from /proc."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        name = next(
            (part for part in ("valkey", "demo", "gunicorn", "worker", "clock") if part in " ".join(words[:4])), "?"
        )
        found[name] = int(child)
    return found


@pytest.fixture
def product(tmp_path):
    if not Path("/proc").exists():
        pytest.skip("needs /proc")
    started = Product(tmp_path)
    yield started
    started.close()


def test_a_dead_child_is_restarted_and_ctrl_c_stops_all(product):
    before = _children(product.process.pid)
    assert before.keys() == {"valkey", "demo", "gunicorn", "worker", "clock"}
    os.kill(before["worker"], signal.SIGKILL)
    os.kill(before["clock"], signal.SIGKILL)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        now = _children(product.process.pid)
        if now.keys() == before.keys() and now["worker"] != before["worker"] and now["clock"] != before["clock"]:
            break
        time.sleep(0.2)
    else:
        raise AssertionError(product.log.read_text())
    product.close()
    assert product.process.returncode == 0
    assert [pid for pid in now.values() if Path(f"/proc/{pid}").exists()] == []


def test_a_killed_supervisor_leaves_no_stray_process(product):
    children = _children(product.process.pid)
    product.process.kill()
    product.process.wait()
    deadline = time.monotonic() + 25
    while any(Path(f"/proc/{pid}").exists() for pid in children.values()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [name for name, pid in children.items() if Path(f"/proc/{pid}").exists()] == []


def test_a_second_ctrl_c_ends_at_once_what_does_not_stop(monkeypatch):
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline()
    child = supervisor.Child("worker", [], {}, process)
    signals = [signal.SIGINT]
    # The second comes when we have begun to wait for what it has in hand.
    monkeypatch.setattr(supervisor.log, "info", lambda *_: signals.append(signal.SIGINT))
    supervisor._stop([child], signals)
    assert process.returncode == -signal.SIGKILL
    process.stdin.close(), process.stdout.close()


def test_a_worker_has_time_for_the_longest_send():
    longest = max(transport.DEADLINE for transport in registry().values()) + Discovery.DEADLINE
    assert longest < supervisor._STOP_SECONDS


def test_a_taken_port_gives_a_free_one():

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert free_port(taken.getsockname()[1]) != taken.getsockname()[1]
