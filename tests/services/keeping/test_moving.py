"""The archive rewritten: sealed, under another key, in another store."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from support.object_store import BUCKET

from invoiceapp.config import ConfigurationError
from invoiceapp.models import Rendition, db
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive
from invoiceapp.services.export.archive import sealing
from invoiceapp.services.keeping import backup, moving, restore, verifying

NEW = "k2:" + base64.b64encode(bytes(range(32, 64))).decode()


@pytest.fixture
def stored(app) -> list[str]:
    return sorted(archive.store(f"<Invoice>{number}</Invoice>".encode()) for number in range(6))


def on_disk(config):
    return {path.name: path.read_bytes() for path in config.archive_dir.rglob("*") if path.is_file()}


def test_sealing_is_asked_for_by_the_setting(stored):
    with pytest.raises(ServiceError, match="ARCHIVE_ENCRYPTION=1"):
        moving.encrypt()


def test_all_files_are_sealed_and_then_under_another_key(stored, config, configured):
    configured(archive_encryption=True)
    done = moving.encrypt()
    assert (done.written, done.there) == (6, 0)
    assert all(kept.startswith(sealing.MAGIC + b"k1\n") for kept in on_disk(config).values())
    done = moving.encrypt()
    assert (done.written, done.there) == (0, 6)
    configured(encryption_keys=(NEW, *config.encryption_keys))
    assert moving.encrypt().written == 6
    configured(encryption_keys=(NEW,))
    assert [archive.load(name) for name in stored]


def test_sealing_that_was_stopped_goes_on_where_it_was(stored, config, configured, monkeypatch):
    configured(archive_encryption=True)
    put, count = archive.current().put, iter(range(100))

    def stopped(name: str, content: bytes, *, is_new: bool) -> None:
        if next(count) == 2:
            raise KeyboardInterrupt
        put(name, content, is_new=is_new)

    with monkeypatch.context() as killed:
        killed.setattr(archive.current(), "put", stopped)
        with pytest.raises(KeyboardInterrupt):
            moving.encrypt()
    assert [archive.load(name) for name in stored]
    done = moving.encrypt()
    assert (done.written, done.there) == (4, 2)


def test_what_is_damaged_is_left_as_it_is_and_named(stored, config, configured):
    configured(archive_encryption=True)
    bad = stored[0]
    (config.archive_dir / bad[:2] / bad[2:4] / bad).write_bytes(b"other")
    done = moving.encrypt()
    assert (done.written, done.damaged, done.shown) == (5, 1, [bad])
    assert on_disk(config)[bad] == b"other"


def test_a_copy_is_never_made_onto_itself_nor_to_what_is_no_address(stored, config):
    with pytest.raises(ServiceError, match="there already"):
        moving.copy(config.archive_dir.as_uri())
    with pytest.raises(ConfigurationError, match="s3://bucket/prefix"):
        moving.copy("https://example.com/archive")


@pytest.mark.server
def test_an_archive_moves_to_an_object_store_and_back(stored, stand, config, configured, tmp_path):
    configured(archive_access=stand.access)
    url = f"s3://{BUCKET}/nyt"
    done = moving.copy(url)
    assert (done.written, done.there, done.damaged) == (6, 0, 0)
    again = moving.copy(url)
    assert (again.written, again.there) == (0, 6)
    configured(archive_url=url)
    assert [archive.load(name) for name in stored]
    target = tmp_path / "back"
    moving.copy(target.as_uri())
    configured(archive_url="", archive_dir=target)
    assert [archive.load(name) for name in stored] and len(on_disk(replace(config, archive_dir=target))) == 6


@pytest.mark.server
def test_a_copy_that_was_cut_off_goes_on_and_mends_what_is_wrong_there(stored, stand, configured):
    configured(archive_access=stand.access)
    url = f"s3://{BUCKET}"
    moving.copy(url)
    lost, changed = list(stand.objects)[:2]
    del stand.objects[lost]
    stand.objects[changed] = b"half"
    done = moving.copy(url)
    assert (done.written, done.there) == (2, 4)
    stand.trouble = [(403, "AccessDenied")]
    with pytest.raises(archive.ArchiveUnavailable, match="AccessDenied"):
        moving.copy(url)


@pytest.mark.server
@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_backup_of_an_object_store_comes_back_in_a_folder_and_the_other_way(
    in_bucket, stamped, ready, elsewhere, configured, tmp_path, is_sealed
):
    configured(archive_encryption=is_sealed)
    ready("1001")
    (name,) = db.session.query(Rendition.sha256).one()
    db.session.rollback()
    path = tmp_path / "drill.backup"
    contents = backup.write(path)
    assert (contents.files, contents.missing, contents.damaged) == (1, 0, [])
    with elsewhere():
        restore.restore(path)
        assert archive.load(name) == b"<Invoice>1001</Invoice>" and verifying.verify().is_whole
        backup.write(path)
    in_bucket.empty()
    with elsewhere(archive_url=f"s3://{BUCKET}", archive_access=in_bucket.access, archive_encryption=not is_sealed):
        restore.restore(path)
        assert archive.load(name) == b"<Invoice>1001</Invoice>" and verifying.verify().is_whole
        (kept,) = in_bucket.objects.values()
        assert kept.startswith(sealing.MAGIC) is not is_sealed


def test_a_backup_tells_of_files_that_are_missing_or_that_no_key_opens(stamped, ready, config, configured, tmp_path):
    ready("1001")
    configured(archive_encryption=True)
    ready("1002")
    configured(encryption_keys=(NEW,))
    names = sorted(on_disk(config))
    locked = next(name for name in names if on_disk(config)[name].startswith(sealing.MAGIC))
    (plain,) = set(names) - {locked}
    archive.remove(plain)
    contents = backup.write(tmp_path / "b")
    assert (contents.files, contents.missing, contents.damaged) == (0, 1, [locked])
