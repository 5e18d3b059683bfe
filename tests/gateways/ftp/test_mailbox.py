"""Folders of real FTP servers that partners lay files in."""

from __future__ import annotations

import shutil

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways.base import Refused, Unavailable
from invoiceapp.gateways.file_drop import Mailbox
from invoiceapp.gateways.ftp import FtpTransport

pytestmark = pytest.mark.server


@pytest.fixture
def folder(real):
    """The server's folder, emptied afterwards too; ``/in`` or its like to the server."""
    yield real.inbox
    for path in real.inbox.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def there_of(server):
    """The folder's whole path as the server names it."""
    return f"/{server.settings['folder'].lstrip('/')}"


def lay(path, content):
    path.write_bytes(content)
    path.chmod(0o666)


def test_files_are_listed_read_moved_and_removed(real, folder):
    there = there_of(real)
    lay(folder / "a.edi", b"UNB" * 50_000)
    lay(folder / "b c.edi", b"x")
    (folder / "sub").mkdir()
    with FtpTransport(real.config(), LOOPBACK) as transport:
        assert isinstance(transport, Mailbox)
        assert sorted(transport.list_files(there)) == [("a.edi", 150_000), ("b c.edi", 1)]
        assert transport.read_file(f"{there}/a.edi", 1_000_000) == b"UNB" * 50_000
        assert transport.read_file(f"{there}/a.edi", 40_000) == (b"UNB" * 50_000)[:40_000]
        transport.remove_file(f"{there}/b c.edi")
        transport.remove_file(f"{there}/b c.edi")
        assert transport.list_files(there) == [("a.edi", 150_000)]


def test_files_are_moved_to_a_folder_below(real, folder):
    there = there_of(real)
    if real.settings["username"] == "anonymous":
        # vsftpd lets that user make no folders.
        (folder / "done").mkdir()
        (folder / "done").chmod(0o777)
    with FtpTransport(real.config(), LOOPBACK) as transport:
        for content in (b"old", b"new"):
            lay(folder / "a.edi", content)
            transport.move_file(f"{there}/a.edi", f"{there}/done/a.edi")
        assert transport.list_files(there) == []
        assert transport.read_file(f"{there}/done/a.edi", 10) == b"new"


def test_reading_a_mailbox_disturbs_no_sending(real, folder, consignment):
    lay(folder / "a.edi", b"UNB")
    with FtpTransport(real.config(), LOOPBACK) as transport:
        transport.send(consignment())
        assert len(transport.list_files("/")) == 0
        assert transport.send(consignment()).evidence["already_there"]


def test_a_folder_that_is_not_there_is_for_us_to_mend(real, folder):
    with FtpTransport(real.config(), LOOPBACK) as transport, pytest.raises(Refused) as error:
        transport.list_files("/none")
    assert "/none" in error.value.text.en


def test_a_file_that_is_not_there_is_no_fault_of_the_settings(real, folder):
    with FtpTransport(real.config(), LOOPBACK) as transport, pytest.raises(Unavailable):
        transport.read_file("/none", 10)


def test_a_name_that_would_be_a_second_command_is_not_sent(real, folder):
    with FtpTransport(real.config(), LOOPBACK) as transport, pytest.raises(Unavailable):
        transport.read_file("/a\r\nDELE b", 10)
