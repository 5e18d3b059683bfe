"""The contract of a format: options as people type them, and interchanges."""

from __future__ import annotations

import pytest

from invoiceapp.formats.base import Interchange, OptionsInvalid, registry

EDIFACT = registry()["edifact-d96a"]


def test_options_are_parsed_and_empty_ones_get_their_default():
    options = EDIFACT.parameters({"testFlag": "true"}).options
    assert options["testFlag"] is True
    assert options.keys() == {option.name for option in EDIFACT.options}


@pytest.mark.parametrize(
    ("name", "value"), [("testFlag", "maybe"), ("profile", "gone"), ("firstControlReference", "x"), ("unheardOf", "1")]
)
def test_an_option_that_cannot_be_used_is_named(name, value):
    with pytest.raises(OptionsInvalid) as refused:
        EDIFACT.parameters({name: value})
    assert refused.value.errors.keys() == {name}
    text = refused.value.errors[name]
    assert text.da and text.en


def test_every_format_writes_the_same_bytes_again(make_invoice):
    for fmt in registry().values():
        if not fmt.draws:
            assert fmt.write(make_invoice()) == fmt.write(make_invoice())


def test_whoever_counts_interchanges_can_also_count_on():
    assert {fmt.id for fmt in registry().values() if fmt.route} == {
        fmt.id for fmt in registry().values() if fmt.renumber
    }


@pytest.mark.parametrize("format_id", ["edifact-d96a", "peppol-bis-3"])
def test_foreign_bytes_are_not_renumbered(format_id):
    with pytest.raises(ValueError, match="of ours"):
        registry()[format_id].renumber(b"<Invoice/>", Interchange(), Interchange(2))


def test_every_option_speaks_both_languages():
    for fmt in registry().values():
        for option in fmt.options:
            assert option.label.da and option.label.en, (fmt.id, option.name)
            assert all(text.da and text.en for _, text in option.choices)
