"""Whether what documents consist of is there: all of it, or a part every night."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from invoiceapp.jobs import tasks
from invoiceapp.models import (
    ArchiveCheck,
    Damage,
    DamagedFile,
    Document,
    IncomingMessage,
    IncomingState,
    Rendition,
    db,
    new_id,
)
from invoiceapp.models.reach import Lookup
from invoiceapp.services import bell
from invoiceapp.services.daily import tick
from invoiceapp.services.export import archive
from invoiceapp.services.keeping import damage, named, verifying

NIGHT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.fixture
def night(monkeypatch):
    """``night(n)``: from now on it is the nth night, and everything is old."""

    def begin(number: int) -> None:
        monkeypatch.setattr(verifying, "utcnow", lambda: NIGHT + timedelta(days=number))

    db.session.execute(sa.update(Rendition).values(created_at=NIGHT - timedelta(days=30)))
    db.session.commit()
    begin(0)
    return begin


def path_of(config, name):
    return config.archive_dir / name[:2] / name[2:4] / name


def names():
    return sorted(db.session.scalars(sa.select(Rendition.sha256)))


def damaged():
    return {row.sha256: row.damage for row in db.session.scalars(sa.select(DamagedFile))}


def test_all_that_something_names_is_read(ready, gateway, subscription):
    row = ready()
    db.session.get_one(Document, row.document_id).pdf_sha256 = archive.store(b"%PDF")
    db.session.add(
        IncomingMessage(
            id=new_id(), subscription_id=subscription.id, gateway_id=gateway.id, sha256=archive.store(b"CONTRL"), size=6,
            name="a", state=IncomingState.MATCHED, outcome=[],
        )
    )  # fmt: skip
    exchange = {"asked": "https://smp", "at": "2026-11-23", "outcome": "ok", "sha256": archive.store(b"<smp/>")}
    db.session.add(
        Lookup(subscription_id=subscription.id, register="smp", question="0088:1", outcome="registered",
               exchanges=[exchange, exchange | {"sha256": None}])
    )  # fmt: skip
    db.session.commit()
    archive.store(b"nobody's")
    found = verifying.verify()
    assert (found.checked, found.unnamed, found.is_whole) == (4, 1, True)
    with db.engine.connect() as connection, named.gathered(connection) as gathered:
        everything = set(gathered)
    assert named.still(db.session.connection(), everything) == everything and len(everything) == 4


def test_every_column_that_may_name_a_file_is_thought_of(app):
    """A new table whose files were not named here would lose them."""
    known = {*named.COLUMNS, ("document", "bundle_sha256"), ("discarded_file", "sha256"), ("damaged_file", "sha256")}
    found = {
        (table.name, column.name)
        for table in db.metadata.tables.values()
        for column in table.columns
        if "sha256" in column.name
    }
    assert found - known == set(), "does it name a file of the archive? then keeping/named.py, else here"


def test_what_is_missing_changed_or_locked_is_found_kept_and_forgotten_once_it_is_well(ready, config, configured):
    for number in ("1", "2", "3"):
        ready(number)
    missing, changed, locked = names()
    path_of(config, missing).unlink()
    path_of(config, changed).write_bytes(b"other")
    path_of(config, locked).write_bytes(archive.sealing.MAGIC + b"lost-key\n" + bytes(40))
    found = verifying.verify()
    wanted = {missing: Damage.MISSING, changed: Damage.CHANGED, locked: Damage.LOCKED}
    assert damaged() == dict(found.shown) == wanted and found.damages.total() == 3
    for number in ("1", "2", "3"):
        archive.store(f"<Invoice>{number}</Invoice>".encode())
    assert verifying.verify().is_whole and damaged() == {}


def test_a_file_that_was_deleted_with_its_document_meanwhile_is_not_missing(ready, monkeypatch):
    ready()
    (name,) = names()
    load = archive.load

    def late(sha256: str) -> bytes:
        db.session.execute(sa.update(Rendition).values(sha256=archive.store(b"new")))
        db.session.commit()
        archive.remove(name)
        return load(sha256)

    monkeypatch.setattr(archive, "load", late)
    assert verifying.verify().is_whole and damaged() == {}


def test_a_kill_between_file_and_row_leaves_a_file_that_nobody_names_and_the_next_try_uses_it(ready, config):
    content = b"<Invoice>1001</Invoice>"
    archive.store(content)
    found = verifying.verify()
    assert (found.checked, found.unnamed, found.is_whole) == (0, 1, True)
    ready("1001")
    found = verifying.verify()
    assert (found.checked, found.unnamed, found.is_whole) == (1, 0, True)


def test_an_archive_that_is_not_mounted_is_not_an_archive_without_files(ready, config):
    ready()
    config.archive_dir.rename(config.archive_dir.with_name("away"))
    with pytest.raises(archive.ArchiveUnavailable):
        verifying.verify()
    assert damaged() == {}


def test_a_sample_reads_some(ready, monkeypatch):
    for number in range(40):
        ready(str(number))
    assert verifying.sample(1000).checked == 40
    monkeypatch.setattr("random.randrange", lambda _most: 16**64 // 4)
    first = verifying.sample(20).checked
    assert 0 < first < 40


def test_the_nights_look_at_everything_in_turn(ready, config, monkeypatch, night):
    for number in range(40):
        ready(str(number))
    night(0)
    monkeypatch.setattr(verifying, "NIGHTLY", 10)
    monkeypatch.setattr(verifying, "SLICE", 4)
    looked: list[str] = []
    load = archive.load
    monkeypatch.setattr(archive, "load", lambda name: (looked.append(name), load(name))[1])
    for number in range(4):
        night(number)
        slices = 1
        while verifying.night():
            slices += 1
        assert slices == 3
    assert sorted(looked) == names()
    checks = db.session.scalars(sa.select(ArchiveCheck).order_by(ArchiveCheck.day)).all()
    assert sum(one.checked for one in checks) == 40 and checks[-1].position == named.LAST
    night(4)
    verifying.night()
    assert looked[40] == names()[0]


def test_a_small_archive_is_looked_at_whole_every_night(ready, night):
    ready()
    for number in (0, 1):
        night(number)
        assert verifying.night() is False
    assert db.session.scalars(sa.select(ArchiveCheck.checked)).all() == [1, 1]


def test_the_clock_rings_once_a_night_for_what_is_older_than_a_day(ready, monkeypatch, night):
    ready()
    monkeypatch.setattr(verifying, "utcnow", lambda: NIGHT)
    assert not verifying.is_due()
    db.session.execute(sa.update(Rendition).values(created_at=NIGHT - timedelta(days=2)))
    db.session.commit()
    rung: list[tuple[str, ...]] = []
    monkeypatch.setattr(bell, "ring", lambda *what: rung.append(what))
    tick.tick()
    assert ("verify_archive",) in rung
    tasks.verify_archive()
    del rung[:]
    tick.tick()
    assert ("verify_archive",) not in rung
    monkeypatch.setattr(verifying, "utcnow", lambda: NIGHT + timedelta(hours=20))
    assert not verifying.is_due()
    night(1)
    assert verifying.is_due()


def test_an_archive_that_is_away_at_night_is_asked_again_later_the_same_night(
    ready, config, night, monkeypatch, caplog
):
    ready()
    away = config.archive_dir.with_name("away")
    night(0)
    db.session.execute(sa.update(Rendition).values(created_at=NIGHT - timedelta(days=2)))
    db.session.commit()
    config.archive_dir.rename(away)
    assert verifying.night() is False and "cannot be verified" in caplog.text
    assert not verifying.is_due()
    away.rename(config.archive_dir)
    monkeypatch.setattr(verifying, "utcnow", lambda: NIGHT + timedelta(minutes=11))
    assert verifying.is_due()
    verifying.night()
    assert not verifying.is_due() and db.session.scalars(sa.select(ArchiveCheck.checked)).all() == [1]


def test_two_workers_in_one_slice_count_it_once(ready, night, monkeypatch):
    ready()
    verify = verifying.verify

    def twice(*where: str) -> verifying.Verdict:
        monkeypatch.setattr(verifying, "verify", verify)
        verifying.night()
        return verify(*where)

    monkeypatch.setattr(verifying, "verify", twice)
    assert verifying.night() is False
    assert db.session.scalars(sa.select(ArchiveCheck.checked)).all() == [1]


def test_what_two_find_at_the_same_moment_is_kept_once(ready, config, monkeypatch):
    ready()
    (name,) = names()
    path_of(config, name).unlink()
    still = named.still

    def slower(*where: object) -> set[str]:
        monkeypatch.setattr(named, "still", still)
        db.session.rollback()
        assert not verifying.verify().is_whole
        # The others' row is there, and ours does not know of it.
        db.session.add(DamagedFile(sha256=name, damage=Damage.MISSING))
        return {name}

    monkeypatch.setattr(named, "still", slower)
    assert verifying.verify().shown == [(name, Damage.MISSING)] and damaged() == {name: Damage.MISSING}


def test_damage_is_told_to_those_whose_documents_it_is(ready, adaptor, config, night):
    ready("1001")
    ready("1002")
    verifying.night()
    assert damage.of_adaptors([adaptor.id]) is None and damage.last_sample() is not None
    bad = hashlib.sha256(b"<Invoice>1002</Invoice>").hexdigest()
    path_of(config, bad).unlink()
    verifying.verify()
    hurt = damage.of_adaptors([adaptor.id])
    assert hurt.text.da == "1 dokument har filer i arkivet, som mangler eller er ændret: 1002."
    assert "fra en sikkerhedskopi" in hurt.advice.da
    assert damage.of_adaptors([new_id()]) is None
    db.session.execute(sa.update(DamagedFile).values(damage=Damage.LOCKED))
    hurt = damage.of_adaptors([adaptor.id])
    assert "ikke kan låses op: 1002" in hurt.text.da and "tilføje nøglen" in hurt.advice.da


@pytest.mark.server
def test_an_archive_in_an_object_store_is_verified_page_by_page(in_bucket, ready):
    for number in range(8):
        ready(str(number))
    archive.store(b"nobody's")
    gone, changed = list(in_bucket.objects)[:2]
    del in_bucket.objects[gone]
    in_bucket.objects[changed] = b"other"
    found = verifying.verify()
    assert (found.checked, found.unnamed, dict(found.damages)) == (8, 1, {Damage.MISSING: 1, Damage.CHANGED: 1})
