"""The partners, in a process of their own: ``python -m chaos.partners FOLDER SEED``.

One for each way in which a lost answer is dealt with: ``http-keyed`` and ``sftp`` recognise a repetition, ``http-asked`` can
be asked, ``http-blind`` and ``mail`` can do neither. What they see goes into the ledger before they answer, so that they
may be killed, too.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from paramiko.sftp import SFTP_FAILURE, SFTP_OK

from invoiceapp.demo.partners import sftp_server, smtp_server

from . import timing
from .behaviour import LAG, TAKING, Act, Mood, ports
from .ledger import Ledger, lines

HOST = "127.0.0.1"
NAMES = ("http-keyed", "http-asked", "http-blind", "mail", "sftp")
LATE = timing.DEADLINE + 0.4
#: Seconds after which the same answer comes once more.
AGAIN = 0.02


@dataclass
class Books:
    """What all partners know; read back from the ledger after a kill."""

    mood: Mood
    ledger: Ledger
    times: Counter[tuple[str, str]] = field(default_factory=Counter)
    taken: dict[tuple[str, str], float] = field(default_factory=dict)
    """Partner and key of what is in the books, and when it came"""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def opened(cls, path: Path, mood: Mood) -> Books:
        books = cls(mood, Ledger(path))
        for line in lines(path):
            books.times[line.partner, line.key] += 1
            if line.takes_effect:
                books.taken[line.partner, line.key] = line.at
        return books

    def come(self, partner: str, key: str, content: bytes, *, recognises: bool = False) -> Act:
        """A whole document has come; what the partner does. Noted before it does."""
        with self.lock:
            self.times[partner, key] += 1
            act = self.mood.act(partner, key, self.times[partner, key])
            is_known = (partner, key) in self.taken
            effect = act in TAKING and not (recognises and is_known)
            if effect:
                self.taken[partner, key] = time.time()
            again = act in TAKING and not effect
            said = f"{act}, known already" if again else act.value
            self.ledger.note(partner, key, hashlib.sha256(content).hexdigest(), effect, said)
        if act is Act.SLOW:
            time.sleep(timing.STEP / 2)
        if act is Act.LATE:
            time.sleep(LATE)
        return act

    def knows(self, partner: str, key: str) -> bool:
        """Whether it finds the document; not at once."""
        at = self.taken.get((partner, key))
        return at is not None and time.time() - at > LAG


class Web(BaseHTTPRequestHandler):
    """A web address that takes documents, and one that is asked."""

    books: Books
    partner: str
    recognises: bool
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length, key = self.headers["Content-Length"], self.headers["Idempotency-Key"]
        content = self.rfile.read(int(length)) if length and key else b""
        if not length or not key or len(content) < int(length):
            # Whoever sent it was killed in the middle.
            self.close_connection = True
            return
        act = self.books.come(self.partner, key, content, recognises=self.recognises)
        if act in (Act.CUT_AFTER, Act.CUT_BEFORE):
            # The other side sees a reset, not an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif act is Act.BUSY:
            self._answer(503, b"busy", {"Retry-After": "1"})
        elif act is Act.REFUSE:
            self._answer(422, b"not wanted")
        elif act is Act.FAULT_AFTER:
            self._answer(500, b"something failed")
        else:
            self._answer(201, b"taken")
            if act is Act.TWICE:
                # Perhaps when the next document is on its way over the same connection.
                time.sleep(AGAIN)
                self._answer(201, b"taken")

    def do_GET(self) -> None:
        key = self.path.rpartition("/")[2]
        if self.books.mood.act(self.partner, f"question {key}", int(time.time())) is Act.BUSY:
            self._answer(503, b"busy")
        elif self.books.knows(self.partner, key):
            self._answer(200, b"taken")
        else:
            self._answer(404, b"never seen")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        fields = {"Content-Length": str(len(body)), **(headers or {})}
        head = f"HTTP/1.1 {status} .\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        try:
            self.connection.sendall(head.encode() + body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


class WebServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, *_: Any) -> None:
        """Clients that are killed are not talked of."""


def serve_web(books: Books, partner: str, port: int) -> None:
    handler = type("Handler", (Web,), {"books": books, "partner": partner, "recognises": partner == "http-keyed"})
    server = WebServer((HOST, port), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), name=partner, daemon=True).start()


class Mailbox:
    """aiosmtpd's handler: its method names are that library's."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        attached = [part.get_content() for part in mail.iter_attachments()]
        content = attached[0] if isinstance(attached[0], bytes) else attached[0].encode()
        act = await asyncio.to_thread(self._books.come, "mail", str(mail["Message-ID"]), content)
        # A mail server that answers 4xx promises that it has nothing (RFC 5321 4.2.1): it cannot fail after it has taken it.
        if act in (Act.CUT_AFTER, Act.CUT_BEFORE, Act.FAULT_AFTER):
            server.transport.abort()
        return {Act.BUSY: "452 4.3.1 Disk full", Act.REFUSE: "554 5.7.1 Not wanted"}.get(act, "250 2.0.0 Kept")


def serve_mail(books: Books, folder: Path, port: int) -> None:
    server = smtp_server.SmtpServer(folder, HOST, port)
    server._controller.handler = Mailbox(books)


class Folder(sftp_server._Folder):
    """A folder whose files count once they have their name."""

    books: Books

    def _replace(self, oldpath: str, newpath: str) -> int:
        name = Path(newpath).name
        act = self._named(oldpath, newpath, name)
        if act in (Act.SLOW, Act.LATE):
            time.sleep(timing.STEP / 2 if act is Act.SLOW else LATE)
        if act in (Act.CUT_BEFORE, Act.CUT_AFTER):
            self._connection.close()
        return SFTP_FAILURE if act in (Act.BUSY, Act.CUT_BEFORE) else SFTP_OK

    def _named(self, oldpath: str, newpath: str, name: str) -> Act:
        """What becomes of it. Nobody is refused here: a file that has its name is there."""
        books, key = self.books, ("sftp", name)
        with books.lock:
            books.times[key] += 1
            act = books.mood.act(*key, books.times[key])
            act = Act.TAKE if act is Act.REFUSE else act
            sha256 = hashlib.sha256(self._local(oldpath).read_bytes()).hexdigest()
            is_new = act in TAKING and key not in books.taken
            if act in TAKING:
                self._local(oldpath).replace(self._local(newpath))
                books.taken[key] = time.time()
            if not name.endswith(".pdf"):
                books.ledger.note(*key, sha256, is_new, act.value)
        return act


def serve_files(books: Books, folder: Path, port: int) -> str:
    """The host key's fingerprint."""
    Folder.books = books
    sftp_server._Folder = Folder  # type: ignore[misc]
    inbox = folder / "in"
    inbox.mkdir(parents=True, exist_ok=True)
    for file in inbox.iterdir():
        # Killed between the file's name and the line.
        if not file.name.endswith((".part", ".pdf")) and ("sftp", file.name) not in books.taken:
            books.taken["sftp", file.name] = time.time()
            books.ledger.note(
                "sftp", file.name, hashlib.sha256(file.read_bytes()).hexdigest(), True, "found at the start"
            )
    return sftp_server.SftpServer(inbox, folder / "host_key", HOST, port).host_key


def serve_all(books: Books, folder: Path) -> None:
    """All partners listen where ``ports.json`` in ``folder`` says, and for ever."""
    at = ports(folder / "ports.json")
    for partner in ("http-keyed", "http-asked", "http-blind"):
        serve_web(books, partner, at[partner])
    serve_mail(books, folder / "mail", at["mail"])
    host_key = serve_files(books, folder / "sftp", at["sftp"])
    (folder / "ready.json").write_text(json.dumps({"host_key": host_key}))
    threading.Event().wait()


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    serve_all(Books.opened(folder / "ledger.jsonl", Mood(seed, folder / "well")), folder)


if __name__ == "__main__":
    main()
