"""Packs of many documents: one by one, whatever happens to the worker, and never half a file."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from support.evidence_packs import contents, full_document

from invoiceapp.domain.findings import Text
from invoiceapp.models import Document, Job, JobState, StatusChange, db, utcnow
from invoiceapp.services import background, bell
from invoiceapp.services.background import LeaseLost
from invoiceapp.services.configuration import deletion
from invoiceapp.services.daily.bulk_actions import Selection
from invoiceapp.services.daily.listing import Filter
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.keeping import deleting
from invoiceapp.services.proof.evidence import checking, gathering, jobs, pack, packs

HANDLERS = {jobs.KIND: jobs.run}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture
def three(ready):
    return [full_document(ready, number).id for number in ("1", "2", "3")]


@pytest.fixture
def one_a_slice(monkeypatch):
    monkeypatch.setattr(background, "SLICE", 0.0)


def slices(job_id: str) -> int:
    count = 1
    while background.execute(job_id, HANDLERS):
        count += 1
        assert count < 50
    db.session.expire_all()
    return count


def holds(job_id: str, documents: int) -> bool:
    path = packs.file_of(db.session.get_one(Job, job_id))
    assert path is not None
    with path.open("rb") as file:
        verdict = checking.check(file)
    return verdict.holds and len(verdict.manifest["documents"]) == documents


def test_a_pack_of_a_selection_is_written_slice_by_slice(adaptor, three, one_a_slice, tmp_path):
    job_id = jobs.start(adaptor.id, Selection(tuple(three)), "bo@example.com")
    assert slices(job_id) == 3 and holds(job_id, 3)
    job = db.session.get_one(Job, job_id)
    pack.write(tmp_path / "at_once.zip", three, "bo@example.com")
    at_once = contents(tmp_path / "at_once.zip")
    in_slices = contents(packs.file_of(job))
    assert {n for n in at_once if at_once[n] != in_slices[n]} <= {"index.html", "manifest.json", "manifest.p7s"}
    assert (job.state, job.done) == (JobState.FINISHED, 3)
    assert [path.name for path in packs.folder().iterdir()] == [f"{job_id}.zip"]


def test_all_that_match_a_filter_are_packed_and_others_documents_never(adaptor, three):
    job_id = jobs.start(adaptor.id, Selection(everything=Filter()), "bo")
    slices(job_id)
    assert holds(job_id, 3)
    with pytest.raises(ServiceError):
        jobs.start(adaptor.id, Selection(("foreign",)), "bo")


def test_a_worker_that_dies_or_is_overtaken_leaves_no_half_pack(adaptor, three, one_a_slice, monkeypatch):
    job_id = jobs.start(adaptor.id, Selection(tuple(three)), "bo")
    assert background.execute(job_id, HANDLERS)
    real, calls = gathering.of_document, []

    def dies(document_id: str) -> gathering.Gathered:
        calls.append(document_id)
        if len(calls) == 1:
            raise LeaseLost
        return real(document_id)

    monkeypatch.setattr(gathering, "of_document", dies)
    assert not background.execute(job_id, HANDLERS)
    db.session.get_one(Job, job_id).lease_until = utcnow() - timedelta(seconds=1)
    db.session.commit()
    slices(job_id)
    assert calls[1:] == sorted(three) and holds(job_id, 3)
    assert db.session.get_one(Job, job_id).result["beginnings"] == 2


def test_a_pack_that_cannot_be_finished_is_given_up_with_words(adaptor, three, one_a_slice, monkeypatch):
    job_id = jobs.start(adaptor.id, Selection(tuple(three)), "bo")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(pack.Draft, "finish", broken)
    slices(job_id)
    job = db.session.get_one(Job, job_id)
    assert job.state is JobState.FAILED and job.error["da"] and packs.file_of(job) is None


def test_what_the_archive_cannot_read_now_ends_the_job_with_its_words(adaptor, three, monkeypatch):
    job_id = jobs.start(adaptor.id, Selection(tuple(three)), "bo")

    def unreadable(_self: object) -> None:
        raise ServiceError(Text("Arkivet kan ikke læses.", "The archive cannot be read."))

    monkeypatch.setattr(gathering.Gathered, "load", unreadable)
    slices(job_id)
    assert db.session.get_one(Job, job_id).error["en"] == "The archive cannot be read."


def test_a_document_that_was_deleted_meanwhile_is_left_out_and_counted(adaptor, three, make_document, make_customer):
    gone = make_document(make_customer(), "4")
    job_id = jobs.start(adaptor.id, Selection((*three, gone.id)), "bo")
    db.session.query(StatusChange).filter_by(document_id=gone.id).delete()
    db.session.query(Document).filter_by(id=gone.id).delete()
    db.session.commit()
    slices(job_id)
    assert holds(job_id, 3) and db.session.get_one(Job, job_id).result[packs.GONE] == 1


def test_one_pack_at_a_time_and_none_that_is_too_large(adaptor, three, monkeypatch):
    jobs.start(adaptor.id, Selection(tuple(three)), "bo")
    with pytest.raises(Conflict):
        jobs.start(adaptor.id, Selection(tuple(three)), "bo")
    monkeypatch.setattr(jobs, "MOST", 2)
    with pytest.raises(ServiceError, match="2 at most"):
        jobs.start(adaptor.id, Selection(tuple(three)), "bo")


def test_old_packs_and_drafts_go_and_are_not_offered(adaptor, three):
    job_id = jobs.start(adaptor.id, Selection(tuple(three)), "bo")
    slices(job_id)
    job = db.session.get_one(Job, job_id)
    path = packs.file_of(job)
    draft = packs.folder() / "another-job" / "draft"
    draft.mkdir(parents=True)
    packs.remove_old()
    assert packs.file_of(job) == path and draft.exists()
    long_ago = (utcnow() - packs.KEPT - timedelta(hours=1)).timestamp()
    for one in (path, draft.parent):
        os.utime(one, (long_ago, long_ago))
    assert packs.file_of(job) is None
    packs.remove_old()
    assert not path.exists() and not draft.parent.exists()


def test_a_person_keeps_the_newest_pack_of_an_adaptor(adaptor, three):
    made = []
    for actor in ("bo", "ida", "bo"):
        made.append(jobs.start(adaptor.id, Selection(tuple(three)), actor))
        slices(made[-1])
    assert [packs.path_of(job_id).exists() for job_id in made] == [False, True, True]


def test_a_pack_outlives_neither_its_documents_nor_its_adaptor(
    adaptor, three, subscription, make_document, make_customer
):
    adaptor_id, other = adaptor.id, make_document(make_customer(), "4").id
    made = list[str]()
    for ids, actor in (((*three, other), "bo"), (tuple(three), "ida")):
        made.append(jobs.start(adaptor_id, Selection(ids), actor))
        slices(made[-1])
    with transaction():
        deleting.delete_documents([other])
    rows = [db.session.get_one(Job, job_id) for job_id in made]
    assert [packs.file_of(job) is not None for job in rows] == [False, True]
    deleting.run(subscription.id)
    assert [packs.path_of(job_id).exists() for job_id in made] == [False, True]
    deletion.delete(adaptor_id, adaptor.name, "bo")
    assert not packs.path_of(made[1]).exists()
