"""What the steps of the connection test are called."""

from __future__ import annotations

import socket

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways.ftp import FtpTransport, transport

pytestmark = pytest.mark.server


def _checked(config):
    return FtpTransport(config, LOOPBACK).check()


def _names(steps):
    return [step.name.en for step in steps]


def test_without_encryption_no_step_is_called_so(faulty):
    assert _names(_checked(faulty.config()))[2] == "The server answers"


def test_encryption_has_a_step_where_it_is_wanted(start_faulty):
    assert _names(_checked(start_faulty(tls=True).config()))[2] == "Encrypt (TLS)"


def test_a_silent_server_did_not_fail_at_an_encryption_that_nobody_wants(monkeypatch):
    monkeypatch.setattr(transport, "STEP", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = {"host": "127.0.0.1", "port": listener.getsockname()[1], "username": "u", "password": "p"}
        last = _checked({**config, "security": "none"})[-1]
    assert (last.name.en, last.ok) == ("The server answers", False)
