from __future__ import annotations

import errno
import hashlib
import os

import pytest

from invoiceapp.services.export import archive

CONTENT = b"<Invoice>\xc3\xa6</Invoice>"
SHA = hashlib.sha256(CONTENT).hexdigest()


def files(config) -> list[str]:
    return [path.name for path in config.archive_dir.rglob("*") if path.is_file()]


def test_bytes_come_back_by_their_hash(app, config):
    assert archive.store(CONTENT) == SHA
    assert archive.load(SHA) == CONTENT
    assert files(config) == [SHA]


def test_the_same_bytes_are_kept_once(app, config):
    archive.store(CONTENT)
    path = next(path for path in config.archive_dir.rglob(SHA))
    before = path.stat().st_ino
    archive.store(CONTENT)
    assert path.stat().st_ino == before and files(config) == [SHA]


@pytest.mark.parametrize("name", ["fsync", "write"])
def test_a_full_disk_leaves_no_half_file_and_says_so(app, config, monkeypatch, name):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if name == "fsync":
        monkeypatch.setattr("os.fsync", full)
    else:
        monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(archive.ArchiveUnavailable) as caught:
        archive.store(CONTENT)
    assert "No space left" in caught.value.text.en and "plads" in caught.value.text.da
    assert files(config) == []
    monkeypatch.undo()
    assert archive.store(CONTENT) == SHA


def test_an_archive_that_cannot_be_made_is_unavailable(app, config):
    config.archive_dir.parent.mkdir(parents=True, exist_ok=True)
    config.archive_dir.write_text("a file where the folder should be")
    with pytest.raises(archive.ArchiveUnavailable):
        archive.store(CONTENT)


def test_a_changed_file_is_not_given_out(app, config):
    archive.store(CONTENT)
    next(config.archive_dir.rglob(SHA)).write_bytes(CONTENT + b" ")
    with pytest.raises(archive.ArchiveCorrupt) as caught:
        archive.load(SHA)
    assert "ændret" in caught.value.text.da


def test_a_missing_file_is_corrupt_too(app):
    archive.store(b"something else")
    with pytest.raises(archive.ArchiveCorrupt) as caught:
        archive.load(SHA)
    assert "mangler" in caught.value.text.da


def test_an_archive_that_is_away_is_not_called_corrupt(app, config):
    archive.store(b"something else")
    config.archive_dir.rename(config.archive_dir.with_name("away"))
    with pytest.raises(archive.ArchiveUnavailable) as caught:
        archive.load(SHA)
    assert "prøver igen" in caught.value.text.da


def test_storing_again_mends_a_damaged_file(app, config):
    sha256 = archive.store(b"content")
    path = next(path for path in config.archive_dir.rglob("*") if path.name == sha256)
    path.write_bytes(b"")
    assert archive.store(b"content") == sha256
    assert archive.load(sha256) == b"content"
