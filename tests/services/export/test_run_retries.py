"""Runs and single records that cannot be read; leases of runs, and how runs are started."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Document, Run, RunState, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.configuration import customer_reading
from invoiceapp.services.export import run_cursor, run_reading, runs
from invoiceapp.sources.base import DocumentQuery, NotFound, SourceChanged, SourceUnavailable
from invoiceapp.sources.billy import client as billy_client
from invoiceapp.sources.billy.source import BillySource

pytestmark = pytest.mark.server


def run_now(adaptor: Adaptor, **options: Any) -> Run:
    run_id = runs.start(adaptor.id, trigger="schedule", **options).id
    runs.execute(run_id)
    return db.session.get_one(Run, run_id, populate_existing=True)


def approved(billy: Any) -> list[dict[str, Any]]:
    """Billy's approved invoices, oldest approval first."""
    found = [one for one in billy.api.store.tables["invoices"].values() if one["state"] == "approved"]
    return sorted((one for one in found if one["approvedTime"]), key=lambda one: one["approvedTime"])


def waiting(adaptor: Adaptor) -> list[str]:
    return db.session.get_one(Adaptor, adaptor.id, populate_existing=True).retry_ids


def is_kept(source_id: str) -> bool:
    return bool(db.session.scalar(select(func.count()).where(Document.source_id == source_id)))


def test_a_record_that_was_mended_is_read_although_the_watermark_has_passed_it(connected, billy):
    old = approved(billy)[0]
    good, old["currencyId"] = old["currencyId"], "kr."
    assert run_now(connected).skipped == 1 and waiting(connected) == [old["id"]]
    watermark = db.session.get_one(Adaptor, connected.id, populate_existing=True).watermark
    again = run_now(connected)
    assert (again.state, again.skipped, waiting(connected)) == (RunState.FINISHED, 1, [old["id"]])
    assert watermark == approved(billy)[-1]["approvedTime"], "a record that stays broken holds nothing up"
    old["currencyId"] = good
    assert run_now(connected).skipped == 0
    assert is_kept(old["id"]) and waiting(connected) == []
    assert db.session.get_one(Adaptor, connected.id, populate_existing=True).watermark == watermark


def test_a_record_that_the_source_no_longer_has_is_not_tried_again(connected, billy):
    connected.retry_ids = ["gone"]
    db.session.commit()
    assert [one["id"] for one in run_now(connected).problems] == ["gone"]
    assert waiting(connected) == [] and run_now(connected).problems == []


def test_a_broken_customer_is_reported_but_not_tried_again_as_a_document(connected, billy):
    next(one for one in billy.api.store.tables["contacts"].values() if one["isCustomer"])["id"] = "no id of Billy's"
    assert run_now(connected).skipped == 1 and waiting(connected) == []


def test_a_record_without_id_cannot_be_tried_again():
    broken = SourceChanged(Text("x", "x"))
    assert run_reading._ids_of([("?", broken), ("a", broken), ("a", broken), ("b", NotFound(Text("x", "x")))]) == ["a"]


def test_a_run_of_chosen_documents_leaves_what_waits_alone(connected, billy):
    connected.retry_ids = [approved(billy)[0]["id"]]
    db.session.commit()
    run = run_now(connected, query=DocumentQuery(ids=(approved(billy)[1]["id"],)))
    assert run.read == 1 and waiting(connected) == [approved(billy)[0]["id"]]


@pytest.mark.parametrize(
    ("error", "left"), [(SourceUnavailable, ["c", "a"]), (SourceChanged, ["a"])], ids=["down", "changed"]
)
def test_a_record_that_makes_the_source_fail_stops_neither_the_run_nor_the_others(
    connected, billy, monkeypatch, error, left
):
    run_now(connected)
    connected.retry_ids = ["a", "c"]
    db.session.commit()
    real = BillySource.documents

    def documents(source: BillySource, query: DocumentQuery) -> Any:
        if query.ids == ("a",):
            raise error(Text("x", "x"))
        return real(source, query)

    monkeypatch.setattr(BillySource, "documents", documents)
    assert run_now(connected).state is RunState.FINISHED
    assert waiting(connected) == left, "the one that fails is asked for last"


def test_no_more_than_some_hundred_records_wait(connected, billy, monkeypatch):
    monkeypatch.setattr(run_cursor, "MOST_RETRIES", 2)
    for one in approved(billy)[:3]:
        one["currencyId"] = "kr."
    assert run_now(connected).skipped == 3 and len(waiting(connected)) == 2


def test_the_newest_of_them_wait_before_what_earlier_runs_could_not_read(monkeypatch):
    monkeypatch.setattr(run_cursor, "MOST_RETRIES", 3)
    cursor = run_cursor.Cursor(failed_again=["a", "0"])
    cursor.fail(["b", "c"])
    assert cursor.to_retry() == ["b", "c", "a"]
    cursor.fail(["c", "d", "e"])
    assert cursor.to_retry() == ["c", "d", "e"]


def test_half_a_character_in_a_text_of_the_source_stops_no_run(connected, billy, monkeypatch):
    approved(billy)[0]["contactMessage"] = "Tak MARK"
    real = billy_client._parse_json
    monkeypatch.setattr(billy_client, "_parse_json", lambda body: real(body.replace(b"MARK", b"\\ud83d")))
    assert run_now(connected).state is RunState.FINISHED
    row = db.session.scalars(select(Document).where(Document.source_id == approved(billy)[0]["id"])).one()
    assert row.bundle["invoice"]["contactMessage"] == "Tak \ud83d"


def test_texts_longer_than_our_columns_stop_no_run(connected, billy):
    contact = next(one for one in billy.api.store.tables["contacts"].values() if one["isCustomer"])
    contact |= dict.fromkeys(("ean", "contactNo", "registrationNo", "cityText", "name"), "5798000000001 " * 50)
    approved(billy)[0] |= {"orderNo": "x" * 500, "invoiceNo": "1" * 200}
    approved(billy)[1]["contactId"] = "x" * 65
    run = run_now(connected)
    assert (run.state, run.skipped) == (RunState.FINISHED, 1)
    row = db.session.scalars(select(Document).where(Document.source_id == approved(billy)[0]["id"])).one()
    assert (len(row.number), len(row.order_number or "")) == (100, 200)


def test_no_transaction_is_open_while_a_run_is_rung_for(adaptor, monkeypatch):
    seen = []
    monkeypatch.setattr(bell, "ring", lambda *_: seen.append(db.session().in_transaction()))
    runs.start(adaptor.id, trigger="schedule")
    assert seen == [False]


def test_the_lease_is_renewed_while_customers_and_slow_documents_are_read(connected, monkeypatch):
    monkeypatch.setattr(customer_reading, "_CHUNK", 5)
    monkeypatch.setattr(run_reading, "_RENEWAL", timedelta(0))
    monkeypatch.setattr(run_reading, "_CHUNK", 1000)
    real, renewed = run_reading._renew, []

    def renew(work: Any) -> None:
        db.session.get_one(Run, work.run_id).lease_until = utcnow() + timedelta(seconds=1)
        db.session.commit()
        real(work)
        renewed.append(db.session.get_one(Run, work.run_id, populate_existing=True).lease_until)
        db.session.commit()

    monkeypatch.setattr(run_reading, "_renew", renew)
    run = run_now(connected)
    assert run.state is RunState.FINISHED and len(renewed) > run.read
    assert min(renewed) > utcnow() + runs.LEASE - timedelta(minutes=1)


def test_a_run_that_was_taken_over_while_it_read_customers_stops_quietly(connected, billy, monkeypatch, caplog):
    real = BillySource.customers

    def customers(source: BillySource) -> Any:
        db.session.execute(Run.__table__.update().values(lease_token="somebody else"))
        db.session.commit()
        next(one for one in billy.api.store.tables["contacts"].values() if one["isCustomer"])["name"] = "Nyt navn"
        return real(source)

    monkeypatch.setattr(BillySource, "customers", customers)
    run = run_now(connected)
    assert (run.state, run.error, run.read) == (RunState.RUNNING, None, 0)
    assert not db.session.scalar(select(func.count()).where(Customer.name == "Nyt navn")), "theirs to write"
    assert "taken over" in caplog.text and "failed" not in caplog.text


def test_a_run_that_was_taken_over_says_nothing_about_the_source(connected, monkeypatch):
    def customers(_source: BillySource) -> Any:
        db.session.execute(Run.__table__.update().values(lease_token="somebody else"))
        db.session.commit()
        raise SourceUnavailable(Text("x", "x"))

    monkeypatch.setattr(BillySource, "customers", customers)
    assert run_now(connected).state is RunState.RUNNING
    assert db.session.get_one(Adaptor, connected.id, populate_existing=True).source_error is None
