"""Access points of others that run beside the tests, the line to them, and what stands in for our own endpoint."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any, Self

from support.pki import Holder, Pki
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from invoiceapp.gateways.base import Incoming, Reply, Transport

#: Bytes of a message, and how far behind their end (before it, if negative) one octet is changed.
Spot = tuple[bytes, int]


def _changed(body: bytes, spot: Spot | None) -> bytes:
    """Base64 stays base64."""
    if spot is None:
        return body
    at = body.index(spot[0]) + len(spot[0]) + spot[1]
    return body[:at] + (b"B" if body[at : at + 1] == b"A" else b"A") + body[at + 1 :]


class AccessPoint:
    """A program of others that speaks AS4; lines of JSON tell it what to do.

    Its folder holds its key and certificate, those it trusts, and in ``inbox`` what it has received.
    """

    def __init__(self, command: list[str | Path], folder: Path, identity: Holder, pki: Pki) -> None:
        self.folder, self.identity = folder, identity
        (folder / "key.pem").write_text(identity.key_pem)
        (folder / "certificate.pem").write_text(identity.pem)
        (folder / "trusted.pem").write_text(pki.root_pem + pki.intermediate_pem)
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.port: int = self._answer()["port"]
        self.url = f"http://127.0.0.1:{self.port}/as4"

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "log").read_text()
        return dict(json.loads(line))

    def do(self, what: str, **details: str) -> dict[str, Any]:
        """Its answer to a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        assert "failed" not in answer, answer
        return answer

    def taken(self, message_id: str) -> tuple[dict[str, str], bytes] | None:
        """What it has received by a MessageId: what it says of it, and the document in its envelope."""
        facts = self.folder / "inbox" / f"{message_id}.json"
        return (json.loads(facts.read_text()), facts.with_suffix(".xml").read_bytes()) if facts.exists() else None

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


class WebServer:
    """Answers what is posted by a function of ours; takes chunked requests, as phase4 sends them."""

    def __init__(self, answer: Callable[[Incoming], Reply]) -> None:
        def respond(request: Request) -> Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            reply = answer(Incoming("request", request.get_data(), headers))
            return Response(reply.content, reply.status, content_type=reply.media_type)

        self._server = make_server("127.0.0.1", 0, Request.application(respond), threaded=True)
        self._thread = Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Tamperer(WebServer):
    """Passes requests on to an access point, with one octet changed: of the request, or of the answer."""

    def __init__(self, access_point: AccessPoint, request: Spot | None = None, answer: Spot | None = None) -> None:
        def relay(incoming: Incoming) -> Reply:
            connection = HTTPConnection("127.0.0.1", access_point.port, timeout=20)
            headers = {"Content-Type": incoming.headers["content-type"]}
            connection.request("POST", "/as4", _changed(incoming.content, request), headers)
            answered = connection.getresponse()
            reply = Reply(answered.status, _changed(answered.read(), answer), answered.headers["Content-Type"] or "")
            connection.close()
            return reply

        super().__init__(relay)


class Mailbox:
    """What ``Transport.unwrap`` opens, stored by its name."""

    url = ""

    def __init__(self, transport: Transport) -> None:
        self.stored: dict[str, Incoming] = {}
        self._transport = transport

    def answer(self, incoming: Incoming) -> Reply:
        """What the transport wants to be answered."""
        unwrapped = self._transport.unwrap(incoming)
        document = unwrapped.incoming
        if document is not None and document.name in self.stored:
            return unwrapped.repeated or unwrapped.reply
        if document is not None:
            self.stored[document.name] = document
        return unwrapped.reply
