"""Sends through the gateways to receivers on this machine: ``python -m benchmarks.gateways``.

A send is what the delivery machine asks of a transport: its wire ids, then ``send`` with all its proofs, over a connection
that is kept. Every receiver runs in a process of its own. Memory is looked at in a process that does nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from invoiceapp.demo.partners.dropbox_account import DEMO_APP_KEY, DEMO_REFRESH_TOKEN
from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.as2 import As2Transport
from invoiceapp.gateways.as2.certificates import load_certificate
from invoiceapp.gateways.base import Consignment, Payload, Transport, registry
from invoiceapp.gateways.certificates import load_key
from invoiceapp.outbound.guard import Guard, networks

from . import as2_partner, documents, partners, results
from .measure import QUICK, Rate, rates
from .worker import resident_mb

#: An invoice of about 30 KB.
LINES = 46
#: Sends a second, by the start of the name.
GOALS = {"SFTP": 150, "AS2": 40}
LOOPBACK = Guard(networks([partners.HOST]))
SENDS, SAMPLE = (2_000, 100) if QUICK else (10_000, 250)
MEMORY = ("SFTP", "HTTP", "AS2")
#: Kilobytes that memory may grow by in 1 000 sends, by the line through all samples: half a kilobyte a send, where a
#: document has thirty. Python's allocator takes memory by the megabyte, so less cannot be told from nothing.
GOAL_GROWTH = 500.0

_HTTP_ANSWER = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"id":"17"}'


@cache
def payload() -> Payload:
    """The same invoice for all kinds."""
    content = formats()["peppol-bis-3"].write(documents.invoice(LINES))
    return Payload(content, "invoice.xml", "application/xml; charset=utf-8")


def consignment(key: str) -> Consignment:
    """To nobody in particular."""
    return Consignment(
        key, payload(), format="peppol-bis-3", document_no="2026-17", sender_name="Ærø Brød ApS",
        receiver_name="Kunde A/S", receiver_email="kreditor@kunde.example",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver: how to send to it once, and where its files pile up."""

    send: Callable[[], object]
    inbox: Path | None = None

    def empty(self) -> None:
        """Throw away what it has taken."""
        if self.inbox is not None:
            for path in self.inbox.rglob("*"):
                if path.is_file() and not path.name.endswith(".part"):
                    path.unlink(missing_ok=True)


def _sending(transport: Transport, *, same: bool = False) -> Callable[[], object]:
    """``same``: the partner's answer fits one consignment only; else each send has a key of its own."""
    numbers = count(1)

    def send() -> None:
        one = consignment("k" * 52 if same else f"{next(numbers):052x}"[::-1])
        transport.wire_ids(one)
        transport.send(one)

    return send


@contextlib.contextmanager
def _sftp(folder: Path) -> Iterator[Receiver]:
    inbox = folder / "in"
    inbox.mkdir()
    if partners.has_sshd():
        with partners.sshd(folder) as (port, key, fingerprint):
            login = {"username": getpass.getuser(), "private_key": key, "host_key": fingerprint}
            with _opened("sftp", port=port, folder=str(inbox), **login) as transport:
                yield Receiver(_sending(transport), inbox)
        return
    with partners.started("sftp", folder) as port:
        login = {"username": DEMO_USER, "password": DEMO_PASSWORD, "host_key": (folder / "host_key").read_text()}
        with _opened("sftp", port=port, **login) as transport:
            yield Receiver(_sending(transport), inbox)


@contextlib.contextmanager
def _ftps(folder: Path) -> Iterator[Receiver]:
    root, _ = partners.write_pair(folder)
    login = {"username": partners.USER, "password": partners.PASSWORD}
    with (
        partners.started("ftps", folder) as port,
        _opened("ftp", port=port, security="explicit", ca_certificate=root, **login) as transport,
    ):
        yield Receiver(_sending(transport), folder / "in")


@contextlib.contextmanager
def _http(folder: Path) -> Iterator[Receiver]:
    root, _ = partners.write_pair(folder)
    (folder / "answer").write_bytes(_HTTP_ANSWER)
    with partners.started("https", folder) as port:
        access = {"auth": "bearer", "token": partners.PASSWORD, "ca_certificate": root, "reference_pointer": "/id"}
        with _opened("http", url=f"https://{partners.HOST}:{port}/in", **access) as transport:
            yield Receiver(_sending(transport))


@contextlib.contextmanager
def _smtp(folder: Path) -> Iterator[Receiver]:
    root, _ = partners.write_pair(folder)
    login = {"auth": "password", "username": partners.USER, "password": partners.PASSWORD}
    with (
        partners.started("smtp", folder) as port,
        _opened(
            "email", port=port, security="starttls", ca_certificate=root, sender="faktura@firma.example", **login
        ) as transport,
    ):
        yield Receiver(_sending(transport), folder / "in")


@contextlib.contextmanager
def _dropbox(folder: Path) -> Iterator[Receiver]:
    with partners.started("dropbox", folder) as port:
        url = f"http://{partners.HOST}:{port}"
        access = {"app_key": DEMO_APP_KEY, "refresh_token": DEMO_REFRESH_TOKEN, "folder": "/Fakturaer"}
        with _opened("dropbox", api_url=url, content_url=url, authorize_url=url, **access) as transport:
            yield Receiver(_sending(transport), folder / "in")


@contextlib.contextmanager
def _as2(folder: Path) -> Iterator[Receiver]:
    """Signed, encrypted, with a signed receipt at once. The partner does nothing but say what it has learned by heart."""
    (own, key), (theirs, their_key) = (partners.write_pair(folder, name) for name in ("own", "partner"))
    settings = {
        "as2_from": "Firma", "as2_to": "Partner", "sign": True, "digest": "sha256", "encrypt": "aes256-cbc",
        "key_transport": "pkcs1v15", "transfer_encoding": "base64", "own_certificate": own, "own_key": key,
        "partner_certificate": theirs, "mdn": "sync", "mdn_signed": True,
    }  # fmt: skip
    (folder / "answer").write_bytes(_receipt(settings, theirs, their_key))
    with (
        partners.started("http", folder) as port,
        _opened("as2", url=f"http://{partners.HOST}:{port}/as2", **settings) as transport,
    ):
        yield Receiver(_sending(transport, same=True))


def _receipt(settings: dict[str, Any], certificate: str, key: str) -> bytes:
    """The HTTP answer with a signed MDN about ``k…k``."""
    ids = As2Transport({"url": "http://partner.example/", **settings}, LOOPBACK).wire_ids(consignment("k" * 52))
    return as2_partner.receipt(ids["message_id"], ids["mic"], load_certificate(certificate), load_key(key))


def _opened(kind: str, **config: Any) -> Transport:
    """As the product opens it: with the defaults of what is not said."""
    transport = registry()[kind]
    defaults = {field.name: field.default for field in transport.fields}
    return transport({**defaults, "host": partners.HOST, **config}, LOOPBACK)


RECEIVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Receiver]]] = {
    "SFTP": _sftp, "FTPS": _ftps, "HTTP": _http, "SMTP": _smtp, "Dropbox": _dropbox, "AS2": _as2,
}  # fmt: skip
#: What stands at the other end, and what is done.
MEANINGS = {
    "SFTP": "SFTP, OpenSSH" if partners.has_sshd() else "SFTP, the demo's server",
    "FTPS": "FTPS, pyftpdlib, explicit TLS",
    "HTTP": "HTTPS, POST with token",
    "SMTP": "SMTP, aiosmtpd, STARTTLS and login",
    "Dropbox": "Dropbox, the stand-in",
    "AS2": "AS2, sign, encrypt, verify the MDN",
}


@contextlib.contextmanager
def _running(name: str) -> Iterator[Receiver]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, RECEIVERS[name](Path(folder)) as receiver:
        yield receiver


def sending() -> dict[str, Rate]:
    """Sends a second of one process over one connection; the receivers wait meanwhile."""
    with contextlib.ExitStack() as stack:
        running = {MEANINGS[name]: stack.enter_context(_running(name)) for name in RECEIVERS}
        return rates({name: receiver.send for name, receiver in running.items()})


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes after the first sends and after all of them, and the slope of the line between, in KB per 1 000 sends."""

    first: float
    last: float
    slope: float

    @property
    def is_flat(self) -> bool:
        return self.slope <= GOAL_GROWTH


def memory(name: str) -> Memory:
    """Of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.gateways", "--memory", name]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Memory(*json.loads(found))


def grown(name: str) -> Memory:
    """What ``SENDS`` sends do to this process. The first tenth fills caches and is not looked at."""
    samples: list[tuple[int, float]] = []
    with _running(name) as receiver:
        for number in range(1, SENDS + 1):
            receiver.send()
            if number % SAMPLE == 0:
                receiver.empty()
                samples.append((number, resident_mb()))
    kept = [sample for sample in samples if sample[0] > SENDS // 10]
    line = statistics.linear_regression(*zip(*kept, strict=True))
    return Memory(kept[0][1], kept[-1][1], line.slope * 1_000 * 1_024)


def measure() -> dict[str, Any]:
    """All figures."""
    return {"rates": sending(), "memory": {name: memory(name) for name in MEMORY}}


def show(figures: dict[str, Any]) -> None:
    """Print the tables."""
    size = len(payload().content) / 1_000
    print(f"\n{f'sends a second, one connection, {size:.0f} KB':48}{'median':>9}{'low':>9}{'high':>9}")
    for name, rate in figures["rates"].items():
        goal = GOALS.get(name.partition(",")[0])
        verdict = f"goal {goal}: {'reached' if rate.median >= goal else 'MISSED'}" if goal else ""
        print(f"{name:48}{rate.median:9.0f}{rate.low:9.0f}{rate.high:9.0f}  {verdict}")
    print(f"\n{f'memory over {SENDS} sends':48}{'MB first':>9}{'MB last':>9}{'KB/1000':>9}")
    for name, row in figures["memory"].items():
        verdict = f"goal {GOAL_GROWTH:g}: {'reached' if row.is_flat else 'MISSED'}"
        print(f"{MEANINGS[name]:48}{row.first:9.1f}{row.last:9.1f}{row.slope:9.1f}  {verdict}")


def keep(figures: dict[str, Any]) -> None:
    """For the report."""
    kinds = {meaning: name for name, meaning in MEANINGS.items()}
    rows = [
        {"kind": kinds[name], "gateway": name, **rate.row(), "goal": GOALS.get(kinds[name])}
        for name, rate in figures["rates"].items()
    ]
    results.write(
        "gateways", results.command(), rows, note="Sends a second of one process over one connection that is kept."
    )
    grown_rows = [
        {
            "gateway": MEANINGS[name],
            "MB_first": row.first,
            "MB_last": row.last,
            "KB_per_1000_sends": row.slope,
            "goal": GOAL_GROWTH,
        }
        for name, row in figures["memory"].items()
    ]
    results.write(
        "gateways-memory", results.command(), grown_rows, note=f"Memory of the sending process over {SENDS} sends."
    )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", choices=MEMORY, help="only this, as JSON")
    arguments = parser.parse_args()
    if arguments.memory:
        row = grown(arguments.memory)
        print(json.dumps([row.first, row.last, row.slope]))
        return
    figures = measure()
    show(figures)
    keep(figures)


if __name__ == "__main__":
    main()
