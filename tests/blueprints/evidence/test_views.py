"""Evidence packs through their pages: who may have one, how it is fetched, and the check of one that is handed in."""

from __future__ import annotations

import io

import pytest
from support.evidence_packs import contents, full_document, readier, zipped

from invoiceapp.domain.findings import Text
from invoiceapp.models import AuditEntry, Job, db
from invoiceapp.services import background, bell
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.proof.evidence import checking, gathering, jobs


@pytest.fixture(autouse=True)
def english(user, monkeypatch):
    user.language = "en"
    db.session.commit()
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture
def documents(make_customer, make_document, make_delivery):
    ready = readier(make_customer, make_document, make_delivery)
    return [full_document(ready, number) for number in ("1", "2")]


def acts(name):
    return db.session.query(AuditEntry).filter_by(act=name).count()


def test_the_document_page_offers_its_pack_which_is_made_at_once_and_noted(signed_in, documents):
    document_id = documents[0].id
    path = f"/evidence/documents/{document_id}"
    assert f'href="{path}"' in signed_in.get(f"/documents/{document_id}").text
    answer = signed_in.get(path, buffered=True)
    assert answer.status_code == 200 and answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"] == "attachment; filename=evidence-1.zip"
    assert int(answer.headers["Content-Length"]) == len(answer.data) and "no-store" in answer.headers["Cache-Control"]
    verdict = checking.check(io.BytesIO(answer.data))
    assert verdict.holds and verdict.manifest["made_by"] == "ejer@example.com"
    assert acts("evidence.document") == 1


def test_a_viewer_may_have_a_pack_and_a_stranger_does_not_learn_of_the_document(
    member, stranger, documents, adaptor, submit
):  # fmt: skip
    document_id, adaptor_id = documents[0].id, adaptor.id
    adaptor.grants = [{"to": "everybody", "level": "viewer"}]
    db.session.commit()
    assert member.get(f"/evidence/documents/{document_id}", buffered=True).status_code == 200
    assert submit(member, f"/evidence/packs?adaptor={adaptor_id}", {"ids": document_id}).status_code == 303
    job_id = db.session.query(Job).one().id
    for path in (
        f"documents/{document_id}",
        f"jobs/{job_id}",
        f"jobs/{job_id}/file",
        "documents/nobody",
        "jobs/x/file",
    ):
        assert stranger.get(f"/evidence/{path}").status_code == 404, path
    assert submit(stranger, f"/evidence/packs?adaptor={adaptor_id}", {"ids": document_id}).status_code == 404


def test_a_pack_that_cannot_be_made_now_says_why(signed_in, documents, monkeypatch):
    document_id = documents[0].id

    def unreadable(_self):
        raise ServiceError(Text("Arkivet kan ikke læses.", "The archive cannot be read."))

    monkeypatch.setattr(gathering.Gathered, "load", unreadable)
    answer = signed_in.get(f"/evidence/documents/{document_id}", follow_redirects=True)
    assert answer.status_code == 200 and "The archive cannot be read." in answer.text


def test_a_selection_is_packed_in_the_background_and_fetched_when_ready(signed_in, submit, documents, adaptor):
    adaptor_id, ids = adaptor.id, [one.id for one in documents]
    page = signed_in.get(f"/?adaptor={adaptor_id}").text
    assert 'id="bulk-evidence"' in page
    answer = submit(signed_in, f"/evidence/packs?adaptor={adaptor_id}", {"ids": ids})
    job_id = answer.location.rpartition("/")[2]
    assert answer.status_code == 303
    again = submit(signed_in, f"/evidence/packs?adaptor={adaptor_id}", {"ids": ids})
    assert again.location == answer.location
    assert "It starts in a moment" in signed_in.get(answer.location).text
    assert signed_in.get(f"/evidence/jobs/{job_id}/file").status_code == 303
    while background.execute(job_id, {jobs.KIND: jobs.run}):
        pass
    live = signed_in.get(f"/evidence/jobs/{job_id}/live")
    assert live.status_code == 286 and "The pack is ready" in live.text
    fetched = signed_in.get(f"/evidence/jobs/{job_id}/file", buffered=True)
    assert fetched.headers["Content-Disposition"].startswith("attachment; filename=evidence-")
    assert checking.check(io.BytesIO(fetched.data)).holds
    assert acts("evidence.start") == 2 and acts("evidence.file") == 1


def test_all_that_match_are_taken_by_the_filter_and_nothing_by_one_that_is_not_understood(
    signed_in, submit, documents, adaptor
):  # fmt: skip
    adaptor_id = adaptor.id
    for wrong in ("status=nonsense", "number=æ&unknown=1"):
        submit(signed_in, f"/evidence/packs?adaptor={adaptor_id}&{wrong}", {"everything": "1"})
        assert db.session.query(Job).count() == 0
    assert submit(signed_in, f"/evidence/packs?adaptor={adaptor_id}", {}).status_code == 303
    assert db.session.query(Job).count() == 0
    submit(signed_in, f"/evidence/packs?adaptor={adaptor_id}", {"everything": "1"})
    assert db.session.query(Job).one().total == 2


def test_a_pack_that_is_being_made_can_be_stopped(signed_in, submit, documents, adaptor):
    path = submit(signed_in, f"/evidence/packs?adaptor={adaptor.id}", {"ids": documents[0].id}).location
    for _ in range(2):
        assert submit(signed_in, f"{path}/cancel").status_code == 303
    assert "The pack was not made" in signed_in.get(path).text


def test_a_viewer_stops_their_own_pack_and_nobody_elses(member, signed_in, submit, documents, adaptor):
    adaptor_id, document_id = adaptor.id, documents[0].id
    adaptor.grants = [{"to": "everybody", "level": "viewer"}]
    db.session.commit()
    for maker, answer in ((signed_in, 403), (member, 303)):
        path = submit(maker, f"/evidence/packs?adaptor={adaptor_id}", {"ids": document_id}).location
        assert ('id="cancel"' in member.get(path).text) == (answer == 303)
        assert submit(member, f"{path}/cancel").status_code == answer
        submit(signed_in, f"{path}/cancel")


def test_jobs_of_another_kind_have_no_page_here(signed_in, adaptor):
    job_id = background.start(adaptor.id, "documents")
    assert signed_in.get(f"/evidence/jobs/{job_id}").status_code == 404


def test_a_pack_that_is_handed_in_is_judged_in_words(signed_in, submit, documents):
    path = "/evidence/check"
    pack = signed_in.get(f"/evidence/documents/{documents[0].id}", buffered=True).data
    assert "Check an evidence pack" in signed_in.get(path).text
    good = submit(signed_in, path, {"file": (io.BytesIO(pack), "pack.zip")})
    assert good.status_code == 200 and "The pack holds" in good.text and "pack.zip" in good.text
    (found := contents(io.BytesIO(pack)))["index.html"] += b" "
    bad = submit(signed_in, path, {"file": (zipped(found), "pack.zip")})
    assert "The pack does not hold" in bad.text and "index.html" in bad.text
    junk = submit(signed_in, path, {"file": (io.BytesIO(b"<script>"), "<script>.zip")})
    assert "no whole zip" in junk.text and "<script>.zip" not in junk.text
    assert submit(signed_in, path).status_code == 422


def test_a_pack_whose_manifest_would_fill_the_memory_is_not_read(signed_in, submit):
    hostile = zipped({"manifest.json": b"[" + b"[]," * 700_000 + b"[]]"})
    answer = submit(signed_in, "/evidence/check", {"file": (hostile, "pack.zip")})
    assert "manifest.json in the pack is too large." in answer.text


def test_more_than_the_cap_is_not_taken(signed_in):
    kind = "multipart/form-data; boundary=x"
    answer = signed_in.post("/evidence/check", data=b"x" * (4 * 1024 * 1024 + 1), content_type=kind)
    assert answer.status_code == 413
