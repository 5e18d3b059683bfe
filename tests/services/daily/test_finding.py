"""What a manual export found, activation in place, and the dry run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from support.manual_export import ALL, adds_up, places, rows

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.jobs import tasks
from invoiceapp.models import (
    Delivery,
    Document,
    FoundGroup,
    FoundOutcome,
    JobState,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import background
from invoiceapp.services.configuration import bulk
from invoiceapp.services.daily import choosing, finding
from invoiceapp.services.daily.finding import Choice
from invoiceapp.services.errors import ServiceError

S, G, Became = DeliveryState, FoundGroup, FoundOutcome
Make = Callable[..., Any]


# --- groups ------------------------------------------------------------------------------------------------------------


def test_each_document_is_in_the_group_that_says_what_may_be_done_with_it(
    adaptor, run, note, make_customer, make_document, make_delivery
):
    active, asleep, never = make_customer("A"), make_customer("B", active=False), make_customer("C", active=None)
    adaptor.start_date = date(2026, 1, 1)
    listed = {"stage": Stage.LISTED}
    documents = [
        make_document(active, "new", **listed),
        make_document(asleep, "asleep", **listed),
        make_document(never, "never", **listed),
        make_document(active, "old", issue_date=date(2025, 12, 31), **listed),
        make_document(active, "broken", stage=Stage.UNUSABLE, error={"da": "itu", "en": "broken"}),
        make_document(active, "handled", stage=Stage.HANDLED),
        make_document(active, "billys", stage=Stage.SKIPPED, error={"da": "x", "en": "x"}),
        make_document(active, "converting", stage=Stage.QUEUED),
    ]
    for state in (S.BLOCKED, S.PENDING, S.DELIVERED, S.FAILED, S.REJECTED, S.CANCELLED):
        documents.append(make_document(active, state.value))
        make_delivery(documents[-1], state)
    note(*documents)
    assert places(run) == {
        "new": G.NOT_EXPORTED, "asleep": G.NOT_ACTIVATED, "never": G.NOT_ACTIVATED, "old": G.UNFIT, "broken": G.UNFIT,
        "handled": G.UNFIT, "billys": G.EXPORTED, "converting": G.EXPORTED, "blocked": G.NOT_EXPORTED,
        "pending": G.EXPORTED, "delivered": G.EXPORTED, "failed": G.EXPORTED, "rejected": G.EXPORTED,
        "cancelled": G.NOT_EXPORTED,
    }  # fmt: skip
    texts = {number: row.text["en"] for number, row in rows(run).items() if row.text}
    assert texts.keys() == {"old", "broken", "handled"} and texts["broken"] == "broken"


def test_a_type_that_the_settings_leave_out_cannot_be_exported(adaptor, run, note, make_customer, make_document):
    adaptor.settings = {"general": {"documentTypes": "credit-notes"}}
    db.session.commit()
    note(make_document(make_customer(), "1", stage=Stage.LISTED))
    assert places(run) == {"1": G.UNFIT} and "Invoices are not exported" in rows(run)["1"].text["en"]


def test_the_groups_have_numbers_and_amounts_by_currency_less_credit_notes(run, note, make_customer, make_document):
    customer, listed = make_customer(), {"stage": Stage.LISTED}
    note(
        make_document(customer, "1", net=Decimal(1000), vat=Decimal(250), **listed),
        make_document(customer, "2", net=Decimal(100), vat=Decimal(25), type=DocumentType.CREDIT_NOTE, **listed),
        make_document(customer, "3", net=Decimal("10.50"), vat=Decimal(0), currency="EUR", **listed),
    )
    sums = finding.groups(run.id)
    assert sums[G.NOT_EXPORTED].documents == 3 and sums[G.EXPORTED].documents == 0
    assert sums[G.NOT_EXPORTED].amounts == {"DKK": Decimal(1125), "EUR": Decimal("10.5")}


def test_a_large_group_is_read_page_by_page_in_the_order_of_the_numbers(run, note, make_customer, make_document):
    customer = make_customer()
    note(*(make_document(customer, f"2026-{number}", stage=Stage.LISTED) for number in range(12, 0, -1)))
    numbers, after = [], ""
    while True:
        page = finding.of_group(run.id, G.NOT_EXPORTED, after, size=5)
        numbers += [one.row.document.number for one in page.rows]
        after = page.after
        if not after:
            break
    assert numbers == [f"2026-{number}" for number in range(1, 13)]


def test_a_document_that_was_only_tested_is_not_exported_once_it_would_leave_for_real(
    adaptor, gateway, run, note, make_customer, make_document, make_delivery
):
    document = make_document(make_customer(), "1")
    make_delivery(document, S.DELIVERED, environment="test", first_sent_at=utcnow())
    adaptor.environment = gateway.environment = "live"
    db.session.commit()
    note(document)
    assert places(run) == {"1": G.NOT_EXPORTED}


# --- activation in place -----------------------------------------------------------------------------------------------


def test_customers_activated_in_place_move_their_documents_to_not_exported(
    gateway, run, note, make_customer, make_document
):
    one, other = make_customer("A", active=None), make_customer("B", active=None)
    first, second = make_document(one, "1", stage=Stage.LISTED), make_document(other, "2", stage=Stage.LISTED)
    note(first, second)
    outcome = choosing.activate(run.id, Choice(G.NOT_ACTIVATED, (first.id,)), "peppol-bis-3", gateway.id, "ejer")
    assert outcome.done == 1
    assert places(run) == {"1": G.NOT_EXPORTED, "2": G.NOT_ACTIVATED}
    choosing.activate(run.id, ALL[G.NOT_ACTIVATED], "peppol-bis-3", gateway.id, "ejer")
    assert places(run) == {"1": G.NOT_EXPORTED, "2": G.NOT_EXPORTED}
    with pytest.raises(ServiceError):
        choosing.activate(run.id, ALL[G.NOT_ACTIVATED], "peppol-bis-3", gateway.id, "ejer")


def test_many_customers_activated_in_the_background_move_their_documents_when_that_has_ended(
    adaptor, gateway, run, note, make_customer, make_document, monkeypatch
):
    monkeypatch.setattr(bulk, "MOST_NOW", 1)
    one, other = make_customer("A", active=None), make_customer("B", active=None)
    note(make_document(one, "1", stage=Stage.LISTED), make_document(other, "2", stage=Stage.LISTED))
    started = choosing.activate(run.id, ALL[G.NOT_ACTIVATED], "peppol-bis-3", gateway.id, "ejer")
    assert isinstance(started, bulk.Started) and set(places(run).values()) == {G.NOT_ACTIVATED}
    db.session.commit()
    while background.execute(started.job_id, tasks.HANDLERS):
        pass
    assert places(run) == {"1": G.NOT_EXPORTED, "2": G.NOT_EXPORTED}


def test_many_customers_of_whom_only_some_could_be_activated_move_only_those(
    adaptor, gateway, run, note, make_customer, make_document, monkeypatch
):
    one, other = make_customer("A", active=None), make_customer("B", active=None)
    note(make_document(one, "1", stage=Stage.LISTED), make_document(other, "2", stage=Stage.LISTED))

    def half(_progress: background.Progress) -> bool:
        bulk.activate(adaptor.id, bulk.Selection((one.id,)), "peppol-bis-3", gateway.id)
        raise ServiceError(Text("Gatewayen er slettet.", "The gateway was deleted."))

    monkeypatch.setattr(bulk, "run", half)
    job_id = background.start(adaptor.id, bulk.KIND)
    assert not background.execute(job_id, tasks.HANDLERS)
    assert places(run) == {"1": G.NOT_EXPORTED, "2": G.NOT_ACTIVATED}


# --- dry run -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def booked(company: Company, make_customer: Make, make_document: Make) -> Callable[..., Document]:
    """``booked(number, lines=True, **columns)``: a document with the demo company's own records."""

    def make(number: str, *, lines: bool = True, **columns: Any) -> Document:
        invoice = next(one for one in company.tables["invoices"].values() if one["invoiceNo"] == number)
        bundle = company.bundle(invoice["id"])
        if not lines:
            bundle["invoice"]["lines"] = []
        customer = make_customer(bundle["contact"]["name"], gln=None)
        return make_document(customer, number, bundle=bundle, stage=Stage.LISTED, **columns)

    return make


def test_a_dry_run_says_what_would_become_of_each_and_sends_nothing(run, note, work, booked, gateway):
    good, bad, old = booked("1001"), booked("1002", lines=False), booked("1003", issue_date=date(2020, 1, 1))
    note(good, bad, old)
    choosing.dry_run(run.id, ALL[G.NOT_EXPORTED], "ejer")
    job = work(finding.DRY_RUN)
    assert (job.state, job.done, job.total) == (JobState.FINISHED, 3, 3)
    verdicts = {number: row.verdict for number, row in rows(run).items()}
    assert verdicts["1001"] == {"may_leave": True, "format": "peppol-bis-3", "gateway": gateway.name, "findings": []}
    assert verdicts["1003"]["may_leave"], "the age of a document is no reason to skip its verdict"
    assert not verdicts["1002"]["may_leave"] and verdicts["1002"]["findings"][0]["da"]
    assert db.session.scalars(select(Delivery.id)).all() == [] and set(db.session.scalars(select(Document.stage))) == {Stage.LISTED}  # fmt: skip
    assert adds_up(run).chosen == 0
    choosing.dry_run(run.id, Choice(G.NOT_EXPORTED, (good.id,)), "ejer")
    assert work(finding.DRY_RUN).total == 1


def test_a_document_without_a_known_customer_is_told(run, note, work, make_customer, make_document):
    document = make_document(make_customer(active=None), "1", stage=Stage.LISTED)
    document.customer_id = None
    db.session.commit()
    note(document)
    choosing.dry_run(run.id, ALL[G.NOT_ACTIVATED], "ejer")
    work(finding.DRY_RUN)
    assert "customer is not among" in rows(run)["1"].verdict["findings"][0]["en"]
