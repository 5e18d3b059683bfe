from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Attempt, Receipt, Stage, Subscription, db
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import delivery, events, queries
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
    assert queries.documents_page(other.id, Filter()).rows == [] and queries.problems(other.id) == []
    assert set(queries.counts(other.id).values()) == {0} and queries.counts(adaptor.id)["total"] == 1


def test_counts_tell_where_the_documents_are(make_customer, make_document, make_delivery, adaptor):
    customer = make_customer()
    for state in (S.PENDING, S.SENDING, S.DELIVERED, S.ACCEPTED, S.BLOCKED, S.OUTCOME_UNKNOWN, S.CANCELLED):
        make_delivery(make_document(customer, state.value), state)
    for stage in (Stage.QUEUED, Stage.LISTED, Stage.UNUSABLE):
        make_document(customer, stage.value, stage=stage)
    sent_again = make_document(customer, "again")
    make_delivery(sent_again, S.SUPERSEDED), make_delivery(sent_again, S.DELIVERED)
    assert queries.counts(adaptor.id) == {
        "total": 11, "waiting": 1, "listed": 1, "unusable": 1, "person": 2, "progress": 2, "arrived": 3,
    }  # fmt: skip


def finding(rule: str, severity: str = "fatal") -> dict[str, object]:
    text = {"da": f"da {rule}", "en": f"en {rule}"}
    return {
        "rule": rule,
        "severity": severity,
        "text": text,
        "turn": "source",
        "term": None,
        "location": None,
        "fix": "x",
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
    found = queries.problems(adaptor.id)
    assert [(p.rule, p.count, p.turn) for p in found][:2] == [("BR-A", 3, "source"), ("rejected", 2, "receiver")]
    assert {(p.rule, p.count, p.text.da) for p in found[2:]} == {("BR-B", 1, "da BR-B"), ("unusable", 1, "kladde")}
    assert {p.customer_id for p in found} == {customer.id}


def test_a_blocked_document_that_waits_for_conversion_is_no_problem_now(
    make_customer, make_document, make_delivery, adaptor
):
    make_delivery(make_document(make_customer(), stage=Stage.QUEUED), S.BLOCKED, findings=[finding("BR-A")])
    assert queries.problems(adaptor.id) == []


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
