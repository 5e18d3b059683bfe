"""Every failure of an SMTP conversation becomes exactly one of the four errors."""

from __future__ import annotations

import smtplib
import socket
import ssl

import pytest

from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.email.failures import Stage, after_final_dot, before_final_dot, refusal, while_connecting
from invoiceapp.outbound.errors import OutboundError, Reason


def tls_error(reason):
    """As OpenSSL raises it."""
    error = ssl.SSLError(reason)
    error.reason = reason
    return error


BREAKS = [
    smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
    TimeoutError(),
    ConnectionResetError(),
    OSError("network is down"),
    tls_error("EOF"),
]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((error, Unavailable) for error in BREAKS),
        (socket.gaierror(-2, "Name or service not known"), Unavailable),
        (ConnectionRefusedError(), Unavailable),
        (tls_error("WRONG_VERSION_NUMBER"), Refused),
        (smtplib.SMTPConnectError(421, b"busy"), Unavailable),
        (smtplib.SMTPConnectError(554, b"no service"), Unavailable),
        (smtplib.SMTPHeloError(501, b"bad name"), Unavailable),
        (smtplib.SMTPResponseException(454, "TLS not available"), Unavailable),
        (smtplib.SMTPResponseException(530, "authentication required"), Refused),
        (OutboundError(Reason.BLOCKED_ADDRESS, "10.0.0.1"), Refused),
        (OutboundError(Reason.BLOCKED_PORT, "port 22"), Refused),
        (OutboundError(Reason.TIMEOUT), Unavailable),
        (UnicodeError("label too long"), Unavailable),
        (smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."), Refused),
    ],
    ids=repr,
)
def test_failures_while_connecting(error, kind):
    assert type(while_connecting(error)) is kind


def test_an_unverified_certificate_is_refused():
    error = ssl.SSLCertVerificationError("self-signed")
    error.verify_message = "self-signed certificate"
    assert type(while_connecting(error)) is Refused


@pytest.mark.parametrize("error", BREAKS, ids=repr)
def test_the_final_dot_separates_unavailable_from_unknown(error):
    assert type(before_final_dot(error)) is Unavailable
    assert type(after_final_dot(error)) is Unknown


@pytest.mark.parametrize(
    ("stage", "code", "kind"),
    [
        (Stage.SENDER, 550, Refused),
        (Stage.SENDER, 530, Refused),
        (Stage.SENDER, 552, Rejected),
        (Stage.SENDER, 451, Unavailable),
        (Stage.RECIPIENT, 550, Rejected),
        (Stage.RECIPIENT, 530, Refused),
        (Stage.RECIPIENT, 452, Unavailable),
        (Stage.MESSAGE, 554, Rejected),
        (Stage.MESSAGE, 552, Rejected),
        (Stage.MESSAGE, 451, Unavailable),
        (Stage.MESSAGE, 421, Unavailable),
        (Stage.RECIPIENT, -1, Unavailable),
        (Stage.LOGIN, 535, Refused),
        (Stage.LOGIN, 501, Refused),
        (Stage.LOGIN, 454, Unavailable),
        (Stage.LOGIN, -1, Unavailable),
    ],
)
def test_a_reply_that_is_no_yes(stage, code, kind):
    error = refusal(stage, code, "5.1.2 words of the server")
    assert type(error) is kind
    assert f"{stage.value}: {code} 5.1.2" in error.detail
    # At the login a server could repeat a password.
    assert ("words of the server" in f"{error.text} {error.detail}") is (stage is not Stage.LOGIN)


def test_a_refused_address_is_named():
    assert all("a@b.example" in refusal(Stage.RECIPIENT, code, "no", "a@b.example").text.da for code in (450, 550))


@pytest.mark.parametrize(
    ("reply", "says_so"), [("5.3.4 Message too big", True), ("Too large", True), ("5.2.2 Mailbox full", False)]
)
def test_a_mail_that_is_too_large_is_told_from_a_mailbox_that_is_full(reply, says_so):
    error = refusal(Stage.MESSAGE, 552, reply)
    assert type(error) is Rejected
    assert ("PDF" in error.text.da) is says_so
