from __future__ import annotations

import pytest

from invoiceapp.models import Adaptor, ExportRule, Gateway, SettingsChange, db
from invoiceapp.services.configuration import profiles, saving
from invoiceapp.services.configuration.settings import SECTIONS
from invoiceapp.services.errors import InvalidInput, ServiceError


def rule_of(customer) -> ExportRule:
    db.session.expire_all()
    return customer.rule


def give(customer, /, **settings) -> None:
    customer.rule.settings = settings
    db.session.commit()


FULL = {
    "general": {"note": "Hej"},
    "customer": {
        "orderNumberPolicy": "required", "name": "Kun min", "endpoint": {"scheme": "0088", "value": "5798000000001"},
        "deliveryStreet": "Min vej 1",
    },
    "gateway": {"fileName": "{number}", "receiverEmail": "min@example.com"},
}  # fmt: skip


def test_what_is_individual_stays_behind(make_customer):
    giver, other = make_customer("A"), make_customer("B")
    give(giver, **FULL)
    assert profiles.copy(giver.id, [other.id], SECTIONS) == 1
    assert rule_of(other).settings == {
        "general": {"note": "Hej"},
        "customer": {"orderNumberPolicy": "required"},
        "gateway": {"fileName": "{number}"},
    }
    assert profiles.of_customer(giver.rule, ["customer", "gateway"]).is_individual == 4


def test_numbers_agreed_with_one_buyer_are_never_copied(make_customer):
    giver, other = make_customer("A"), make_customer("B")
    numbers = {
        "buyerReference": "EAN-ref", "orderNumber": "4711", "contractReference": "K-1", "projectReference": "P-1",
        "accountingCost": "1234", "mandate": "AFT-17", "payerAccount": "DK5000400440116243", "cardNumber": "1234",
        "cardNetwork": "VISA",
    }  # fmt: skip
    give(giver, customer={**numbers, "orderNumberPolicy": "required", "unspsc": "43211503"})
    give(other, customer={"accountingCost": "Egen"})
    assert profiles.of_customer(giver.rule, ["customer"]).is_individual == len(numbers)
    assert profiles.copy(giver.id, [other.id], SECTIONS) == 1
    assert rule_of(other).settings == {
        "customer": {"accountingCost": "Egen", "orderNumberPolicy": "required", "unspsc": "43211503"}
    }


def test_only_the_chosen_groups_are_copied_and_other_values_stay(make_customer):
    giver, other = make_customer("A"), make_customer("B")
    give(giver, **FULL)
    give(other, supplier={"phone": "1"}, general={"note": "Gammel", "paymentTerms": "Netto 8"})
    profiles.copy(giver.id, [other.id], ["general"])
    assert rule_of(other).settings == {
        "supplier": {"phone": "1"},
        "general": {"note": "Hej", "paymentTerms": "Netto 8"},
    }


def test_format_with_its_options_and_gateway_may_be_copied(make_customer, gateway):
    other_gateway = Gateway(subscription_id=gateway.subscription_id, name="B", kind="email", config={}, secrets={})
    db.session.add(other_gateway)
    db.session.commit()
    giver, other = make_customer("A", format="edifact-d96a"), make_customer("B", active=False)
    giver.rule.gateway_id = other_gateway.id
    give(giver, formats={"edifact-d96a": {"testFlag": True}})
    profiles.copy(giver.id, [other.id], ["format", "gateway"])
    rule = rule_of(other)
    assert (rule.format, rule.gateway_id, rule.active) == ("edifact-d96a", other_gateway.id, False)
    assert rule.settings == {"formats": {"edifact-d96a": {"testFlag": True}}}


def test_each_copy_can_be_undone(make_customer):
    giver, first, second = (make_customer(name) for name in "ABC")
    give(giver, general={"note": "Hej"})
    give(first, general={"note": "Før"})
    profiles.copy(giver.id, [first.id, second.id], ["general"], actor="anna@example.com")
    found = db.session.query(SettingsChange).filter_by(customer_id=first.id).one()
    assert found.actor == "anna@example.com"
    saving.undo(found.id, "bo@example.com")
    assert rule_of(first).settings == {"general": {"note": "Før"}}
    assert rule_of(second).settings == {"general": {"note": "Hej"}}


def test_the_plan_counts_what_copying_then_does(make_customer):
    giver, changing, replaced, same, never = (
        make_customer(name, active=None if name == "E" else True) for name in "ABCDE"
    )
    give(giver, general={"note": "Hej"})
    give(replaced, general={"note": "Andet"})
    give(same, general={"note": "Hej"})
    ids = [row.id for row in (giver, changing, replaced, same, never)]
    plan = profiles.plan(giver, ids, ["general"])
    assert [row.id for row in plan.changing] == [changing.id, replaced.id]
    assert (plan.replacing, plan.same, [row.id for row in plan.without_rule]) == (1, 1, [never.id])
    assert profiles.copy(giver.id, ids, ["general"]) == 2
    assert profiles.copy(giver.id, ids, ["general"]) == 0
    assert db.session.query(SettingsChange).count() == 2


def test_a_gateway_that_does_not_take_the_format_leaves_the_customer_out(make_customer, monkeypatch):
    from invoiceapp.domain.findings import Text
    from invoiceapp.services.configuration import rules

    giver, other = make_customer("A", format="oioubl-2.1"), make_customer("B")
    monkeypatch.setattr(rules, "pair_errors", lambda *_: {"format": Text("Nej", "No")})
    plan = profiles.plan(giver, [other.id], ["format"])
    assert ([row.id for row in plan.refused], plan.changing) == ([other.id], ())
    assert profiles.copy(giver.id, [other.id], ["format"]) == 0
    assert rule_of(other).format == "peppol-bis-3"


def test_customers_of_other_adaptors_are_not_reached(make_customer, adaptor):
    giver, other = make_customer("A"), make_customer("B")
    give(giver, general={"note": "Hej"})
    second = Adaptor(subscription_id=adaptor.subscription_id, name="To", source_kind="billy", settings={})
    db.session.add(second)
    db.session.flush()
    other.adaptor_id = second.id
    db.session.commit()
    assert profiles.copy(giver.id, [other.id], ["general"]) == 0
    assert rule_of(other).settings == {}


def test_nobody_nothing_and_too_many_are_refused(make_customer):
    giver, other = make_customer("A"), make_customer("B")
    give(giver, general={"note": "Hej"}, customer={"name": "Kun min"})
    for ids, sections, wrong in (
        ([], ["general"], {"ids"}),
        ([other.id], ["customer"], {"sections"}),
        ([other.id], ["no such group"], {"sections"}),
        ([str(number) for number in range(profiles.MOST + 1)], ["general"], {"ids"}),
    ):
        with pytest.raises(InvalidInput) as refused:
            profiles.copy(giver.id, ids, sections)
        assert set(refused.value.errors) == wrong


def test_a_customer_without_settings_gives_nothing(make_customer):
    giver, other = make_customer("A", active=None), make_customer("B")
    with pytest.raises(ServiceError):
        profiles.plan(giver, [other.id], ["general"])
