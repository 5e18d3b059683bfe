"""A real Valkey (or Redis) on the socket that an app under test has."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from invoiceapp.supervisor import valkey_binary


class Valkey:
    """A real server on the app's socket."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self._folder = url, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = valkey_binary()
        if binary is None:
            pytest.skip("needs Valkey or Redis")
        socket = self.url.removeprefix("unix://")
        command = [
            binary,
            "--port",
            "0",
            "--unixsocket",
            socket,
            "--dir",
            str(self._folder),
            "--save",
            "",
            "--loglevel",
            "warning",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            with Redis.from_url(self.url) as connection:
                try:
                    connection.ping()
                except RedisError:
                    time.sleep(0.02)
                else:
                    return
        raise AssertionError("Valkey does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None
