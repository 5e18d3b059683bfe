"""Which documents the settings let through, and what a person is told of the others."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings.general import excludes
from invoiceapp.models import Adaptor, Document, Run, RunState, Stage, db
from invoiceapp.services.configuration.settings import is_excluded
from invoiceapp.services.daily import listing
from invoiceapp.services.database import transaction
from invoiceapp.services.export import documents, selection
from invoiceapp.sources.base import SourceDocument

INVOICE, CREDIT_NOTE = DocumentType.INVOICE, DocumentType.CREDIT_NOTE


@pytest.fixture
def make_run(adaptor: Adaptor):
    def make(**columns: Any) -> Run:
        values = {"trigger": "manual", "query": {"numbers": ["1"]}, **columns}
        row = Run(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, state=RunState.RUNNING, **values)
        db.session.add(row)
        db.session.commit()
        return row

    return make


@pytest.fixture
def ingest():
    """Read documents again as they are, or with other records."""

    def take(run: Run, *rows: Document, **invoice: Any) -> documents.Tally:
        read = [
            SourceDocument(
                id=row.source_id, type=row.type, number=row.number, issue_date=row.issue_date, approved_at=None,
                customer_id=row.customer_source_id, customer_name=row.customer_name, currency="DKK", net=row.net,
                vat=row.vat, order_number=None, bundle={"invoice": {"id": row.source_id, **invoice}},
            )
            for row in rows
        ]  # fmt: skip
        with transaction() as session:
            current = session.get_one(Run, run.id)
            return documents.ingest(current, session.get_one(Adaptor, current.adaptor_id), read)

    return take


@pytest.mark.parametrize(
    ("wanted", "excluded"),
    [("both", set()), ("invoices", {CREDIT_NOTE}), ("credit-notes", {INVOICE}), ("", set()), ("nonsense", set())],
)
def test_what_each_choice_leaves_out(wanted, excluded):
    assert {kind for kind in DocumentType if excludes(wanted, kind)} == excluded


def test_the_customers_own_choice_comes_before_the_common_one():
    common, own = {"general": {"documentTypes": "invoices"}}, {"general": {"documentTypes": "both"}}
    assert is_excluded(CREDIT_NOTE, common, {}) and not is_excluded(CREDIT_NOTE, common, own)


def test_settings_that_cannot_be_read_leave_nothing_out():
    assert not is_excluded(CREDIT_NOTE, {"general": "broken"}, {})


def test_an_excluded_type_stays_listed_and_others_are_queued(adaptor, make_run, make_customer, make_document, ingest):
    adaptor.settings = {"general": {"documentTypes": "invoices"}}
    customer = make_customer()
    invoice = make_document(customer, "1", stage=Stage.LISTED)
    credit_note = make_document(customer, "2", stage=Stage.LISTED, type=CREDIT_NOTE)
    tally = ingest(make_run(query={}, trigger="schedule"), invoice, credit_note)
    assert (invoice.stage, credit_note.stage) == (Stage.QUEUED, Stage.LISTED)
    assert (tally.queued, tally.not_activated, tally.left_out) == (1, 1, [])


def test_a_manual_run_names_what_the_settings_leave_out(adaptor, make_run, make_customer, make_document, ingest):
    adaptor.settings = {"general": {"documentTypes": "invoices"}}
    words = {"da": "Billy har selv sendt den.", "en": "Billy itself has sent it."}
    customer = make_customer()
    credit_note = make_document(customer, "2", stage=Stage.LISTED, type=CREDIT_NOTE)
    skipped = make_document(customer, "3", stage=Stage.SKIPPED, error=words)
    with transaction():
        skipped.bundle = {"invoice": {"id": skipped.source_id}}
        skipped.bundle_sha256 = documents.revision(_as_it_is(skipped))
    tally = ingest(make_run(), credit_note, skipped)
    assert [entry["number"] for entry in tally.left_out] == ["2", "3"]
    assert tally.left_out[0]["document"] == credit_note.id and "Kreditnotaer" in tally.left_out[0]["da"]
    assert tally.left_out[1]["en"] == words["en"] and skipped.stage is Stage.SKIPPED
    assert (tally.queued, tally.not_activated, tally.already_exported) == (0, 0, 0)


def test_a_manual_run_names_documents_that_are_older_than_the_start_date(
    adaptor, make_run, make_customer, make_document, ingest
):
    adaptor.start_date = date(2026, 11, 23)
    day_before = {"stage": Stage.LISTED, "issue_date": date(2026, 11, 21)}
    old = make_document(make_customer(), "1485", **day_before)
    not_activated = make_document(make_customer("B", active=False), "1486", **day_before)
    tally = ingest(make_run(), old, not_activated)
    assert (tally.queued, tally.not_activated, len(tally.left_out)) == (0, 1, 1)
    [entry] = tally.left_out
    assert (entry["number"], entry["document"], entry["fix"]) == ("1485", old.id, "start_date")
    assert entry["da"] == (
        "1485 er fra 21. nov. 2026, og adaptoren sender kun dokumenter fra 23. nov. 2026. Ret »Tidligste dokumentdato« under "
        "Generelt, hvis den skal sendes."
    )
    assert "21 Nov 2026" in entry["en"] and "23 Nov 2026" in entry["en"]


def test_a_scheduled_run_does_not_name_old_documents(adaptor, make_run, make_customer, make_document, ingest):
    adaptor.start_date = date(2026, 11, 23)
    old = make_document(make_customer(), "1485", stage=Stage.LISTED, issue_date=date(2026, 11, 21))
    tally = ingest(make_run(query={}, trigger="schedule"), old)
    assert (tally.not_activated, tally.left_out) == (1, [])


def _as_it_is(row: Document) -> SourceDocument:
    return SourceDocument(
        id=row.source_id, type=row.type, number=row.number, issue_date=row.issue_date, approved_at=None,
        customer_id=row.customer_source_id, customer_name=row.customer_name, currency="DKK", net=row.net, vat=row.vat,
        order_number=None, bundle={"invoice": {"id": row.source_id}},
    )  # fmt: skip


def test_a_skipped_document_that_was_changed_is_looked_at_again(make_run, make_customer, make_document, ingest):
    row = make_document(make_customer(), stage=Stage.SKIPPED, error={"da": "x", "en": "x"})
    assert ingest(make_run(query={}), row, lines=["new"]).queued == 1
    assert row.stage is Stage.QUEUED and row.error is None


def test_a_run_that_only_reads_queues_nothing_whatever_is_activated(make_run, make_customer, make_document, ingest):
    customer = make_customer()
    listed = make_document(customer, "1", stage=Stage.LISTED)
    skipped = make_document(customer, "2", stage=Stage.SKIPPED, error={"da": "x", "en": "x"})
    tally = ingest(make_run(trigger="reading", only_reads=True), listed, skipped, lines=["new"])
    assert listed.stage is Stage.LISTED and listed.bundle["invoice"]["lines"] == ["new"]
    assert skipped.stage is not Stage.QUEUED and tally.queued == 0 and tally.left_out == []


def test_a_run_that_only_reads_refreshes_a_blocked_document_and_leaves_it_blocked(
    make_run, make_customer, make_document, make_delivery, ingest
):
    row = make_document(make_customer())
    delivery = make_delivery(row, DeliveryState.BLOCKED, next_at=None)
    assert ingest(make_run(trigger="reading", only_reads=True), row, lines=["new"]).queued == 0
    assert row.stage is Stage.CONVERTED and delivery.state is DeliveryState.BLOCKED


def test_lists_and_pages_say_why_a_document_was_only_read(adaptor, make_customer, make_document):
    adaptor.start_date, adaptor.settings = date(2026, 6, 1), {"general": {"documentTypes": "invoices"}}
    active, off = make_customer("A"), make_customer("B", active=False)
    rows = {
        "activated": make_document(off, "1", stage=Stage.LISTED),
        "Older": make_document(active, "2", stage=Stage.LISTED, issue_date=date(2026, 5, 31)),
        "Credit notes": make_document(active, "3", stage=Stage.LISTED, type=CREDIT_NOTE),
        "Read, but": make_document(active, "4", stage=Stage.LISTED),
    }
    found = selection.why_listed([*rows.values(), make_document(active, "5")])
    assert len(found) == 4 and all(words in found[row.id].short.en for words, row in rows.items())
    listed = listing.page([adaptor.id], listing.View()).rows
    assert {row.document.number: row.why_listed is not None for row in listed} == {
        "1": True, "2": True, "3": True, "4": True, "5": False,
    }  # fmt: skip


def test_a_document_of_a_customer_that_we_do_not_know_is_not_activated(make_customer, make_document):
    row = make_document(make_customer(), stage=Stage.LISTED)
    row.customer_id = None
    db.session.commit()
    assert "not activated" in selection.why_listed([row])[row.id].long.en


def test_skipped_documents_have_a_list_of_their_own(adaptor, make_customer, make_document, make_delivery):
    customer = make_customer()
    skipped = make_document(customer, "1", stage=Stage.SKIPPED)
    make_delivery(skipped, DeliveryState.CANCELLED, next_at=None)
    make_document(customer, "2", stage=Stage.LISTED)
    [row] = listing.page([adaptor.id], listing.View(listing.Filter("skipped"))).rows
    assert row.document.number == "1" and row.status == "skipped"
