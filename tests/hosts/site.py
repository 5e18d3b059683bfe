"""One installation on three hosts: two for workers, one for the web and the clock; PostgreSQL, Valkey and partners at the hub."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import make_url

from chaos.installation import ROOT, Postgres, Process, wait_until
from chaos.partners import NAMES
from invoiceapp.config import Config, load
from invoiceapp.supervisor import valkey_binary

from .network import HUB, Network

FIRST, SECOND, FRONT = "first", "second", "front"
#: Seconds; a worker takes long to start on a busy machine.
LONGEST = 60.0


@dataclass
class Site:
    """What runs, and where."""

    network: Network
    folder: Path
    config: Config
    ports: dict[str, int]
    hosts: dict[str, list[Process]]
    others: list[Process]
    web: str
    """Address of the web"""

    @property
    def partners(self) -> Path:
        """The folder of their ledger and of the file ``hold``."""
        return self.folder / "partners"

    @property
    def ledger(self) -> Path:
        return self.partners / "ledger.jsonl"

    @property
    def host_key(self) -> str:
        return str(json.loads((self.partners / "ready.json").read_text())["host_key"])

    def start(self, *hosts: str) -> None:
        for host in hosts:
            for process in self.hosts[host]:
                process.start()

    def pids(self, host: str) -> set[int]:
        return {process.running.pid for process in self.hosts[host] if process.running is not None}

    def look_after(self) -> None:
        """As systemd does on each host: what has ended is started again."""
        for processes in self.hosts.values():
            for process in processes:
                process.look_after()

    def cut(self, host: str) -> None:
        self.network.cut(host, self.hosts[host])

    def join(self, host: str) -> None:
        self.network.join(host, self.hosts[host])

    @contextmanager
    def process(self, host: str, *command: str) -> Iterator[Process]:
        """``python -m command`` on a host, beside its own processes; ended with the block."""
        like = self.hosts[host][0]
        started = Process(
            command[0], self.network.at(host, _python(*command)), like.environment, like.log.with_name(command[0])
        )
        started.start()
        try:
            yield started
        finally:
            started.end()

    def end(self, *hosts: str) -> None:
        """At once."""
        for host in hosts:
            for process in self.hosts[host]:
                process.end()
                process.restart_at = None


@contextmanager
def site(network: Network, folder: Path) -> Iterator[Site]:
    """All that is needed at the hub runs; the hosts' processes do not, yet."""
    with ExitStack() as stack:
        stack.enter_context(network)
        port = network.port()
        cluster = stack.enter_context(Postgres(HUB, network.port()))
        made = _site(network, folder, cluster.new_database(), cluster.port, port)
        for process in made.others:
            stack.callback(process.end)
            process.start()
        for host in made.hosts:
            stack.callback(made.end, host)
        wait_until(lambda: _answers(made.config.redis_url), "Valkey", LONGEST)
        wait_until((made.partners / "ready.json").exists, "the partners", LONGEST)
        yield made


def _site(network: Network, folder: Path, database_url: str, database_port: int, redis_port: int) -> Site:
    partners, logs = folder / "partners", folder / "logs"
    partners.mkdir()
    logs.mkdir()
    ports = {name: network.port() for name in NAMES}
    (partners / "ports.json").write_text(json.dumps(ports))
    shared = {
        "APP_ENV": "local", "DEMO": "0", "INSTANCE_DIR": str(folder / "instance"), "ARCHIVE_DIR": str(folder / "archive"),
        "ENCRYPTION_KEYS": "k1:" + base64.b64encode(os.urandom(32)).decode(), "SECRET_KEY": base64.b64encode(os.urandom(40)).decode(),
        "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    database = make_url(database_url)

    def process(name: str, host: str | None, *command: str) -> Process:
        own = shared if host is None else shared | {
            # Named as that host reaches it; the path of the socket stays at the hub.
            "DATABASE_URL": f"postgresql+psycopg://{database.username}@{network.way(host, database_port)}/{database.database}",
            "REDIS_URL": f"redis://{network.way(host, redis_port)}/0",
        }  # fmt: skip
        whole = _python(*command) if command[0] != str(valkey_binary()) else list(command)
        return Process(name, network.at(host, whole) if host else whole, {**os.environ, **own}, logs / f"{name}.log")

    def product(kind: str, host: str, number: int) -> Process:
        name = f"{host}-{kind}-{number}"
        return process(name, host, "chaos.process", kind, str(folder / f"{name}.offset"))

    web_port = network.port()
    web = f"{network.address_of(FRONT)}:{web_port}"
    gunicorn = (
        "gunicorn",
        "app:app",
        "--no-control-socket",
        "--worker-class",
        "gthread",
        "--threads",
        "2",
        "--bind",
        web,
    )
    hosts = {host: [product("worker", host, number) for number in (1, 2)] for host in (FIRST, SECOND)}
    hosts[FRONT] = [product("clock", FRONT, 1), process("web", FRONT, *gunicorn)]
    hosts[FRONT][1].environment |= {"TRUSTED_HOSTS": network.address_of(FRONT), "BASE_URL": f"http://{web}"}
    valkey = (
        str(valkey_binary()), "--bind", HUB, "--port", str(redis_port), "--protected-mode", "no", "--save", "",
        "--dir", str(folder),
    )  # fmt: skip
    others = [
        process("valkey", None, *valkey),
        process("partners", None, "tests.hosts.partners", str(partners)),
    ]
    here = shared | {"DATABASE_URL": database_url, "REDIS_URL": f"redis://{HUB}:{redis_port}/0"}
    return Site(network, folder, load(here), ports, hosts, others, f"http://{web}")


def _python(*command: str) -> list[str]:
    return [sys.executable, "-m", *command]


def _answers(url: str) -> bool:
    with Redis.from_url(url) as connection:
        try:
            return bool(connection.ping())
        except RedisError:
            return False
