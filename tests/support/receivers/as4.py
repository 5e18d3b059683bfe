"""An access point made of our own receiving half; like phase4 it answers a repetition with EBMS:4001."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from support.pki import Holder, Pki, make_pki, pem

from invoiceapp.domain.identifiers import GLN, Participant
from invoiceapp.domain.network import AS4_PROFILE, SERVICES, Identifier, Network, ReceivingEndpoint
from invoiceapp.gateways.as4 import receiving
from invoiceapp.gateways.as4.errors import Duplicate, EbmsFault, FailedAuthentication, NotServiced
from invoiceapp.gateways.as4.receiving import Answer, MessageRefused, Opened
from invoiceapp.gateways.as4.wss import Identity
from invoiceapp.gateways.base import Consignment

from .base import HOST, Config, Receiver
from .web import _QueueingServer, be_strict

#: Status, content type, body.
Response = tuple[int, str, bytes]
RECEIVER = Participant(GLN, "5798000000001")


@cache
def pki() -> Pki:
    """Of the network in which everything here happens."""
    return make_pki("Access points")


@cache
def holder(name: str) -> Holder:
    """An access point of it."""
    return pki().holder(name)


def identity(name: str) -> Identity:
    return Identity(holder(name).certificate, holder(name).key)


def answer_of(answer: Answer) -> Response:
    return 200, answer.media_type, answer.content


class AccessPoint:
    """Listens on ``port`` and answers by ``respond``, which a test may replace."""

    def __init__(self, name: str = "POP000002") -> None:
        self.identity = identity(name)
        self.trusted = {holder("POP000001").certificate}
        self.respond: Callable[[Mapping[str, str], bytes], Response] = self.take
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[Opened] = []
        self.on_effect: Callable[[Opened], None] = lambda _: None
        self.repeats = True
        """Whether a repetition is answered by EBMS:4001; else by another receipt"""
        self.checks_party = True
        self._lock = threading.Lock()
        self._server = _QueueingServer((HOST, 0), type("Handler", (_Handler,), {"access_point": self}))
        be_strict(self._server)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="access-point")
        self._thread.start()

    def endpoint(self, network: Network, port: int | None = None, **changes: Any) -> ReceivingEndpoint:
        """As its registration says."""
        service = next(one for one in SERVICES if one.network is network)
        registered = ReceivingEndpoint(
            network, RECEIVER, service.document_id, Identifier("cenbii-procid-ubl", service.processes[0]), AS4_PROFILE,
            f"http://{HOST}:{port or self.port}/as4", pem(self.identity.certificate), datetime.now(UTC),
        )  # fmt: skip
        return replace(registered, **changes)

    @property
    def name(self) -> str:
        return receiving.common_name(self.identity.certificate)

    def require_trusted(self, certificate: x509.Certificate) -> None:
        if certificate not in self.trusted:
            raise FailedAuthentication("nobody we know")

    def open(self, headers: Mapping[str, str], body: bytes) -> Opened:
        ours = [self.identity.key]
        return receiving.open_message(headers, body, ours, self.require_trusted, checks_party=self.checks_party)

    def take(self, headers: Mapping[str, str], body: bytes) -> Response:
        try:
            opened = self.open(headers, body)
        except MessageRefused as error:
            return answer_of(receiving.refusal(error.fault, error.ref_to))
        with self._lock:
            known = {one.message.message_id for one in self.taken}
            if opened.message.message_id in known and self.repeats:
                return self.refuse(Duplicate("seen before"), opened)
            if opened.message.message_id not in known:
                self.taken.append(opened)
                self.on_effect(opened)
        return self.receipt(opened)

    def receipt(self, opened: Opened) -> Response:
        return answer_of(receiving.receipt(opened, self.identity))

    def refuse(self, fault: EbmsFault, opened: Opened) -> Response:
        return answer_of(receiving.refusal(fault, opened.message.message_id))

    def refusing(self, fault: EbmsFault) -> Callable[[Mapping[str, str], bytes], Response]:
        """Takes nothing, and says so."""
        return lambda headers, body: self.refuse(fault, self.open(headers, body))

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    access_point: AccessPoint
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.access_point.requests.append((headers, body))
        status, kind, content = self.access_point.respond(headers, body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class PeppolReceiver(Receiver):
    """Where it is stands in the consignment, not in the configuration; the harness keeps it there all the same."""

    kind = "peppol"
    wire_id = "message_id"
    network = Network.PEPPOL

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.access_point = AccessPoint()
        self.access_point.on_effect = self._took
        self._original = b""
        self.port = self.access_point.port

    def _took(self, opened: Opened) -> None:
        # What travels is the root element; a document is known by the bytes that it had before.
        whole = self._original if opened.payload in self._original else opened.payload
        self.note(opened.message.message_id, whole)

    def addressed(self, consignment: Consignment, config: Config) -> Consignment:
        self._original = consignment.payload.content
        endpoint = self.access_point.endpoint(self.network, url=config["url of the register"])
        return replace(consignment, endpoint=endpoint)

    def config(self, port: int | None = None) -> Config:
        own = holder("POP000001")
        return {
            "own_certificate": own.pem, "own_key": own.key_pem, "anchors": pki().root_pem + pki().intermediate_pem,
            "revocation": "off", "country": "DK", "connections": 20, "lookup": "live",
            "url of the register": f"http://{HOST}:{port or self.port}/as4",
        }  # fmt: skip

    def endpoint(self, port: int) -> ReceivingEndpoint:
        return self.access_point.endpoint(self.network, port)

    def secrets(self) -> list[str]:
        return [holder("POP000001").key_pem.splitlines()[3]]

    def wrong_login(self, config: Config) -> Config:
        self.access_point.trusted = set()
        return config

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"url of the register": f"https://{HOST}:{port}/as4"}

    def fill_up(self) -> None:
        self.access_point.respond = lambda *_: (503, "text/plain", b"no room")

    def say_no(self, name: str) -> None:
        self.access_point.respond = self.access_point.refusing(NotServiced())

    def close(self) -> None:
        self.access_point.close()


class NemHandelReceiver(PeppolReceiver):
    """The same on the other network: of the document signature it only sees that there is one."""

    kind = "nemhandel"
    network = Network.NEMHANDEL
    # Twice in the container that is signed.
    times_sent = 3

    def config(self, port: int | None = None) -> Config:
        return super().config(port) | {"party": "cvr"}
