"""A mail server."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path
from typing import Any

from invoiceapp.demo.partners.smtp_server import SmtpServer

from .base import HOST, PASSWORD, USER, Config, Receiver


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
