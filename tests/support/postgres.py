"""A private PostgreSQL cluster on a unix socket, for one test run."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg


def find_binaries() -> Path | None:
    """The newest installed server's folder."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PostgresCluster:
    """Starts with ``with``; stopped and removed at its end. Root runs it as ``postgres``, which refuses root."""

    def __init__(self) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise RuntimeError("no PostgreSQL server: apt install postgresql")
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="invoiceapp-pg-"))
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
        options = f"-c listen_addresses='' -k {self._folder} -c fsync=off -c full_page_writes=off -c max_connections=60"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self._folder / "log"), "-o", options, "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """An empty database's SQLAlchemy URL."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(f"host={self._folder} user={self._user} dbname=postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://{self._user}@/{name}?host={self._folder}"
