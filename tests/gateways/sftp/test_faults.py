"""Failures of a real server, of the demo server, and of the line between: exactly one of the four errors each."""

from __future__ import annotations

import socket

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners import sftp_server
from invoiceapp.gateways.base import Payload, Refused, Unavailable, Unknown
from invoiceapp.gateways.sftp import SftpTransport, transport

pytestmark = pytest.mark.server

NAME = "invoice_2026-17_mfrggzdf.xml"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "STEP", 0.6)


@pytest.fixture
def silent_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("existing", ["fail", "replace"])
def test_a_refused_rename_is_no_delivery(at_demo, demo, consignment, existing):
    demo.faults.rename_refused = True
    with at_demo(existing=existing) as sftp, pytest.raises(Unavailable):
        sftp.send(consignment())
    assert not (demo.folder / NAME).exists()


def test_a_full_disk_is_tried_again(at_demo, demo, consignment):
    demo.faults.disk_full = True
    with at_demo() as sftp, pytest.raises(Unavailable):
        sftp.send(consignment())
    demo.faults.disk_full = False
    with at_demo() as sftp:
        sftp.send(consignment())
    assert [p.name for p in demo.folder.iterdir()] == [NAME]


@pytest.mark.parametrize("existing", ["fail", "replace"])
def test_a_lost_answer_to_the_rename_is_unknown_and_the_retry_finds_the_file(at_demo, demo, consignment, existing):
    demo.faults.drop_after_rename = True
    with at_demo(existing=existing) as sftp:
        with pytest.raises(Unknown):
            sftp.send(consignment())
        demo.faults.drop_after_rename = False
        assert sftp.send(consignment()).evidence["already_there"] is True
    assert [p.name for p in demo.folder.iterdir()] == [NAME]


def test_a_connection_cut_in_the_upload_is_no_delivery(at_openssh, openssh, inbox, consignment, proxy):
    big = Payload(b"x" * 600_000, "invoice.xml", "application/xml")
    port = proxy(openssh.port, 200_000).port
    with at_openssh(port=port) as sftp, pytest.raises(Unavailable):
        sftp.send(consignment(payload=big))
    assert [p.name for p in inbox.iterdir()] == [f".mfrggzdf.{NAME}.part"]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stalls_in_the_upload_is_given_up(at_openssh, openssh, inbox, consignment, proxy):
    big = Payload(b"x" * 600_000, "invoice.xml", "application/xml")
    port = proxy(openssh.port, 200_000, stall=True).port
    with at_openssh(port=port) as sftp, pytest.raises(Unavailable):
        sftp.send(consignment(payload=big))
    assert not (inbox / NAME).exists()


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_greets_is_given_up(silent_port, consignment):
    config = {"host": "127.0.0.1", "port": silent_port, "username": "u", "password": "p", "host_key": "x"}
    with SftpTransport(config, LOOPBACK) as sftp, pytest.raises(Unavailable):
        sftp.send(consignment())


def test_a_used_up_deadline_is_no_delivery(at_demo, demo, consignment, monkeypatch):
    monkeypatch.setattr(SftpTransport, "DEADLINE", 0)
    with at_demo() as sftp, pytest.raises(Unavailable):
        sftp.send(consignment())
    assert demo.logins == 0


def test_nobody_listening_is_tried_again(consignment):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    config = {"host": "127.0.0.1", "port": free, "username": "u", "password": "p"}
    with SftpTransport(config, LOOPBACK) as sftp, pytest.raises(Unavailable):
        sftp.send(consignment())


def test_a_full_disk_of_openssh_is_tried_again(at_openssh, inbox, consignment):
    # Writing to /dev/full fails as a full disk does (ENOSPC).
    part = inbox / f".mfrggzdf.{NAME}.part"
    part.symlink_to("/dev/full")
    with at_openssh() as sftp:
        with pytest.raises(Unavailable):
            sftp.send(consignment())
        part.unlink()
        assert sftp.send(consignment()).evidence["already_there"] is False
    assert [p.name for p in inbox.iterdir()] == [NAME]


def test_a_folder_that_may_not_be_written_pauses_the_gateway(at_demo, consignment, monkeypatch):
    monkeypatch.setattr(sftp_server._Folder, "open", lambda *_: sftp_server.paramiko.SFTP_PERMISSION_DENIED)
    with at_demo() as sftp, pytest.raises(Refused):
        sftp.send(consignment())


@pytest.mark.parametrize("step", ["size", "rename"])
def test_a_part_file_that_somebody_took_is_unknown(at_demo, demo, consignment, monkeypatch, step):
    name = {"size": "stat", "rename": "rename"}[step]
    original = getattr(sftp_server._Folder, name)

    def taking(self, *paths):
        if paths[0].endswith(".part"):
            self._local(paths[0]).unlink(missing_ok=True)
        return original(self, *paths)

    monkeypatch.setattr(sftp_server._Folder, name, taking)
    with at_demo() as sftp, pytest.raises(Unknown) as caught:
        sftp.send(consignment())
    assert "forsvandt" in caught.value.text.da
    assert list(demo.folder.iterdir()) == []


def test_a_lost_answer_to_the_pdfs_rename_is_no_delivery(at_demo, demo, consignment):
    demo.faults.drop_after_rename = True
    with at_demo(with_pdf=True) as sftp:
        with pytest.raises(Unavailable):
            sftp.send(consignment())
        assert not (demo.folder / NAME).exists()
        demo.faults.drop_after_rename = False
        sftp.send(consignment())
    assert {p.suffix for p in demo.folder.iterdir()} == {".xml", ".pdf"}


def test_a_part_file_that_cannot_be_taken_away_does_not_undo_a_delivery(at_demo, demo, consignment, monkeypatch):
    (demo.folder / NAME).write_bytes(consignment().payload.content)
    monkeypatch.setattr(sftp_server._Folder, "remove", lambda self, path: self._connection.close())
    with at_demo(consumes=True) as sftp:
        assert sftp.send(consignment()).reference == NAME
