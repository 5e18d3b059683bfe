"""Settings of e-mail gateways for tests, and what arrived."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path
from typing import Any

from invoiceapp.gateways.email import EmailTransport

from .outbound import LOOPBACK

LOGIN = ("firma", "hemmelig-kode")


def plain(port: int, **changes: Any) -> dict[str, Any]:
    """A server on this machine without encryption and login."""
    config = {"host": "127.0.0.1", "port": port, "security": "none", "auth": "none", "sender": "faktura@firma.example"}
    return config | changes


def starttls(port: int, authority: Any, **changes: Any) -> dict[str, Any]:
    """With the root certificate of ``authority``, and ``LOGIN``."""
    secured = {"security": "starttls", "ca_certificate": authority.root}
    return plain(port) | secured | {"auth": "password", "username": LOGIN[0], "password": LOGIN[1]} | changes


def mailer(config: dict[str, Any]) -> EmailTransport:
    """Opens nothing yet."""
    return EmailTransport(config, LOOPBACK)


def received(mails: Path) -> list[Any]:
    """The mails in a folder, parsed."""
    return [email.message_from_bytes(p.read_bytes(), policy=email.policy.default) for p in sorted(mails.iterdir())]
