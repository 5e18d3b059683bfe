"""The archive in a folder."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from invoiceapp.models import db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive
from invoiceapp.services.export.archive.files import FileStore
from invoiceapp.services.keeping import discarding


def test_a_file_and_every_folder_that_was_made_for_it_are_durable(app, config, monkeypatch):
    synced: list[Path] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(Path(os.readlink(f"/proc/self/fd/{fd}"))), fsync(fd)))
    name = archive.store(b"the first of its folders")
    root = config.archive_dir
    outer, inner = root / name[:2], root / name[:2] / name[2:4]
    assert [one for one in synced if one.is_dir()] == [root.parent, root, outer, inner]
    del synced[:]
    archive.store(b"the first of its folders" + b"!")
    assert root.parent not in synced


@pytest.mark.parametrize("step", ["changed_at", "remove"])
def test_a_file_that_is_stored_again_while_it_is_discarded_is_there(app, config, monkeypatch, step):
    """Whoever removes has seen that it is old, or is about to look."""
    content = b"what two documents have in common"
    name = archive.store(content)
    old = (utcnow() - timedelta(hours=2)).timestamp()
    os.utime(config.archive_dir / name[:2] / name[2:4] / name, (old, old))
    with transaction():
        discarding.note([name])
    real, others = getattr(FileStore, step), list[threading.Thread]()

    def store_again() -> None:
        with app.app_context():
            archive.store(content)
            db.session.remove()

    def meanwhile(self: FileStore, which: str) -> object:
        found = real(self, which) if step == "changed_at" else None
        others.append(threading.Thread(target=store_again))
        others[0].start()
        # It cannot end before the removal does; without a lock it would.
        others[0].join(0.1)
        return found if step == "changed_at" else real(self, which)

    monkeypatch.setattr(FileStore, step, meanwhile)
    discarding.remove(10)
    others[0].join()
    assert archive.load(name) == content
