"""Files that people give the program: configuration as code, rule packs, bundle files."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from flask import Flask
from support.rulepacks import PEPPOL, sheet

from invoiceapp.formats.validation import releases, unpack
from invoiceapp.services import bundles
from invoiceapp.services.configuration.as_code.document import document_in
from invoiceapp.services.configuration.as_code.problems import ConfigurationInvalid
from invoiceapp.services.configuration.as_code.reading import read
from invoiceapp.sources.base import UnusableBundle

from ..engine import Target
from .documents import golden

_YAML = """\
version: 1
subscription: Eksempel ApS
gateways:
  - name: SFTP
    kind: sftp
    environment: live
    config: {host: sftp.example, port: 22, username: u, folder: ind}
    secrets: {password: {env: INVOICEAPP_SECRET_SFTP}}
adaptors:
  - name: Billy
    source: {kind: billy, config: {}, secrets: {token: {env: INVOICEAPP_SECRET_SFTP}}}
    active: yes
    defaults: {format: peppol-bis-3, gateway: SFTP}
    newCustomers: ask
    startDate: 2026-11-01
    schedules:
      - {kind: daily, times: "08:00"}
    settings:
      general: {embedPdf: yes}
    customers:
      - {id: "1", name: Kunde, active: yes, format: oioubl-2.1, gateway: SFTP}
"""


@cache
def _app() -> Flask:
    """Only what a file may refer to: one secret of the environment, and a folder that holds none."""
    app = Flask("fuzz")
    app.extensions["invoiceapp.config"] = SimpleNamespace(secrets_dir=Path("/nonexistent"))
    os.environ["INVOICEAPP_SECRET_SFTP"] = "secret"
    return app


def configuration(content: bytes) -> object:
    node, problems = read(content)
    with _app().app_context():
        document = document_in(node, problems)
    problems.settle()
    return document


def _on_disk(content: bytes, name: str) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    Path(folder.name, name).write_bytes(content)
    return folder


def release(content: bytes) -> object:
    """A pack as it is uploaded, up to the moment before it is installed."""
    with _on_disk(content, "pack-2026.5.zip") as folder, unpack.opened(Path(folder, "pack-2026.5.zip")) as found:
        candidate = releases.find(found, "pack-2026.5.zip", None, None)
        return tuple(sorted(releases.collect(found, candidate))), found.sha256[:0]


def _releases() -> Iterator[bytes]:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in PEPPOL:
            archive.writestr(f"2026.5/{name}.xslt", sheet())
    yield made.getvalue()


def bundle_file(content: bytes) -> object:
    with _on_disk(content, "b.json") as folder:
        return len(bundles.read(Path(folder, "b.json")))


TARGETS = (
    Target("configuration-yaml", configuration, lambda: [_YAML.encode()], (ConfigurationInvalid,), "lines", (b"- ", b": ", b"{", b"[", b"&a ", b"*a", b"!!x ", b"|\n", b"? ", b"\t")),
    Target("rule-pack", release, _releases, (unpack.PackRefused,), "zip"),
    Target("bundle-file", bundle_file, lambda: golden("bundles", "plain.json"), (UnusableBundle,), "json"),
)  # fmt: skip
