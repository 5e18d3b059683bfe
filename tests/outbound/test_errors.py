from __future__ import annotations

import errno
import socket
import ssl

import pytest

from invoiceapp.outbound.errors import OutboundError, Reason, Sent, failure, reason_of


def tls(reason: str, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    error = kind(1, f"[SSL: {reason}] words")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), Reason.NAME_UNKNOWN),
        (socket.gaierror(socket.EAI_AGAIN, "later"), Reason.NAME_UNANSWERED),
        (UnicodeError("label too long"), Reason.NAME_UNKNOWN),
        (ValueError("embedded null byte"), Reason.NAME_UNKNOWN),
        (TimeoutError(), Reason.TIMEOUT),
        (ConnectionRefusedError(), Reason.CLOSED),
        *((OSError(number, "x"), Reason.UNREACHABLE) for number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)),
        (ConnectionResetError(), Reason.CUT),
        (BrokenPipeError(), Reason.CUT),
        (EOFError(), Reason.CUT),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), Reason.CERTIFICATE),
        (ssl.SSLEOFError(8, "EOF"), Reason.CUT),
        (ssl.SSLZeroReturnError(6, "closed"), Reason.CUT),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), Reason.OUR_CERTIFICATE),
        (tls("SSLV3_ALERT_BAD_CERTIFICATE"), Reason.OUR_CERTIFICATE),
        (tls("TLSV1_ALERT_UNKNOWN_CA"), Reason.OUR_CERTIFICATE),
        (tls("SSLV3_ALERT_CERTIFICATE_EXPIRED"), Reason.OUR_CERTIFICATE),
        (tls("WRONG_VERSION_NUMBER"), Reason.TLS),
        (tls("UNSUPPORTED_PROTOCOL"), Reason.TLS),
        (tls("SSLV3_ALERT_HANDSHAKE_FAILURE"), Reason.TLS),
        (tls("NO_SHARED_CIPHER"), Reason.TLS),
        (tls("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), Reason.CUT),
        (ssl.SSLError(1, "without a reason"), Reason.CUT),
    ],
    ids=repr,
)  # fmt: skip
def test_the_reason_behind_an_error(error, reason):
    assert reason_of(error) is reason


def test_a_failure_keeps_what_was_sent_and_why_a_certificate_was_not_verified():
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "certificate has expired"
    found = failure(error, Sent.PART)
    assert (found.reason, found.detail, found.sent, found.status) == (
        Reason.CERTIFICATE, "certificate has expired", Sent.PART, None,
    )  # fmt: skip


def test_a_failure_that_was_told_once_stays_as_it_is():
    error = OutboundError(Reason.BLOCKED_PORT, "port 22", sent=Sent.ALL)
    assert failure(error, Sent.NOTHING) is error
    assert str(error) == "blocked-port: port 22"
