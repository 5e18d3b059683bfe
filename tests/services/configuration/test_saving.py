from __future__ import annotations

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import ExportRule, Gateway, SettingsChange, Stage, db, utcnow
from invoiceapp.services.configuration import bulk, changes, general, preflight, profiles, saving, vat
from invoiceapp.services.configuration.bulk import Selection
from invoiceapp.services.configuration.environments import AdaptorDeleted
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError


@pytest.fixture
def another(gateway):
    """``another(name)``: one more gateway that takes every format."""

    def make(name: str) -> Gateway:
        row = Gateway(subscription_id=gateway.subscription_id, name=name, kind="email", config={}, secrets={})
        db.session.add(row)
        db.session.commit()
        return row

    return make


def rule_of(customer) -> ExportRule:
    db.session.expire_all()
    return customer.rule


def test_a_section_keeps_to_its_own_fields(make_customer):
    customer = make_customer()
    raw = {"general.note": "Hej", "customer.orderNumber": "PO-1", "formats.peppol-bis-3.envelope": "true"}
    saving.save_overrides(customer.id, raw, section="customer")
    assert rule_of(customer).settings == {"customer": {"orderNumber": "PO-1"}}
    saving.save_overrides(customer.id, raw, section="format")
    assert rule_of(customer).settings["formats"] == {"peppol-bis-3": {"envelope": True}}


def test_a_save_names_the_change_that_undoes_it(make_customer):
    customer = make_customer()
    saved = saving.save_overrides(customer.id, {"general.note": "Hej"}, actor="anna@example.com")
    change = db.session.get_one(SettingsChange, saved.change_id)
    assert (change.customer_id, change.kind, change.actor) == (customer.id, "customer", "anna@example.com")
    assert (change.before, change.after) == ({}, {"general": {"note": "Hej"}})


def test_a_save_that_changes_nothing_leaves_no_trace_and_no_conflict(adaptor, make_customer):
    customer = make_customer()
    saving.save_overrides(customer.id, {"general.note": "Hej"})
    assert saving.save_overrides(customer.id, {"general.note": "Hej"}, shown="stale").change_id is None
    saving.save_common(adaptor.id, {"general.note": "Hej"})
    assert saving.save_common(adaptor.id, {"general.note": "Hej"}, shown="stale").change_id is None
    assert db.session.query(SettingsChange).count() == 2


@pytest.mark.parametrize("section", ["general", "supplier", "customer", "format", "gateway", None])
def test_a_version_is_of_its_section_only(make_customer, section):
    customer = make_customer()
    seen = saving.customer_version(customer.rule, section)
    saving.save_overrides(customer.id, {"general.note": "Andens"})
    save = {"section": section, "shown": seen}
    raw = {"general.note": "Min", "format": "oioubl-2.1"}
    if section in ("general", None):
        with pytest.raises(ChangedMeanwhile):
            saving.save_overrides(customer.id, raw, **save)
        assert rule_of(customer).settings == {"general": {"note": "Andens"}}
    else:
        saving.save_overrides(customer.id, raw, **save)
        takes_choices = section in ("format", "gateway")
        assert rule_of(customer).format == ("oioubl-2.1" if takes_choices else "peppol-bis-3")


def test_another_format_meanwhile_is_a_conflict_in_its_section(make_customer):
    customer = make_customer()
    seen = saving.customer_version(customer.rule, "format")
    saving.save_overrides(customer.id, {"format": "oioubl-2.1"})
    with pytest.raises(ChangedMeanwhile):
        saving.save_overrides(customer.id, {"format": "edifact-d96a"}, section="format", shown=seen)
    assert rule_of(customer).format == "oioubl-2.1"


@pytest.mark.parametrize("section", ["format", "gateway"])
def test_a_form_with_both_choices_overwrites_neither_of_somebody_elses(make_customer, another, section):
    customer, second, third = make_customer(), another("B"), another("C")
    seen = saving.customer_version(customer.rule, section)
    saving.save_overrides(customer.id, {"gateway": second.id})
    with pytest.raises(ChangedMeanwhile):
        saving.save_overrides(
            customer.id, {"format": "peppol-bis-3", "gateway": third.id}, section=section, shown=seen
        )  # fmt: skip
    assert rule_of(customer).gateway_id == second.id


def test_a_customer_is_activated_with_what_its_form_showed(make_customer, gateway, adaptor, another):
    customer, other = make_customer(active=False), another("B")
    seen = saving.activation_version(customer.rule)
    saving.save_overrides(customer.id, {"gateway": other.id})
    with pytest.raises(Conflict):
        saving.activate(customer.id, "peppol-bis-3", gateway.id, shown=seen)
    assert (rule_of(customer).active, customer.rule.gateway_id) == (False, other.id)
    fresh = saving.activation_version(customer.rule)
    saving.activate(customer.id, "oioubl-2.1", other.id, actor="anna@example.com", shown=fresh)
    assert (rule_of(customer).active, customer.rule.format) == (True, "oioubl-2.1")
    change = changes.of_adaptor(adaptor.id, customer.id).changes[0]
    assert (change.actor, change.kind) == ("anna@example.com", "customer")
    assert (change.before, change.after) == ({"rule": {"format": "peppol-bis-3"}}, {"rule": {"format": "oioubl-2.1"}})
    saving.undo(change.id, "anna@example.com")
    assert (rule_of(customer).active, customer.rule.format) == (True, "peppol-bis-3")


def test_activating_an_active_customer_moves_it_nowhere(make_customer, gateway, another):
    customer, other = make_customer(), another("B")
    saving.activate(customer.id, "peppol-bis-3", gateway.id, shown="from before it was active")
    with pytest.raises(Conflict):
        saving.activate(customer.id, "peppol-bis-3", other.id, shown=saving.activation_version(customer.rule))
    assert rule_of(customer).gateway_id == gateway.id
    assert db.session.query(SettingsChange).count() == 0


def test_an_activated_customer_is_checked_again(make_customer, gateway, monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(preflight, "refresh_customer", seen.append)
    customer = make_customer(active=None)
    saving.activate(customer.id, "peppol-bis-3", gateway.id)
    assert seen == [customer.id] and rule_of(customer).active


def test_nothing_is_saved_in_a_deleted_adaptor(adaptor, gateway, make_customer):
    customer, giver = make_customer(), make_customer("B")
    giver.rule.settings = {"general": {"note": "Hej"}}
    saved = saving.save_common(adaptor.id, {"general.note": "Hej"})
    adaptor.deleted_at = utcnow()
    db.session.commit()
    ids = Selection((customer.id,))
    for refused in (
        lambda: saving.save_common(adaptor.id, {"general.note": "Nej"}),
        lambda: saving.save_overrides(customer.id, {"general.note": "Nej"}),
        lambda: saving.activate(customer.id, "peppol-bis-3", gateway.id),
        lambda: changes.undo(saved.change_id, "bo@example.com"),
        lambda: general.save(adaptor.id, {"name": "Nej"}),
        lambda: vat.save(adaptor.id, {}),
        lambda: profiles.copy(giver.id, [customer.id], ["general"]),
        lambda: bulk.deactivate(adaptor.id, ids),
        lambda: bulk.keep_off(adaptor.id, ids),
    ):
        with pytest.raises(AdaptorDeleted):
            refused()
    with pytest.raises(ServiceError):
        bulk.activate(adaptor.id, ids, "oioubl-2.1", gateway.id)
    rule = rule_of(customer)
    assert (rule.active, rule.format, rule.settings) == (True, "peppol-bis-3", {})
    assert adaptor.settings == {"general": {"note": "Hej"}}


def test_common_settings_refuse_a_stale_form(adaptor):
    seen = saving.common_version(adaptor, "general")
    saving.save_common(adaptor.id, {"general.note": "Andens"})
    with pytest.raises(ChangedMeanwhile):
        saving.save_common(adaptor.id, {"general.note": "Min"}, section="general", shown=seen)
    db.session.expire_all()
    assert adaptor.settings == {"general": {"note": "Andens"}}


@pytest.mark.parametrize(("name", "value"), [("format", "gone"), ("gateway", "gone")])
def test_a_format_or_gateway_that_does_not_exist_is_refused(make_customer, name, value):
    customer = make_customer()
    with pytest.raises(InvalidInput) as refused:
        saving.save_overrides(customer.id, {name: value, "general.note": "Hej"})
    assert set(refused.value.errors) == {name}
    assert rule_of(customer).settings == {}


def test_a_rule_at_rest_is_made_for_the_settings_of_a_customer_that_was_never_activated(
    adaptor, gateway, make_customer
):
    public, company = make_customer("A", active=None), make_customer("B", active=None, gln=None)
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    with pytest.raises(ServiceError):
        saving.save_overrides(public.id, {"general.note": "Hej"})
    assert db.session.query(ExportRule).count() == 0
    adaptor.default_gateway_id = gateway.id
    db.session.commit()
    for customer in (public, company):
        saving.save_overrides(customer.id, {"general.note": "Hej"}, shown=saving.customer_version(None))
    found = [(rule_of(row).active, row.rule.format, row.rule.gateway_id) for row in (public, company)]
    assert found == [(False, "oioubl-2.1", gateway.id), (False, "peppol-bis-3", gateway.id)]


def test_undo_puts_back_settings_format_and_gateway_and_tries_what_waits_again(
    make_customer, make_document, make_delivery, gateway
):
    customer = make_customer()
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    raw = {"format": "oioubl-2.1", "gateway": other.id, "general.note": "Hej"}
    saved = saving.save_overrides(customer.id, raw)
    saving.save_overrides(customer.id, {"customer.orderNumber": "PO-1"})
    document = make_document(customer)
    make_delivery(document, DeliveryState.BLOCKED)
    assert saving.undo(saved.change_id, "bo@example.com") == 1
    rule = rule_of(customer)
    assert (rule.format, rule.gateway_id) == ("peppol-bis-3", gateway.id)
    assert rule.settings == {"customer": {"orderNumber": "PO-1"}}
    assert document.stage is Stage.QUEUED


def test_a_gateway_that_is_gone_is_not_put_back(make_customer, gateway):
    customer = make_customer()
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    saving.save_overrides(customer.id, {"gateway": other.id})
    back = saving.save_overrides(customer.id, {"gateway": gateway.id})
    db.session.delete(db.session.get_one(Gateway, other.id))
    db.session.commit()
    with pytest.raises(Conflict):
        saving.undo(back.change_id, "bo@example.com")
    assert rule_of(customer).gateway_id == gateway.id


def test_undoing_a_common_change_tries_all_that_waits_again(adaptor, make_customer, make_document, make_delivery):
    saved = saving.save_common(adaptor.id, {"general.note": "Hej"})
    document = make_document(make_customer())
    make_delivery(document, DeliveryState.BLOCKED)
    assert saving.undo(saved.change_id, "bo@example.com") == 1
    db.session.expire_all()
    assert adaptor.settings == {}
