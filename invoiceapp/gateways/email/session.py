"""One SMTP session, step by step; smtplib's ``sendmail`` hides which step failed."""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, TransportError
from invoiceapp.gateways.certificates import tls_context
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard

from .conversation import FAILURES, Conversation
from .failures import Stage, after_final_dot, before_final_dot, refusal, text_of, too_large, while_connecting
from .fields import DEFAULT_PORT

#: For the reply after the final dot, where giving up early costs certainty.
FINAL_STEP = 90.0


def connect(config: Mapping[str, Any], guard: Guard, deadline: Deadline) -> Conversation:
    """Greeted and encrypted as the settings say. Raises ``Refused`` or ``Unavailable``."""
    host, port, security = config["host"], config.get("port") or DEFAULT_PORT, config.get("security") or "starttls"
    context = tls_context(config)
    smtp = None
    try:
        smtp = Conversation(guard, host, port, deadline, context if security == "tls" else None)
        if security == "starttls":
            smtp.encrypt(context)
        elif security == "none" and not _is_loopback(smtp):
            raise _unencrypted()
        smtp.ehlo_or_helo_if_needed()
    except TransportError:
        _close(smtp)
        raise
    except (*FAILURES, OutboundError, ValueError) as error:
        _close(smtp)
        raise while_connecting(error) from error
    return smtp


def _close(smtp: Conversation | None) -> None:
    if smtp is not None:
        smtp.close()


def _unencrypted() -> Refused:
    return Refused(
        Text(
            "Uden kryptering kan der kun sendes til en mailserver på denne maskine. Vælg STARTTLS eller TLS.",
            "Without encryption only a mail server on this machine can be used. Choose STARTTLS or TLS.",
        )
    )


def _is_loopback(smtp: smtplib.SMTP) -> bool:
    """Judged by the connected address; a name can lead anywhere."""
    assert smtp.sock is not None
    return ipaddress.ip_address(smtp.sock.getpeername()[0]).is_loopback


def certificate_ends(smtp: smtplib.SMTP) -> datetime | None:
    """The last moment of the server's certificate; None without encryption."""
    shown = smtp.sock.getpeercert() if isinstance(smtp.sock, ssl.SSLSocket) else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC) if shown else None


def is_alive(smtp: Conversation, deadline: Deadline) -> bool:
    """Whether a connection of an earlier mail still answers; what was begun with it is forgotten by both sides."""
    smtp.deadline = deadline
    try:
        return smtp.rset()[0] == 250
    except FAILURES:
        return False


def offer_sender(smtp: Conversation, sender: str) -> None:
    """Ask whether we may send from there, and take it back. Raises a ``TransportError``."""
    _ask(Stage.SENDER, lambda: smtp.mail(sender))
    try:
        smtp.rset()
    except FAILURES as error:
        raise before_final_dot(error) from error


def deliver(smtp: Conversation, sender: str, recipients: Collection[str], copy: str | None, mail: bytes) -> str:
    """Hand over one mail; the server's final reply line.

    ``recipients`` must all be taken, else nobody gets it; ``copy`` gets it too if the server agrees.
    Raises any of the four errors of the contract.
    """
    _require_room(smtp, len(mail))
    size = (f"size={len(mail)}",) if smtp.has_extn("size") else ()
    _ask(Stage.SENDER, lambda: smtp.mail(sender, size))
    for recipient in recipients:
        _ask(Stage.RECIPIENT, partial(smtp.rcpt, recipient), recipient)
    if copy is not None:
        _offer_copy(smtp, copy)
    _ask(Stage.MESSAGE, lambda: smtp.docmd("DATA"))
    try:
        smtp.send(_stuffed(mail))
        # Where these bytes are not taken by the network, the server cannot have seen them.
        smtp.send(b".\r\n")
    except FAILURES as error:
        raise before_final_dot(error) from error
    try:
        code, reply = smtp.reply(FINAL_STEP)
    except FAILURES as error:
        raise after_final_dot(error) from error
    answer = f"{code} {text_of(reply)}"
    if 400 <= code <= 599:
        raise refusal(Stage.MESSAGE, code, text_of(reply))
    if code // 100 != 2:
        raise after_final_dot(smtplib.SMTPException(f"unintelligible reply: {answer}"))
    return answer


def _require_room(smtp: smtplib.SMTP, size: int) -> None:
    """RFC 1870 4: what the server says that it takes; 0 or nothing is no limit."""
    offered = smtp.esmtp_features.get("size", "")
    limit = int(offered) if re.fullmatch(r"[0-9]{1,20}", offered) else 0
    if limit and size > limit:
        raise too_large(size, limit)


def _ask(stage: Stage, command: Callable[[], tuple[int, bytes]], address: str = "") -> None:
    try:
        code, reply = command()
    except FAILURES as error:
        raise before_final_dot(error) from error
    # 354 invites the message; everything else is agreed to with 2xx.
    if code // 100 != (3 if stage is Stage.MESSAGE else 2):
        raise refusal(stage, code, text_of(reply), address)


def _offer_copy(smtp: smtplib.SMTP, address: str) -> None:
    """A copy that the server refuses must not keep the invoice from its receiver."""
    try:
        smtp.rcpt(address)
    except FAILURES as error:
        raise before_final_dot(error) from error


def _stuffed(mail: bytes) -> bytes:
    """The mail with a second dot before each leading dot (RFC 5321 4.5.2), ending in CRLF."""
    stuffed = re.sub(rb"(?m)^\.", b"..", mail)
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
