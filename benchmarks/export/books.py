"""The stand-in Billy with as many invoices as wanted, in a process of its own: ``python -m benchmarks.export.books COUNT``.

Books and answers are the demo's. What answers is a small server of its own with the answers of single invoices and all PDFs
ready, so that the stand-in takes next to nothing of the machine that it shares with what is measured. Prints its port, and
serves until its standard input ends. ``/_bench/begin?latency=SECONDS`` delays every answer from then on and counts anew;
``/_bench/seen`` tells what was counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from random import Random
from urllib.parse import parse_qs, urlsplit

from werkzeug.test import Client

from invoiceapp.demo.billy import api, bookkeeping, ordinary
from invoiceapp.demo.billy.company import FIRST_NUMBER, Company, demo_company
from invoiceapp.demo.billy.downloads import Downloads
from invoiceapp.demo.billy.faults import Faults
from invoiceapp.demo.billy.presenter import Presenter
from invoiceapp.demo.billy.records import Record, by_id, dumps
from invoiceapp.demo.billy.resources import RESOURCES
from invoiceapp.demo.billy.store import Store
from invoiceapp.demo.serve import TOKEN

HOST = "127.0.0.1"
#: Danish companies: what they buy at the ordinary rate needs no decision of a bookkeeper.
_GROUP, _RATE = "V", "standard"
_DAYS = 60


def company(count: int, today: date) -> Company:
    """The demo company with ``count`` approved invoices, one after another over the last two months."""
    base = demo_company(today)
    dice = Random("benchmark")
    contacts = [one for one in base.tables["contacts"].values() if one["contactNo"].startswith(_GROUP)]
    noon = datetime.combine(today - timedelta(days=_DAYS), datetime.min.time())
    invoices: list[Record] = []
    lines: list[Record] = []
    for position in range(count):
        approved = noon + timedelta(days=_DAYS) * position / count
        plan = _plan(f"benchmark-{position}", dice.choice(contacts), dice)
        number = str(FIRST_NUMBER + position)
        invoice, its_lines = bookkeeping.book(plan, number, approved.replace(microsecond=0), approved.date())
        invoices.append(invoice)
        lines += its_lines
    tables = base.tables | {"invoices": by_id(invoices), "invoiceLines": by_id(lines), "invoiceLogs": {}}
    return replace(base, tables=tables | {"attachments": {}, "files": {}}, hard_cases={})


def _plan(key: str, customer: Record, dice: Random) -> bookkeeping.Plan:
    while True:
        plan = ordinary.plan_for(key, customer, dice)
        if all(sale.rate == _RATE for sale in plan.sales):
            # PEPPOL-EN16931-R003: each has an order number.
            return replace(plan, order_no=f"PO-{dice.randrange(10_000, 99_999)}")


class _IndexedStore(Store):
    """Knows the lines of an invoice without looking through all of them."""

    def __init__(self, books: Company) -> None:
        super().__init__(books)
        self._lines: dict[str, list[Record]] = {}
        for line in self.tables["invoiceLines"].values():
            self._lines.setdefault(line["invoiceId"], []).append(line)

    def children(self, plural: str, foreign_key: str, value: str) -> list[Record]:
        """As ``Store.children``."""
        if (plural, foreign_key) == ("invoiceLines", "invoiceId"):
            return self._lines.get(value, [])
        return super().children(plural, foreign_key, value)


class Answers:
    """What is said to each address; ready for what each document needs, made by the stand-in at the first question for the rest."""

    def __init__(self, books: Company, root: str) -> None:
        app = api.create_api(books, token=TOKEN)
        store = _IndexedStore(books)
        app.extensions["billy"].store = store
        self._asked = Client(app)
        self._root = root
        self._kept: dict[str, bytes] = {}
        self._make_ready(store)

    def _make_ready(self, store: Store) -> None:
        def address(name: str, _token: str) -> str:
            return f"{self._root}/download/{name}?token={current}"

        presenter = Presenter(store, Faults(), Downloads(), address)
        meta = {"statusCode": 200, "success": True, "time": 0.01}
        for current, record in store.tables["invoices"].items():
            shown = presenter.present(RESOURCES["invoices"], record)
            body = dumps({"meta": meta, "invoice": shown}).encode()
            self._kept[f"{api.PREFIX}/invoices/{current}"] = _answer(200, "application/json", body)
            pdf = store.file_content("invoices", current)
            self._kept[shown["downloadUrl"].removeprefix(self._root)] = _answer(200, "application/pdf", pdf)

    def to(self, target: str) -> bytes:
        """The whole HTTP answer. Nobody has a log, so that one serves all."""
        path = urlsplit(target).path
        key = path if path.endswith("/invoiceLogs") else target
        kept = self._kept.get(key)
        if kept is None:
            said = self._asked.get(target, base_url=self._root, headers={"X-Access-Token": TOKEN})
            kept = _answer(said.status_code, said.mimetype or "text/plain", said.get_data())
            self._kept[key] = kept
        return kept


def _answer(status: int, kind: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _kind(path: str) -> str:
    """``download``, ``invoices`` for a list, ``invoices/:id`` for a record."""
    first, *rest = path.removeprefix(api.PREFIX).strip("/").split("/")
    return first if first == "download" or not rest else f"{first}/:id"


class Seen:
    """What was asked."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.open = self.most = 0
        self.first: float | None = None
        """Unix time of the first page of invoices"""

    def begin(self, path: str) -> None:
        """A question has come."""
        kind = _kind(path)
        self.calls[kind] += 1
        self.open += 1
        self.most = max(self.most, self.open)
        if kind == "invoices" and self.first is None:
            self.first = time.time()

    def as_json(self) -> bytes:
        """For the benchmark."""
        found = {"calls": dict(self.calls), "connections": self.most, "first": self.first, "cpu": time.process_time()}
        return json.dumps(found).encode()


class Server:
    """Answers; each after ``latency`` seconds."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.seen, self.latency = answers, Seen(), 0.0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: question after question."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(await self._reply(head.split(b" ", 2)[1].decode("ascii")))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, target: str) -> bytes:
        parts = urlsplit(target)
        if parts.path == "/_bench/seen":
            return _answer(200, "application/json", self.seen.as_json())
        if parts.path == "/_bench/begin":
            self.seen, self.latency = Seen(), float(parse_qs(parts.query)["latency"][0])
            return _answer(200, "application/json", b"{}")
        seen, latency = self.seen, self.latency
        seen.begin(parts.path)
        due = time.monotonic() + latency
        reply = self.answers.to(target)
        await asyncio.sleep(max(due - time.monotonic(), 0))
        seen.open -= 1
        return reply


async def _serve(count: int) -> None:
    holder: list[Server] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await holder[0].converse(reader, writer)

    listening = await asyncio.start_server(converse, HOST, 0)
    port = listening.sockets[0].getsockname()[1]
    holder.append(Server(Answers(company(count, date.today()), f"http://{HOST}:{port}")))
    print(port, flush=True)
    await listening.serve_forever()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serve until told to end."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
