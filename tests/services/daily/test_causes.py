"""What stops documents, grouped by cause."""

from __future__ import annotations

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import ExportRule, Stage, db
from invoiceapp.services.daily import causes, listing

S = DeliveryState


def finding(rule: str, severity: str = "fatal", fix: str = "x", detail: str = "") -> dict[str, object]:
    text = {"da": f"da {rule}{detail}", "en": f"en {rule}{detail}"}
    return {
        "rule": rule,
        "severity": severity,
        "text": text,
        "turn": "source",
        "term": None,
        "location": None,
        "fix": fix,
    }


def test_problems_are_grouped_by_cause_the_most_frequent_first(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    for number in range(3):
        findings = [finding("BR-A"), finding("BR-W", "warning")] + ([finding("BR-B")] if number == 0 else [])
        make_delivery(make_document(customer, f"b{number}"), S.BLOCKED, findings=findings)
    for number in range(2):
        error = {"da": "nej", "en": "no", "class": "Rejected", "detail": ""}
        make_delivery(make_document(customer, f"r{number}"), S.REJECTED, error=error)
    make_document(customer, "u", stage=Stage.UNUSABLE, error={"da": "kladde", "en": "draft"})
    make_delivery(make_document(customer, "fine"), S.DELIVERED)
    found = causes.of_adaptor(adaptor.id)
    assert [(p.rule, len(p.document_ids), p.turn) for p in found][:2] == [
        ("BR-A", 3, "source"),
        ("rejected", 2, "receiver"),
    ]
    assert {(p.rule, len(p.document_ids), p.text.da) for p in found[2:]} == {
        ("BR-B", 1, "da BR-B"),
        ("unusable", 1, "kladde"),
    }
    assert {p.customer_id for p in found} == {customer.id}


def blocked(make_document, make_delivery, customer, number, *findings):
    make_delivery(make_document(customer, number), S.BLOCKED, findings=list(findings))


def test_twenty_invoices_with_one_cause_are_one_problem(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    for number in range(20):
        detail = f" line {number}: {number}00.50 and {number}.000,25"
        blocked(
            make_document,
            make_delivery,
            customer,
            str(1000 + number),
            finding("BR-A", fix="source.invoice", detail=detail),
        )
    [problem] = causes.of_adaptor(adaptor.id)
    assert (len(problem.document_ids), problem.rule, problem.fix) == (20, "BR-A", "source.invoice")
    assert problem.numbers == ("1019", "1018", "1017", "1016", "1015")
    assert problem.text.en.startswith("en BR-A line 19:")
    assert problem.customer_name is None


@pytest.mark.parametrize("fix", ["customer.endpoint", "source.contact", "formats.oioubl-2.1.profile"])
def test_what_one_customer_lacks_is_a_problem_of_that_customer(
    make_customer, make_document, make_delivery, adaptor, fix
):
    customers = [make_customer("Kommunen"), make_customer("Bageren", source_id="other")]
    for number in range(20):
        blocked(make_document, make_delivery, customers[number % 4 == 0], str(number), finding("BR-A", fix=fix))
    found = causes.of_adaptor(adaptor.id)
    assert [(p.customer_name, len(p.document_ids), p.customer_id) for p in found] == [
        ("Kommunen", 15, customers[0].id), ("Bageren", 5, customers[1].id),
    ]  # fmt: skip


def test_a_wrong_common_option_is_one_problem_but_a_customers_own_is_that_customers(
    make_customer, make_document, make_delivery, adaptor
):
    option = {"formats": {"oioubl-2.1": {"profile": "wrong"}}}
    adaptor.settings = option
    for number in range(4):
        customer = make_customer(f"Kunde {number}", source_id=str(number))
        document = make_document(customer, str(number))
        if number == 0:
            db.session.query(ExportRule).filter_by(customer_id=customer.id).one().settings = option
        make_delivery(document, S.BLOCKED, findings=[finding("IA-SETTING", fix="formats.oioubl-2.1.profile")])
    found = causes.of_adaptor(adaptor.id)
    assert [(len(p.document_ids), p.customer_name) for p in found] == [(3, None), (1, "Kunde 0")]


@pytest.mark.parametrize(
    "fix", ["supplier.bankAccount", "general.note", "vat", "source.organization", "source.invoice"]
)
def test_what_the_company_lacks_is_one_problem_whoever_the_customers_are(
    make_customer, make_document, make_delivery, adaptor, fix
):
    for number in range(20):
        customer = make_customer(f"Kunde {number}", source_id=str(number))
        blocked(make_document, make_delivery, customer, str(number), finding("BR-A", fix=fix))
    assert [(len(p.document_ids), p.customer_name) for p in causes.of_adaptor(adaptor.id)] == [(20, None)]


def test_one_rule_with_two_cures_is_two_problems(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    findings = finding("BR-A", fix="customer.name"), finding("BR-A", fix="customer.city")
    blocked(make_document, make_delivery, customer, "1", *findings)
    assert {p.fix for p in causes.of_adaptor(adaptor.id)} == {"customer.name", "customer.city"}


def test_a_document_that_breaks_a_rule_twice_or_at_two_gateways_counts_once(
    make_customer, make_document, make_delivery, adaptor
):
    document = make_document(make_customer())
    for _ in range(2):
        findings = [finding("BR-A", detail=" line 1"), finding("BR-A", detail=" line 2")]
        make_delivery(document, S.SUPERSEDED if _ else S.BLOCKED, findings=findings)
    assert [(p.rule, len(p.document_ids)) for p in causes.of_adaptor(adaptor.id)] == [("BR-A", 1)]


def test_rules_that_stand_for_many_faults_are_told_apart_by_their_words(
    make_customer, make_document, make_delivery, adaptor
):
    customer = make_customer()
    for number, detail in enumerate((" line 1: no date", " line 27: no date", " line 3: no name")):
        blocked(make_document, make_delivery, customer, str(number), finding("XSD", detail=detail))
    assert [len(p.document_ids) for p in causes.of_adaptor(adaptor.id)] == [2, 1]


def test_refusals_that_differ_in_figures_only_are_one_problem(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    for number, reason in enumerate(("552 4.2.2 full after 12 s", "552 4.2.2 full after 7 s", "unknown user")):
        error = {"da": reason, "en": reason, "class": "Rejected", "detail": ""}
        make_delivery(make_document(customer, str(number)), S.REJECTED, error=error)
    assert [(p.rule, len(p.document_ids), p.turn) for p in causes.of_adaptor(adaptor.id)] == [
        ("rejected", 2, "receiver"), ("rejected", 1, "receiver"),
    ]  # fmt: skip


def test_a_blocked_document_that_waits_for_conversion_is_no_problem_now(
    make_customer, make_document, make_delivery, adaptor
):
    make_delivery(make_document(make_customer(), stage=Stage.QUEUED), S.BLOCKED, findings=[finding("BR-A")])
    assert causes.of_adaptor(adaptor.id) == []


def test_a_delivery_that_moves_on_while_causes_are_looked_for_is_none(
    make_customer, make_document, make_delivery, adaptor, monkeypatch
):
    document = make_document(make_customer())
    make_delivery(document, S.PENDING)
    # As PostgreSQL shows it to the second statement.
    monkeypatch.setattr(listing, "ids", lambda *_: iter([[document.id]]))
    assert causes.of_adaptor(adaptor.id) == []
