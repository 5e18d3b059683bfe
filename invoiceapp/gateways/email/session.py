"""One SMTP conversation, step by step; smtplib's ``sendmail`` hides which step failed."""

from __future__ import annotations

import ipaddress
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Deadline, Refused

from .failures import Stage, after_final_dot, before_final_dot, refusal, text_of, while_connecting

#: Seconds that the server may take for one reply. RFC 5321 4.5.3.2 asks for minutes, which
#: the deadline of a delivery does not have.
STEP = 30.0
#: For the reply after the final dot, where giving up early costs certainty.
FINAL_STEP = 90.0

#: What ``smtplib`` and the socket below it raise.
_FAILURES = (smtplib.SMTPException, OSError)


def tls_context(config: Mapping[str, Any]) -> ssl.SSLContext:
    """Verifies certificate and name, against the private root where one is given. Raises ``Refused``."""
    try:
        return ssl.create_default_context(cadata=config.get("ca_certificate") or None)
    except (ssl.SSLError, ValueError) as error:
        raise Refused(
            Text(
                "Rodcertifikatet i gatewayens indstillinger kan ikke læses. Indsæt det igen i PEM-form, "
                "med linjerne BEGIN og END.",
                "The root certificate in the settings of the gateway cannot be read. Paste it again in PEM form, "
                "with its BEGIN and END lines.",
            ),
            str(error),
        ) from error


def look_up(config: Mapping[str, Any], deadline: Deadline) -> None:
    """Whether the server's name leads to an address. Raises ``Unavailable``."""
    try:
        deadline.step()
        socket.getaddrinfo(config["host"], config.get("port") or 587, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise while_connecting(error) from error


def reach(config: Mapping[str, Any], deadline: Deadline) -> None:
    """Whether something listens there. Raises ``Unavailable``."""
    try:
        socket.create_connection((config["host"], config.get("port") or 587), timeout=deadline.step()).close()
    except (OSError, UnicodeError) as error:
        raise while_connecting(error) from error


def connect(config: Mapping[str, Any], deadline: Deadline) -> smtplib.SMTP:
    """Greeted and encrypted as the settings say. Raises ``Refused`` or ``Unavailable``."""
    host, port, security = config["host"], config.get("port") or 587, config.get("security") or "starttls"
    context = tls_context(config)
    smtp = None
    try:
        if security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=deadline.step(), context=context)
        smtp = smtplib.SMTP(host, port, timeout=deadline.step())
        if security == "starttls":
            smtp.starttls(context=context)
    except (*_FAILURES, UnicodeError) as error:
        if smtp is not None:
            smtp.close()
        raise while_connecting(error) from error
    if security == "none" and not _is_loopback(smtp):
        smtp.close()
        raise Refused(
            Text(
                "Uden kryptering kan der kun sendes til en mailserver på denne maskine. Vælg STARTTLS eller TLS.",
                "Without encryption only a mail server on this machine can be used. Choose STARTTLS or TLS.",
            )
        )
    return smtp


def _is_loopback(smtp: smtplib.SMTP) -> bool:
    """Judged by the connected address; a name can lead anywhere."""
    assert smtp.sock is not None
    return ipaddress.ip_address(smtp.sock.getpeername()[0]).is_loopback


def log_in(smtp: smtplib.SMTP, config: Mapping[str, Any], deadline: Deadline) -> None:
    """With the user name, where there is one. Raises ``Refused`` or ``Unavailable``."""
    try:
        _limit(smtp, deadline.step())
        smtp.ehlo_or_helo_if_needed()
        if config.get("username"):
            smtp.login(config["username"], config.get("password") or "")
    except (*_FAILURES, UnicodeError) as error:
        raise while_connecting(error) from error


def is_alive(smtp: smtplib.SMTP, deadline: Deadline) -> bool:
    """Whether a connection of an earlier send still answers."""
    try:
        _limit(smtp, deadline.step())
        return smtp.noop()[0] == 250
    except _FAILURES:
        return False


def deliver(
    smtp: smtplib.SMTP, sender: str, recipients: tuple[str, str | None], mail: bytes, deadline: Deadline
) -> str:
    """Hand over one mail; the server's final reply line.

    ``recipients``: who must get it, and who also gets a copy if the server agrees.
    Raises any of the four errors of the contract.
    """
    size = (f"size={len(mail)}",) if smtp.has_extn("size") else ()
    _ask(Stage.SENDER, smtp, lambda: smtp.mail(sender, size), deadline)
    _ask(Stage.RECIPIENT, smtp, lambda: smtp.rcpt(recipients[0]), deadline)
    _offer_copy(smtp, recipients[1], deadline)
    _ask(Stage.MESSAGE, smtp, lambda: smtp.docmd("DATA"), deadline)
    try:
        _limit(smtp, deadline.step())
        smtp.send(_stuffed(mail))
        _limit(smtp, deadline.step(FINAL_STEP))
        # Where these bytes are not taken by the network, the server cannot have seen them.
        smtp.send(b".\r\n")
    except _FAILURES as error:
        raise before_final_dot(error) from error
    try:
        code, reply = smtp.getreply()
    except _FAILURES as error:
        raise after_final_dot(error) from error
    answer = f"{code} {text_of(reply)}"
    if 400 <= code <= 599:
        raise refusal(Stage.MESSAGE, code, text_of(reply))
    if code // 100 != 2:
        raise after_final_dot(smtplib.SMTPException(f"unintelligible reply: {answer}"))
    return answer


def _ask(stage: Stage, smtp: smtplib.SMTP, command: Callable[[], tuple[int, bytes]], deadline: Deadline) -> None:
    try:
        _limit(smtp, deadline.step())
        code, reply = command()
    except _FAILURES as error:
        raise before_final_dot(error) from error
    # 354 invites the message; everything else is agreed to with 2xx.
    if code // 100 != (3 if stage is Stage.MESSAGE else 2):
        raise refusal(stage, code, text_of(reply))


def _offer_copy(smtp: smtplib.SMTP, address: str | None, deadline: Deadline) -> None:
    """A copy that the server refuses must not keep the invoice from its receiver."""
    if address is None:
        return
    try:
        _limit(smtp, deadline.step())
        smtp.rcpt(address)
    except _FAILURES as error:
        raise before_final_dot(error) from error


def _limit(smtp: smtplib.SMTP, seconds: float) -> None:
    if smtp.sock is None:
        raise smtplib.SMTPServerDisconnected("the connection is closed")
    smtp.sock.settimeout(seconds)


def _stuffed(mail: bytes) -> bytes:
    """The mail with a second dot before each leading dot (RFC 5321 4.5.2), ending in CRLF."""
    stuffed = re.sub(rb"(?m)^\.", b"..", mail)
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
