"""Folders of real SFTP servers that partners lay files in."""

from __future__ import annotations

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways.base import Refused, Unavailable
from invoiceapp.gateways.file_drop import Mailbox
from invoiceapp.gateways.sftp import session
from invoiceapp.gateways.vans import VansTransport

pytestmark = pytest.mark.server


@pytest.fixture
def folder(openssh, tmp_path):
    """A folder of its own, that sshd sees under the same path."""
    found = tmp_path / "ud"
    found.mkdir()
    return found


def test_files_are_listed_read_moved_and_removed(at_openssh, folder):
    (folder / "a.edi").write_bytes(b"UNB" * 50_000)
    (folder / "b.edi").write_bytes(b"")
    (folder / "sub").mkdir()
    with at_openssh() as transport:
        assert isinstance(transport, Mailbox)
        assert sorted(transport.list_files(str(folder))) == [("a.edi", 150_000), ("b.edi", 0)]
        assert transport.read_file(f"{folder}/a.edi", 1_000_000) == b"UNB" * 50_000
        assert transport.read_file(f"{folder}/a.edi", 40_000) == (b"UNB" * 50_000)[:40_000]
        transport.move_file(f"{folder}/a.edi", f"{folder}/done/a.edi")
        transport.remove_file(f"{folder}/b.edi")
        transport.remove_file(f"{folder}/b.edi")
        assert transport.list_files(str(folder)) == []
    assert (folder / "done" / "a.edi").stat().st_size == 150_000


def test_moving_takes_the_place_of_what_has_the_name(at_openssh, folder):
    (folder / "a.edi").write_bytes(b"new")
    (folder / "done").mkdir()
    (folder / "done" / "a.edi").write_bytes(b"old")
    with at_openssh() as transport:
        transport.move_file(f"{folder}/a.edi", f"{folder}/done/a.edi")
    assert (folder / "done" / "a.edi").read_bytes() == b"new"


def test_so_it_does_where_posix_rename_is_missing(at_demo, demo):
    demo.faults.no_posix_rename = True
    (demo.folder / "done").mkdir()
    (demo.folder / "done" / "a.edi").write_bytes(b"old")
    (demo.folder / "a.edi").write_bytes(b"new")
    with at_demo() as transport:
        transport.move_file("/a.edi", "/done/a.edi")
    assert (demo.folder / "done" / "a.edi").read_bytes() == b"new"


def test_a_folder_that_is_not_there_is_for_us_to_mend(at_openssh, folder):
    with at_openssh() as transport, pytest.raises(Refused) as error:
        transport.list_files(f"{folder}/none")
    assert f"{folder}/none" in error.value.text.da


def test_a_file_that_is_not_there_is_no_fault_of_the_settings(at_openssh, folder):
    with at_openssh() as transport, pytest.raises(Unavailable):
        transport.read_file(f"{folder}/none", 10)


def test_a_folder_without_end_is_given_up(at_openssh, folder, monkeypatch):
    monkeypatch.setattr(session, "MOST_FILES", 2)
    for number in range(3):
        (folder / str(number)).touch()
    with at_openssh() as transport:
        with pytest.raises(Unavailable):
            transport.list_files(str(folder))
        # The next conversation is not disturbed by what was left unread.
        assert transport.read_file(f"{folder}/1", 10) == b""


def test_a_cut_connection_is_opened_again(at_demo, demo):
    with at_demo() as transport:
        assert transport.list_files("/") == []
        demo.cut_connections()
        try:
            transport.list_files("/")
        except Unavailable:
            assert transport.list_files("/") == []


def test_a_vans_mailbox_is_emptied_over_sftp(openssh, folder, monkeypatch):
    monkeypatch.setattr("invoiceapp.gateways.vans.inbox.SETTLE", 0)
    (folder / "svar.edi").write_bytes(b"UNB")
    connection = {f"sftp_{name}": value for name, value in openssh.config().items()}
    config = {"carrier": "sftp", "mailbox": "x", "inbox": str(folder), "afterwards": "move", **connection}
    with VansTransport(config, LOOPBACK) as transport:
        (found,) = transport.fetch()
        transport.done(found)
        assert list(transport.fetch()) == []
    assert [path.read_bytes() for path in (folder / "done").iterdir()] == [b"UNB"]
