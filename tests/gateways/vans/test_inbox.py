from __future__ import annotations

import logging

import pytest

from invoiceapp.gateways.base import Incoming
from invoiceapp.gateways.vans import inbox
from invoiceapp.gateways.vans.inbox import Inbox


class Box:
    """A server's files by path; ``grows`` gain a byte whenever the folder is listed."""

    def __init__(self, **files):
        self.files = {f"/ud/{name}": content for name, content in files.items()}
        self.grows = set()
        self.read = []

    def list_files(self, folder):
        found = [
            (path.removeprefix(f"{folder}/"), len(content))
            for path, content in self.files.items()
            if path.startswith(folder)
        ]
        for path in self.grows:
            self.files[path] += b"x"
        return found

    def read_file(self, path, most):
        self.read.append(path)
        return self.files[path][:most]

    def move_file(self, path, new_path):
        self.files[new_path] = self.files.pop(path)

    def remove_file(self, path):
        self.files.pop(path, None)


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Seconds that were waited for files to stop growing."""
    found = []
    monkeypatch.setattr(inbox.time, "sleep", found.append)
    return found


def names(box):
    return [found.name for found in Inbox(box, "/ud", keeps=False).files()]


def test_files_come_in_the_order_of_their_names():
    box = Box(**{"b.edi": b"2", "a.edi": b"1"})
    assert list(Inbox(box, "/ud", keeps=False).files()) == [Incoming("a.edi", b"1"), Incoming("b.edi", b"2")]


def test_an_empty_folder_costs_no_pause(pauses):
    assert names(Box()) == []
    assert pauses == []


def test_a_file_that_grows_is_left_for_later(pauses):
    box = Box(**{"half.edi": b"UNB", "whole.edi": b"UNB"})
    box.grows = {"/ud/half.edi"}
    assert names(box) == ["whole.edi"]
    assert pauses == [inbox.SETTLE]
    assert box.read == ["/ud/whole.edi"]


def test_a_file_that_grows_while_it_is_read_is_left_for_later(monkeypatch):
    box = Box(**{"a.edi": b"UNB"})
    monkeypatch.setattr(box, "read_file", lambda _path, _most: b"UNB+more")
    assert names(box) == []


def test_a_file_that_vanishes_between_two_looks_is_no_loss(monkeypatch):
    box = Box(**{"a.edi": b"UNB"})
    monkeypatch.setattr(inbox.time, "sleep", lambda _seconds: box.files.clear())
    assert names(box) == []


@pytest.mark.parametrize(
    "name", [".hidden", "a.part", "a.EDI.FILEPART", "a.tmp", "../escape", "sub/a.edi", "..", "a\r\nDELE b", "a\0b"]
)
def test_unfinished_files_and_names_that_lead_elsewhere_are_not_read(name):
    box = Box(**{name: b"UNB"})
    assert names(box) == []
    assert box.read == []


def test_an_empty_file_is_not_whole_yet():
    assert names(Box(**{"a.edi": b""})) == []


def test_a_file_that_is_too_large_is_left_and_told_of(caplog):
    with caplog.at_level(logging.WARNING):
        assert names(Box(**{"big.edi": b"x" * (inbox.LARGEST + 1)})) == []
    assert "big.edi" in caplog.text


def test_one_look_brings_so_many_files_at_most(monkeypatch):
    monkeypatch.setattr(inbox, "MOST_FILES", 2)
    assert names(Box(a=b"1", b=b"2", c=b"3")) == ["a", "b"]


def test_what_is_stored_is_removed():
    box = Box(**{"a.edi": b"1"})
    Inbox(box, "/ud", keeps=False).take_away(Incoming("a.edi", b"1"))
    assert box.files == {}


def test_or_kept_aside_without_replacing_another_of_its_name():
    box = Box(**{"a.edi": b"1"})
    folder = Inbox(box, "/ud", keeps=True)
    folder.take_away(Incoming("a.edi", b"1"))
    box.files["/ud/a.edi"] = b"2"
    folder.take_away(Incoming("a.edi", b"2"))
    assert sorted(box.files.values()) == [b"1", b"2"]
    assert all(path.startswith("/ud/done/") and path.endswith("_a.edi") for path in box.files)
