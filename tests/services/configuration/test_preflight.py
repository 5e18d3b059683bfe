from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import (
    Adaptor,
    Customer,
    Document,
    ExportRule,
    Job,
    JobState,
    PreflightResult,
    Readiness,
    Stage,
    db,
    dump_json,
)
from invoiceapp.services import background
from invoiceapp.services.configuration import judging, preflight, rules, saving, verdicts
from invoiceapp.services.export import validators

TODAY = date(2026, 11, 22)
Put = Callable[..., Document]


@pytest.fixture(autouse=True)
def the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "today", lambda: TODAY)


@pytest.fixture
def put(company: Company, make_customer: Any, make_document: Any) -> Put:
    """``put(like, customer=None, edit=None, number=None)``: a document of the demo company; its customer is not activated."""

    def make(like: str = "1001", customer: Customer | None = None, edit: Any = None, **columns: Any) -> Document:
        invoice = next(one for one in company.tables["invoices"].values() if one["invoiceNo"] == like)
        bundle = company.bundle(invoice["id"])
        if edit is not None:
            edit(bundle)
        customer = customer or make_customer(bundle["contact"]["name"], active=None, gln=None)
        document: Document = make_document(
            customer, columns.pop("number", like), bundle=bundle,
            **{"stage": Stage.LISTED, "bundle_sha256": hashlib.sha256(dump_json(bundle).encode()).hexdigest(), **columns},
        )  # fmt: skip
        return document

    return make


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The numbers of the documents that are really judged."""
    seen: list[str] = []
    real = judging.judge

    def spy(source: Any, plan: Any, bundle: Any) -> judging.Verdict:
        assert not db.session().in_transaction(), "no transaction may be open while documents are judged"
        seen.append(bundle["invoice"]["invoiceNo"] if isinstance(bundle, dict) and "invoice" in bundle else "?")
        return real(source, plan, bundle)

    monkeypatch.setattr(judging, "judge", spy)
    return seen


def no_ean(bundle: dict[str, Any]) -> None:
    bundle["contact"] |= {"ean": None, "registrationNo": None}


def run_all(adaptor: Adaptor) -> Job:
    """Carry out the check that is queued, or one that is asked for here."""
    adaptor_id = adaptor.id
    if background.active(adaptor_id, preflight.KIND) is None:
        preflight.refresh(adaptor_id)
    job = background.active(adaptor_id, preflight.KIND)
    assert job is not None
    job_id = job.id
    db.session.rollback()
    while background.execute(job_id, HANDLERS):
        pass
    return db.session.get_one(Job, job_id, populate_existing=True)


def fresh(row: Any) -> Any:
    db.session.refresh(row)
    return row


def results() -> dict[str, PreflightResult]:
    rows = db.session.execute(
        select(Document.number, PreflightResult)
        .join(PreflightResult, PreflightResult.document_id == Document.id)
        .execution_options(populate_existing=True)
    )
    return dict(rows.all())


def test_a_good_document_would_go_and_one_without_an_address_would_stop(adaptor, put):
    good, bad = put("1001"), put("1002", edit=no_ean)
    job = run_all(adaptor)
    assert job.state is JobState.FINISHED
    assert {number: row.may_leave for number, row in results().items()} == {"1001": True, "1002": False}
    assert (job.done, job.total) == (4, 4)
    assert job.result == {
        "since": "2026-08-24", "until": "2026-11-22", "documents": 2, "go": 1, "stop": 1,
        "customers_ready": 1, "customers_needing": 1,
    }  # fmt: skip
    ready, needing = (db.session.get_one(Customer, one.customer_id) for one in (good, bad))
    assert (ready.readiness, ready.problems) == (Readiness.READY, [])
    assert needing.readiness is Readiness.NEEDS
    (problem,) = needing.problems
    assert (problem["rule"], problem["fix"], problem["turn"]) == ("PEPPOL-EN16931-R010", "customer.endpoint", "source")
    assert problem["documents"] == 1 and "EAN" in problem["text"]["da"]
    assert problem["examples"] == [{"id": bad.id, "number": "1002"}]


def test_nothing_is_sent_or_queued_and_no_rule_is_made(adaptor, put):
    document = put("1001")
    run_all(adaptor)
    assert fresh(document).stage is Stage.LISTED
    assert db.session.scalar(select(func.count()).select_from(ExportRule)) == 0


def test_documents_with_the_same_cause_are_one_problem_with_the_newest_as_examples(adaptor, put):
    customer = put("1001", edit=no_ean, number="n0", issue_date=TODAY - timedelta(days=50)).customer_id
    row = db.session.get_one(Customer, customer)
    for day in range(1, 8):
        put("1001", row, edit=no_ean, number=f"n{day}", issue_date=TODAY - timedelta(days=50 - day))
    run_all(adaptor)
    (problem,) = fresh(row).problems
    assert problem["documents"] == 8
    assert [one["number"] for one in problem["examples"]] == ["n7", "n6", "n5", "n4", "n3"]


def test_only_the_last_90_days_count_and_what_grew_older_is_forgotten(adaptor, put, monkeypatch):
    put("1001", issue_date=TODAY - timedelta(days=90))
    put("1002", issue_date=TODAY - timedelta(days=91))
    run_all(adaptor)
    assert set(results()) == {"1001"}
    monkeypatch.setattr(preflight, "today", lambda: TODAY + timedelta(days=1))
    run_all(adaptor)
    assert results() == {}


def test_what_has_not_changed_is_not_judged_again(adaptor, put, judged):
    put("1001"), put("1002")
    run_all(adaptor)
    assert sorted(judged) == ["1001", "1002"]
    job = run_all(adaptor)
    assert sorted(judged) == ["1001", "1002"] and (job.done, job.total) == (4, 4)


def test_changed_records_settings_or_rules_are_judged_again(adaptor, put, judged, monkeypatch):
    document, _other = put("1001"), put("1002")
    run_all(adaptor)
    judged.clear()
    document.bundle_sha256 = "1" * 64
    db.session.commit()
    run_all(adaptor)
    assert judged == ["1001"]
    judged.clear()
    db.session.execute(update(Adaptor).values(settings={"general": {"note": "Tak for jer"}}))
    db.session.commit()
    run_all(adaptor)
    assert sorted(judged) == ["1001", "1002"]
    judged.clear()
    db.session.execute(update(Adaptor).values(default_format="oioubl-2.1"))
    db.session.commit()
    run_all(adaptor)
    assert sorted(judged) == ["1001", "1002"]
    judged.clear()
    monkeypatch.setattr(judging, "RULES_VERSION", judging.RULES_VERSION + 1)
    judging._plan.cache_clear()
    run_all(adaptor)
    assert sorted(judged) == ["1001", "1002"]


def test_options_of_a_format_that_is_not_used_change_no_verdict(adaptor, put, judged):
    put("1001")
    run_all(adaptor)
    judged.clear()
    db.session.execute(update(Adaptor).values(settings={"formats": {"csv": {"dialect": "danish-excel"}}}))
    db.session.commit()
    run_all(adaptor)
    assert judged == []


@pytest.mark.parametrize(
    ("own", "default", "columns", "expected"),
    [
        ("csv", "json", {}, "csv"),
        (None, "json", {}, "json"),
        (None, None, {"gln": "5798000000001"}, "oioubl-2.1"),
        (None, None, {"gln": "5798000000001", "country": "SE"}, "peppol-bis-3"),
        (None, None, {}, "peppol-bis-3"),
    ],
)
def test_the_format_is_the_rules_else_the_adaptors_else_what_most_receivers_take(
    adaptor, put, make_customer, own, default, columns, expected
):
    adaptor.default_format = default
    customer = make_customer(active=False if own else None, format=own or "", **({"gln": None} | columns))
    put("1001", customer)
    run_all(adaptor)
    assert results()["1001"].format == expected


def test_a_rule_that_is_switched_off_still_lends_its_settings(adaptor, put, make_customer):
    customer = make_customer(active=False)
    rule = db.session.scalar(select(ExportRule))
    rule.settings = {"customer": {"endpoint": {"scheme": "0088", "value": "5798000000001"}}}
    db.session.commit()
    put("1001", customer, edit=no_ean)
    run_all(adaptor)
    assert results()["1001"].may_leave


def test_settings_that_cannot_be_used_stop_every_document_with_the_field_to_mend(adaptor, put, make_customer):
    customer = make_customer(active=False)
    db.session.execute(update(ExportRule).values(settings={"customer": {"country": "Danmark"}}))
    db.session.commit()
    put("1001", customer), put("1002", customer)
    run_all(adaptor)
    (problem,) = fresh(customer).problems
    assert (problem["rule"], problem["fix"], problem["documents"]) == ("IA-SETTING", "customer.country", 2)


def test_format_options_that_cannot_be_used_are_a_verdict(adaptor, put, make_customer):
    customer = make_customer(active=False, format="csv")
    db.session.execute(update(ExportRule).values(settings={"formats": {"csv": {"dialect": "klingon"}}}))
    db.session.commit()
    put("1001", customer)
    run_all(adaptor)
    assert [problem["fix"] for problem in fresh(customer).problems] == ["formats.csv.dialect"]


def test_a_format_that_is_not_installed_is_a_verdict(adaptor, put, make_customer):
    customer = make_customer(active=True, format="nemhandel-bis-4")
    put("1001", customer)
    run_all(adaptor)
    assert [(one["rule"], one["fix"]) for one in fresh(customer).problems] == [("IA-FORMAT", "customer.format")]


def test_a_voided_document_is_a_verdict_in_its_own_words(adaptor, put):
    document = put("1001", edit=lambda bundle: bundle["invoice"].update(state="voided"), stage=Stage.UNUSABLE)
    run_all(adaptor)
    (problem,) = db.session.get_one(Customer, document.customer_id).problems
    assert (problem["rule"], problem["fix"]) == ("unusable", "source.invoice")
    assert "annulleret" in problem["text"]["da"]


def test_document_types_that_are_not_exported_are_not_judged_and_their_verdicts_go(adaptor, put, judged):
    invoice = put("1001", edit=no_ean)
    put("1002", db.session.get_one(Customer, invoice.customer_id), type=DocumentType.CREDIT_NOTE)
    run_all(adaptor)
    assert set(results()) == {"1001", "1002"}
    judged.clear()
    db.session.execute(update(Adaptor).values(settings={"general": {"documentTypes": "credit-notes"}}))
    db.session.commit()
    run_all(adaptor)
    assert set(results()) == {"1002"} and judged == ["1002"]
    assert db.session.get_one(Customer, invoice.customer_id, populate_existing=True).readiness is Readiness.READY


@pytest.mark.parametrize(
    ("columns", "rules_broken"),
    [
        ({"gln": "5798000000001"}, []),
        ({"gln": None, "registration_no": "12345674"}, []),
        ({"gln": None}, ["PEPPOL-EN16931-R010"]),
        ({"gln": None, "registration_no": "ring til mig"}, ["PEPPOL-EN16931-R010"]),
        ({"gln": None, "registration_no": "DE123456789", "country": "DE"}, []),
        ({"gln": None, "country": "DE"}, ["PEPPOL-EN16931-R010"]),
        ({"gln": "5798000000002"}, ["PEPPOL-COMMON-R040"]),
        ({"gln": None, "registration_no": "12345674", "country": None}, ["BR-11", "PEPPOL-EN16931-R010"]),
    ],
)
def test_a_customer_without_documents_is_judged_by_its_address(adaptor, make_customer, columns, rules_broken):
    adaptor.default_format = "peppol-bis-3"
    customer = make_customer(active=None, **columns)
    job = run_all(adaptor)
    assert sorted(one["rule"] for one in fresh(customer).problems) == rules_broken
    assert customer.readiness is (Readiness.NEEDS if rules_broken else Readiness.READY)
    assert (job.done, job.total) == (1, 1)


def test_a_format_without_electronic_addresses_asks_for_none(adaptor, make_customer):
    adaptor.default_format = "pdf"
    customer = make_customer(active=None, gln=None)
    run_all(adaptor)
    assert fresh(customer).readiness is Readiness.READY


def test_an_override_gives_a_customer_without_documents_its_address(adaptor, make_customer):
    customer = make_customer(active=True, gln=None, country=None)
    settings = {"customer": {"country": "DK", "endpoint": {"scheme": "0184", "value": "12345674"}}}
    db.session.execute(update(ExportRule).values(settings=settings))
    db.session.commit()
    run_all(adaptor)
    assert fresh(customer).readiness is Readiness.READY


def test_archived_customers_are_judged_only_while_they_are_activated(adaptor, put, make_customer):
    left, sold = make_customer("A", active=None, is_archived=True), make_customer("B", active=True, is_archived=True)
    put("1001", left), put("1002", sold)
    run_all(adaptor)
    assert set(results()) == {"1002"}
    rules.deactivate(adaptor.id, [sold.id])
    run_all(adaptor)
    assert results() == {} and fresh(sold).readiness is Readiness.UNCHECKED


@pytest.mark.parametrize("bundle", [[], {}, {"invoice": "x"}, {"invoice": {"lines": [None]}}, None, 7])
def test_one_broken_document_never_stops_the_rest(adaptor, put, bundle):
    broken, _good = put("1001", bundle_sha256="b" * 64), put("1002")
    broken.bundle = bundle if bundle is not None else {"organization": 1}
    db.session.commit()
    assert run_all(adaptor).state is JobState.FINISHED
    assert {number: row.may_leave for number, row in results().items()} == {"1001": False, "1002": True}


def test_records_that_are_no_json_any_more_stop_their_document_only(adaptor, put, caplog):
    broken, _good = put("1001"), put("1002", db.session.get_one(Customer, put("1003").customer_id))
    db.session.execute(text("UPDATE document SET bundle = '{' WHERE id = :id"), {"id": broken.id})
    db.session.commit()
    run_all(adaptor)
    assert {number: row.may_leave for number, row in results().items()} == {"1001": False, "1002": True, "1003": True}
    assert results()["1001"].findings[0]["rule"] == "IA-INTERNAL"


def test_a_fault_of_the_program_is_a_verdict_and_tried_again_next_time(adaptor, put, monkeypatch, caplog):
    put("1001"), put("1002")
    real = judging._fatal

    def faulty(source, bundle, settings, fmt):
        if bundle["invoice"]["invoiceNo"] == "1001":
            raise ZeroDivisionError
        return real(source, bundle, settings, fmt)

    monkeypatch.setattr(judging, "_fatal", faulty)
    run_all(adaptor)
    assert [one["rule"] for one in results()["1001"].findings] == ["IA-INTERNAL"] and results()["1002"].may_leave
    monkeypatch.setattr(judging, "_fatal", real)
    run_all(adaptor)
    assert results()["1001"].may_leave


def test_a_worker_that_dies_in_the_middle_costs_nothing_that_was_done(adaptor, put, judged, monkeypatch):
    monkeypatch.setattr(verdicts, "_DOCUMENTS", 2)
    customer = db.session.get_one(Customer, put("1001").customer_id)
    for number in range(2, 6):
        put("1001", customer, number=f"x{number}")
    put("1002")
    preflight.refresh(adaptor.id)
    job_id = background.active(adaptor.id, preflight.KIND).id
    db.session.rollback()
    real, steps = verdicts.keep, []

    def dies(batch, found):
        steps.append(len(batch.documents))
        if len(steps) == 2:
            raise MemoryError
        return real(batch, found)

    monkeypatch.setattr(verdicts, "keep", dies)
    assert background.execute(job_id, HANDLERS)
    half = db.session.get_one(Job, job_id, populate_existing=True)
    assert (half.done, half.state) == (2, JobState.RUNNING) and half.cursor.startswith(f"{customer.id}/")
    assert len(results()) == 2
    db.session.rollback()
    judged.clear()
    while background.execute(job_id, HANDLERS):
        pass
    done = db.session.get_one(Job, job_id, populate_existing=True)
    assert (done.state, done.done, done.total) == (JobState.FINISHED, 8, 8)
    assert len(results()) == 6 and len(judged) == 4
    assert fresh(customer).readiness is Readiness.READY


def test_a_large_customer_is_judged_in_parts_and_concluded_at_its_end(adaptor, put, monkeypatch):
    monkeypatch.setattr(verdicts, "_DOCUMENTS", 3)
    monkeypatch.setattr(background, "SLICE", 0.0)
    customer = db.session.get_one(Customer, put("1001", edit=no_ean).customer_id)
    for number in range(2, 9):
        put("1001", customer, number=f"x{number}")
    put("1002")
    job = run_all(adaptor)
    assert len(results()) == 9 and (job.done, job.total) == (11, 11)
    assert [one["documents"] for one in fresh(customer).problems] == [1]


def test_a_second_wish_while_a_check_is_running_makes_it_go_round_once_more(adaptor, put, judged):
    document = put("1001", edit=no_ean)
    preflight.refresh(adaptor.id)
    job_id = background.active(adaptor.id, preflight.KIND).id
    db.session.rollback()
    real, wished = verdicts.keep, []

    def meddle(batch, found):
        if not wished:
            wished.append(True)
            # Somebody saves after this batch has read the settings.
            kept = real(batch, found)
            db.session.commit()
            endpoint = {"endpoint": {"scheme": "0184", "value": "12345674"}}
            db.session.execute(update(Adaptor).values(settings={"customer": endpoint}))
            db.session.commit()
            preflight.refresh(adaptor.id)
            return kept
        return real(batch, found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "keep", meddle)
        while background.execute(job_id, HANDLERS):
            pass
    done = db.session.get_one(Job, job_id, populate_existing=True)
    assert done.state is JobState.FINISHED and done.parameters == {} and (done.done, done.total) == (2, 2)
    assert judged == ["1001", "1001"] and results()["1001"].may_leave
    assert db.session.scalar(select(func.count()).select_from(Job)) == 1
    assert db.session.get_one(Customer, document.customer_id, populate_existing=True).readiness is Readiness.READY


def test_a_wish_while_a_check_waits_to_begin_needs_nothing_more(adaptor):
    preflight.refresh(adaptor.id)
    preflight.refresh(adaptor.id)
    (job,) = db.session.scalars(select(Job))
    assert job.state is JobState.QUEUED and job.parameters == {}


def test_a_wish_after_the_end_starts_a_new_check(adaptor):
    first = run_all(adaptor).id
    assert run_all(adaptor).id != first


def test_settings_that_change_while_a_batch_is_judged_are_judged_again_before_anything_is_kept(
    adaptor, put, judged, monkeypatch
):
    put("1001", edit=no_ean)
    real, changed = verdicts.judge, []

    def change_once(batch, until=None):
        found = real(batch, until)
        if not changed:
            changed.append(True)
            endpoint = {"endpoint": {"scheme": "0184", "value": "12345674"}}
            db.session.execute(update(Adaptor).values(settings={"customer": endpoint}))
            db.session.commit()
        return found

    monkeypatch.setattr(verdicts, "judge", change_once)
    run_all(adaptor)
    assert judged == ["1001", "1001"] and results()["1001"].may_leave


def test_one_customer_is_checked_at_once_after_its_settings_are_saved(adaptor, put, make_customer):
    customer = make_customer("X", active=True, gln=None)
    put("1001", customer, edit=no_ean)
    run_all(adaptor)
    assert fresh(customer).readiness is Readiness.NEEDS
    saving.save_overrides(customer.id, {"customer.endpoint": "0184:12345674"})
    assert fresh(customer).readiness is Readiness.READY and results()["1001"].may_leave
    assert background.active(adaptor.id, preflight.KIND) is None


def test_a_customer_with_many_documents_is_judged_by_the_newest_and_the_job_does_the_rest(
    adaptor, put, make_customer, judged, monkeypatch
):
    monkeypatch.setattr(preflight, "_NEWEST", 2)
    customer = make_customer("X", active=True, gln=None)
    for day in range(4):
        put("1001", customer, edit=no_ean, number=f"n{day}", issue_date=TODAY - timedelta(days=day))
    run_all(adaptor)
    judged.clear()
    saving.save_overrides(customer.id, {"customer.endpoint": "0184:12345674"})
    assert {number for number, row in results().items() if row.may_leave} == {"n0", "n1"} and len(judged) == 2
    assert fresh(customer).readiness is Readiness.READY, "older verdicts are by older settings"
    job = run_all(adaptor)
    assert len(judged) == 4 and job.result["go"] == 4


def test_documents_that_take_too_long_are_left_to_the_job(adaptor, put, make_customer, monkeypatch):
    monkeypatch.setattr(preflight, "_PATIENCE", -1.0)
    customer = make_customer("X", active=True)
    put("1001", customer)
    preflight.refresh_customer(customer.id)
    assert results() == {} and background.active(adaptor.id, preflight.KIND) is not None


@pytest.mark.parametrize("fault", [ValueError, RecursionError, KeyError])
def test_checking_one_customer_never_raises(adaptor, put, monkeypatch, caplog, fault):
    document = put("1001")

    def broken(*_args):
        raise fault

    monkeypatch.setattr(verdicts, "judge", broken)
    preflight.refresh_customer(document.customer_id)
    preflight.refresh_customer("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert not db.session().in_transaction() and "could not be checked" in caplog.text


def test_verdicts_of_other_adaptors_are_left_alone(adaptor, subscription, put):
    put("1001")
    run_all(adaptor)
    other = Adaptor(subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    job = run_all(other)
    assert set(results()) == {"1001"} and (job.done, job.total) == (0, 0)
    assert job.result["documents"] == 0 and background.latest(adaptor.id, preflight.KIND).result["documents"] == 1


def test_the_window_begins_90_days_before_today_in_denmark(monkeypatch):
    monkeypatch.setattr(preflight, "today", validators.today)
    assert validators.today() - preflight._first_day() == timedelta(days=90)
