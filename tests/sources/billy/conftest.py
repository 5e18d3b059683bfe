"""A programmable HTTP server on loopback in Billy's place, and records as Billy writes them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.outbound import LOOPBACK

from invoiceapp.sources.billy.client import BillyClient
from invoiceapp.sources.billy.source import BillySource

TOKEN = "s3cret-t0ken-of-one-company"


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds_per_byte: float = 0


@dataclass
class Request:
    path: str
    params: dict[str, str]
    headers: dict[str, str]


Answer = dict[str, Any] | bytes | Reply | Callable[[Request], Any]


class StubBilly:
    """Answers by path. Each answer of a path serves once, the last one for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = TOKEN
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = {}

    def on(self, path: str, *answers: Answer) -> None:
        self._answers[path] = list(answers)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    @staticmethod
    def reply(status: int = 200, body: bytes | dict[str, Any] = b"", **more: Any) -> Reply:
        return Reply(status, json.dumps(body).encode() if isinstance(body, dict) else body, **more)

    @classmethod
    def error(cls, status: int, code: str, message: str = "No luck.", **more: Any) -> Reply:
        meta = {"statusCode": status, "success": False}
        return cls.reply(status, {"meta": meta, "errorMessage": message, "errorCode": code}, **more)

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        answers = self._answers.get(request.path)
        if not answers:
            return self.error(404, "RECORD_NOT_FOUND", "No record was found.")
        answer: Any = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(request)
        return answer if isinstance(answer, Reply) else self.reply(200, answer)


def _handler(find: Callable[[Request], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = find(Request(parts.path, dict(parse_qsl(parts.query)), headers))
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self._send(reply)
            except ConnectionError:
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            if not reply.seconds_per_byte:
                self.wfile.write(reply.body)
            for byte in reply.body if reply.seconds_per_byte else b"":
                self.wfile.write(bytes([byte]))
                time.sleep(reply.seconds_per_byte)
            # A body shorter than announced: hang up, as a broken connection does.
            self.close_connection = "Content-Length" in reply.headers

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def billy() -> Iterator[StubBilly]:
    stub = StubBilly("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub.answer))
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield stub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that the client slept (without sleeping)."""
    return []


@pytest.fixture
def client(billy: StubBilly, pauses: list[float]) -> Iterator[BillyClient]:
    opened = BillyClient(TOKEN, billy.url, guard=LOOPBACK, sleep=pauses.append, timeout=2)
    yield opened
    opened.close()


@pytest.fixture
def source(billy: StubBilly, client: BillyClient) -> BillySource:
    """A source whose company, tax rates, account, one product and one customer are there already."""
    billy.on("/organization", {"organization": ORGANIZATION})
    billy.on("/taxRates", {"taxRates": [SALES_RATE, PURCHASE_RATE, ZERO_RATE]})
    billy.on("/accounts/bank1", {"account": {"id": "bank1", "bankIban": "DK5000400440116243"}})
    billy.on("/products/hour", {"product": {"id": "hour", "name": "Konsulenttime"}})
    billy.on("/contacts/kommune", {"contact": contact()})
    return BillySource({"token": TOKEN, "base_url": billy.url}, client)


ORGANIZATION = {
    "id": "company",
    "name": "Eksempel ApS",
    "registrationNo": "12345674",
    "countryId": "DK",
    "baseCurrencyId": "DKK",
    "defaultInvoiceBankAccountId": "bank1",
}
SALES_RATE = {"id": "sales25", "name": "Salgsmoms", "rate": 0.25, "appliesToSales": True}
PURCHASE_RATE = {"id": "bought25", "name": "Købsmoms", "rate": 0.25, "appliesToSales": False}
ZERO_RATE = {"id": "sales0", "name": "Momsfrit salg", "rate": 0, "appliesToSales": True}


def line(**changes: Any) -> dict[str, Any]:
    base = {"id": "line1", "productId": "hour", "quantity": 1, "unitPrice": 100, "taxRateId": "sales25"}
    return {**base, **changes}


def contact(**changes: Any) -> dict[str, Any]:
    base = {"id": "kommune", "name": "Kommune Eksempel", "countryId": "DK", "cityText": "Eksempelby"}
    return {**base, "isCustomer": True, "isArchived": False, "ean": "5798000000001", **changes}


def invoice(**changes: Any) -> dict[str, Any]:
    base = {
        "id": "inv1",
        "type": "invoice",
        "state": "approved",
        "invoiceNo": "1042",
        "entryDate": "2026-11-02",
        "approvedTime": "2026-11-02T08:17:02",
        "contactId": "kommune",
        "attContactPersonId": None,
        "currencyId": "DKK",
        "amount": 100,
        "tax": 25,
        "orderNo": "PO-7781",
        "bankAccountId": None,
        "creditedInvoiceId": None,
        "downloadUrl": "https://download.billy.dk/1042.pdf?token=rotating",
        "lines": [line()],
    }
    return {**base, **changes}


@pytest.fixture
def make_line() -> Callable[..., dict[str, Any]]:
    return line


@pytest.fixture
def make_contact() -> Callable[..., dict[str, Any]]:
    return contact


@pytest.fixture
def make_invoice() -> Callable[..., dict[str, Any]]:
    return invoice
