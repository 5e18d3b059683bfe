from __future__ import annotations

import pytest

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.settings import GROUPS, SettingsInvalid, VatChoice
from invoiceapp.domain.tax import VatCategory
from invoiceapp.services.configuration.settings import (
    OF_THE_ADAPTOR,
    SECTIONS,
    Origin,
    Resolved,
    applied,
    declared,
    from_form,
    in_section,
    resolve,
    resolve_one,
    section_of,
)
from invoiceapp.services.errors import InvalidInput

COMMON = {
    "general": {"note": "Fælles", "embedPdf": True},
    "customer": {"buyerReference": "fælles-ref"},
    "vat": {"r1": {"category": "E"}, "r2": {"category": "G"}},
}


@pytest.mark.parametrize(
    ("override", "resolved"),
    [
        ({"general": {"note": "Kunde"}}, Resolved("Kunde", Origin.CUSTOMER)),
        ({"general": {"note": ""}}, Resolved("Fælles", Origin.COMMON)),
        ({"general": {"note": None}}, Resolved("Fælles", Origin.COMMON)),
        ({"general": None}, Resolved("Fælles", Origin.COMMON)),
        ({}, Resolved("Fælles", Origin.COMMON)),
    ],
)
def test_a_customers_value_goes_before_the_common_one(override, resolved):
    assert resolve_one("general", "note", COMMON, override) == resolved


def test_a_value_that_nobody_set_is_left_to_the_source():
    assert resolve_one("customer", "orderNumber", COMMON, {}) == Resolved(None, Origin.SOURCE)


def test_a_customer_can_switch_off_what_is_common():
    assert resolve_one("general", "embedPdf", COMMON, {"general": {"embedPdf": False}}) == Resolved(
        False, Origin.CUSTOMER
    )
    assert resolve(COMMON, {"general": {"embedPdf": False}}).general.embed_pdf is False


def test_all_settings_are_resolved_field_by_field():
    settings = resolve(COMMON, {"customer": {"orderNumber": "PO-1"}, "general": {"note": "Kunde"}})
    assert (settings.general.note, settings.general.embed_pdf) == ("Kunde", True)
    assert (settings.customer.buyer_reference, settings.customer.order_number) == ("fælles-ref", "PO-1")


def test_vat_choices_are_merged_by_rate():
    settings = resolve(COMMON, {"vat": {"r2": {"category": "AE"}}})
    assert settings.vat == {"r1": VatChoice(VatCategory.EXEMPT), "r2": VatChoice(VatCategory.REVERSE_CHARGE)}


def test_names_that_no_setting_has_any_more_are_ignored_when_resolving():
    assert resolve({"general": {"gone": 1}}, {}).general.note is None


def test_a_stored_value_that_cannot_be_used_is_named():
    with pytest.raises(SettingsInvalid) as refused:
        resolve({"supplier": {"fikCreditor": "1"}}, {})
    assert set(refused.value.errors) == {"supplier.fikCreditor"}


def test_a_form_is_stored_as_json_and_empty_fields_inherit():
    wanted = from_form(
        ["general", "customer"],
        {
            "general.note": " Tak ",
            "general.paymentTerms": "",
            "customer.endpoint": "0088:5798000000001",
            "supplier.name": "x",
        },
    )
    assert wanted == {
        ("general", "note"): "Tak",
        ("general", "paymentTerms"): None,
        ("customer", "endpoint"): {"scheme": "0088", "value": "5798000000001"},
    }
    stored = applied({"general": {"paymentTerms": "Netto 8 dage"}}, wanted)
    assert "paymentTerms" not in stored["general"]
    assert resolve(stored, {}).customer.endpoint == Participant("0088", "5798000000001")


def test_wrong_form_values_are_named_by_group_and_field():
    with pytest.raises(InvalidInput) as refused:
        from_form(["supplier", "customer"], {"supplier.fikCreditor": "x", "customer.country": "Danmark"})
    assert set(refused.value.errors) == {"supplier.fikCreditor", "customer.country"}


@pytest.mark.parametrize(
    "stored", [{"general": "x"}, {"formats": {"edifact-d96a": "x"}}, {"formats": [1]}, {"vat": [1]}, {"supplier": [1]}]
)
def test_stored_settings_of_a_wrong_shape_are_named_and_no_surprise(stored):
    for common, override in ((stored, {}), ({}, stored)):
        with pytest.raises(SettingsInvalid):
            resolve(common, override)


def test_options_of_a_format_are_inherited_one_by_one():
    common = {"formats": {"edifact-d96a": {"senderGln": "5798990000005", "testFlag": True}}}
    own = {"formats": {"edifact-d96a": {"testFlag": False, "goneMeanwhile": "1"}}}
    assert resolve(common, own).formats["edifact-d96a"] == {"senderGln": "5798990000005", "testFlag": "false"}
    assert resolve(common, {}).formats["edifact-d96a"]["testFlag"] == "true"


def test_saving_one_formats_options_leaves_the_others_alone():
    stored = {
        "general": {"note": "Hej"},
        "formats": {"csv": {"dialect": "danish-excel"}, "edifact-d96a": {"testFlag": True}},
    }
    wanted = from_form(["formats.edifact-d96a"], {"formats.edifact-d96a.profile": "dk-retail", "general.note": ""})
    saved = applied(stored, wanted)
    assert saved == {
        "general": {"note": "Hej"},
        "formats": {"csv": {"dialect": "danish-excel"}, "edifact-d96a": {"profile": "dk-retail", "testFlag": True}},
    }
    cleared = {("formats", "csv", "dialect"): None, ("general", "note"): None}
    assert applied(saved, cleared) == {"formats": {"edifact-d96a": {"profile": "dk-retail", "testFlag": True}}}


@pytest.mark.parametrize(("group", "name"), [("supplier", "gln"), ("customer", "gln"), ("customer", "deliveryGln")])
def test_a_mistyped_gln_is_refused_where_it_is_stored(group, name):
    with pytest.raises(SettingsInvalid) as refused:
        resolve({group: {name: "5798000000002"}}, {})
    assert refused.value.errors.keys() == {f"{group}.{name}"}


def test_values_are_found_by_the_section_of_their_page():
    settings = {
        "general": {"note": "Hej"},
        "formats": {"csv": {"dialect": "x"}},
        "rule": {"format": "csv", "gateway": "G"},
        "gateway": {"fileName": "{number}"},
        "broken": "x",
    }
    assert in_section(settings, "general") == {"general.note": "Hej"}
    assert in_section(settings, "format") == {"formats.csv.dialect": "x", "rule.format": "csv"}
    assert in_section(settings, "gateway") == {"gateway.fileName": "{number}", "rule.gateway": "G"}
    assert len(in_section(settings, None)) == 5


def test_every_group_has_a_section_and_the_general_page_has_only_settings_that_exist():
    assert {section_of(group) for group in (*GROUPS, "formats.csv")} == set(SECTIONS)
    assert {field.name for field in declared("general")} > OF_THE_ADAPTOR
