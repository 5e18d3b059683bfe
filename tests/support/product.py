"""The whole product as a user starts it: ``python app.py`` in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from invoiceapp.processes import free_port

ROOT = Path(__file__).resolve().parents[2]


class Product:
    """Running; stop it with ``close``."""

    def __init__(self, folder: Path, *, demo: bool = True) -> None:
        self.demo = demo
        self.folder = folder
        self.log = folder / "log"
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.endswith("_URL")},
            "INSTANCE_DIR": str(folder / "instance"),
            "PORT": str(self.port),
            "DEMO": "1" if demo else "0",
            "PYTHONUNBUFFERED": "1",
        }
        self.url = f"http://127.0.0.1:{self.port}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                is_announced = not self.demo or "password:" in self.log.read_text()
                if is_announced and requests.get(f"{self.url}/login", timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.2)
        raise AssertionError(f"the product did not start:\n{self.log.read_text()[-4000:]}")

    def printed(self, name: str) -> str:
        """A value out of the lines that the start prints."""
        found = re.search(rf"{name}:\s+(\S+)", self.log.read_text())
        assert found, self.log.read_text()
        return found.group(1)

    def command(self, *arguments: str) -> str:
        """What a command prints."""
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT, env={**self.environment, "BASE_URL": self.url}, capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip

    def flask(self, *arguments: str) -> Any:
        """JSON that a command prints."""
        return json.loads(self.command(*arguments, "--json"))

    def wait_for_deliveries(self, wanted: int, seconds: float = 180) -> list[dict[str, Any]]:
        """The deliveries, once ``wanted`` of them have arrived."""
        deadline = time.monotonic() + seconds
        rows: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            rows = self.flask("deliveries", "list")
            if sum(row["state"] in ("delivered", "accepted") for row in rows) >= wanted:
                return rows
            time.sleep(0.5)
        raise AssertionError(f"only {len(rows)} deliveries:\n{self.log.read_text()[-4000:]}")

    def close(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def sign_in(browser: Any, product: Product) -> dict:
    """Cookies of the demo user."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{product.url}/login")
    page.get_by_label("E-mail").fill(product.printed("user"))
    page.locator("input[type=password]").fill(product.printed("password"))
    page.get_by_role("main").locator("button[type=submit]").first.click()
    page.wait_for_url(f"{product.url}/")
    state = context.storage_state()
    context.close()
    return state
