from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import (
    Delivery,
    DiscardedFile,
    Environment,
    Event,
    Job,
    JobState,
    MonthEndProof,
    ProofState,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import background
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.export import actions, archive
from invoiceapp.services.keeping import deleting, discarding, named, proofs
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.month_end import making, queries, verifying
from invoiceapp.sources.base import BookState, SourceUnavailable

Make = Callable[..., Any]
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


@pytest.fixture
def sent(accounts: Any, make_customer: Make, make_document: Make, make_delivery: Make) -> Make:
    """``sent(number, state)``: a document that both have, with a delivery; its columns may be ours alone."""
    customers: list[Any] = []

    def make(
        number: str, state: DeliveryState = DeliveryState.DELIVERED, *, environment: Any = Environment.LIVE, **ours: Any
    ) -> Delivery:
        customers[:] = customers or [make_customer()]
        document = make_document(customers[0], number, source_id=f"s{number}", **ours)
        accounts.has(number, f"s{number}")
        delivery: Delivery = make_delivery(document, state, environment=environment)
        return delivery

    return make


def groups(proof: MonthEndProof) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in queries.result(proof)["rows"]:
        found.setdefault(row["group"], []).append(row["number"] or row["source_id"])
    return found


def by_hand(*statements: str, **values: Any) -> None:
    """As somebody with the database's password would."""
    for statement in statements:
        db.session.execute(text(statement), values)
    db.session.commit()


def test_each_document_of_the_accounts_is_explained(accounts, sent, make_customer, make_document, prove):
    sent("1001")
    sent("1002", DeliveryState.ACCEPTED)
    sent("1003", DeliveryState.OUTCOME_UNKNOWN)
    sent("1004", DeliveryState.DELIVERED, environment=Environment.TEST)
    off = make_customer("Anden", active=False)
    for number, stage in (("1005", Stage.LISTED), ("1006", Stage.SKIPPED), ("1007", Stage.HANDLED)):
        row = make_document(off, number, source_id=f"s{number}", stage=stage)
        accounts.has(number, f"s{number}")
    db.session.add(
        Event(
            subscription_id=row.subscription_id, document_id=row.id, kind="handled_outside", data={"note": "med post"}
        )
    )
    db.session.commit()
    accounts.has("1008", "s1008", currency="EUR", net=Decimal("10.5"))
    accounts.broken.append(("s1009", date(2026, 11, 20)))
    proof = prove()
    assert groups(proof) == {
        "not_read": ["1008"],
        "unknown": ["1003"],
        "tested": ["1004"],
        "not_activated": ["1005"],
        "sent_itself": ["1006"],
        "handled": ["1007"],
        "accepted": ["1002"],
        "delivered": ["1001"],
        "unreadable": ["s1009"],
    }
    result = queries.result(proof)
    assert result["totals"] == {
        "DKK": {"documents": 7, "net": "700", "vat": "175", "gross": "875"},
        "EUR": {"documents": 1, "net": "10.5", "vat": "25", "gross": "35.5"},
    }
    assert [row["said"]["note"] for row in result["rows"] if row["group"] == "handled"] == ["med post"]
    assert proof.summary == {"documents": 9, "open": 3, "warnings": 0}


def test_what_happens_after_the_moment_changes_nothing(accounts, sent, prove):
    delivery = sent("1001", DeliveryState.ACCEPTED)
    proof = prove()
    delivery.state = DeliveryState.REJECTED
    document = delivery.document
    document.net, document.customer_name = Decimal(1), "Anden"
    db.session.commit()
    accounts.has("1002", "s1002")
    verdict = verifying.again(proof)
    assert verdict.holds and verdict.rows == []
    assert groups(proof) == {"accepted": ["1001"]}
    assert groups(prove()) == {"rejected": ["1001"], "not_read": ["1002"]}


def test_the_history_tells_a_moment_that_is_long_past(accounts, sent, prove, monkeypatch):
    delivery = sent("1001", DeliveryState.PENDING)
    before = making._now()
    for state in (DeliveryState.LEASED, DeliveryState.SENDING, DeliveryState.ACCEPTED):
        delivery.state = state
        db.session.commit()
    later = sent("1002")
    monkeypatch.setattr(making, "_now", lambda: before)
    assert groups(prove()) == {"waiting": ["1001"], "not_read": ["1002"]}
    assert later.state is DeliveryState.DELIVERED


def test_a_deleted_delivery_row_is_found_by_both(accounts, sent, prove):
    kept, gone = sent("1001"), sent("1002")
    proof = prove()
    by_hand("DELETE FROM delivery WHERE id = :id", id=gone.id)
    verdict = verifying.again(proof)
    assert not verdict.holds
    assert [
        (one.number, one.before["group"], one.after["group"]) for one in verdict.rows if one.before and one.after
    ] == [("1002", "delivered", "unproved")]
    assert "groups" in verdict.parts
    assert groups(prove()) == {"unproved": ["1002"], "delivered": ["1001"]}
    assert kept.document.number == "1001"


def test_a_finished_proof_is_never_changed(prove):
    proof = prove()
    proof.moment = utcnow()
    with pytest.raises(IntegrityError, match="never changed"):
        db.session.commit()
    db.session.rollback()


def test_its_files_are_signed_kept_and_named(accounts, sent, prove):
    sent("1001")
    proof = prove()
    csv = archive.load(str(proof.csv_sha256))
    found = signing.verify(csv, archive.load(str(proof.signature_sha256)))
    assert found.is_ours and found.fingerprint == signing.fingerprint()
    with pytest.raises(signing.SignatureInvalid):
        signing.verify(csv + b" ", archive.load(str(proof.signature_sha256)))
    pdf = archive.load(str(proof.pdf_sha256)).decode()
    assert str(proof.list_sha256) in pdf and "ejer@example.com" in pdf and "Intet skal forklares." in pdf
    names = {proof.list_sha256, proof.result_sha256, proof.csv_sha256, proof.signature_sha256, proof.pdf_sha256}
    assert named.still(db.session.connection(), list(names)) == names
    assert {one.id for name in names for one in verifying.of_file(archive.load(str(name)))} == {proof.id}
    assert verifying.of_file(csv + b" ") == []


def test_a_csv_that_was_exchanged_in_the_archive_is_told(accounts, prove):
    proof, other = prove(), prove(date(2026, 10, 1), date(2026, 10, 31), "en")
    on = " ON month_end_proof" if db.engine.dialect.name == "postgresql" else ""
    by_hand(f"DROP TRIGGER month_end_proof_unchanged{on}")
    by_hand("UPDATE month_end_proof SET csv_sha256 = :csv WHERE id = :id", csv=other.csv_sha256, id=proof.id)
    db.session.expire_all()
    with pytest.raises(signing.SignatureInvalid):
        verifying.again(proof)


def test_gaps_duplicates_and_voided_numbers_are_told(accounts, sent, prove):
    for number in ("1005", "1006"):
        sent(number)
    accounts.has("1003", "old", issue_date=date(2026, 10, 30))
    accounts.has("1008", "next", issue_date=date(2026, 12, 1))
    accounts.has("1004", "v", state=BookState.VOIDED)
    accounts.has("1006", "again")
    result = queries.result(prove())
    assert [(one["first"], one["last"]) for one in result["gaps"]] == [("1007", "1007")]
    assert [(one["kind"], one["source_ids"]) for one in result["duplicates"]] == [("number", ["again", "s1006"])]
    assert [(one["number"], one["state"]) for one in result["explained"]] == [("1004", "voided")]


def test_a_second_real_delivery_is_a_duplicate_and_a_rejected_one_is_none(sent, make_delivery, prove):
    first = sent("1001")
    first.state = DeliveryState.SUPERSEDED
    db.session.commit()
    make_delivery(first.document, DeliveryState.DELIVERED)
    rejected = sent("1002", DeliveryState.REJECTED)
    make_delivery(rejected.document, DeliveryState.DELIVERED)
    found = queries.result(prove())["duplicates"]
    assert [(one["kind"], one["number"], one["count"]) for one in found] == [("delivery", "1001", 2)]


def test_what_only_we_have_is_asked_about(accounts, sent, make_document, make_customer, prove):
    sent("1001")
    voided, gone, moved = (
        (number, state) for number, state in (("1002", BookState.VOIDED), ("1003", None), ("1004", BookState.APPROVED))
    )
    for number, state in (voided, gone, moved):
        make_document(make_customer(), number, source_id=f"s{number}", stage=Stage.LISTED)
        if state is not None:
            accounts.has(
                number, f"s{number}", state=state, issue_date=date(2026, 6, 1) if state is BookState.APPROVED else FIRST
            )
    result = queries.result(prove())
    assert [(one["number"], one["standing"]) for one in result["only_ours"]] == [
        ("1002", "voided"),
        ("1003", "gone"),
        ("1004", "approved"),
    ]


def test_an_amount_that_was_changed_in_the_accounts_is_told(sent, prove):
    sent("1001", net=Decimal("99.99"))
    result = queries.result(prove())
    assert result["sent"]["difference"]["DKK"]["net"] == "0.01"
    assert result["warnings"] == 1


def test_it_is_read_in_slices_and_a_killed_worker_reads_nothing_twice(accounts, adaptor, sent, monkeypatch):
    sent("1001")
    monkeypatch.setattr(background, "SLICE", 0.0)
    proof_id = making.ask(adaptor, FIRST, LAST, actor="ejer@example.com", language="da")
    job_id = str(db.session.get_one(MonthEndProof, proof_id).job_id)
    slices = 1
    while background.execute(job_id, {making.KIND: making.run}):
        slices += 1
        job = db.session.get_one(Job, job_id, populate_existing=True)
        assert job.total is not None and job.done < job.total
        # While they are needed they are not on the list of what may go.
        assert db.session.query(DiscardedFile).count() == 0
    assert slices == accounts.asked + 1 == 6
    job = db.session.get_one(Job, job_id, populate_existing=True)
    assert (job.state, job.done, job.total) == (JobState.FINISHED, 7, 7)
    parts = {row.sha256 for row in db.session.query(DiscardedFile)}
    # Weeks with nothing in them are one file.
    assert len(parts) == 3 and not named.still(db.session.connection(), list(parts))


def test_one_that_cannot_be_read_says_so_and_can_be_asked_for_again(accounts, adaptor, work, prove, monkeypatch):
    def unavailable(_query: Any) -> Any:
        raise SourceUnavailable(Text("Billy svarer ikke.", "Billy does not answer."))

    with monkeypatch.context() as patch:
        patch.setattr(accounts, "documents", unavailable)
        proof_id = making.ask(adaptor, FIRST, LAST, actor="ejer@example.com", language="da")
        with pytest.raises(Conflict):
            making.ask(adaptor, FIRST, LAST, actor="ejer@example.com", language="da")
        job = work(proof_id)
    assert job.state is JobState.FAILED and job.error == {"da": "Billy svarer ikke.", "en": "Billy does not answer."}
    proof = db.session.get_one(MonthEndProof, proof_id)
    assert queries.is_given_up(proof, job) and proof.state is ProofState.OPEN
    with pytest.raises(Conflict):
        verifying.again(proof)
    assert prove().state is ProofState.FINISHED
    assert db.session.query(MonthEndProof).count() == 2


@pytest.mark.parametrize(
    ("first", "last"), [(None, LAST), (LAST, FIRST), (date(2024, 1, 1), LAST), (date(2099, 1, 1), date(2099, 1, 2))]
)
def test_a_period_that_is_none_is_refused(adaptor, first, last):
    with pytest.raises(InvalidInput):
        making.ask(adaptor, first, last, actor="ejer@example.com", language="da")


def test_a_proof_goes_with_the_last_document_of_its_period(accounts, prove, make_customer, make_document, subscription):
    old, young = prove(date(2015, 11, 1), date(2015, 11, 30)), prove()
    document = make_document(make_customer(), issue_date=date(2015, 11, 5))
    assert proofs.delete_old(subscription.id) == 0
    deleting.delete_documents([document.id])
    db.session.commit()
    csv = str(old.csv_sha256)
    assert proofs.delete_old(subscription.id) == 1
    assert [row.id for row in db.session.query(MonthEndProof)] == [young.id]
    assert csv in {row.sha256 for row in db.session.query(DiscardedFile)}
    discarding.remove(100)
    assert archive.load(str(young.list_sha256))


def test_it_is_taken_before_the_reading_and_reckoned_some_time_after(accounts, adaptor, work, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(making, "SETTLE", timedelta(seconds=60))
    monkeypatch.setattr(making.time, "sleep", waited.append)
    now = utcnow()
    for clock in ("utcnow", "_now"):
        monkeypatch.setattr(making, clock, lambda: now)
    proof_id = making.ask(adaptor, FIRST, LAST, actor="ejer@example.com", language="da")
    work(proof_id)
    assert waited == [60.0]


def test_rows_that_wait_carry_their_own_reason(accounts, sent, make_customer, make_document, make_delivery, prove):
    found = {"rule": "X", "severity": "fatal", "text": {"da": "EAN mangler.", "en": "No EAN."}, "fix": None}
    blocked = sent("1001", DeliveryState.BLOCKED)
    blocked.findings = [found, found]
    failed = sent("1002", DeliveryState.FAILED)
    failed.error = {"da": "Mappen findes ikke.", "en": "No such folder."}
    note = make_document(
        make_customer(), "1003", source_id="s1003", type=DocumentType.CREDIT_NOTE, credits_source_id="s1001"
    )
    make_delivery(note, DeliveryState.PENDING)
    accounts.has("1003", "s1003", type=DocumentType.CREDIT_NOTE)
    db.session.commit()
    why = {row["number"]: row["why"]["da"] for row in queries.result(prove())["rows"]}
    assert (why["1001"], why["1002"]) == ("EAN mangler. (+1 mere)", "Mappen findes ikke.")
    assert why["1003"].startswith("Venter på faktura 1001")


def test_what_was_left_to_another_adaptor_is_told_by_what_became_of_it_there(
    accounts, sent, make_customer, make_document, prove
):
    there = sent("1001", DeliveryState.OUTCOME_UNKNOWN)
    error = {"da": "x", "en": "x", "channels": "elsewhere", "holder": there.document_id}
    make_document(make_customer(), "1002", source_id="s1002", stage=Stage.SKIPPED, error=error)
    accounts.has("1002", "s1002")
    proof = prove()
    assert groups(proof)["elsewhere_open"] == ["1002"]
    for state in (DeliveryState.ACCEPTED, DeliveryState.DELIVERED):
        there.state = state
        db.session.commit()
    assert groups(prove())["elsewhere"] == ["1002"] and groups(proof)["elsewhere_open"] == ["1002"]
    assert verifying.again(proof).holds


def test_a_note_of_a_person_is_the_evidence_of_what_they_marked(sent, prove):
    delivery = sent("1001", DeliveryState.OUTCOME_UNKNOWN)
    actions.mark_received(delivery, "bo@example.com", "Ringede til Ib")
    row = queries.result(prove())["rows"][0]
    assert (row["group"], row["said"]["by"], row["said"]["note"]) == ("accepted", "bo@example.com", "Ringede til Ib")
