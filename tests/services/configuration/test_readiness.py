from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Customer, Document, Job, JobState, PreflightResult, Readiness, db, utcnow
from invoiceapp.services.configuration import preflight, readiness, readiness_export
from invoiceapp.services.configuration.readiness import Filter, Volume

Make = Callable[..., Any]


def finding(rule: str, fix: str | None = "source.invoice", turn: str = "source", text: str = "") -> dict[str, Any]:
    words = text or f"broken {rule}"
    return {
        "rule": rule, "severity": "fatal", "text": {"da": f"da {words}", "en": words}, "turn": turn, "term": None,
        "location": None, "fix": fix,
    }  # fmt: skip


def problem(rule: str, documents: int = 1, fix: str | None = "source.invoice", **more: Any) -> dict[str, Any]:
    examples = [{"id": f"{rule}-{number}", "number": f"{number}"} for number in range(min(documents, 5))]
    one = finding(rule, fix, **more)
    return {**{key: one[key] for key in ("rule", "text", "turn", "fix")}, "documents": documents, "examples": examples}


@pytest.fixture
def needing(make_customer: Make) -> Make:
    """``needing(name, *problems, **columns)``"""

    def make(name: str, *problems: dict[str, Any], **columns: Any) -> Customer:
        return make_customer(name, readiness=Readiness.NEEDS, problems=list(problems), **{"active": None, **columns})

    return make


@pytest.fixture
def verdict(make_document: Make) -> Make:
    """``verdict(customer, number, *findings, **document columns)``"""

    def make(customer: Customer, number: str, *findings: dict[str, Any], **columns: Any) -> Document:
        document = make_document(customer, number, **columns)
        row = PreflightResult(
            subscription_id=document.subscription_id, adaptor_id=document.adaptor_id, document_id=document.id,
            customer_id=customer.id, format="peppol-bis-3", fingerprint="f", may_leave=not findings, findings=list(findings),
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return document

    return make


def test_the_same_cause_of_several_customers_is_one_with_the_most_documents_first(adaptor, needing):
    needing("A", problem("X", 2), problem("Y", 1))
    needing("B", problem("X", 7))
    found = readiness.board(adaptor.id, Filter())
    assert [(one.rule, one.documents, len(one.customers)) for one in found.causes] == [("X", 9, 2), ("Y", 1, 1)]
    assert [(one.name, one.documents) for one in found.causes[0].customers] == [("B", 7), ("A", 2)]
    assert found.causes[0].customers[0].examples[0] == ("X-0", "0")


def test_rules_of_several_formats_that_mean_the_same_are_one_cause(adaptor, needing):
    needing("A", problem("PEPPOL-EN16931-R010", 3, "customer.endpoint"))
    needing("B", problem("F-INV044", 4, "customer.endpoint"))
    needing("C", problem("PEPPOL-EN16931-R010", 0, "customer.endpoint"))
    found = readiness.board(adaptor.id, Filter())
    (cause,) = found.causes
    assert (cause.topic, cause.documents, len(cause.customers), cause.is_common) == ("address", 7, 3, False)
    assert cause.text.da == "Kunden mangler EAN- eller CVR-nummer" and found.by_topic == {"address": 7}


def test_a_format_that_cannot_reach_the_receiver_has_words_of_its_own(adaptor, needing):
    needing("A", problem("F-LIB179", 3, "customer.format")), needing("B", problem("F-LIB179", 2, "customer.format"))
    found = readiness.board(adaptor.id, Filter())
    assert found.by_topic == {"format": 5}
    assert found.causes[0].text.da == "Kundens nummer kan ikke bruges i det valgte format"


def test_without_a_default_gateway_and_any_rule_nothing_could_leave(adaptor, make_customer):
    assert readiness.lacks_gateway(adaptor)
    make_customer("A", active=False)
    assert not readiness.lacks_gateway(adaptor)


@pytest.mark.parametrize(
    ("fix", "is_common"),
    [
        ("vat", True), ("supplier.endpoint", True), ("general.embedPdf", True), ("source.organization", True),
        ("customer.country", False), ("formats.csv.dialect", False), ("source.contact", False), ("source.invoice", False),
        ("source.product", False), (None, False),
    ],
)  # fmt: skip
def test_what_is_mended_once_for_all_is_told_from_what_is_mended_one_by_one(adaptor, needing, fix, is_common):
    needing("A", problem("X", 1, fix))
    assert readiness.board(adaptor.id, Filter()).causes[0].is_common is is_common


def test_unusable_documents_are_told_apart_by_their_words(adaptor, needing):
    needing("A", problem("unusable", text="voided"), problem("unusable", text="a draft"))
    assert [one.text.en for one in readiness.board(adaptor.id, Filter()).causes] == ["voided", "a draft"]


def test_filters_narrow_the_causes_and_leave_the_totals_alone(adaptor, needing):
    needing("A", problem("X", 2, turn="here"), active=True)
    needing("B", problem("X", 3, turn="here"), problem("Y", 1), active=False)
    everything = readiness.board(adaptor.id, Filter())
    active = readiness.board(adaptor.id, Filter(activated="active"))
    assert [(one.rule, one.documents) for one in active.causes] == [("X", 2)]
    inactive = readiness.board(adaptor.id, Filter(turn="source", activated="inactive"))
    assert [(one.rule, one.documents) for one in inactive.causes] == [("Y", 1)]
    assert active.totals == inactive.totals == everything.totals and active.by_topic == everything.by_topic
    assert len(readiness.board(adaptor.id, Filter(activated="nonsense")).causes) == 2


def test_more_causes_than_anybody_reads_are_counted(adaptor, needing, monkeypatch):
    monkeypatch.setattr(readiness, "MOST_CAUSES", 2)
    needing("A", *(problem(f"R{number}", number + 1) for number in range(5)))
    found = readiness.board(adaptor.id, Filter())
    assert [one.rule for one in found.causes] == ["R4", "R3"] and found.left_out == 3


def test_a_cause_names_the_first_customers_and_knows_them_all(adaptor, needing, monkeypatch):
    monkeypatch.setattr(readiness, "MOST_CUSTOMERS", 2)
    for name in "ABC":
        needing(name, problem("X"))
    (cause,) = readiness.board(adaptor.id, Filter()).causes
    assert [one.name for one in cause.shown] == ["A", "B"] and len(cause.customers) == 3


def test_totals_count_verdicts_customers_and_money(adaptor, make_customer, needing, verdict):
    ready = make_customer("R", active=None, readiness=Readiness.READY)
    active = make_customer("S", active=True, readiness=Readiness.READY)
    make_customer("U", readiness=Readiness.UNCHECKED)
    bad = needing("N", problem("X", 2))
    verdict(ready, "1", net=Decimal("0.10")), verdict(active, "2", net=Decimal("0.20"))
    verdict(bad, "3", finding("X"), net=Decimal("1249.99"))
    verdict(bad, "4", finding("X"), net=Decimal("10.00"), currency="EUR")
    found = readiness.totals(adaptor.id)
    assert (found.go, found.stop) == (2, 2)
    assert (found.customers, found.ready, found.ready_to_activate, found.needing) == (3, 2, 1, 1)
    assert found.volumes == (
        Volume("DKK", Decimal("0.30"), Decimal("1249.99")), Volume("EUR", Decimal(0), Decimal("10.00")),
    )  # fmt: skip


def test_the_board_of_another_adaptor_is_its_own(adaptor, subscription, needing, verdict):
    verdict(needing("A", problem("X")), "1", finding("X"))
    other = Adaptor(subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    found = readiness.board(other.id, Filter())
    assert found.causes == [] and found.totals.stop == 0
    assert len(list(readiness_export.lines(other.id, "da", readiness_export.DIALECTS["danish-excel"]))) == 1


def test_status_knows_the_running_the_failed_and_the_last_finished_check(adaptor):
    def job(state: JobState) -> Job:
        row = Job(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind=preflight.KIND, state=state,
            finished_at=utcnow(),
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    assert readiness.status(adaptor.id) == readiness.Status(None, None, None)
    finished = job(JobState.FINISHED)
    failed = job(JobState.FAILED)
    assert readiness.status(adaptor.id) == readiness.Status(None, failed, finished)
    running = job(JobState.RUNNING)
    assert readiness.status(adaptor.id) == readiness.Status(running, None, finished)


def table(adaptor: Adaptor, language: str = "da", dialect: str = "danish-excel") -> list[list[str]]:
    """The file as a spreadsheet reads it."""
    adaptor_id = adaptor.id
    db.session.rollback()
    chosen = readiness_export.DIALECTS[dialect]
    content = "".join(readiness_export.lines(adaptor_id, language, chosen))
    assert content.startswith("\ufeff") == (dialect == "danish-excel")
    return list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""), delimiter=chosen.delimiter))


def test_the_file_has_a_row_for_each_cause_of_each_document_and_of_customers_without_any(adaptor, needing, verdict):
    one = needing("Kommune A", problem("X"), number="77", registration_no="12345674", active=True)
    verdict(one, "1001", finding("X"), finding("Y"), finding("X"), net=Decimal("1249.99"))
    verdict(one, "1002")
    verdict(one, "1003", finding("Z", turn="here"), type=DocumentType.CREDIT_NOTE, issue_date=date(2026, 11, 3))
    needing("Bageren", problem("R010", 0), gln=None)
    rows = table(adaptor)
    assert rows[0][:4] == ["Årsag", "Regel", "Hvis tur", "Kunde"]
    assert [row[1] for row in rows[1:]] == ["X", "Y", "Z", "R010"]
    assert rows[1] == [
        "da broken X", "X", "Jer, i regnskabet", "Kommune A", "77", "12345674", "5798000000001", "Ja", "1001", "Faktura",
        "02-11-2026", "1249,99", "DKK",
    ]  # fmt: skip
    assert rows[3][2] == "Jer, her" and rows[3][8:11] == ["1003", "Kreditnota", "03-11-2026"]
    assert rows[4][3] == "Bageren" and rows[4][7:] == ["Nej", "", "", "", "", ""]
    assert table(adaptor, "en", "international")[1][8:] == ["1001", "Invoice", "2026-11-02", "1249.99", "DKK"]


def test_no_cell_is_a_formula_whoever_wrote_it(adaptor, needing, verdict):
    trap = '=HYPERLINK("http://evil.example";"klik")'
    customer = needing(trap, problem("X", text="+1"), number="@A1", registration_no="-2")
    verdict(customer, "=1+1", finding("X", text="x\r\n=2"))
    cells = table(adaptor)[1]
    assert cells[3] == f"'{trap}" and cells[4] == "'@A1" and cells[5] == "'-2" and cells[8] == "'=1+1"
    assert not any(cell.startswith(("=", "+", "@", "-")) for cell in cells)


def test_the_file_is_read_in_chunks_without_losing_or_repeating_a_row(adaptor, needing, verdict, monkeypatch):
    monkeypatch.setattr(readiness_export, "_CHUNK", 2)
    for name in "ABC":
        customer = needing(name, problem("X"))
        for number in range(3):
            verdict(customer, f"{name}{number}", finding("X"))
        needing(f"{name}-", problem("Y", 0))
    numbers = [row[8] or row[3] for row in table(adaptor)[1:]]
    assert sorted(numbers) == sorted([f"{name}{number}" for name in "ABC" for number in range(3)] + ["A-", "B-", "C-"])


def test_a_negative_amount_stays_a_number(adaptor, needing, verdict):
    verdict(needing("A", problem("X")), "1", finding("X"), net=Decimal("-12.50"))
    assert table(adaptor)[1][11] == "-12,50"


def test_a_customer_that_became_ready_is_no_longer_on_the_board(adaptor, needing):
    needing("A", problem("X"))
    db.session.execute(update(Customer).values(readiness=Readiness.READY, problems=[]))
    db.session.commit()
    assert readiness.board(adaptor.id, Filter()).causes == []
