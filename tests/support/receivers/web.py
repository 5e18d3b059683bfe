"""What is spoken to by HTTP: a web address, an AS2 partner, Dropbox."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.as2_pairs import make_pairs
from support.as2_partner import PROCESSED, Answer, Partner, Received, report, unsigned

from invoiceapp.demo.partners.dropbox_account import DEMO_APP_KEY, DEMO_APP_SECRET, DEMO_REFRESH_TOKEN
from invoiceapp.demo.partners.dropbox_api import DropboxApi

from .base import HOST, PASSWORD, USER, Config, FolderReceiver, Receiver


class _WholeLines:
    """``http.server`` takes a head that was cut short for whole; other servers do not (RFC 9112 8)."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def readline(self, *limit: int) -> bytes:
        line: bytes = self._inner.readline(*limit)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the request ended within its head")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _WholeHeads(BaseHTTPRequestHandler):
    def setup(self) -> None:
        super().setup()
        self.rfile = _WholeLines(self.rfile)  # type: ignore[assignment]


def be_strict(server: ThreadingHTTPServer) -> None:
    """Understands whole requests only, and does not talk of clients that hang up."""
    handler = server.RequestHandlerClass
    server.RequestHandlerClass = type("Strict", (_WholeHeads, handler), {})
    server.handle_error = lambda *_: None  # type: ignore[method-assign]


class HttpReceiver(Receiver):
    """With ``dedupes`` a repeated key gets the first answer again; ``asked`` gateways look documents up."""

    kind = "http"
    wire_id = "idempotency_key"

    def __init__(self, folder: Path, *, dedupes: bool = False, asked: bool = False) -> None:
        super().__init__()
        self.requests: list[str] = []
        """Keys of the requests that came whole"""
        self.answer: tuple[int, bytes] | None = None
        """Instead of taking it"""
        self._dedupes, self._asked = dedupes, asked
        self._lock = threading.Lock()
        self._server = _QueueingServer((HOST, 0), type("Handler", (_HttpHandler,), {"receiver": self}))
        be_strict(self._server)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="http-receiver")
        self._thread.start()

    def take(self, key: str, content: bytes) -> tuple[int, bytes]:
        with self._lock:
            self.requests.append(key)
            if self.answer is not None:
                return self.answer
            if not (self._dedupes and self.knows(key)):
                self.note(key, content)
            return 201, b'{"state": "taken"}'

    def knows(self, key: str) -> bool:
        return any(key == known for known, _ in self.effects)

    def config(self, port: int | None = None) -> Config:
        url = f"http://{HOST}:{port or self.port}/ind"
        asking = {"status_url": url + "/{key}"} if self._asked else {}
        return {
            "url": url, "method": "POST", "body": "raw", "auth": "basic", "username": USER, "password": PASSWORD,
            "recognises": self._dedupes, "connections": 20, **asking,
        }  # fmt: skip

    def wrong_login(self, config: Config) -> Config:
        self.answer = 401, b"who are you?"
        return config

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"url": f"https://{HOST}:{port}/ind"}

    def fill_up(self) -> None:
        self.answer = 507, b"no room"

    def say_no(self, name: str) -> None:
        self.answer = 422, b"not like that"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()


class _QueueingServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


class _HttpHandler(BaseHTTPRequestHandler):
    receiver: HttpReceiver
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) < length:
            self.close_connection = True
            return
        self._answer(*self.receiver.take(self.headers["Idempotency-Key"], content))

    def do_GET(self) -> None:
        known = self.receiver.knows(self.path.rpartition("/")[2])
        self._answer(200 if known else 404, b"taken" if known else b"never seen")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class As2Receiver(Receiver):
    """``plain``: without signature and encryption, which cost more than all the rest."""

    kind = "as2"
    wire_id = "message_id"

    def __init__(self, folder: Path, *, plain: bool = False) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self._plain, self._own = plain, make_pairs(folder, "own", "partner")
        self._partner = Partner(folder, self._own["partner"], self._own["own"])
        self._partner.answer = self._take
        be_strict(self._partner._server)
        self._lock = threading.Lock()
        self.port = self._partner.port

    def _take(self, message: Received) -> Answer:
        with self._lock:
            if any(message.message_id == known for known, _ in self.effects):
                return self._receipt(message, PROCESSED.replace("processed", "processed/warning: duplicate-document"))
            self.note(message.message_id, message.content)
        return self._receipt(message, PROCESSED)

    def _receipt(self, message: Received, disposition: str) -> Answer:
        if not self._plain:
            return self._partner.signed_receipt(message, disposition=disposition)
        return 200, *unsigned(report(message.message_id, f"{message.mic}, sha-256", disposition))

    def config(self, port: int | None = None) -> Config:
        own, partner = self._own["own"], self._own["partner"]
        security = {
            "sign": not self._plain,
            "encrypt": "none" if self._plain else "aes256-cbc",
            "mdn_signed": not self._plain,
        }
        return {
            "url": f"http://{HOST}:{port or self.port}/as2", "as2_from": "Firma-AS2", "as2_to": "Partner AS2",
            "subject": "{type} {number}", "digest": "sha256", "key_transport": "pkcs1v15", "compress": False,
            "transfer_encoding": "base64", "own_certificate": own.certificate, "own_key": own.key,
            "partner_certificate": partner.certificate, "mdn": "sync", "mdn_hours": 4, "dedupes": True,
            "connections": 20, **security, **({} if self._plain else {"username": USER, "password": PASSWORD}),
        }  # fmt: skip

    def secrets(self) -> list[str]:
        return [PASSWORD, self._own["own"].key.splitlines()[3]]

    def wrong_login(self, config: Config) -> Config:
        self._partner.answer = lambda message: (401, {}, b"who are you?")
        return config

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"url": f"https://{HOST}:{port}/as2"}

    def fill_up(self) -> None:
        self._partner.answer = lambda message: (507, {}, b"no room")

    def say_no(self, name: str) -> None:
        no = PROCESSED.replace("processed", "processed/error: unexpected-processing-error")
        self._partner.answer = lambda message: self._receipt(message, no)

    def close(self) -> None:
        self._partner.close()


class DropboxReceiver(FolderReceiver):
    kind = "dropbox"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._api = DropboxApi(folder / "dropbox")
        self.folder, self.port = self._api.folder / "Fakturaer", self._api.port
        be_strict(self._api._server)
        upload = self._api.account.upload

        def watched(argument: dict[str, Any], content: bytes) -> dict[str, Any]:
            before = self._lies(argument["path"], content)
            stored = upload(argument, content)
            if not before:
                self.note(Path(argument["path"]).name, content)
            return stored

        self._api.account.upload = watched

    def _lies(self, path: str, content: bytes) -> bool:
        found = self._api.folder / path.lstrip("/")
        return found.is_file() and found.read_bytes() == content

    def config(self, port: int | None = None) -> Config:
        url = f"http://{HOST}:{port or self.port}"
        return {
            "app_key": DEMO_APP_KEY, "app_secret": DEMO_APP_SECRET, "refresh_token": DEMO_REFRESH_TOKEN,
            "folder": "/Fakturaer", "api_url": url, "content_url": url, "authorize_url": f"{url}/oauth2/authorize",
            "connections": 20,
        }  # fmt: skip

    def secrets(self) -> list[str]:
        return [DEMO_APP_SECRET, DEMO_REFRESH_TOKEN, *self._api.account._access_tokens]

    def wrong_login(self, config: Config) -> Config:
        self._api.faults.revoked = True
        return config

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | dict.fromkeys(("api_url", "content_url"), f"https://{HOST}:{port}")

    def fill_up(self) -> None:
        self._api.faults.out_of_space = True

    def close(self) -> None:
        self._api.close()
