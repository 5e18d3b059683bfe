from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Customer, Delivery, Document, ExportRule, Stage, db
from invoiceapp.services.configuration import customers, rules, saving
from invoiceapp.services.configuration.customers import Filter
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import actions


def rule_of(customer: Customer) -> ExportRule | None:
    return db.session.scalar(
        select(ExportRule).where(ExportRule.customer_id == customer.id).execution_options(populate_existing=True)
    )


def test_customers_are_activated_with_a_format_and_a_gateway(adaptor, gateway, make_customer):
    rows = [make_customer(name, active=None) for name in "AB"]
    assert rules.activate(adaptor.id, [row.id for row in rows], "oioubl-2.1", gateway.id) == 2
    assert {(rule_of(row).active, rule_of(row).format, rule_of(row).gateway_id) for row in rows} == {
        (True, "oioubl-2.1", gateway.id)
    }
    assert customers.counts(adaptor.id) == {"customers": 2, "active": 2}


def test_activating_again_changes_the_format_and_keeps_the_settings(adaptor, gateway, make_customer):
    row = make_customer()
    saving.save_overrides(row.id, {"customer.buyerReference": "REF"})
    rules.deactivate(adaptor.id, [row.id])
    rules.activate(adaptor.id, [row.id], "oioubl-2.1", gateway.id)
    assert rule_of(row).format == "oioubl-2.1" and rule_of(row).settings == {"customer": {"buyerReference": "REF"}}
    assert db.session.scalar(select(func.count()).select_from(ExportRule)) == 1


def test_customers_of_another_adaptor_are_left_alone(adaptor, gateway, make_customer):
    row = make_customer(active=None)
    assert rules.activate(adaptor.id, ["01ARZ3NDEKTSV4RRFFQ69G5FAV"], "peppol-bis-3", gateway.id) == 0
    assert rule_of(row) is None


@pytest.mark.parametrize(
    ("format_id", "gateway_id", "fields"), [("word", None, {"format"}), ("peppol-bis-3", "?", {"gateway"})]
)
def test_what_does_not_exist_cannot_be_chosen(adaptor, gateway, make_customer, format_id, gateway_id, fields):
    row = make_customer(active=None)
    with pytest.raises(InvalidInput) as caught:
        rules.activate(adaptor.id, [row.id], format_id, gateway_id or gateway.id)
    assert set(caught.value.errors) == fields and rule_of(row) is None


def test_a_gateway_that_cannot_take_the_format_is_refused(adaptor, gateway, make_customer, partner, monkeypatch):
    monkeypatch.setattr(partner, "accepts", frozenset({"oioubl-2.1"}))
    row = make_customer(active=None)
    with pytest.raises(InvalidInput) as caught:
        rules.activate(adaptor.id, [row.id], "peppol-bis-3", gateway.id)
    assert "kan ikke sende dette format" in caught.value.errors["format"].da
    assert rules.activate(adaptor.id, [row.id], "oioubl-2.1", gateway.id) == 1


def test_deactivating_counts_only_those_that_were_active(adaptor, make_customer):
    rows = [make_customer("A"), make_customer("B", active=False), make_customer("C", active=None)]
    assert rules.deactivate(adaptor.id, [row.id for row in rows]) == 1
    assert customers.counts(adaptor.id)["active"] == 0


def test_overrides_need_an_activated_customer_and_right_values(adaptor, make_customer):
    with pytest.raises(ServiceError) as caught:
        saving.save_overrides(make_customer(active=None).id, {})
    assert "Aktivér" in caught.value.text.da
    row = make_customer("B")
    with pytest.raises(InvalidInput) as caught:
        saving.save_overrides(row.id, {"customer.email": "not an address"})
    assert set(caught.value.errors) == {"customer.email"} and rule_of(row).settings == {}


def test_an_empty_override_inherits_again(adaptor, make_customer):
    row = make_customer()
    saving.save_overrides(row.id, {"customer.buyerReference": "REF"})
    saving.save_overrides(row.id, {"customer.buyerReference": " "})
    assert rule_of(row).settings == {}


def test_saving_overrides_converts_only_that_customers_blocked_documents(
    adaptor, make_customer, make_document, make_delivery
):
    first, second = make_customer("A"), make_customer("B")
    blocked = make_document(first, "1")
    make_delivery(blocked, DeliveryState.BLOCKED, next_at=None)
    sent = make_document(first, "2")
    make_delivery(sent, DeliveryState.DELIVERED)
    other = make_document(second, "3")
    make_delivery(other, DeliveryState.BLOCKED, next_at=None)
    assert saving.save_overrides(first.id, {"customer.buyerReference": "REF"}).released == 1
    assert (blocked.stage, sent.stage, other.stage) == (Stage.QUEUED, Stage.CONVERTED, Stage.CONVERTED)
    assert rules.release_all_blocked(adaptor.id) == 1 and other.stage is Stage.QUEUED


def test_customers_are_listed_page_by_page_each_once(adaptor, make_customer):
    for number in range(23):
        make_customer(f"Kunde {number % 5}", active=number % 2 == 0)
    make_customer("Arkiveret", is_archived=True)
    seen, after = [], ""
    while True:
        page = customers.page(adaptor.id, Filter(after=after), size=5)
        seen += [(row.name, row.id) for row in page.customers]
        assert page.matching == 23
        if not page.next:
            break
        after = page.next
    assert len(seen) == 23 and seen == sorted(set(seen))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(show="active"), {"A 100%"}),
        (Filter(show="inactive"), {"B", "C"}),
        (Filter(text="100%"), {"A 100%"}),
        (Filter(text="_"), set()),
        (Filter(text="5798000000002"), {"B"}),
    ],
)
def test_the_list_can_be_narrowed(adaptor, make_customer, wanted, names):
    make_customer("A 100%"), make_customer("B", active=False, gln="5798000000002"), make_customer("C", active=None)
    assert {row.name for row in customers.page(adaptor.id, wanted).customers} == names
    found = db.session.scalars(select(Customer.name).where(Customer.id.in_(customers.matching_ids(adaptor.id, wanted))))
    assert set(found) == names


def test_what_most_formats_need_is_hinted_at(adaptor, make_customer):
    assert customers.hints(make_customer("A")) == []
    bare = make_customer("B", gln=None, country=None)
    assert [hint.da for hint in customers.hints(bare)] == ["Mangler EAN eller CVR", "Mangler land"]
    saving.save_overrides(bare.id, {"customer.endpoint": "0184:12345674", "customer.country": "DK"})
    assert customers.hints(db.session.get_one(Customer, bare.id, populate_existing=True)) == []


@pytest.mark.parametrize("first", ["cancel", "release"])
def test_a_document_that_is_taken_out_while_others_are_released_is_never_queued(
    adaptor, make_customer, make_document, make_delivery, app, monkeypatch, first
):
    """The person comes in the middle of the release, or the release in the middle of the person."""
    row = make_delivery(make_document(make_customer()), DeliveryState.BLOCKED, next_at=None)
    row_id, document_id, adaptor_id = row.id, row.document_id, adaptor.id
    db.session.commit()

    def cancel() -> None:
        actions.cancel(db.session.get_one(Delivery, row_id), "ejer@example.com", "kreditering i stedet")

    def release() -> None:
        rules.release_all_blocked(adaptor_id)

    threads: list[threading.Thread] = []

    def in_the_middle(other: Callable[[], None], real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if not threads:
                threads.append(threading.Thread(target=in_its_own_context, args=(other,)))
                threads[0].start()
                threads[0].join(0.5)
            return real(*arguments, **options)

        return step

    def in_its_own_context(other: Callable[[], None]) -> None:
        with app.app_context():
            other()
            db.session.remove()

    if first == "release":
        monkeypatch.setattr(rules, "queue", in_the_middle(cancel, rules.queue))
        release()
    else:
        monkeypatch.setattr(actions, "move", in_the_middle(release, actions.move))
        cancel()
    threads[0].join(20)
    assert not threads[0].is_alive()
    document = db.session.get_one(Document, document_id, populate_existing=True)
    delivery = db.session.get_one(Delivery, row_id, populate_existing=True)
    assert (document.stage, delivery.state) == (Stage.CONVERTED, DeliveryState.CANCELLED)


def test_earlier_documents_are_counted_from_the_start_date_on_and_not_sent(
    adaptor, gateway, make_customer, make_document
):
    chosen, other = make_customer("A", active=None), make_customer("B", active=None)
    adaptor.start_date = date(2026, 11, 1)
    old = make_document(chosen, "1", stage=Stage.LISTED, issue_date=date(2026, 10, 31))
    due = make_document(chosen, "2", stage=Stage.LISTED, issue_date=date(2026, 11, 1))
    make_document(chosen, "3", stage=Stage.CONVERTED)
    make_document(other, "4", stage=Stage.LISTED)
    assert rules.activate(adaptor.id, [chosen.id], "oioubl-2.1", gateway.id) == 1
    assert rules.waiting(adaptor.id, [chosen.id]) == 1
    assert (old.stage, due.stage) == (Stage.LISTED, Stage.LISTED)
    adaptor.start_date = None
    db.session.commit()
    assert rules.waiting(adaptor.id, [chosen.id]) == 2 and rules.waiting(adaptor.id, []) == 0


def test_more_customers_than_one_statement_takes_are_refused_in_words(adaptor, gateway):
    ids = ["x"] * (rules.MOST_AT_ONCE + 1)
    with pytest.raises(ServiceError):
        rules.activate(adaptor.id, ids, "peppol-bis-3", gateway.id)
    with pytest.raises(ServiceError):
        rules.deactivate(adaptor.id, ids)


def test_a_page_that_was_opened_before_another_format_was_chosen_clears_nothing_of_it(adaptor, gateway, make_customer):
    customer = make_customer("Coop")
    rule = customer.rule
    rule.format = "edifact-d96a"
    rule.settings = {"formats": {"edifact-d96a": {"profile": "dk-retail"}}, "customer": {"orderNumber": "PO"}}
    db.session.commit()
    saving.save_overrides(customer.id, {"customer.orderNumber": "PO-2", "formats.peppol-bis-3.envelope": ""})
    settings = db.session.get(type(rule), rule.id, populate_existing=True).settings
    assert settings == {"formats": {"edifact-d96a": {"profile": "dk-retail"}}, "customer": {"orderNumber": "PO-2"}}


def test_options_of_the_customers_format_are_saved_and_cleared(adaptor, gateway, make_customer):
    customer = make_customer("Coop")
    rule = customer.rule
    rule.format = "edifact-d96a"
    db.session.commit()
    saving.save_overrides(customer.id, {"formats.edifact-d96a.profile": "dk-retail", "formats.csv.dialect": "x"})
    assert rule.settings == {"formats": {"edifact-d96a": {"profile": "dk-retail"}}}
    saving.save_overrides(customer.id, {"formats.edifact-d96a.profile": ""})
    assert rule.settings == {}
    with pytest.raises(InvalidInput) as refused:
        saving.save_overrides(customer.id, {"formats.edifact-d96a.profile": "gone"})
    assert refused.value.errors.keys() == {"formats.edifact-d96a.profile"}
