"""Templates take what is not individual, and give it with an entry in the history."""

from __future__ import annotations

from typing import Any

import pytest

from invoiceapp.models import Adaptor, Customer, SettingsChange, SettingTemplate, User, db
from invoiceapp.services.configuration import profiles, saving, setting_templates
from invoiceapp.services.configuration.settings import RULE
from invoiceapp.services.errors import InvalidInput

ALL = ["general", "supplier", "customer", "format", "gateway"]


@pytest.fixture
def giver(make_customer: Any) -> Customer:
    row: Customer = make_customer("Giver")
    row.rule.settings = {  # type: ignore[union-attr]
        "general": {"note": "Tak for handlen"}, "customer": {"orderNumber": "4711", "language": "en"}
    }  # fmt: skip
    db.session.commit()
    return row


def made(adaptor: Adaptor, user: User, values: Any, name: str = "Standard") -> SettingTemplate:
    row_id = setting_templates.make(adaptor, user.id, name, values)
    return db.session.get_one(SettingTemplate, row_id)


def test_what_is_one_customers_own_never_comes_in(giver: Customer) -> None:
    found = setting_templates.of_customer(giver, ALL)
    assert found["general", "note"] == "Tak for handlen"
    assert (RULE, "gateway") in found and (RULE, "format") in found
    assert ("customer", "orderNumber") not in found
    assert setting_templates.of_customer(giver, ["general"]) == {("general", "note"): "Tak for handlen"}
    assert setting_templates.counted(setting_templates.of_customer, giver)["general"] == 1


def test_common_settings_give_what_means_the_same_for_everybody(adaptor: Adaptor) -> None:
    adaptor.settings = {
        "general": {"note": "Fælles"},
        "customer": {"orderNumber": "1"},
        "vat": {"x": {"category": "S"}},
    }
    db.session.commit()
    assert setting_templates.of_common(adaptor, ALL) == {("general", "note"): "Fælles"}


def test_customers_get_it_with_an_entry_that_can_be_undone(
    adaptor: Adaptor, user: User, giver: Customer, make_customer: Any
) -> None:
    row = made(adaptor, user, setting_templates.of_customer(giver, ["general"]))
    getter, same = make_customer("Får"), make_customer("Har")
    same.rule.settings = {"general": {"note": "Tak for handlen"}}
    db.session.commit()
    wanted, values = [getter.id, same.id], setting_templates.values(row)
    plan = profiles.plan_of(adaptor.id, wanted, values)
    assert ([one.id for one in plan.changing], plan.same) == ([getter.id], 1)
    assert profiles.give(adaptor.id, wanted, values, actor="mig") == 1
    assert getter.rule.settings == {"general": {"note": "Tak for handlen"}}
    saving.undo(db.session.query(SettingsChange).one().id, "mig")
    assert getter.rule.settings == {}


def test_all_get_it_by_the_common_settings_but_not_format_and_gateway(
    adaptor: Adaptor, user: User, giver: Customer
) -> None:
    row = made(adaptor, user, setting_templates.of_customer(giver, ALL))
    adaptor.settings = {"supplier": {"x": "bliver"}}
    db.session.commit()
    [change] = [one for one in setting_templates.common_changes(row, adaptor) if one.place == ("general", "note")]
    assert (change.before, change.after) == (None, "Tak for handlen")
    done = setting_templates.give_to_all(row, adaptor.id, "mig")
    assert RULE not in adaptor.settings and adaptor.settings["supplier"] == {"x": "bliver"}
    assert setting_templates.give_to_all(row, adaptor.id, "mig").change_id is None
    assert done.change_id is not None
    saving.undo(done.change_id, "mig")
    assert adaptor.settings == {"supplier": {"x": "bliver"}}


def test_names_are_not_empty_and_not_used_twice(adaptor: Adaptor, user: User) -> None:
    values = {("general", "note"): "Hej"}
    first = made(adaptor, user, values)
    second = made(adaptor, user, values, "Anden")
    for act in (
        lambda: made(adaptor, user, values),
        lambda: made(adaptor, user, values, " "),
        lambda: setting_templates.rename(second.id, first.name),
    ):
        with pytest.raises(InvalidInput) as caught:
            act()
        assert set(caught.value.errors) == {"name"}
    with pytest.raises(InvalidInput) as caught:
        made(adaptor, user, {}, "Tom")
    assert set(caught.value.errors) == {"sections"}


def test_what_was_given_stays_when_the_template_goes(adaptor: Adaptor, user: User, giver: Customer) -> None:
    row = made(adaptor, user, setting_templates.of_customer(giver, ["general"]))
    setting_templates.give_to_all(row, adaptor.id)
    setting_templates.delete(row.id)
    assert adaptor.settings == {"general": {"note": "Tak for handlen"}}
    assert db.session.query(SettingTemplate).count() == 0


def test_a_companys_accounts_stay_within_the_company(adaptor: Adaptor, user: User) -> None:
    other = Adaptor(subscription_id=adaptor.subscription_id, name="Klient", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    values = {
        ("supplier", "iban"): "DK5000400440116243", ("supplier", "name"): "Os ApS",
        ("supplier", "paymentMethod"): "58", ("general", "note"): "Hej",
    }  # fmt: skip
    row = made(adaptor, user, values)
    assert setting_templates.given(row, adaptor) == values
    setting_templates.give_to_all(row, other.id)
    assert other.settings == {"supplier": {"paymentMethod": "58"}, "general": {"note": "Hej"}}
