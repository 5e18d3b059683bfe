"""A private PostgreSQL cluster on a unix socket, for one test run."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url


def find_binaries() -> Path | None:
    """The newest installed server's folder."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SHAPE = """
    SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
        SELECT c.relname || '.' || a.attname AS part FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT tgname::text || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ) AS parts
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


_PORT = 5432


class PostgresCluster:
    """Starts with ``with``; stopped and removed at its end. Root runs it as ``postgres``, which refuses root."""

    def __init__(self, address: str = "", port: int = _PORT, *, is_durable: bool = False) -> None:
        """``address``: where it listens beside its socket, for whoever can reach it there.

        Unless ``is_durable``, as benchmarks want it, it does not wait for the disk.
        """
        binaries = find_binaries()
        if binaries is None:
            raise RuntimeError("no PostgreSQL server: apt install postgresql")
        self._binaries, self._address, self.port = binaries, address, port
        self._folder = Path(tempfile.mkdtemp(prefix="invoiceapp-pg-"))
        self._sync = "" if is_durable else " -c fsync=off -c full_page_writes=off"
        self._free: list[str] = []
        self._shape: object = None
        self._user = "postgres" if os.geteuid() == 0 else getpass.getuser()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    def __enter__(self) -> PostgresCluster:
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", self._user)
        if self._address:
            with (self._folder / "data" / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {self._address}/24 trust\n")
        listen = f"-c listen_addresses='{self._address}' -p {self.port} -k {self._folder}"
        options = f"{listen}{self._sync} -c max_connections=60"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self._folder / "log"), "-o", options, "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def lent_database(self, template: str) -> Iterator[str]:
        """The URL of an empty copy of ``template``, which is emptied afterwards and lent again: a new one costs far more."""
        url = self._free.pop() if self._free else self.new_database(template)
        name = str(make_url(url).database)
        if self._shape is None:
            with self._connected(name) as fresh:
                self._shape = fresh.execute(_SHAPE).fetchone()
        yield url
        if self._is_emptied(name):
            self._free.append(url)
        else:
            self._drop(name)

    def _is_emptied(self, name: str) -> bool:
        """False where the test has changed the tables themselves, or somebody holds one of them."""
        # As a replica no trigger fires, and no foreign key asks for an order.
        with self._connected(name, "-c session_replication_role=replica -c lock_timeout=2s") as one:
            one.execute(_END_OTHERS)
            if one.execute(_SHAPE).fetchone() != self._shape:
                return False
            try:
                one.execute("; ".join(f'DELETE FROM "{table}"' for (table,) in one.execute(_TABLES)))
            except psycopg.errors.LockNotAvailable:
                return False
        return True

    def _drop(self, name: str) -> None:
        """What is not lent again goes at once: thousands of copies of ten megabytes would fill the disk."""
        with self._connected("postgres") as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _connected(self, name: str, options: str = "") -> psycopg.Connection:
        return psycopg.connect(
            f"host={self._folder} port={self.port} user={self._user} dbname={name}",
            autocommit=True,
            options=options or None,
        )

    def new_database(self, template: str = "template1") -> str:
        """A new database's SQLAlchemy URL: a copy of ``template``, which nobody may be using."""
        name = f"test_{uuid.uuid4().hex}"
        with self._connected("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        port = f"&port={self.port}" if self.port != _PORT else ""
        return f"postgresql+psycopg://{self._user}@/{name}?host={self._folder}{port}"
