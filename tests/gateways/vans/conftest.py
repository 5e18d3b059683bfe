"""A VANS gateway over SFTP, without its server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.answers import OURS, THEIRS, invoic
from support.outbound import LOOPBACK

from invoiceapp.gateways.base import Consignment, Payload, Receipt, TransportError
from invoiceapp.gateways.sftp import SftpTransport
from invoiceapp.gateways.vans import VansTransport


@pytest.fixture
def vans() -> Callable[..., VansTransport]:
    """Makes a transport; keyword arguments change its settings."""

    def make(**changes: Any) -> VansTransport:
        connection = {
            "sftp_host": "vans.example",
            "sftp_username": "u",
            "sftp_password": "S3CR3T",
            "sftp_folder": "/ind",
        }
        return VansTransport(
            {"carrier": "sftp", "mailbox": OURS, "partner_mailbox": THEIRS, **connection, **changes}, LOOPBACK
        )

    return make


@pytest.fixture
def edifact(consignment: Callable[..., Consignment]) -> Callable[..., Consignment]:
    """``edifact(content=None, **fields)``: an INVOIC from our mailbox."""

    def make(content: bytes | None = None, **fields: Any) -> Consignment:
        payload = Payload(invoic() if content is None else content, "invoice.edi", "application/edifact")
        return consignment(payload=payload, companions=(), format="edifact-d96a", **fields)

    return make


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the SFTP transport underneath is given to send; put an error in front to have it raised."""
    sent: list[Any] = []

    def send(_transport: SftpTransport, consignment: Consignment) -> Receipt:
        if sent and isinstance(sent[0], TransportError):
            raise sent.pop(0)
        sent.append(consignment)
        return Receipt("/ind/x.edi", {"size": 7}, proves_arrival=True)

    monkeypatch.setattr(SftpTransport, "send", send)
    return sent
