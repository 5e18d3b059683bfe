"""The connection test does the real thing without sending an invoice."""

from __future__ import annotations

import socket

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners import sftp_server
from invoiceapp.gateways.sftp import SftpTransport

pytestmark = pytest.mark.server


def test_the_connection_test_passes_and_leaves_nothing(at_openssh, inbox):
    steps = at_openssh().check()
    assert [step.ok for step in steps] == [True] * 6
    assert list(inbox.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"host_key": ""}, 3),
        ({"host_key": "SHA256:" + "A" * 43}, 3),
        ({"username": "nobody-here"}, 4),
        ({"folder": "/does/not/exist"}, 5),
        ({"folder": "/etc/passwd"}, 5),
    ],
)
def test_the_connection_test_stops_at_the_step_that_fails(at_openssh, changes, failing):
    steps = at_openssh(**changes).check()
    assert [step.ok for step in steps] == [True] * (failing - 1) + [False]


def test_the_connection_test_shows_the_fingerprint_to_confirm(at_openssh, openssh):
    last = at_openssh(host_key=None).check()[-1]
    assert f"ssh-ed25519 {openssh.fingerprints['ssh-ed25519']}" in last.detail.da


def test_it_writes_a_hidden_file_that_is_no_documents_and_deletes_it(at_demo, demo, monkeypatch):
    written, deleted = [], []
    opening, removing = sftp_server._Folder.open, sftp_server._Folder.remove
    monkeypatch.setattr(sftp_server._Folder, "open", lambda *a: written.append(a[1]) or opening(*a))
    monkeypatch.setattr(sftp_server._Folder, "remove", lambda *a: deleted.append(a[1]) or removing(*a))
    for _ in range(2):
        assert all(step.ok for step in at_demo().check())
    assert written == deleted
    assert len(set(written)) == 2
    assert all(path.startswith(".") and not path.endswith((".xml", ".part")) for path in written)
    assert list(demo.folder.iterdir()) == []


def test_where_nothing_may_be_deleted_it_says_so_and_passes(at_demo, demo, monkeypatch):
    monkeypatch.setattr(sftp_server._Folder, "remove", lambda *_: sftp_server.paramiko.SFTP_PERMISSION_DENIED)
    last = at_demo().check()[-1]
    (left,) = demo.folder.iterdir()
    assert last.ok
    assert "må ikke slettes" in last.detail.da
    assert left.name in last.detail.da


def test_where_nothing_may_be_written_it_fails(at_demo, monkeypatch):
    monkeypatch.setattr(sftp_server._Folder, "open", lambda *_: sftp_server.paramiko.SFTP_PERMISSION_DENIED)
    assert [step.ok for step in at_demo().check()] == [True] * 5 + [False]


def test_a_server_that_leaves_instead_of_deleting_fails_it(at_demo, monkeypatch):
    monkeypatch.setattr(sftp_server._Folder, "remove", lambda self, _: self._connection.close())
    assert [step.ok for step in at_demo().check()] == [True] * 5 + [False]


def test_a_server_that_takes_the_test_file_away_is_fine(at_demo, demo, monkeypatch):
    def gone(self, path):
        self._local(path).unlink()
        return sftp_server.paramiko.SFTP_NO_SUCH_FILE

    monkeypatch.setattr(sftp_server._Folder, "remove", gone)
    assert at_demo().check()[-1].ok


def test_an_address_inside_fails_at_the_name_and_nothing_is_connected(at_demo, demo):
    config = at_demo().config
    (step,) = SftpTransport(config).check()
    assert not step.ok
    assert "OUTBOUND_NETWORKS" in step.detail.da
    assert demo._connections == []


def test_nobody_listening_fails_at_the_port(at_demo):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    assert [step.ok for step in SftpTransport({**at_demo().config, "port": free}, LOOPBACK).check()] == [True, False]
