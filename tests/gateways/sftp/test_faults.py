"""Failures of a real server, of the demo server, and of the line between: exactly one of the four errors each."""

from __future__ import annotations

import socket
import threading

import paramiko
import pytest
from paramiko.sftp import CMD_EXTENDED, CMD_OPENDIR, CMD_RENAME, CMD_STAT, CMD_WRITE
from support.outbound import LOOPBACK

from invoiceapp.demo.partners import sftp_server
from invoiceapp.gateways.base import Payload, Refused, Transport, Unavailable, Unknown
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


class PdfThenFault:
    """The PDF gets its final name, then the document's does not come about: the server says no, or the line breaks."""

    def __init__(self, demo, fault):
        self.fault, self.connections = fault, demo.cut_connections
        self.original = sftp_server._Folder._replace

    def __call__(self, folder, old, new):
        if new.endswith(".pdf"):
            return self.original(folder, old, new)
        if self.fault == "cut":
            self.connections()
        return paramiko.SFTP_PERMISSION_DENIED if self.fault == "permission" else paramiko.SFTP_FAILURE


@pytest.mark.parametrize(("fault", "without"), [("failure", Unavailable), ("permission", Refused), ("cut", Unknown)])
@pytest.mark.parametrize("consumes", [True, False], ids=["consumes", "keeps"])
def test_a_pdf_without_its_document_is_unknown_where_files_are_taken_at_once(
    at_demo, demo, consignment, monkeypatch, fault, without, consumes
):
    handler = PdfThenFault(demo, fault)
    monkeypatch.setattr(sftp_server._Folder, "_replace", lambda *arguments: handler(*arguments))
    with at_demo(with_pdf=True, consumes=consumes) as sftp, pytest.raises((Refused, Unavailable, Unknown)) as caught:
        sftp.send(consignment())
    assert type(caught.value) is (Unknown if consumes else without)
    if consumes and fault != "cut":
        assert "PDF" in caught.value.text.da
    assert NAME.replace(".xml", ".pdf") in {path.name for path in demo.folder.iterdir()}


def test_a_lost_answer_to_the_pdfs_rename_is_unknown_where_files_are_taken_at_once(at_demo, demo, consignment):
    demo.faults.drop_after_rename = True
    with at_demo(with_pdf=True, consumes=True) as sftp, pytest.raises(Unknown) as caught:
        sftp.send(consignment())
    assert "PDF" in caught.value.text.da
    assert not (demo.folder / NAME).exists()


def test_a_pdf_that_did_not_get_its_name_is_no_delivery_where_files_are_taken_at_once(at_demo, demo, consignment):
    demo.faults.rename_refused = True
    with at_demo(with_pdf=True, consumes=True) as sftp, pytest.raises(Unavailable):
        sftp.send(consignment())


@pytest.fixture
def dribble(monkeypatch):
    """``dribble(commands)``: from the first of these SFTP commands on, the server answers byte by byte, each in good time.

    A whole answer takes longer than all of ``DEADLINE``, but no byte longer than a step. Returns the list of those that
    were sent whole.
    """
    process, write, over, whole = paramiko.SFTPServer._process, paramiko.SFTPServer._write_all, threading.Event(), []

    def start(*commands):
        monkeypatch.setattr(SftpTransport, "DEADLINE", 1.5)
        monkeypatch.setattr(Transport, "DEADLINE", 1.5)

        def processing(self, kind, number, message):
            self.dribbles = getattr(self, "dribbles", False) or kind in commands
            process(self, kind, number, message)

        def writing(self, out):
            if not getattr(self, "dribbles", False):
                write(self, out)
                return
            for position in range(len(out)):
                over.wait(0.3)
                write(self, out[position : position + 1])
            whole.append(out)

        monkeypatch.setattr(paramiko.SFTPServer, "_process", processing)
        monkeypatch.setattr(paramiko.SFTPServer, "_write_all", writing)
        return whole

    yield start
    over.set()


def watchdogs():
    return [thread for thread in threading.enumerate() if thread.name == "sftp-watchdog"]


@pytest.mark.parametrize(
    ("command", "existing", "kind"),
    [
        (CMD_STAT, "fail", Unavailable),
        (CMD_WRITE, "fail", Unavailable),
        (CMD_RENAME, "fail", Unknown),
        (CMD_EXTENDED, "replace", Unknown),
    ],
    ids=["look", "write", "rename", "posix-rename"],
)
def test_a_server_that_dribbles_is_cut_at_the_deadline(at_demo, consignment, dribble, command, existing, kind):
    whole = dribble(command)
    with at_demo(existing=existing) as sftp:
        with pytest.raises((Unavailable, Unknown)) as caught:
            sftp.send(consignment())
        assert type(caught.value) is kind
        assert watchdogs() == []
    assert whole == []


def test_a_connection_is_watched_over_in_every_send(at_demo, consignment, dribble):
    with at_demo() as sftp:
        sftp.send(consignment(document_no="1"))
        dribble(CMD_RENAME)
        with pytest.raises(Unknown):
            sftp.send(consignment(document_no="2"))
    assert watchdogs() == []


def test_a_connection_test_with_a_server_that_dribbles_ends_at_the_deadline(at_demo, dribble):
    dribble(CMD_STAT)
    with at_demo() as sftp:
        steps = sftp.check()
    assert [step.ok for step in steps] == [True] * 4 + [False]
    assert watchdogs() == []


def test_collecting_from_a_server_that_dribbles_ends_at_the_deadline(at_demo, dribble):
    dribble(CMD_OPENDIR)
    with at_demo() as sftp, pytest.raises(Unavailable):
        sftp.list_files("/")
    assert watchdogs() == []


def test_a_server_that_never_opens_the_channel_for_files_is_cut_at_the_deadline(at_demo, consignment, monkeypatch):
    """Paramiko waits for that answer without any limit."""
    monkeypatch.setattr(SftpTransport, "DEADLINE", 1.5)
    over, answers = threading.Event(), []

    def answer(*_):
        over.wait(20)
        answers.append(False)
        return False

    monkeypatch.setattr(sftp_server._Login, "check_channel_subsystem_request", answer, raising=False)
    try:
        with at_demo() as sftp, pytest.raises(Unavailable):
            sftp.send(consignment())
        assert answers == []
    finally:
        over.set()


def test_a_part_file_that_cannot_be_taken_away_does_not_undo_a_delivery(at_demo, demo, consignment, monkeypatch):
    (demo.folder / NAME).write_bytes(consignment().payload.content)
    monkeypatch.setattr(sftp_server._Folder, "remove", lambda self, path: self._connection.close())
    with at_demo(consumes=True) as sftp:
        assert sftp.send(consignment()).reference == NAME
