"""Every failure of an SMTP conversation becomes exactly one of the four errors."""

from __future__ import annotations

import smtplib
import socket
import ssl

import pytest

from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.email.failures import Stage, after_final_dot, before_final_dot, refusal, while_connecting

BREAKS = [
    smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
    TimeoutError(),
    ConnectionResetError(),
    OSError("network is down"),
    ssl.SSLError("EOF"),
]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((error, Unavailable) for error in BREAKS),
        (socket.gaierror(-2, "Name or service not known"), Unavailable),
        (ConnectionRefusedError(), Unavailable),
        (ssl.SSLError("wrong version number"), Unavailable),
        (smtplib.SMTPConnectError(421, b"busy"), Unavailable),
        (smtplib.SMTPConnectError(554, b"no service"), Unavailable),
        (smtplib.SMTPHeloError(501, b"bad name"), Unavailable),
        (smtplib.SMTPResponseException(454, "TLS not available"), Unavailable),
        (smtplib.SMTPAuthenticationError(454, b"temporary"), Unavailable),
        (smtplib.SMTPAuthenticationError(535, b"wrong"), Refused),
        (smtplib.SMTPAuthenticationError(501, b"bad"), Refused),
        (smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."), Refused),
        (smtplib.SMTPException("No suitable authentication method found."), Refused),
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
    ],
)
def test_a_reply_that_is_no_yes(stage, code, kind):
    error = refusal(stage, code, "words of the server")
    assert type(error) is kind
    assert "words of the server" in error.detail
