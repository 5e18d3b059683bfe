from __future__ import annotations

import pytest

from invoiceapp.formats.base import OptionsInvalid, registry
from invoiceapp.formats.edifact.profiles import _OVERRIDES, OPTIONS, PROFILES, Profile, effective

FORMAT = registry()["edifact-d96a"]


def chosen(**typed: str) -> Profile:
    return effective(FORMAT.parameters(typed).options)


@pytest.mark.parametrize("name", PROFILES)
def test_without_further_choices_the_profile_is_the_row(name):
    assert chosen(profile=name) == PROFILES[name]


def test_without_any_choice_it_is_eancom():
    assert effective({}) == chosen() == PROFILES["eancom"]


def test_a_choice_overrides_the_row_and_leaves_the_rest():
    profile = chosen(profile="dk-retail", gtinCode="SRV", payableQualifier="86", testFlag="true", lineEnds="crlf")
    assert (profile.gtin_code, profile.payable_qualifier, profile.test, profile.line_ends) == (
        "SRV",
        "86",
        True,
        "crlf",
    )
    assert (profile.line_discounts, profile.required) == ("net", PROFILES["dk-retail"].required)


def test_every_option_but_the_profile_overrides_a_field():
    assert {option.name for option in OPTIONS} == {"profile", *_OVERRIDES}
    assert all(name in Profile.__dataclass_fields__ for name in _OVERRIDES.values())


def test_every_choice_that_a_user_has_is_told_in_two_languages():
    for option in OPTIONS:
        assert option.label.da
        assert option.label.en != option.label.da
        for _, label in option.choices:
            assert label.da
            assert label.en


def test_whoever_chooses_the_first_control_number_reads_that_lowering_it_repeats_old_ones():
    (option,) = (option for option in OPTIONS if option.name == "firstControlReference")
    assert option.help is not None
    assert "sæt det aldrig ned" in option.help.da
    assert "dubletter" in option.help.da
    assert "never lower it" in option.help.en
    assert "duplicates" in option.help.en


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("senderGln", "123"),
        ("profile", "salling"),
        ("firstControlReference", "0"),
        ("recipientReference", "æ"),
        ("gtinCode", "XX"),
    ],
)
def test_what_cannot_be_used_is_refused(name, typed):
    with pytest.raises(OptionsInvalid) as refused:
        FORMAT.parameters({name: typed})
    assert set(refused.value.errors) == {name}
