"""What scheduled runs miss is found the night after, and fetched by the same rules; what cannot be is said."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import (
    Adaptor,
    Customer,
    Document,
    ExportRule,
    Job,
    JobState,
    Outcome,
    Reconciliation,
    ReconciliationState,
    Run,
    RunState,
    ScheduleRun,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import background, bell
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import documents, runs
from invoiceapp.services.proof import comparing, reconciled, reconciling
from invoiceapp.sources.base import DocumentQuery, SourceChanged
from invoiceapp.sources.billy.source import BillySource

from ..conftest import smaller

pytestmark = pytest.mark.server

#: The day after the last of the documents.
TODAY = date(2026, 7, 31)


@pytest.fixture(scope="module")
def company() -> Company:
    """A few documents are enough."""
    return smaller(demo_company(date(2026, 11, 22)), 25)


@pytest.fixture(autouse=True)
def _in_july(monkeypatch: pytest.MonkeyPatch) -> None:
    """The books are of a fixed day, and so is the night."""
    monkeypatch.setattr(reconciling, "today", lambda: TODAY)


def run_now(adaptor: Adaptor) -> Run:
    run_id = runs.start(adaptor.id, trigger="schedule").id
    runs.execute(run_id)
    return db.session.get_one(Run, run_id, populate_existing=True)


def reconcile(adaptor: Adaptor) -> Reconciliation:
    """A whole night, and the run that it starts."""
    job_id = reconciling.start(adaptor.id)
    while background.execute(job_id, HANDLERS):
        pass
    row = newest(adaptor)
    if row.run_id:
        runs.execute(row.run_id)
        reconciling.settle()
    return newest(adaptor)


def newest(adaptor: Adaptor) -> Reconciliation:
    db.session.rollback()
    row = reconciled.newest(adaptor.id, 1)[0]
    db.session.refresh(row)
    return row


def job_of(adaptor: Adaptor) -> Job:
    found = background.latest(adaptor.id, reconciling.KIND)
    assert found is not None
    return found


def booked(billy: Any, approved: datetime | None, dated: date) -> dict[str, Any]:
    """A new approved invoice in Billy, with the times that it is to have."""
    record = billy.api.store.book_random()
    record["approvedTime"] = approved.isoformat() if approved else None
    record["entryDate"] = dated.isoformat()
    return record  # type: ignore[no-any-return]


def watermark(adaptor: Adaptor) -> datetime:
    value = db.session.get_one(Adaptor, adaptor.id, populate_existing=True).watermark
    assert value
    return datetime.fromisoformat(value)


def kept(record: dict[str, Any]) -> Document | None:
    return db.session.scalar(
        select(Document).where(Document.source_id == record["id"]).execution_options(populate_existing=True)
    )


def activate(adaptor: Adaptor, gateway: Any, source_id: str) -> None:
    customer = db.session.scalars(select(Customer).where(Customer.source_id == source_id)).one()
    db.session.add(
        ExportRule(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer.id,
            format="peppol-bis-3", gateway_id=gateway.id, settings={},
        )
    )  # fmt: skip
    db.session.commit()


def test_where_nothing_is_missing_nothing_is_fetched_and_that_is_said(connected, billy):
    run_now(connected)
    row = reconcile(connected)
    assert (row.state, row.is_complete, row.missing, row.run_id) == (ReconciliationState.DONE, True, [], None)
    assert row.counts["read"] == len(db.session.scalars(select(Document.id)).all()) > 0
    text, is_well = reconciled.result(row)
    assert is_well and text.da == f"Afstemt med Billy: {row.counts['read']} dokumenter, alle fundet"


def test_a_late_approval_with_an_old_date_and_an_old_time_is_missed_by_runs_and_fetched_at_night(
    connected, billy, gateway
):
    run_now(connected)
    record = booked(billy, watermark(connected) - timedelta(days=9), TODAY - timedelta(days=70))
    activate(connected, gateway, record["contactId"])
    run_now(connected)
    assert kept(record) is None, "it lies behind what runs read"
    row = reconcile(connected)
    assert [one["id"] for one in row.missing] == [record["id"]] and row.counts["missing"] == 1
    fetched = kept(record)
    assert fetched is not None and (fetched.stage, fetched.run_id) == (Stage.QUEUED, row.run_id)
    run = db.session.get_one(Run, row.run_id)
    assert (run.trigger, run.state, run.queued, run.moves_watermark) == ("reconciliation", RunState.FINISHED, 1, False)
    assert reconciled.result(row)[0].da.endswith("1 manglede og er hentet")
    assert reconcile(connected).missing == [], "once is enough"


def test_an_approval_while_a_run_was_reading_is_read_by_the_next_run_or_else_at_night(connected, billy, monkeypatch):
    real, late = BillySource.parts, []

    def parts(source: BillySource, *arguments: Any) -> Any:
        for part in real(source, *arguments):
            yield dataclasses.replace(part, documents=watched(part.documents))

    def watched(documents: Any) -> Any:
        for position, item in enumerate(documents):
            if position == 20 and not late:
                late.append(booked(billy, datetime(2026, 7, 30, 16), TODAY))
                late.append(booked(billy, datetime(2026, 7, 30, 9), TODAY))
            yield item

    with monkeypatch.context() as patch:
        patch.setattr(BillySource, "parts", parts)
        run_now(connected)
    run_now(connected)
    assert [bool(kept(one)) for one in late] == [True, False], "runs read two hours further back"
    assert _ids(reconcile(connected)) == {late[1]["id"]}
    assert all(kept(one) for one in late)


def _ids(row: Reconciliation) -> set[str]:
    return {one["id"] for one in row.missing}


def test_after_a_clock_ran_ahead_what_is_approved_later_is_fetched_every_night(connected, billy):
    ahead = booked(billy, datetime(2026, 9, 24, 8), TODAY)
    run_now(connected)
    assert watermark(connected) == datetime(2026, 9, 24, 8) and kept(ahead)
    record = booked(billy, datetime(2026, 7, 30, 23), TODAY)
    run_now(connected)
    assert kept(record) is None
    assert [one["id"] for one in reconcile(connected).missing] == [record["id"]] and kept(record)


def test_a_document_without_an_approval_time_is_found_by_its_date(connected, billy):
    run_now(connected)
    record = booked(billy, None, TODAY - timedelta(days=9))
    run_now(connected)
    assert kept(record) is None, "Billy does not list it by time"
    assert _ids(reconcile(connected)) == {record["id"]} and kept(record)


def test_what_the_next_run_reads_anyway_is_left_to_it(connected, billy):
    run_now(connected)
    record = booked(billy, watermark(connected) + timedelta(minutes=5), TODAY)
    row = reconcile(connected)
    assert (row.missing, row.counts["not_due"]) == ([], 1) and kept(record) is None
    assert reconciled.result(row)[1], "its run is still to come"


def test_after_the_source_was_away_for_three_days_all_of_them_are_made_up_for(
    connected, billy, make_schedule, monkeypatch
):
    run_now(connected)
    reconcile(connected)
    schedule = make_schedule()
    billy.api.faults.down = True
    monkeypatch.setattr(reconciling, "days_back", lambda: 2)
    for day in range(3):
        monkeypatch.setattr(reconciling, "today", lambda day=day: TODAY + timedelta(days=day))
        assert run_now(connected).state is RunState.FAILED
        assert reconcile(connected).state is ReconciliationState.FAILED
        assert job_of(connected).state is JobState.FAILED and job_of(connected).error["da"]
    record = booked(billy, watermark(connected) + timedelta(hours=5), TODAY)
    due = datetime(2026, 8, 30, tzinfo=UTC)
    db.session.add(ScheduleRun(schedule_id=schedule.id, adaptor_id=connected.id, due_at=due, outcome=Outcome.STARTED))
    db.session.commit()
    billy.api.faults.down = False
    monkeypatch.setattr(reconciling, "today", lambda: TODAY + timedelta(days=9))
    row = reconcile(connected)
    assert row.since == TODAY - timedelta(days=2), "as far back as the nights that could not be read"
    assert _ids(row) == {record["id"]} and kept(record)
    again = reconcile(connected)
    assert again.since == TODAY + timedelta(days=7), "then two days are enough again"


def test_the_period_has_an_end_however_long_the_source_was_away(connected):
    connected.watermark = "2026-11-01T10:00:00"
    db.session.add(
        Reconciliation(
            subscription_id=connected.subscription_id, adaptor_id=connected.id, since=date(2020, 1, 1),
            state=ReconciliationState.FAILED,
        )
    )  # fmt: skip
    db.session.commit()
    assert reconciling._since(connected.id) == TODAY - timedelta(days=reconciling.MOST_DAYS)


def test_one_broken_page_spoils_neither_the_other_parts_nor_is_it_hidden(connected, billy, monkeypatch):
    run_now(connected)
    record = booked(billy, datetime(2026, 1, 5, 9), TODAY)
    real = BillySource.documents

    def documents(source: BillySource, query: Any) -> Any:
        if query.since or (query.first_date and query.last_date):
            raise SourceChanged(Text("En side kan ikke læses.", "A page cannot be read."))
        return real(source, query)

    with monkeypatch.context() as patch:
        patch.setattr(BillySource, "documents", documents)
        row = reconcile(connected)
    assert (row.state, row.is_complete) == (ReconciliationState.DONE, False)
    assert [one["da"] for one in row.notes if one["kind"] == "unread"] == ["En side kan ikke læses."]
    assert kept(record), "the last window could be read"
    assert not reconciled.result(row)[1] and "kunne ikke læses" in reconciled.result(row)[0].da
    monkeypatch.setattr(reconciling, "days_back", lambda: 1)
    assert reconciling._since(connected.id) == row.since, "the next night reads the same again"


def test_a_record_that_cannot_be_read_is_reported_with_words(connected, billy):
    run_now(connected)
    record = booked(billy, watermark(connected) - timedelta(days=5), TODAY - timedelta(days=5))
    record["currencyId"] = "kr."
    row = reconcile(connected)
    (said,) = [one for one in row.notes if one["kind"] == "unreadable"]
    assert record["invoiceNo"] in said["da"] and said["source_id"] == record["id"]
    assert row.counts["unreadable"] == 1 and not reconciled.result(row)[1]


def test_what_is_older_than_the_start_date_is_not_missed(connected, billy):
    connected.start_date = TODAY - timedelta(days=3)
    db.session.commit()
    run_now(connected)
    newer = kept(billy.api.store.book_random())
    booked(billy, datetime(2026, 8, 1), TODAY - timedelta(days=20))
    row = reconcile(connected)
    assert newer is None and row.missing == [] and row.counts["too_old"] > 0


def test_a_document_that_was_only_read_is_not_sent_by_the_night_when_its_customer_is_activated(
    connected, billy, gateway
):
    run_now(connected)
    document = db.session.scalars(select(Document).order_by(Document.issue_date.desc())).first()
    activate(connected, gateway, document.customer_source_id)
    row = reconcile(connected)
    db.session.refresh(document)
    assert document.stage is Stage.LISTED
    assert document.number in [one["number"] for one in row.notes if one["kind"] == "not_chosen"]
    assert reconciled.result(row)[1], "that is a choice, and no fault"


def test_while_a_run_is_active_what_is_missing_waits_and_is_fetched_afterwards(connected, billy):
    run_now(connected)
    record = booked(billy, watermark(connected) - timedelta(days=9), TODAY - timedelta(days=9))
    other = runs.start(connected.id, trigger="manual").id
    row = reconcile(connected)
    assert (row.state, row.run_id) == (ReconciliationState.WAITING, None)
    assert "hentes nu" in reconciled.result(row)[0].da
    runs.execute(other)
    reconciling.start_due()
    row = newest(connected)
    assert row.state is ReconciliationState.FETCHING and row.run_id
    runs.execute(row.run_id)
    reconciling.settle()
    row = newest(connected)
    assert (row.state, row.counts["fetched"]) == (ReconciliationState.DONE, 1) and kept(record)


def test_a_worker_that_dies_between_two_slices_leaves_a_night_that_goes_on(connected, billy, monkeypatch):
    run_now(connected)
    booked(billy, watermark(connected) - timedelta(days=9), TODAY - timedelta(days=9))
    job_id, real = reconciling.start(connected.id), comparing._read_dated
    deaths = iter([RuntimeError("the machine went down")])

    def dies_once(*arguments: Any) -> None:
        if (death := next(deaths, None)) is not None:
            raise death
        real(*arguments)

    monkeypatch.setattr(comparing, "_read_dated", dies_once)
    while background.execute(job_id, HANDLERS):
        pass
    row = newest(connected)
    assert row.state is ReconciliationState.FETCHING and row.counts["missing"] == len(row.missing) == 1


def test_an_adaptor_from_which_nothing_was_read_has_nothing_to_reconcile(connected):
    with pytest.raises(Conflict, match="No new documents were fetched"):
        reconciling.start(connected.id)
    assert reconciled.report(connected) is None


def test_the_clock_starts_each_adaptor_once_a_night_at_a_minute_of_its_own(connected, monkeypatch):
    rung: list[Any] = []
    monkeypatch.setattr(bell, "ring", lambda *what: rung.append(what))
    assert reconciling.start_due() == 0, "nothing was read yet"
    connected.watermark = "2026-11-01T10:00:00"
    db.session.commit()
    assert reconciling.start_due() == 0
    planned = db.session.get_one(Adaptor, connected.id, populate_existing=True).next_reconciliation_at
    assert planned is not None and planned > utcnow(), "the first time is tonight"
    connected.next_reconciliation_at = utcnow() - timedelta(minutes=1)
    db.session.commit()
    assert (reconciling.start_due(), reconciling.start_due()) == (1, 0)
    assert [what for what, _job in rung] == ["work"]
    connected.active = False
    connected.next_reconciliation_at = utcnow() - timedelta(minutes=1)
    db.session.commit()
    assert reconciling.start_due() == 0


def test_two_nights_without_a_reconciliation_are_said(connected):
    connected.watermark = "2026-11-01T10:00:00"
    db.session.commit()
    assert not reconciled.report(connected).is_late, "before the first night"
    row = Reconciliation(
        subscription_id=connected.subscription_id, adaptor_id=connected.id, since=TODAY,
        state=ReconciliationState.DONE, finished_at=utcnow(), counts={"read": 1},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    one_night, three_nights = utcnow() + timedelta(hours=30), utcnow() + timedelta(hours=80)
    assert reconciled.report(connected, one_night).is_well
    late = reconciled.report(connected, three_nights)
    assert (late.is_late, late.since) == (True, row.created_at) and late.text.da == "Ikke afstemt med Billy siden"


def test_documents_that_are_not_where_they_should_be_are_reported(
    connected, billy, make_customer, make_document, make_delivery, gateway, monkeypatch
):
    run_now(connected)
    customer = make_customer()
    alone = make_document(customer, "A-1", issue_date=TODAY)
    stuck = make_delivery(make_document(customer, "A-2", issue_date=TODAY), DeliveryState.PENDING)
    stuck.next_at = utcnow() - timedelta(days=2)
    waiting = make_document(customer, "A-3", issue_date=TODAY, stage=Stage.QUEUED)
    waiting.status_at = utcnow() - timedelta(days=2)
    make_delivery(make_document(customer, "A-4", issue_date=TODAY), DeliveryState.DELIVERED)
    db.session.commit()
    row = reconcile(connected)
    assert {(one["number"], one["kind"]) for one in row.notes if one["number"].startswith("A-")} == {
        (alone.number, "no_delivery"), ("A-2", "overdue"), ("A-3", "queued"),
    }  # fmt: skip
    assert not reconciled.result(row)[1]


def test_every_document_is_compared_by_the_same_hash_as_runs_compare_it(connected, billy):
    """Else every night would find changes, or none."""
    run_now(connected)
    source_ids = {one.source_id: one.bundle_sha256 for one in db.session.scalars(select(Document))}
    with reconciling._opened(connected.id) as source:
        again = {one.id: documents.revision(one, source.volatile) for one in source.documents(DocumentQuery())}
    assert source_ids == again
