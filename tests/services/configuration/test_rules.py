from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlalchemy import event, func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Customer, Delivery, Document, Environment, ExportRule, Stage, Subscription, db, utcnow
from invoiceapp.services.configuration import customers, releasing, rules, saving
from invoiceapp.services.configuration.rules import Outcome
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import actions, by_hand


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


def test_a_test_adaptor_gets_no_live_gateway(adaptor, gateway, make_customer):
    row = make_customer(active=None)
    adaptor.environment = Environment.TEST
    db.session.commit()
    with pytest.raises(InvalidInput) as caught:
        rules.activate(adaptor.id, [row.id], "peppol-bis-3", gateway.id)
    assert caught.value.errors.keys() == {"gateway"} and rule_of(row) is None
    gateway.environment = Environment.TEST
    db.session.commit()
    assert rules.activate(adaptor.id, [row.id], "peppol-bis-3", gateway.id) == 1


@pytest.mark.parametrize("columns", [{"active": False}, {"deleted_at": utcnow()}])
def test_in_an_adaptor_at_rest_nobody_is_activated(adaptor, gateway, make_customer, columns):
    row, stopped = make_customer(active=None), make_customer("B")
    for name, value in columns.items():
        setattr(adaptor, name, value)
    db.session.commit()
    with pytest.raises(ServiceError):
        rules.activate(adaptor.id, [row.id], "peppol-bis-3", gateway.id)
    assert rule_of(row) is None and rules.deactivate(adaptor.id, [stopped.id]) == 1


def test_another_tenants_gateway_is_as_if_it_did_not_exist(adaptor, gateway, make_customer):
    row = make_customer(active=None)
    other = Subscription(name="Fremmed A/S")
    db.session.add(other)
    db.session.flush()
    gateway.subscription_id = other.id
    db.session.commit()
    with pytest.raises(InvalidInput) as caught:
        rules.activate(adaptor.id, [row.id], "peppol-bis-3", gateway.id)
    assert caught.value.errors.keys() == {"gateway"}


def test_what_became_of_each_is_told(adaptor, gateway, make_customer):
    rows = [make_customer("A", active=None), make_customer("B", active=False), make_customer("C"), make_customer("D")]
    rows[3].rule.format = "oioubl-2.1"
    db.session.commit()
    ids = [row.id for row in rows] + ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]
    outcome = rules.activate_all(adaptor.id, ids, "peppol-bis-3", gateway.id)
    assert outcome == Outcome(done=2, changed=1, already=1, refused=1)
    assert rules.activate_all(adaptor.id, ids, "peppol-bis-3", gateway.id) == Outcome(already=4, refused=1)
    assert rules.deactivate_all(adaptor.id, ids) == Outcome(done=4, refused=1)
    assert rules.deactivate_all(adaptor.id, ids) == Outcome(already=4, refused=1)


@pytest.mark.parametrize("change", ["activate", "deactivate"])
def test_a_decision_makes_customers_no_longer_new(adaptor, gateway, make_customer, change):
    row, other = (make_customer(name, active=None, is_new=True) for name in "AB")
    if change == "activate":
        rules.activate(adaptor.id, [row.id], "peppol-bis-3", gateway.id)
    else:
        rules.deactivate(adaptor.id, [row.id])
    db.session.expire_all()
    assert (row.is_new, other.is_new) == (False, True)


def test_the_number_of_statements_does_not_grow_with_the_customers(adaptor, gateway, make_customer):
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    def taken(count: int) -> int:
        ids = [make_customer(f"{count}-{number}", active=(None, False)[number % 2]).id for number in range(count)]
        statements.clear()
        rules.activate(adaptor.id, ids, "peppol-bis-3", gateway.id)
        rules.deactivate(adaptor.id, ids)
        return len(statements)

    event.listen(db.engine, "before_cursor_execute", note)
    assert taken(60) == taken(4) > 0


def test_two_who_activate_the_same_customers_make_one_rule_each(app, adaptor, gateway, make_customer, monkeypatch):
    ids = [make_customer(str(number), active=None).id for number in range(5)]
    adaptor_id, gateway_id = adaptor.id, gateway.id
    db.session.commit()
    start, real = threading.Barrier(2), rules._found

    def slowly(*arguments: Any) -> Any:
        found = real(*arguments)
        threading.Event().wait(0.2)
        return found

    def activate() -> int:
        with app.app_context():
            start.wait()
            count = rules.activate(adaptor_id, ids, "peppol-bis-3", gateway_id)
            db.session.remove()
            return count

    monkeypatch.setattr(rules, "_found", slowly)
    with ThreadPoolExecutor(2) as pool:
        assert [found.result() for found in [pool.submit(activate) for _ in range(2)]] == [5, 5]
    assert db.session.scalar(select(func.count()).select_from(ExportRule)) == 5


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


def test_overrides_need_right_values(adaptor, make_customer):
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
        monkeypatch.setattr(releasing, "queue", in_the_middle(cancel, releasing.queue))
        release()
    else:
        monkeypatch.setattr(by_hand, "move", in_the_middle(release, by_hand.move))
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


def test_earlier_documents_of_a_type_that_is_not_exported_are_not_counted(
    adaptor, gateway, make_customer, make_document
):
    inherits, own = make_customer("A"), make_customer("B")
    adaptor.settings = {"general": {"documentTypes": "invoices"}}
    own.rule.settings = {"general": {"documentTypes": "both"}}
    for customer in (inherits, own):
        make_document(customer, "1", stage=Stage.LISTED)
        make_document(customer, "2", stage=Stage.LISTED, type=DocumentType.CREDIT_NOTE)
    assert (rules.waiting(adaptor.id, [inherits.id]), rules.waiting(adaptor.id, [own.id])) == (1, 2)
    assert rules.waiting(adaptor.id, [inherits.id, own.id]) == 3
    own.rule.settings = {"general": "broken"}
    db.session.commit()
    assert rules.waiting(adaptor.id, [own.id]) == 2


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
