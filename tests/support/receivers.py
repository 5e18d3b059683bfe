"""One receiving server a kind of transport, in this process, that says what took effect there and with which id.

``on_effect`` is called when a document has taken effect and before its sender is told so: the moment at which a lost
answer hurts. Whoever adds a kind of transport adds a receiver here; the contract test asks for it.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import threading
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self
from unittest import mock

from support.as2_pairs import make_pairs
from support.as2_partner import PROCESSED, Answer, Partner, Received, report, unsigned

from invoiceapp.demo.partners import sftp_server
from invoiceapp.demo.partners.dropbox_account import DEMO_APP_KEY, DEMO_APP_SECRET, DEMO_REFRESH_TOKEN
from invoiceapp.demo.partners.dropbox_api import DropboxApi
from invoiceapp.demo.partners.smtp_server import SmtpServer

with warnings.catch_warnings():
    # It stands on asyncore, and brings its own from Python 3.12 on.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

HOST = "127.0.0.1"
USER, PASSWORD = "invoices", "S3CR3T-kode-7"
MAILBOX = "5790000000005"
Config = dict[str, Any]


class Receiver:
    """Listens on ``port`` from construction until ``close``."""

    kind: ClassVar[str]
    wire_id: ClassVar[str]
    """Name in ``Transport.wire_ids`` of what the effects are known by"""
    ftp = False
    """Whether a proxy must know the protocol"""
    port: int

    def __init__(self) -> None:
        self.effects: list[tuple[str, str]] = []
        """Wire id and SHA-256 of every document that took effect, in order"""
        self.on_effect: Callable[[], None] = _nothing

    def config(self, port: int | None = None) -> Config:
        """A gateway's configuration, for this server or for another port."""
        raise NotImplementedError

    def secrets(self) -> list[str]:
        """What no text may hold."""
        return [PASSWORD]

    def wrong_login(self, config: Config) -> Config:
        """The configuration with credentials that are not taken any more."""
        return config | {"password": "wrong"}

    def elsewhere(self, config: Config, port: int) -> Config:
        """The configuration for a server with TLS on ``port`` whose certificate nobody signed, or a key that is not pinned."""
        raise NotImplementedError

    def fill_up(self) -> None:
        """No more room."""
        raise NotImplementedError

    def say_no(self, name: str) -> None:
        """From now on the document with this wire id is not taken."""
        raise NotImplementedError

    def note(self, name: str, content: bytes) -> None:
        self.effects.append((name, hashlib.sha256(content).hexdigest()))
        self.on_effect()

    def visible(self) -> list[str]:
        """SHA-256 of everything that the receiver sees as a document."""
        return [sha256 for _, sha256 in self.effects]

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _nothing() -> None:
    pass


class _FolderReceiver(Receiver):
    """Of files in a folder, where nobody looks at those that begin with a dot."""

    wire_id = "filename"
    folder: Path

    def visible(self) -> list[str]:
        """Of the files as they lie there now."""
        return [_sha256(path.read_bytes()) for path in self.folder.rglob("[!.]*") if path.is_file()]

    def say_no(self, name: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(b"another file")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class SftpReceiver(_FolderReceiver):
    kind = "sftp"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._server = sftp_server.SftpServer(folder / "in", folder / "host_key")
        self.folder, self.port = self._server.folder, self._server.port
        rename = sftp_server._Folder._replace

        def watched(inside: Any, old: str, new: str) -> int:
            result = rename(inside, old, new)
            if result == sftp_server.SFTP_OK:
                self.note(Path(new).name, inside._local(new).read_bytes())
            return result

        self._patches = [
            mock.patch.object(sftp_server._Folder, "_replace", watched),
            mock.patch.object(sftp_server, "DEMO_PASSWORD", PASSWORD),
        ]
        for patch in self._patches:
            patch.start()

    def config(self, port: int | None = None) -> Config:
        return {
            "host": HOST, "port": port or self.port, "username": sftp_server.DEMO_USER, "password": PASSWORD,
            "host_key": self._server.host_key, "folder": ".", "connections": 20,
        }  # fmt: skip

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"host_key": f"SHA256:{'A' * 43}"}

    def fill_up(self) -> None:
        self._server.faults.disk_full = True

    def close(self) -> None:
        self._server.close()
        for patch in self._patches:
            patch.stop()


class VansReceiver(SftpReceiver):
    """An operator's mailbox over SFTP."""

    kind = "vans"

    def config(self, port: int | None = None) -> Config:
        own = {"carrier": "sftp", "mailbox": MAILBOX, "expects": "none", "filename": "{type}_{number}_{key8}"}
        return own | {f"sftp_{name}": value for name, value in super().config(port).items()}

    def wrong_login(self, config: Config) -> Config:
        return config | {"sftp_password": "wrong"}

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"sftp_host_key": f"SHA256:{'A' * 43}"}


class FtpReceiver(_FolderReceiver):
    kind = "ftp"
    ftp = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder / "in"
        self.folder.mkdir(parents=True)
        self._full = False
        authorizer = DummyAuthorizer()
        authorizer.add_user(USER, PASSWORD, str(self.folder), perm="elradfmwMT")
        values = {"authorizer": authorizer, "auth_failed_timeout": 0, "receiver": self}
        self._server = FTPServer((HOST, 0), type("Handler", (_FtpHandler,), values), ioloop=IOLoop())
        self._server.max_cons = 2_000
        self.port = int(self._server.address[1])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ftp-receiver")
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            self._server.ioloop.loop(0.02, False)
        self._server.close_all()

    @property
    def is_full(self) -> bool:
        return self._full

    def config(self, port: int | None = None) -> Config:
        login = {"username": USER, "password": PASSWORD, "security": "none"}
        return {"host": HOST, "port": port or self.port, "folder": ".", "connections": 20, **login}

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"security": "implicit", "port": port}

    def fill_up(self) -> None:
        self._full = True

    def close(self) -> None:
        self._over.set()
        self._thread.join(timeout=10)


class _FtpHandler(FTPHandler):
    receiver: FtpReceiver
    _renamed: str | None = None

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        if self.receiver.is_full:
            return self.respond("452 No space left")
        return super().ftp_STOR(file, mode)

    def ftp_RNTO(self, path: str) -> Any:
        self._renamed = path
        return super().ftp_RNTO(path)

    def respond(self, resp: str, *args: Any, **kwargs: Any) -> None:
        path, self._renamed = self._renamed, None
        if path is not None and resp.startswith("250"):
            self.receiver.note(Path(path).name, Path(path).read_bytes())
        super().respond(resp, *args, **kwargs)


class DropboxReceiver(_FolderReceiver):
    kind = "dropbox"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._api = DropboxApi(folder / "dropbox")
        self.folder, self.port = self._api.folder / "Fakturaer", self._api.port
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


class EmailReceiver(Receiver):
    kind = "email"
    wire_id = "message_id"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._server = SmtpServer(folder / "mail", login=(USER, PASSWORD))
        self.port = self._server.port
        handler = self._server._controller.handler
        keep = handler.handle_DATA

        async def watched(server: Any, session: Any, envelope: Any) -> str:
            reply: str = await keep(server, session, envelope)
            if reply.startswith("2"):
                mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
                (attached, *_) = (part.get_content() for part in mail.iter_attachments())
                content = attached if isinstance(attached, bytes) else attached.encode()
                self.note(str(mail["Message-ID"]), content)
            return reply

        handler.handle_DATA = watched

    def config(self, port: int | None = None) -> Config:
        return {
            "host": HOST, "port": port or self.port, "security": "none", "auth": "password", "username": USER,
            "password": PASSWORD, "sender": "faktura@firma.example", "recipient": "bogholderi@kunde.example",
            "connections": 20,
        }  # fmt: skip

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"security": "tls", "port": port}

    def fill_up(self) -> None:
        self._server.faults.data = "452 4.3.1 Disk full"

    def say_no(self, name: str) -> None:
        self._server.faults.data = "554 5.7.1 Not wanted"

    def close(self) -> None:
        self._server.close()


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
        self._server = _QuietServer((HOST, 0), type("Handler", (_HttpHandler,), {"receiver": self}))
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


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news here."""


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
        # A client that hangs up is no news here.
        self._partner._server.handle_error = lambda *_: None
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


RECEIVERS: dict[str, type[Receiver]] = {
    one.kind: one
    for one in (SftpReceiver, FtpReceiver, DropboxReceiver, HttpReceiver, As2Receiver, EmailReceiver, VansReceiver)
}
