"""Every failure of the library becomes exactly one of the four errors."""

from __future__ import annotations

import paramiko
import pytest
from paramiko.ssh_exception import IncompatiblePeer

from invoiceapp.gateways.base import Refused, Unavailable, Unknown
from invoiceapp.gateways.file_drop import lost_rename, while_marking
from invoiceapp.gateways.sftp.failures import (
    while_connecting,
    while_logging_in,
    while_writing,
)
from invoiceapp.outbound.errors import OutboundError, Reason

BREAKS = [
    EOFError(),
    OSError("Socket is closed"),
    TimeoutError(),
    ConnectionResetError(),
    paramiko.SSHException("Server connection dropped"),
    paramiko.ChannelException(2, "Connect failed"),
    paramiko.SFTPError("Expected status"),
    ValueError("garbage"),
]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((error, Unavailable) for error in BREAKS),
        (OutboundError(Reason.NAME_UNKNOWN), Unavailable),
        (OutboundError(Reason.CLOSED), Unavailable),
        (OutboundError(Reason.BLOCKED_ADDRESS), Refused),
        (paramiko.SSHException("Error reading SSH protocol banner"), Unavailable),
        (IncompatiblePeer("no acceptable ciphers"), Refused),
    ],
    ids=repr,
)
def test_failures_while_connecting(error, kind):
    assert type(while_connecting(error)) is kind


@pytest.mark.parametrize(
    ("error", "connected", "kind"),
    [
        (paramiko.AuthenticationException("Authentication failed."), True, Refused),
        (paramiko.BadAuthenticationType("Bad authentication type", ["publickey"]), True, Refused),
        (paramiko.AuthenticationException("Authentication timeout."), True, Unavailable),
        (paramiko.AuthenticationException("Authentication failed: transport shut down or saw EOF"), False, Unavailable),
        *((error, False, Unavailable) for error in BREAKS),
    ],
    ids=repr,
)
def test_failures_while_logging_in(error, connected, kind):
    assert type(while_logging_in(error, connected=connected)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((error, Unavailable) for error in BREAKS),
        (OSError("Failure"), Unavailable),
        (FileNotFoundError(2, "No such file"), Refused),
        (PermissionError(13, "Permission denied"), Refused),
    ],
    ids=repr,
)
def test_failures_while_writing(error, kind):
    assert type(while_writing(error, "/in")) is kind


@pytest.mark.parametrize("error", BREAKS, ids=repr)
def test_a_rename_without_an_answer_is_unknown(error):
    assert type(lost_rename(error)) is Unknown


@pytest.mark.parametrize("error", [*BREAKS, OSError("Failure"), PermissionError(), FileNotFoundError()], ids=repr)
def test_a_done_file_that_may_be_missing_beside_the_document_is_unknown(error):
    assert type(while_marking(error, "x.done")) is Unknown


def test_a_refused_password_is_told_in_words_that_hold_for_a_test_too():
    text = while_logging_in(paramiko.AuthenticationException("Authentication failed."), connected=True).text
    assert "pause" not in text.da + text.en
    assert "test igen" in text.da
