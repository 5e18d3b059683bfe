from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Attempt, Receipt, Stage, Subscription, db
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import delivery, events, problems, queries
from invoiceapp.services.export.queries import Filter

S = DeliveryState


def test_pages_of_many_documents_show_each_once_newest_first(make_customer, make_document, adaptor):
    customer = make_customer()
    for number in range(300):
        # Many on one day: the id decides the order then.
        make_document(customer, str(number), issue_date=date(2026, 1, 1) + timedelta(days=number // 40))
    seen, after, pages = [], "", 0
    while True:
        page = queries.documents_page(adaptor.id, Filter(after=after), size=37)
        seen += [(row.document.issue_date, row.document.id) for row in page.rows]
        pages += 1
        if not page.older:
            break
        after = page.older
    assert pages == 9 and len(seen) == 300 and seen == sorted(set(seen), reverse=True)


def test_a_last_page_that_is_exactly_full_has_no_next(make_customer, make_document, adaptor):
    customer = make_customer()
    for number in range(4):
        make_document(customer, str(number))
    page = queries.documents_page(adaptor.id, Filter(), size=4)
    assert len(page.rows) == 4 and page.older == ""


@pytest.mark.parametrize("cursor", ["nonsense", "2026-99-99_x", "2026-01-01", "_", "2026-01-01_"])
def test_a_cursor_that_is_not_ours_shows_the_first_page(make_customer, make_document, adaptor, cursor):
    make_document(make_customer())
    assert len(queries.documents_page(adaptor.id, Filter(after=cursor)).rows) == 1


def test_groups_and_states_narrow_the_list(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    for state in S:
        make_delivery(make_document(customer, state.value), state)
    make_document(customer, "queued", stage=Stage.QUEUED)
    make_document(customer, "unusable", stage=Stage.UNUSABLE)

    def numbers(**wanted: str) -> set[str]:
        return {row.document.number for row in queries.documents_page(adaptor.id, Filter(**wanted)).rows}

    assert len(numbers()) == len(S) + 2
    assert numbers(group="person") == {"blocked", "failed", "rejected", "outcome_unknown"}
    assert numbers(group="progress") == {"pending", "leased", "sending", "queued"}
    assert numbers(group="arrived") == {"accepted", "delivered", "acknowledged"}
    assert numbers(group="failed") == {"failed"} and numbers(group="unusable") == {"unusable"}
    assert numbers(group="queued") == {"queued"}
    assert numbers(text="outcome") == {"outcome_unknown"}


@pytest.mark.parametrize(("text", "found"), [("100%", 1), ("_", 1), ("kommune", 2), ("\\", 0), ("PO", 1), ("x", 0)])
def test_search_takes_every_sign_as_itself(make_customer, make_document, adaptor, text, found):
    customer = make_customer("Kommune Eksempel")
    make_document(customer, "_1"), make_document(customer, "2", order_number="po 100%")
    assert len(queries.documents_page(adaptor.id, Filter(text=text)).rows) == found


def test_a_document_is_shown_once_with_its_newest_delivery(make_customer, make_document, make_delivery, adaptor):
    document = make_document(make_customer())
    make_delivery(document, S.SUPERSEDED)
    make_delivery(document, S.CANCELLED)
    newest = make_delivery(document, S.PENDING)
    [row] = queries.documents_page(adaptor.id, Filter()).rows
    assert row.delivery.id == newest.id and row.status == "pending"


def test_lists_stay_inside_their_adaptor(make_customer, make_document, make_delivery, adaptor, subscription):
    make_delivery(make_document(make_customer()), S.FAILED)
    other = Adaptor(subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    assert queries.documents_page(other.id, Filter()).rows == [] and problems.of_adaptor(other.id) == []
    assert set(queries.counts(other.id).values()) == {0} and queries.counts(adaptor.id)["total"] == 1


def test_counts_tell_where_the_documents_are(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    for state in (S.PENDING, S.SENDING, S.DELIVERED, S.ACCEPTED, S.BLOCKED, S.OUTCOME_UNKNOWN, S.CANCELLED):
        make_delivery(make_document(customer, state.value), state)
    for stage in (Stage.QUEUED, Stage.LISTED, Stage.UNUSABLE, Stage.SKIPPED):
        make_document(customer, stage.value, stage=stage)
    sent_again = make_document(customer, "again")
    make_delivery(sent_again, S.SUPERSEDED), make_delivery(sent_again, S.DELIVERED)
    assert queries.counts(adaptor.id) == {
        "total": 12, "waiting": 1, "listed": 1, "unusable": 1, "skipped": 1, "person": 2, "progress": 2, "arrived": 3,
    }  # fmt: skip


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
    found = problems.of_adaptor(adaptor.id)
    assert [(p.rule, p.count, p.turn) for p in found][:2] == [("BR-A", 3, "source"), ("rejected", 2, "receiver")]
    assert {(p.rule, p.count, p.text.da) for p in found[2:]} == {("BR-B", 1, "da BR-B"), ("unusable", 1, "kladde")}
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
    [problem] = problems.of_adaptor(adaptor.id)
    assert (problem.count, problem.rule, problem.fix) == (20, "BR-A", "source.invoice")
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
    found = problems.of_adaptor(adaptor.id)
    assert [(p.customer_name, p.count, p.customer_id) for p in found] == [
        ("Kommunen", 15, customers[0].id), ("Bageren", 5, customers[1].id),
    ]  # fmt: skip


def test_a_wrong_common_option_is_one_problem_but_a_customers_own_is_that_customers(
    make_customer, make_document, make_delivery, adaptor, rule_of
):
    option = {"formats": {"oioubl-2.1": {"profile": "wrong"}}}
    adaptor.settings = option
    for number in range(4):
        customer = make_customer(f"Kunde {number}", source_id=str(number))
        document = make_document(customer, str(number))
        if number == 0:
            rule_of(document).settings = option
        make_delivery(document, S.BLOCKED, findings=[finding("IA-SETTING", fix="formats.oioubl-2.1.profile")])
    found = problems.of_adaptor(adaptor.id)
    assert [(p.count, p.customer_name) for p in found] == [(3, None), (1, "Kunde 0")]


@pytest.mark.parametrize(
    "fix", ["supplier.bankAccount", "general.note", "vat", "source.organization", "source.invoice"]
)
def test_what_the_company_lacks_is_one_problem_whoever_the_customers_are(
    make_customer, make_document, make_delivery, adaptor, fix
):
    for number in range(20):
        customer = make_customer(f"Kunde {number}", source_id=str(number))
        blocked(make_document, make_delivery, customer, str(number), finding("BR-A", fix=fix))
    assert [(p.count, p.customer_name) for p in problems.of_adaptor(adaptor.id)] == [(20, None)]


def test_one_rule_with_two_cures_is_two_problems(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    findings = finding("BR-A", fix="customer.name"), finding("BR-A", fix="customer.city")
    blocked(make_document, make_delivery, customer, "1", *findings)
    assert {p.fix for p in problems.of_adaptor(adaptor.id)} == {"customer.name", "customer.city"}


def test_a_document_that_breaks_a_rule_twice_or_at_two_gateways_counts_once(
    make_customer, make_document, make_delivery, adaptor
):
    document = make_document(make_customer())
    for _ in range(2):
        findings = [finding("BR-A", detail=" line 1"), finding("BR-A", detail=" line 2")]
        make_delivery(document, S.SUPERSEDED if _ else S.BLOCKED, findings=findings)
    assert [(p.rule, p.count) for p in problems.of_adaptor(adaptor.id)] == [("BR-A", 1)]


def test_rules_that_stand_for_many_faults_are_told_apart_by_their_words(
    make_customer, make_document, make_delivery, adaptor
):
    customer = make_customer()
    for number, detail in enumerate((" line 1: no date", " line 27: no date", " line 3: no name")):
        blocked(make_document, make_delivery, customer, str(number), finding("XSD", detail=detail))
    assert [p.count for p in problems.of_adaptor(adaptor.id)] == [2, 1]


def test_refusals_that_differ_in_figures_only_are_one_problem(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    for number, reason in enumerate(("552 4.2.2 full after 12 s", "552 4.2.2 full after 7 s", "unknown user")):
        error = {"da": reason, "en": reason, "class": "Rejected", "detail": ""}
        make_delivery(make_document(customer, str(number)), S.REJECTED, error=error)
    assert [(p.rule, p.count, p.turn) for p in problems.of_adaptor(adaptor.id)] == [
        ("rejected", 2, "receiver"), ("rejected", 1, "receiver"),
    ]  # fmt: skip


def test_a_blocked_document_that_waits_for_conversion_is_no_problem_now(
    make_customer, make_document, make_delivery, adaptor
):
    make_delivery(make_document(make_customer(), stage=Stage.QUEUED), S.BLOCKED, findings=[finding("BR-A")])
    assert problems.of_adaptor(adaptor.id) == []


def test_deliveries_as_json_have_the_keys_that_scripts_rely_on(ready, partner):
    row = ready("1001")
    ready("1002", S.FAILED)
    delivery.deliver_due()
    found = queries.deliveries_as_json()
    assert [item["document_no"] for item in found] == ["1002", "1001"]
    assert set(found[1]) == {
        "id", "document_no", "type", "customer", "format", "transport", "gateway", "state", "sha256", "reference", "error",
        "findings",
    }  # fmt: skip
    assert (found[1]["state"], found[1]["reference"], found[1]["type"]) == (
        "delivered",
        f"{row.idem_key}.xml",
        "invoice",
    )
    assert len(found[1]["sha256"]) == 64
    assert [item["document_no"] for item in queries.deliveries_as_json(S.FAILED)] == ["1002"]
    assert json.loads(json.dumps(found)) == found


def test_the_story_of_a_document_has_everything_that_happened(ready, partner):
    row = ready()
    delivery.deliver_due()
    story = queries.story(row.document)
    assert story.delivery is row and story.rendition.id == row.rendition_id
    assert [type(one) for one in story.attempts[row.id]] == [Attempt]
    assert [type(one) for one in story.receipts[row.id]] == [Receipt]
    assert [event.kind for event in story.events] == ["sending", "delivered"]


def test_an_adaptor_is_found_by_id_name_or_kind(adaptor):
    assert {queries.find_adaptor(text).id for text in (adaptor.id, "billy", "BILLY", "Billy")} == {adaptor.id}
    with pytest.raises(ServiceError) as caught:
        queries.find_adaptor("dinero")
    assert "»dinero« findes ikke" in caught.value.text.da


def test_a_name_that_several_adaptors_have_is_refused(adaptor, subscription):
    db.session.add(Adaptor(subscription_id=subscription.id, name="B", source_kind="billy", settings={}))
    db.session.commit()
    with pytest.raises(ServiceError) as caught:
        queries.find_adaptor("billy")
    assert "id'et" in caught.value.text.da


def test_events_belong_to_their_document_and_delivery(ready):
    row = ready()
    events.of_delivery("sending", row, attempt=1)
    events.of_document("fetched", row.document, actor="a@example.com")
    db.session.commit()
    kinds = [(event.kind, event.delivery_id, event.actor) for event in queries.story(row.document).events]
    assert kinds == [("sending", row.id, "system"), ("fetched", None, "a@example.com")]


def test_the_demo_company_is_told_from_a_real_one(adaptor):
    assert not queries.is_demo(adaptor)
    db.session.get_one(Subscription, adaptor.subscription_id).is_demo = True
    assert queries.is_demo(adaptor)
