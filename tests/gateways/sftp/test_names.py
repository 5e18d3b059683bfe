"""What happens to names that other files have, to our own file, and to the .done file."""

from __future__ import annotations

import paramiko
import pytest
from paramiko.sftp import SFTP_PERMISSION_DENIED

from invoiceapp.demo.partners import sftp_server
from invoiceapp.gateways.base import Payload, Rejected, Unknown
from invoiceapp.gateways.file_drop import MOST_NAMES
from invoiceapp.gateways.sftp import session

pytestmark = pytest.mark.server

NAME = "invoice_2026-17_mfrggzdf.xml"
SECOND, THIRD = "invoice_2026-17_mfrggzdf_2.xml", "invoice_2026-17_mfrggzdf_3.xml"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def write_only(monkeypatch):
    """A folder whose files may not be read back."""
    original = sftp_server._Folder.open

    def open(self, path, flags, attr):
        return SFTP_PERMISSION_DENIED if flags == 0 else original(self, path, flags, attr)

    monkeypatch.setattr(sftp_server._Folder, "open", open)


def test_the_pdf_lies_beside_it_where_wanted(at_openssh, inbox, consignment):
    with at_openssh(with_pdf=True) as transport:
        transport.send(consignment())
    assert sorted(p.suffix for p in inbox.iterdir()) == [".pdf", ".xml"]


def test_a_pdf_beside_a_pdf_gets_a_name_of_its_own(at_openssh, inbox, consignment):
    pdf = Payload(b"%PDF other", "x.pdf", "application/pdf")
    with at_openssh(with_pdf=True) as transport:
        transport.send(consignment(payload=pdf))
    assert len(list(inbox.iterdir())) == 2


def test_sending_again_finds_the_file_and_writes_nothing(at_openssh, inbox, consignment):
    with at_openssh() as transport:
        transport.send(consignment())
        before = (inbox / NAME).stat()
        receipt = transport.send(consignment())
    after = (inbox / NAME).stat()
    assert receipt.evidence["already_there"] is True
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("other", [b"short", None], ids=["other size", "same size, other bytes"])
def test_another_file_of_that_name_is_left_alone(at_openssh, inbox, consignment, other):
    one = consignment()
    content = other or b"?" * len(one.payload.content)
    (inbox / NAME).write_bytes(content)
    with at_openssh() as transport, pytest.raises(Rejected):
        transport.send(one)
    assert [(p.name, p.read_bytes()) for p in inbox.iterdir()] == [(NAME, content)]


def test_another_file_of_that_name_is_replaced_where_wanted(at_openssh, inbox, consignment):
    (inbox / NAME).write_bytes(b"other")
    one = consignment()
    with at_openssh(existing="replace") as transport:
        transport.send(one)
    assert (inbox / NAME).read_bytes() == one.payload.content


def test_a_leftover_part_file_of_a_broken_attempt_is_overwritten(at_openssh, inbox, consignment):
    (inbox / f".mfrggzdf.{NAME}.part").write_bytes(b"x" * 100_000)
    with at_openssh() as transport:
        transport.send(consignment())
    assert [p.name for p in inbox.iterdir()] == [NAME]


def test_a_receiver_that_takes_files_away_is_not_looked_at(at_demo, consignment, monkeypatch):
    seen = []
    original = session.Session.size
    monkeypatch.setattr(
        session.Session, "size", lambda self, path, deadline: seen.append(path) or original(self, path, deadline)
    )
    with at_demo(consumes=True) as transport:
        transport.send(consignment())
    assert seen == [f".mfrggzdf.{NAME}.part"]


@pytest.mark.parametrize("existing", ["fail", "replace"])
def test_a_server_without_posix_rename_takes_the_file_once(at_demo, demo, consignment, existing):
    demo.faults.no_posix_rename = True
    with at_demo(existing=existing) as transport:
        transport.send(consignment())
        assert transport.send(consignment()).evidence["already_there"] is True
    assert [p.name for p in demo.folder.iterdir()] == [NAME]


def test_a_server_without_posix_rename_has_its_other_file_replaced_where_wanted(at_demo, demo, consignment):
    demo.faults.no_posix_rename = True
    (demo.folder / NAME).write_bytes(b"other")
    one = consignment()
    with at_demo(existing="replace") as transport:
        transport.send(one)
    assert [(p.name, p.read_bytes()) for p in demo.folder.iterdir()] == [(NAME, one.payload.content)]


@pytest.mark.parametrize("same", [True, False])
def test_a_name_taken_while_nobody_looked_is_judged_by_its_content(at_demo, demo, consignment, same):
    one = consignment()
    (demo.folder / NAME).write_bytes(one.payload.content if same else b"other")
    with at_demo(consumes=True) as transport:
        if same:
            transport.send(one)
            assert [p.name for p in demo.folder.iterdir()] == [NAME]
        else:
            with pytest.raises(Rejected):
                transport.send(one)


def test_a_taken_name_gets_a_number_where_wanted(at_openssh, inbox, consignment):
    one = consignment()
    (inbox / NAME).write_bytes(b"other")
    (inbox / SECOND).write_bytes(b"?" * len(one.payload.content))
    with at_openssh(existing="suffix") as transport:
        receipt = transport.send(one)
        again = transport.send(one)
    assert receipt.reference == again.reference == f"{inbox}/{THIRD}"
    assert (receipt.evidence["already_there"], again.evidence["already_there"]) == (False, True)
    assert contents(inbox) == {
        NAME: b"other", SECOND: b"?" * len(one.payload.content), THIRD: one.payload.content,
    }  # fmt: skip


def test_our_file_is_found_under_its_number_although_the_first_name_is_free_again(at_openssh, inbox, consignment):
    (inbox / THIRD).write_bytes(consignment().payload.content)
    with at_openssh(existing="suffix") as transport:
        receipt = transport.send(consignment())
    assert receipt.evidence["already_there"] is True
    assert [p.name for p in inbox.iterdir()] == [THIRD]


def test_the_pdf_gets_the_number_of_its_document(at_openssh, inbox, consignment):
    (inbox / NAME).write_bytes(b"other")
    with at_openssh(existing="suffix", with_pdf=True) as transport:
        transport.send(consignment())
    assert {p.name for p in inbox.iterdir()} == {NAME, SECOND, SECOND.replace(".xml", ".pdf")}


def test_a_lost_answer_under_a_number_is_unknown_and_the_retry_finds_the_file(at_demo, demo, consignment):
    (demo.folder / NAME).write_bytes(b"other")
    demo.faults.drop_after_rename = True
    with at_demo(existing="suffix") as transport:
        with pytest.raises(Unknown):
            transport.send(consignment())
        demo.faults.drop_after_rename = False
        receipt = transport.send(consignment())
    assert receipt.evidence["already_there"] is True
    assert sorted(contents(demo.folder)) == sorted([NAME, SECOND])


def test_a_name_taken_while_nobody_looked_gets_the_next_number(at_demo, demo, consignment):
    (demo.folder / NAME).write_bytes(b"other")
    with at_demo(existing="suffix", consumes=True) as transport:
        assert transport.send(consignment()).reference == SECOND
    assert contents(demo.folder) == {NAME: b"other", SECOND: consignment().payload.content}


def test_when_other_files_have_all_the_names_nothing_is_sent(at_demo, demo, consignment):
    stem = NAME.removesuffix(".xml")
    for number in range(1, MOST_NAMES + 1):
        (demo.folder / (NAME if number == 1 else f"{stem}_{number}.xml")).write_bytes(b"other")
    with at_demo(existing="suffix") as transport, pytest.raises(Rejected):
        transport.send(consignment())
    assert set(contents(demo.folder).values()) == {b"other"}
    assert len(contents(demo.folder)) == MOST_NAMES


@pytest.mark.usefixtures("write_only")
def test_a_file_that_cannot_be_read_back_is_ours_by_its_size_where_its_name_holds_the_key(at_demo, demo, consignment):
    with at_demo() as transport:
        transport.send(consignment())
        assert transport.send(consignment()).evidence["already_there"] is True
    assert [p.name for p in demo.folder.iterdir()] == [NAME]


@pytest.mark.usefixtures("write_only")
def test_a_file_of_our_size_under_a_name_without_the_key_is_another(at_demo, demo, consignment):
    one = consignment()
    (demo.folder / "2026-17.xml").write_bytes(b"?" * len(one.payload.content))
    with at_demo(filename="{number}") as transport, pytest.raises(Rejected):
        transport.send(one)
    with at_demo(filename="{number}", existing="suffix") as transport:
        assert transport.send(one).reference == "2026-17_2.xml"
    assert (demo.folder / "2026-17.xml").read_bytes() == b"?" * len(one.payload.content)


def test_the_done_file_lies_beside_the_whole_document(at_openssh, inbox, consignment):
    with at_openssh(done_marker=True, with_pdf=True) as transport:
        receipt = transport.send(consignment())
    assert receipt.evidence["done_marker"] == f"{inbox}/{NAME}.done"
    assert {p.name for p in inbox.iterdir()} == {NAME, NAME.replace(".xml", ".pdf"), f"{NAME}.done"}
    assert (inbox / f"{NAME}.done").read_bytes() == b""


def test_the_done_file_follows_the_number_of_the_document(at_demo, demo, consignment):
    (demo.folder / NAME).write_bytes(b"other")
    with at_demo(existing="suffix", done_marker=True) as transport:
        transport.send(consignment())
    assert {p.name for p in demo.folder.iterdir()} == {NAME, SECOND, f"{SECOND}.done"}


def _losing_the_marker(monkeypatch, *, after):
    """A server that leaves when the .done file is asked for, before or after it made it."""
    original = sftp_server._Folder.open

    def open(self, path, flags, attr):
        if not path.endswith(".done"):
            return original(self, path, flags, attr)
        if after:
            self._local(path).touch()
        self._connection.close()
        return paramiko.SFTP_FAILURE

    monkeypatch.setattr(sftp_server._Folder, "open", open)


@pytest.mark.parametrize("after", [False, True], ids=["before it was made", "after it was made"])
def test_a_lost_answer_to_the_done_file_is_unknown_and_the_retry_mends_it(
    at_demo, demo, consignment, monkeypatch, after
):
    with at_demo(done_marker=True) as transport:
        with monkeypatch.context() as patch:
            _losing_the_marker(patch, after=after)
            with pytest.raises(Unknown) as caught:
                transport.send(consignment())
        assert f"{NAME}.done" in caught.value.text.da
        assert transport.send(consignment()).evidence["already_there"] is True
    assert contents(demo.folder) == {NAME: consignment().payload.content, f"{NAME}.done": b""}


def test_a_done_file_that_is_refused_is_unknown_because_the_document_lies_there(at_openssh, inbox, consignment):
    (inbox / f"{NAME}.done").symlink_to("/does/not/exist")
    with at_openssh(done_marker=True) as transport, pytest.raises(Unknown):
        transport.send(consignment())
    assert (inbox / NAME).exists()
