from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.fields import FieldType
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import GROUPS, Settings, SettingsInvalid, VatChoice, camel, fields_of, settings_from
from invoiceapp.domain.settings.general import excludes
from invoiceapp.domain.tax import VatCategory

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.decimals(allow_nan=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def errors_of(data: dict) -> set[str]:
    with pytest.raises(SettingsInvalid) as refused:
        settings_from(data)
    assert all(text.da and text.en for text in refused.value.errors.values())
    return set(refused.value.errors)


def test_nothing_gives_the_defaults():
    assert settings_from({}) == Settings()
    assert settings_from({"general": None, "supplier": {}, "vat": None}) == Settings()
    assert Settings().general.rounding_limit == Decimal("0.50")


def test_every_group_is_read_by_its_json_names():
    settings = settings_from(
        {
            "general": {"embedPdf": True, "note": "Tak", "roundingLimit": Decimal("1.5")},
            "supplier": {"endpoint": {"scheme": "0184", "value": "DK12345674"}, "fikCreditor": "81234567"},
            "customer": {"buyerReference": "ref", "orderNumber": 4711, "country": "SE"},
            "vat": {"r1": {"category": "AE", "exemptionReason": "Grund", "exemptionCode": "VATEX-EU-AE"}},
        }
    )
    assert settings.general.embed_pdf is True
    assert settings.general.rounding_limit == Decimal("1.5")
    assert settings.supplier.endpoint == Participant("0184", "12345674")
    assert settings.supplier.fik_creditor == "81234567"
    assert settings.customer.order_number == "4711"
    assert settings.customer.country == "SE"
    assert settings.vat == {"r1": VatChoice(VatCategory.REVERSE_CHARGE, "Grund", "VATEX-EU-AE")}


def test_empty_values_mean_the_default():
    assert settings_from({"general": {"roundingLimit": "", "embedPdf": None}}) == Settings()


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"genral": {}}, {"genral"}),
        ({"general": {"notes": "x"}}, {"general.notes"}),
        ({"general": {"embed_pdf": True}}, {"general.embed_pdf"}),
        ({"general": {"roundingLimit": "meget"}}, {"general.roundingLimit"}),
        ({"general": {"note": ["x"]}}, {"general.note"}),
        ({"general": {"note": "a\ud800"}}, {"general.note"}),
        ({"general": {"note": True}}, {"general.note"}),
        ({"general": "x"}, {"general"}),
        ({"supplier": {"fikCreditor": "123"}}, {"supplier.fikCreditor"}),
        ({"supplier": {"endpoint": "0184:12345674"}}, {"supplier.endpoint"}),
        ({"customer": {"endpoint": {"scheme": "0088", "value": "1"}}}, {"customer.endpoint"}),
        ({"customer": {"country": "Danmark", "email": "x"}}, {"customer.country", "customer.email"}),
        ({"vat": []} | {"vat": [1]}, {"vat"}),
        ({"vat": {"r": "S"}}, {"vat.r"}),
        ({"vat": {"r": {"category": "X"}}}, {"vat.r"}),
        ({"vat": {"r": {}}}, {"vat.r"}),
        ({"vat": {"r": {"category": "E", "exemptionCode": "<>"}}}, {"vat.r"}),
        ({"vat": {"r": {"category": "E", "exemptionReason": ["x"]}}}, {"vat.r"}),
    ],
)
def test_what_cannot_be_used_is_named(data, names):
    assert errors_of(data) == names


@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*GROUPS, "vat"), json_values)))
def test_no_json_makes_settings_fail_otherwise(data):
    try:
        settings = settings_from(data)
    except SettingsInvalid as refused:
        assert refused.errors
    else:
        assert isinstance(settings, Settings)


@pytest.mark.parametrize("group", GROUPS)
def test_declared_fields_have_unique_names_labels_and_a_business_term(group):
    fields = fields_of(group)
    assert len({item.name for item in fields}) == len(fields)
    assert all(item.label.da and item.label.en for item in fields)
    # They decide what is sent, and how, not what stands in the document; EN 16931 has no card network.
    without_term = {
        "documentTypes",
        "alreadyMailed",
        "alreadyEinvoiced",
        "alreadyElsewhere",
        "holdMinutes",
        "approveFirst",
        "cardNetwork",
    }
    assert group == "gateway" or {item.name for item in fields if not item.term} <= without_term
    assert all(item.type in FieldType for item in fields)


@pytest.mark.parametrize(
    ("python", "json"), [("fik_creditor", "fikCreditor"), ("name", "name"), ("bank_account", "bankAccount")]
)
def test_names_are_spelled_the_json_way(python, json):
    assert camel(python) == json


@pytest.mark.parametrize(
    ("value", "left_out"),
    [
        ("both", set()),
        ("invoices", {DocumentType.CREDIT_NOTE}),
        ("credit-notes", {DocumentType.INVOICE}),
        ("something that nobody knows", set()),
    ],
)
def test_document_types_that_a_setting_leaves_out(value, left_out):
    assert {kind for kind in DocumentType if excludes(value, kind)} == left_out
