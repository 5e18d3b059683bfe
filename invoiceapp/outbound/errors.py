"""What can go wrong between two machines, told apart as far as it changes what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from enum import StrEnum


class Reason(StrEnum):
    """Why a conversation did not come about, or ended."""

    NAME_UNKNOWN = "name-unknown"
    """no such name"""
    NAME_UNANSWERED = "name-unanswered"
    """the name servers do not answer"""
    BLOCKED_ADDRESS = "blocked-address"
    """our own guard: an address inside a network that nobody has allowed"""
    BLOCKED_PORT = "blocked-port"
    """our own guard: a port where no partner of this kind listens"""
    CLOSED = "closed"
    """nothing listens there"""
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    """the partner's certificate cannot be verified"""
    OUR_CERTIFICATE = "our-certificate"
    """the partner wants a certificate of ours, or another one"""
    TLS = "tls"
    """no encryption that both sides know"""
    CUT = "cut"
    """the connection ended too early"""
    TOO_LARGE = "too-large"
    """an answer beyond all measure"""
    NOT_UNDERSTOOD = "not-understood"
    """an answer that is none in the protocol"""


class Sent(StrEnum):
    """How much of what was to be sent the network has taken."""

    NOTHING = "nothing"
    PART = "part"
    ALL = "all"


class OutboundError(Exception):
    """A conversation that failed. ``detail`` is for the log and holds no secret."""

    def __init__(
        self, reason: Reason, detail: str = "", *, sent: Sent = Sent.NOTHING, status: int | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.sent = sent
        self.status = status
        """Of an HTTP answer whose body did not arrive whole"""


#: Words in OpenSSL's reasons by which a server says that it wants a certificate of ours, or a better one.
_OUR_CERTIFICATE = (
    "CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE",
    "ALERT_ACCESS_DENIED",
)
_NO_COMMON_TLS = ("PROTOCOL", "VERSION", "HANDSHAKE_FAILURE", "CIPHER", "HTTP_REQUEST", "DH_KEY_TOO_SMALL", "INSUFFICIENT_SECURITY")  # fmt: skip
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}


def reason_of(error: BaseException) -> Reason:
    """The reason behind an error of ``socket`` and ``ssl``; ``CUT`` for what has no other."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Reason.CERTIFICATE
    if isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    if isinstance(error, socket.gaierror):
        return Reason.NAME_UNANSWERED if error.errno == socket.EAI_AGAIN else Reason.NAME_UNKNOWN
    if isinstance(error, ValueError):
        # A name that no name server can be asked for: a label too long (RFC 5891), a zero byte.
        return Reason.NAME_UNKNOWN
    if isinstance(error, TimeoutError):
        return Reason.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Reason.CLOSED
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return Reason.UNREACHABLE
    return Reason.CUT


def _tls_reason(error: ssl.SSLError) -> Reason:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Reason.CUT
    words = (getattr(error, "reason", None) or "").upper()
    if any(word in words for word in _OUR_CERTIFICATE):
        return Reason.OUR_CERTIFICATE
    return Reason.TLS if any(word in words for word in _NO_COMMON_TLS) else Reason.CUT


def failure(error: BaseException, sent: Sent = Sent.NOTHING) -> OutboundError:
    """An ``OutboundError`` of what ``socket`` or ``ssl`` raised; one that is one already is returned as it is."""
    if isinstance(error, OutboundError):
        return error
    verified = getattr(error, "verify_message", None)
    return OutboundError(reason_of(error), verified or f"{type(error).__name__}: {error}", sent=sent)
