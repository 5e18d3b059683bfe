"""Runs against the stand-in Billy, with its faults."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    Event,
    ExportRule,
    FoundDocument,
    FoundGroup,
    Run,
    RunState,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import secrets
from invoiceapp.services.configuration import rules
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import conversion, documents, run_cursor, run_queries, run_queue, run_reading, runs
from invoiceapp.sources.base import DocumentQuery

pytestmark = pytest.mark.server


def run_now(adaptor: Adaptor, **options: Any) -> Run:
    run_id = runs.start(adaptor.id, trigger="manual", **options).id
    runs.execute(run_id)
    return db.session.get_one(Run, run_id, populate_existing=True)


def counts(run: Run) -> tuple[int, int, int, int]:
    return run.read, run.queued, run.not_activated, run.already_exported


def kept() -> int:
    return db.session.scalar(select(func.count()).select_from(Document)) or 0


def approved(billy: Any) -> int:
    return sum(one["state"] == "approved" for one in billy.api.store.tables["invoices"].values())


def test_the_first_run_reads_everything_and_queues_it(activated, billy):
    run = run_now(activated)
    assert run.state is RunState.FINISHED and run.error is None and run.finished_at is not None
    assert counts(run) == (approved(billy), approved(billy), 0, 0) and kept() == approved(billy) > 50
    assert set(db.session.scalars(select(Document.stage))) == {Stage.QUEUED}
    kinds = list(db.session.scalars(select(Event.kind).where(Event.run_id == run.id, Event.document_id.is_(None))))
    assert sorted(kinds) == ["run_finished", "run_started"]


def test_the_second_run_exports_nothing_twice(activated, billy):
    run_now(activated)
    while conversion.convert_due():
        pass
    before = db.session.scalar(select(func.count()).select_from(Delivery))
    assert run_now(activated).queued == 0
    blocked = db.session.scalar(select(func.count()).where(Delivery.state == "blocked"))
    third = run_now(activated, query=DocumentQuery(first_date=date(2000, 1, 1)))
    assert (third.read, third.queued) == (approved(billy), blocked), "only what is blocked may be tried again"
    while conversion.convert_due():
        pass
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == before


def test_documents_of_customers_that_are_not_activated_are_listed_only(connected, billy):
    run = run_now(connected)
    assert run.not_activated == run.read == approved(billy) and run.queued == 0
    assert set(db.session.scalars(select(Document.stage))) == {Stage.LISTED}


def test_a_customer_that_is_activated_later_is_found_and_not_sent_by_itself(connected, billy, gateway):
    run_now(connected)
    customer_id = db.session.scalar(select(Document.customer_id).limit(1))
    rules.activate(connected.id, [customer_id], "peppol-bis-3", gateway.id)
    run = runs.find(connected.id, "ejer@example.com", customer_ids=[customer_id])
    runs.execute(run.id)
    run = db.session.get_one(Run, run.id, populate_existing=True)
    assert (run.queued, run.not_activated) == (0, 0) and 0 < run.read < approved(billy)
    groups = list(db.session.scalars(select(FoundDocument.group).where(FoundDocument.run_id == run.id)))
    assert groups == [FoundGroup.NOT_EXPORTED] * run.read


def test_what_a_broken_off_finding_had_found_is_there_once(connected, monkeypatch):
    monkeypatch.setattr(run_reading, "_CHUNK", 20)
    run_id = runs.find(connected.id, "ejer@example.com", first_date=date(2000, 1, 1)).id
    for _ in range(2):
        runs.execute(run_id)
        db.session.get_one(Run, run_id, populate_existing=True).state = RunState.QUEUED
        db.session.commit()
    found = list(db.session.scalars(select(FoundDocument.document_id).where(FoundDocument.run_id == run_id)))
    assert len(found) == len(set(found)) == kept() > 50


def test_what_was_not_understood_is_kept_with_the_run(adaptor):
    run = runs.find(adaptor.id, "ejer@example.com", numbers=["1001"], not_understood=["fakturanr."])
    assert run.query == {"numbers": ["1001"], "not_understood": ["fakturanr."]}
    assert run_queries.query_from_json(run.query) == DocumentQuery(numbers=("1001",))


def test_the_watermark_is_the_newest_approval_and_the_next_run_reads_little(activated, billy):
    run_now(activated)
    newest = max(one["approvedTime"] for one in billy.api.store.tables["invoices"].values() if one["approvedTime"])
    assert db.session.get_one(Adaptor, activated.id, populate_existing=True).watermark == newest
    booked = billy.api.store.book_random()
    second = run_now(activated)
    assert second.queued == 1 and second.read < 10
    assert db.session.scalar(select(Document.number).order_by(Document.id.desc())) == booked["invoiceNo"]


def test_a_run_of_chosen_documents_moves_no_watermark(activated):
    run = run_now(activated, query=DocumentQuery(numbers=("1001",)))
    assert run.read == 1 and not run.moves_watermark
    assert db.session.get_one(Adaptor, activated.id, populate_existing=True).watermark is None


def test_documents_before_the_start_date_are_kept_out(activated, billy):
    dates = sorted(
        one["entryDate"] for one in billy.api.store.tables["invoices"].values() if one["state"] == "approved"
    )
    activated.start_date = date.fromisoformat(dates[30])
    db.session.commit()
    run = run_now(activated)
    assert 0 < run.queued < approved(billy)
    again = run_now(activated, query=DocumentQuery(first_date=date(2000, 1, 1)))
    assert (again.not_activated, again.queued) == (0, 0)
    assert again.skipped == len(again.problems) == again.read - run.queued > 0
    assert {entry["fix"] for entry in again.problems} == {"start_date"}


def test_numbers_that_the_source_does_not_have_are_named(activated):
    run = run_now(activated, query=DocumentQuery(numbers=("1001", "9998", "9999", "9999")))
    assert (run.state, run.read, run.queued, run.skipped) == (RunState.FINISHED, 1, 1, 2)
    assert [entry["id"] for entry in run.problems] == ["9998", "9999"]
    assert run.problems[1]["da"].startswith("9999 findes ikke i regnskabet.")


def test_a_run_that_asked_for_no_numbers_misses_none(activated):
    assert run_now(activated, query=DocumentQuery(first_date=date(2000, 1, 1))).problems == []


def test_a_number_may_be_that_of_a_record_that_cannot_be_read(activated, billy):
    record = next(one for one in billy.api.store.tables["invoices"].values() if one["invoiceNo"] == "1001")
    record["entryDate"] = "broken"
    run = run_now(activated, query=DocumentQuery(numbers=("1001",)))
    assert [entry["id"] for entry in run.problems] == ["1001", record["id"]]
    assert "kunne læses" in run.problems[0]["da"]


def test_two_starts_are_one_run(activated):
    runs.start(activated.id, trigger="manual")
    with pytest.raises(Conflict) as caught:
        runs.start(activated.id, trigger="schedule")
    assert "kører allerede" in caught.value.text.da
    assert db.session.scalar(select(func.count()).select_from(Run)) == 1


def test_chosen_customers_that_do_not_exist_are_no_run_of_everything(activated):
    with pytest.raises(ServiceError) as caught:
        runs.find(activated.id, "ejer@example.com", customer_ids=["01ARZ3NDEKTSV4RRFFQ69G5FAV"])
    assert "findes ikke længere" in caught.value.text.da and run_queue.active(activated.id) is None


@pytest.mark.parametrize(
    ("fault", "da", "en"),
    [
        ({"half_page": True}, "intet er gættet", "nothing was guessed"),
        ({"html_body": True}, "intet er gættet", "nothing was guessed"),
        ({"down": True}, "næste kørsel", "next run"),
        ({"rate_limit_every": 1, "retry_after": 600}, "vente", "wait"),
        ({"bad_gateway_every": 1}, "næste kørsel", "next run"),
        ({"refuse_token": True}, "Opret en ny", "Create a new one"),
    ],
)
def test_a_failing_source_ends_the_run_with_words_and_the_next_one_succeeds(activated, billy, fault, da, en):
    billy.api.faults.update(fault)
    failed = run_now(activated)
    assert failed.state is RunState.FAILED and da in failed.error["da"] and en in failed.error["en"]
    assert "demo-token" not in str(failed.error)
    adaptor = db.session.get_one(Adaptor, activated.id, populate_existing=True)
    assert adaptor.source_error["da"] == failed.error["da"] and adaptor.watermark is None
    billy.api.faults.update(dict.fromkeys(fault, False) | ({"rate_limit_every": 0} if "rate_limit_every" in fault else {})
                            | ({"bad_gateway_every": 0} if "bad_gateway_every" in fault else {})
                            | ({"retry_after": 1} if "retry_after" in fault else {}))  # fmt: skip
    assert run_now(activated).queued == approved(billy)
    assert db.session.get_one(Adaptor, activated.id, populate_existing=True).source_error is None


def test_a_source_that_fails_in_the_middle_keeps_what_was_read(activated, billy, monkeypatch):
    monkeypatch.setattr("invoiceapp.sources.billy.source.BillySource.PAGE_SIZE", 25)
    real = run_reading._keep
    chunks = []

    def keep(*arguments: Any) -> Any:
        left_out = real(*arguments)
        chunks.append(1)
        billy.api.faults.down = True
        return left_out

    monkeypatch.setattr(run_reading, "_CHUNK", 20)
    monkeypatch.setattr(run_reading, "_keep", keep)
    failed = run_now(activated)
    assert failed.state is RunState.FAILED and 0 < kept() < approved(billy) and failed.read == kept()
    monkeypatch.undo()
    billy.api.faults.down = False
    second = run_now(activated)
    assert second.state is RunState.FINISHED and kept() == approved(billy)
    assert db.session.scalar(select(func.count()).where(Document.stage == Stage.QUEUED)) == approved(billy)


def test_a_fault_of_ours_ends_the_run_with_words(activated, monkeypatch):
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(documents, "ingest", broken)
    failed = run_now(activated)
    assert failed.state is RunState.FAILED and "fejl i programmet" in failed.error["da"]
    monkeypatch.undo()
    assert run_now(activated).state is RunState.FINISHED


def test_a_token_that_cannot_be_read_ends_the_run_with_words(activated):
    activated.source_secrets = {"token": secrets.encrypt("x", "adaptor/another/token")}
    db.session.commit()
    assert "adgangskode" in run_now(activated).error["da"]


def test_records_that_come_twice_across_pages_are_kept_once(activated, billy, monkeypatch):
    monkeypatch.setattr("invoiceapp.sources.billy.source.BillySource.PAGE_SIZE", 10)
    monkeypatch.setattr(run_reading, "_CHUNK", 7)
    billy.api.faults.duplicates = True
    run = run_now(activated)
    assert run.state is RunState.FINISHED and run.read == run.queued == kept()
    # The stand-in's list ends too early with this fault; the next run reads on from the watermark.
    billy.api.faults.duplicates = False
    run_now(activated)
    assert kept() == approved(billy)


def test_one_broken_record_is_reported_and_spoils_nothing(activated, billy):
    broken = list(billy.api.store.tables["invoices"].values())[3]
    broken["entryDate"] = "yesterday"
    run = run_now(activated)
    assert run.state is RunState.FINISHED and run.skipped == 1 and kept() == approved(billy) - 1
    assert run.problems[0]["id"] == broken["id"] and run.problems[0]["da"]


def test_a_run_whose_worker_died_is_finished_by_the_next_one(activated, billy, monkeypatch):
    monkeypatch.setattr(run_reading, "_CHUNK", 20)
    real = run_reading._keep

    class Died(BaseException):
        """No handler of ours sees a killed process."""

    calls = []

    def die(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise Died
        return real(*arguments)

    run_id = runs.start(activated.id, trigger="manual").id
    with monkeypatch.context() as patched, pytest.raises(Died):
        patched.setattr(run_reading, "_keep", die)
        runs.execute(run_id)
    run = db.session.get_one(Run, run_id, populate_existing=True)
    assert run.state is RunState.RUNNING and run.read == 20
    runs.execute(run_id)
    assert db.session.get_one(Run, run_id, populate_existing=True).read == 20, "the lease still runs"
    run.lease_until = utcnow() - timedelta(seconds=1)
    db.session.commit()
    runs.execute(run_id)
    run = db.session.get_one(Run, run_id, populate_existing=True)
    assert run.state is RunState.FINISHED and counts(run) == (approved(billy), approved(billy), 0, 0)
    assert kept() == approved(billy)


def test_a_worker_that_was_taken_over_writes_nothing_more(activated, monkeypatch):
    run_id = runs.start(activated.id, trigger="manual").id
    real = run_reading._keep

    def taken_over(*arguments: Any) -> Any:
        db.session.get_one(Run, run_id).lease_token = "somebody else"
        db.session.commit()
        return real(*arguments)

    monkeypatch.setattr(run_reading, "_keep", taken_over)
    runs.execute(run_id)
    run = db.session.get_one(Run, run_id, populate_existing=True)
    assert run.state is RunState.RUNNING and run.read == 0 and kept() == 0


def test_a_finished_run_is_not_carried_out_again(activated):
    run = run_now(activated)
    before = run.finished_at
    runs.execute(run.id)
    assert db.session.get_one(Run, run.id, populate_existing=True).finished_at == before


def test_no_transaction_is_open_while_the_source_is_read(activated, billy, monkeypatch):
    import requests

    real, seen = requests.Session.send, set()

    def send(*arguments: Any, **options: Any) -> Any:
        seen.add(db.session().in_transaction())
        return real(*arguments, **options)

    monkeypatch.setattr(requests.Session, "send", send)
    run_now(activated)
    assert seen == {False}


def test_what_changed_in_the_source_after_it_left_is_noted_and_not_sent_again(activated, billy):
    run_now(activated)
    while conversion.convert_due():
        pass
    row = db.session.scalars(
        select(Document).join(Delivery, Delivery.document_id == Document.id).where(Delivery.state == "pending")
    ).first()
    billy.api.store.tables["invoices"][row.source_id]["orderNo"] = "PO-CHANGED"
    run_now(activated, query=DocumentQuery(ids=(row.source_id,)))
    found = db.session.get_one(Document, row.id, populate_existing=True)
    assert found.stage is Stage.CONVERTED and found.order_number != "PO-CHANGED"
    kinds = db.session.scalars(select(Event.kind).where(Event.document_id == row.id).order_by(Event.id)).all()
    assert kinds[-1] == "changed_in_source"


def test_an_unusable_document_that_was_mended_in_the_source_is_queued_again(activated, billy):
    run_now(activated)
    row = db.session.scalars(select(Document)).first()
    row.stage, row.error = Stage.UNUSABLE, {"da": "x", "en": "x"}
    db.session.commit()
    billy.api.store.tables["invoices"][row.source_id]["orderNo"] = "PO-MENDED"
    run = run_now(activated, query=DocumentQuery(ids=(row.source_id,)))
    found = db.session.get_one(Document, row.id, populate_existing=True)
    assert run.queued == 1 and (found.stage, found.order_number, found.error) == (Stage.QUEUED, "PO-MENDED", None)


def test_a_blocked_document_is_taken_up_by_the_next_run(activated, billy, make_delivery):
    run_now(activated)
    row = db.session.scalars(select(Document)).first()
    row.stage = Stage.CONVERTED
    make_delivery(row, "blocked")
    run = run_now(activated, query=DocumentQuery(ids=(row.source_id,)))
    assert run.queued == 1
    assert db.session.get_one(Document, row.id, populate_existing=True).stage is Stage.QUEUED


def test_progress_counts_where_the_documents_of_a_run_are(activated):
    run = run_now(activated)
    assert runs.progress(run) == {"converting": run.queued, "unusable": 0, "skipped": 0}
    conversion.convert_due(10)
    found = runs.progress(db.session.get_one(Run, run.id, populate_existing=True))
    assert found["converting"] == run.queued - 10 and sum(found.values()) == run.queued


def test_a_query_survives_its_stored_form():
    query = DocumentQuery(
        first_date=date(2026, 1, 1), last_date=date(2026, 2, 1), customer_ids=("a",), numbers=("1", "2"), ids=("x",)
    )
    assert run_queries.query_from_json(run_queries.query_to_json(query)) == query
    assert run_queries.query_to_json(DocumentQuery()) == {} and run_queries.query_from_json({}) == DocumentQuery()


def test_two_adaptors_run_at_the_same_time(activated, subscription):
    other = Adaptor(subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    assert runs.start(activated.id, trigger="manual").id != runs.start(other.id, trigger="manual").id
    assert db.session.scalar(select(func.count()).select_from(ExportRule)) > 0


def test_a_reading_fills_the_lists_and_sends_nothing(activated, billy, monkeypatch):
    looked_at = []
    monkeypatch.setattr(runs.customers, "count_recent", lambda adaptor_id: looked_at.append(("count", adaptor_id)))
    monkeypatch.setattr(runs.preflight, "refresh", lambda adaptor_id: looked_at.append(("preflight", adaptor_id)))
    run_id = runs.start_reading(activated.id, "ejer@example.com", days=100_000).id
    runs.execute(run_id)
    run = db.session.get_one(Run, run_id, populate_existing=True)
    assert (run.trigger, run.actor, run.only_reads, run.moves_watermark) == ("reading", "ejer@example.com", True, False)
    assert run.state is RunState.FINISHED and run.queued == 0 and run.read == kept() == approved(billy)
    assert set(db.session.scalars(select(Document.stage))) == {Stage.LISTED}
    assert looked_at[-2:] == [("count", activated.id), ("preflight", activated.id)]
    assert db.session.get_one(Adaptor, activated.id, populate_existing=True).watermark is None
    assert run_now(activated).queued == approved(billy), "the first normal run exports them"


def test_a_reading_goes_back_a_year_in_danish_days(adaptor, monkeypatch):
    monkeypatch.setattr(runs, "today", lambda: date(2026, 11, 22))
    run = runs.start_reading(adaptor.id, "ejer@example.com")
    assert run.query == {"first_date": "2025-11-22"}


def test_nothing_is_counted_or_checked_where_nothing_was_read(activated, monkeypatch):
    looked_at = []
    monkeypatch.setattr(runs, "_look_at_what_was_read", looked_at.append)
    assert run_now(activated, query=DocumentQuery(numbers=("no such number",))).read == 0 and looked_at == []


def test_a_fault_in_what_follows_leaves_the_run_finished(activated, monkeypatch):
    def fail(_adaptor_id: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(runs.preflight, "refresh", fail)
    assert run_now(activated).state is RunState.FINISHED


def test_a_manual_run_says_what_the_settings_leave_out(activated, billy, monkeypatch):
    monkeypatch.setattr(run_cursor, "MOST_NAMED", 2)
    activated.settings = {**activated.settings, "general": {"documentTypes": "credit-notes"}}
    db.session.commit()
    invoices = sum(
        one["state"] == "approved" and one["type"] == "invoice" for one in billy.api.store.tables["invoices"].values()
    )
    run = run_now(activated, query=DocumentQuery(first_date=date(2000, 1, 1)))
    assert run.skipped == invoices and len(run.problems) == 3 and run.problems[0]["document"]
    assert str(invoices - 2) in run.problems[-1]["en"]
    assert run_now(activated).problems == [], "a run of everything new counts them, and names none"


def test_another_companys_books_are_never_read_under_this_adaptor(activated):
    activated.organization = {**activated.organization, "id": "another", "name": "En anden ApS"}
    db.session.commit()
    run = run_now(activated)
    assert run.state is RunState.FAILED and "En anden ApS" in run.error["da"] and kept() == 0
