"""What an error of the library means depends on whether the connection still stands."""

from __future__ import annotations

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER
from invoiceapp.gateways.base import Deadline, Unavailable
from invoiceapp.gateways.sftp.keys import HostKeyPin
from invoiceapp.gateways.sftp.session import greet, log_in, open_session


@pytest.mark.server
def test_a_bare_error_is_an_answer_only_while_the_connection_stands(demo):
    deadline = Deadline(10, 10)
    ssh = greet(LOOPBACK.connect("127.0.0.1", demo.port, deadline), HostKeyPin(demo.host_key), deadline)
    log_in(ssh, {"username": DEMO_USER, "password": DEMO_PASSWORD})
    session = open_session(ssh, deadline)
    assert session.answered(OSError("Failure"))
    assert session.answered(PermissionError())
    assert not session.answered(TimeoutError())
    assert not session.answered(ConnectionResetError())
    assert not session.answered(EOFError())
    session.close()
    assert not session.answered(OSError("Socket is closed"))


@pytest.mark.server
def test_a_server_that_leaves_before_the_login_is_tried_again(demo):
    deadline = Deadline(10, 10)
    ssh = greet(LOOPBACK.connect("127.0.0.1", demo.port, deadline), HostKeyPin(demo.host_key), deadline)
    demo.cut_connections()
    with pytest.raises(Unavailable):
        log_in(ssh, {"username": DEMO_USER, "password": DEMO_PASSWORD})
    with pytest.raises(Unavailable):
        open_session(ssh, deadline)
    ssh.close()
