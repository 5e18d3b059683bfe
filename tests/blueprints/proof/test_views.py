from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import AuditEntry, Job, JobState, MonthEndProof, ProofState, User, db, utcnow
from invoiceapp.services.export import archive
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.canonical import canonical
from invoiceapp.services.proof.month_end import files, making, noting
from invoiceapp.services.proof.month_end.books import Books, Listed, Taken

Make = Callable[..., Any]
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    user.language = "en"
    db.session.commit()


@pytest.fixture
def proof(adaptor, make_customer, make_document, make_delivery) -> MonthEndProof:
    """Of two documents, of which one has never been read; number 1002 is missing."""
    document = make_document(make_customer(), "1001", source_id="s1001")
    make_delivery(document, DeliveryState.DELIVERED)
    documents = tuple(
        Listed(f"s{number}", "invoice", number, date(2026, 11, 2), "Køge <b>Kommune", "DKK", Decimal(100), Decimal(25))
        for number in ("1001", "1003")
    )
    taken = tuple(Taken(one.id, one.type, one.number, one.day, "approved") for one in documents)
    noted = noting.of_period(adaptor.id, FIRST, LAST, [one.id for one in documents])
    books = Books(FIRST, LAST, utcnow(), "Eksempel ApS", documents, (), taken, tuple(noted))
    stored = canonical(books.to_json())
    result = making.result_of(stored)
    csv = files.csv_of(result, "en")
    row = MonthEndProof(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, first_day=FIRST, last_day=LAST, language="en",
        made_by="ejer@example.com", state=ProofState.FINISHED, moment=books.moment, finished_at=utcnow(),
        list_sha256=archive.store(stored), result_sha256=archive.store(canonical(result)),
        csv_sha256=archive.store(csv), signature_sha256=archive.store(signing.sign(csv)), pdf_sha256=archive.store(b"%PDF-1.7"),
        summary={name: result[name] for name in ("documents", "open", "warnings")},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def words(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_what_needs_explaining_comes_first_and_each_row_leads_to_its_document(signed_in, proof):
    page = signed_in.get(f"/proof/{proof.id}").text
    shown = words(signed_in, f"/proof/{proof.id}")
    assert "Gap in the number series (1 gap, 1 number): 1002" in shown and "Not fetched (1): 1003" in shown
    assert shown.index("Gap in the number series") < shown.index("Approved in the accounts")
    assert "250.00 DKK" in shown.replace("\xa0", " ") and "Køge <b>Kommune" in shown
    # At first those that wait for somebody; others by the link of their group.
    assert "What waits for somebody" in shown and f'href="/proof/{proof.id}?group=delivered#rows"' in page
    document = db.session.execute(text("SELECT id FROM document")).scalar()
    assert f'href="/documents/{document}"' in signed_in.get(f"/proof/{proof.id}?group=delivered").text


def test_its_files_are_those_that_were_signed(signed_in, proof):
    csv, signature, pdf = (signed_in.get(f"/proof/{proof.id}/file.{ending}") for ending in ("csv", "p7s", "pdf"))
    assert signing.verify(csv.data, signature.data).is_ours and pdf.data.startswith(b"%PDF")
    assert "month-end-proof-2026-11-01-2026-11-30" in csv.headers["Content-Disposition"]
    assert signature.headers["Content-Disposition"].endswith(".csv.p7s")


def test_reckoning_again_says_the_same_or_says_loudly_what_differs(signed_in, proof):
    assert "Unchanged" in words(signed_in, f"/proof/{proof.id}/again")
    db.session.execute(text("DELETE FROM delivery"))
    db.session.commit()
    shown = words(signed_in, f"/proof/{proof.id}/again")
    assert "It is not the same any more" in shown and "1001 : Received → Unexplained" in shown


def test_a_file_that_is_gone_from_the_archive_is_said(app, signed_in, proof, monkeypatch):
    def gone(_name: str) -> bytes:
        raise archive.ArchiveCorrupt(making.Text("Filen mangler.", "The file is missing."))

    monkeypatch.setattr(archive, "load", gone)
    assert "The file is missing." in words(signed_in, f"/proof/{proof.id}")


def test_one_is_asked_for_and_watched_and_the_list_has_it(signed_in, submit, adaptor, proof):
    page = signed_in.get("/proof").text
    assert 'value="' in page and "2 to explain" in page
    answer = submit(signed_in, f"/proof/{adaptor.id}/make", {"from": "2026-10-01", "to": "2026-10-31"})
    made = db.session.query(MonthEndProof).filter_by(state=ProofState.OPEN).one()
    assert (answer.status_code, answer.location) == (303, f"/proof/{made.id}")
    assert db.session.query(AuditEntry).filter_by(object_kind="month_end_proof", act="created").count() == 1
    assert signed_in.get(f"/proof/{made.id}/live").status_code == 200
    assert "The accounts are read and compared" in words(signed_in, f"/proof/{made.id}")
    assert signed_in.get(f"/proof/{made.id}/file.pdf").status_code == 404
    again = submit(signed_in, f"/proof/{adaptor.id}/make", {"from": "2026-10-01", "to": "2026-10-31"})
    assert again.status_code == 409 and "That is going on already." in again.text
    job = db.session.query(Job).one()
    job.state, job.error, job.finished_at = (
        JobState.FAILED,
        {"da": "nej", "en": "Billy does not answer."},
        datetime.now(UTC),
    )
    db.session.commit()
    assert "Billy does not answer." in words(signed_in, f"/proof/{made.id}")
    assert "Not finished" in words(signed_in, "/proof")


def test_a_period_that_is_none_is_told_at_its_field(signed_in, submit, adaptor):
    answer = submit(signed_in, f"/proof/{adaptor.id}/make", {"from": "2026-11-30", "to": "2026-11-01"})
    assert answer.status_code == 422
    assert "The period ends before it begins." in answer.text and 'value="2026-11-30"' in answer.text


def test_it_is_nobody_elses(stranger, proof):
    for path in ("", "/live", "/again", "/file.csv"):
        assert stranger.get(f"/proof/{proof.id}{path}").status_code == 404
