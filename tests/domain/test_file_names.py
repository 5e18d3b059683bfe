from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from invoiceapp.domain.file_names import (
    LONGEST,
    LONGEST_NAME,
    TOKENS,
    FileName,
    TemplateInvalid,
    check,
    fill,
    safe_filename,
)

VALUES = {
    "type": "invoice", "number": "2026-17", "date": "2026-11-02", "customer": "Ærø Kommune", "customer-number": "C 7",
    "order": "4500123456", "key8": "mfrggzdf",
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{type}-{number}", "invoice-2026-17"),
        ("{type}_{number}_{key8}", "invoice_2026-17_mfrggzdf"),
        ("{date}.{customer}.{customer-number}.{order}.{number}", "2026-11-02.AEroe-Kommune.C-7.4500123456.2026-17"),
        ("ind--{number}", "ind--2026-17"),
        ("_{number}", "_2026-17"),
    ],
)
def test_tokens_are_filled_with_what_every_system_takes(template, name):
    assert fill(check(template), VALUES) == name


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{type}-{order}-{number}", "invoice-1"),
        ("{order}-{number}", "1"),
        ("{order}_{customer}_{number}", "1"),
        ("{number}-{order}", "1"),
        ("{order}{customer}{number}", "1"),
        ("{number}--{order}.x", "1-.x"),
    ],
)
@pytest.mark.parametrize("nothing", [{}, {"order": "", "customer": " "}, {"order": "///", "customer": "北京"}])
def test_a_token_without_a_value_leaves_nothing_behind(template, name, nothing):
    assert fill(check(template), {"type": "invoice", "number": "1", **nothing}) == name


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("", "{number} eller {key8} skal være med"),
        ("{type}", "{number} eller {key8} skal være med"),
        ("{date}-{customer}", "{number} eller {key8} skal være med"),
        ("{number.real}", "Kan kun bruge"),
        ("{nummer}", "Kan kun bruge"),
        ("{}{number}", "Kan kun bruge"),
        ("{{number}}", "Kan kun bruge"),
        ("{number", "Kan kun bruge"),
        ("{number}}", "Kan kun bruge"),
        ("{number}{number}", "højst én gang"),
        ("../{number}", "Brug kun bogstaverne"),
        ("{number}/x", "Brug kun bogstaverne"),
        (".{number}", "Brug kun bogstaverne"),
        ("ø{number}", "Brug kun bogstaverne"),
        ("{number} x", "Brug kun bogstaverne"),
        ("x" * LONGEST + "{number}", "højst 110"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_in_words(template, says):
    with pytest.raises(TemplateInvalid) as refused:
        check(template)
    assert says in refused.value.text.da
    assert str(refused.value) == refused.value.text.en


def test_a_name_that_would_be_too_long_keeps_what_tells_documents_apart():
    values = dict.fromkeys(TOKENS, "x" * 40) | {"number": "9" * 40, "key8": "mfrggzdf"}
    template = check(
        "".join(f"{{{token}}}" for token in TOKENS if token not in ("number", "key8")) + "-" * 30 + "{number}-{key8}"
    )
    name = fill(template, values)
    assert len(name) <= LONGEST_NAME
    assert name.endswith("9" * 40 + "-mfrggzdf")


literals = st.text(st.sampled_from("abcXYZ019._-"), max_size=40)


@st.composite
def templates(draw: st.DrawFn) -> str:
    tokens = draw(st.lists(st.sampled_from(TOKENS), unique=True).filter({"number", "key8"}.intersection))
    text = "".join(draw(literals) + f"{{{token}}}" for token in tokens) + draw(literals)
    text = text.lstrip(".")
    return text if len(text) <= LONGEST else "{number}"


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("12-3", "12-3"),
        ("12/3", "12-3-mfrggzdf"),
        ("12-3.", "12-3-mfrggzdf"),
        ("Æ7", "AE7-mfrggzdf"),
        ("A" * 40, "A" * 40),
        ("A" * 41, "A" * 30 + "-mfrggzdf"),
        ("№", "mfrggzdf"),
        ("", "mfrggzdf"),
    ],
)
def test_a_number_that_the_name_cannot_carry_is_told_apart_by_the_key(number, name):
    assert fill("{number}", {"number": number, "key8": "mfrggzdf"}) == name
    assert fill("{type}_{number}", {"type": "invoice", "number": number, "key8": "mfrggzdf"}).endswith(name)


def test_a_template_with_the_key_gets_no_second_one():
    assert fill("{key8}_{number}", {"number": "12/3", "key8": "mfrggzdf"}) == "mfrggzdf_12-3"


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["{number}", "f-{number}", "x" * 102 + "{number}"]))
@example("12/3", "12-3", "{number}")
@example("A" * 41 + "1", "A" * 41 + "2", "{number}")
@example("№", "½", "{number}")
def test_two_numbers_of_any_characters_never_share_a_name(one, other, template):
    assume(one != other)
    first = fill(template, {"number": one, "key8": "aaaaaaaa"})
    assert first != fill(template, {"number": other, "key8": "bbbbbbbb"})
    assert first == fill(template, {"number": one, "key8": "aaaaaaaa"}) and len(first) <= LONGEST_NAME


anything = st.fixed_dictionaries({}, optional={token: st.text(max_size=60) for token in TOKENS})


@given(templates(), anything, st.from_regex(r"[0-9]{1,40}", fullmatch=True))
@example("{customer}" + "x" * 92 + "{number}", {"customer": "y" * 60}, "7" * 40)
def test_every_name_is_safe_and_short_and_two_numbers_never_share_one(template, values, number):
    checked = check(template)
    name = fill(checked, values | {"number": number, "key8": "aaaaaaaa"})
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)
    assert len(name) <= LONGEST_NAME
    other = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert fill(checked, values | {"number": other, "key8": "bbbbbbbb"}) != name


@given(st.text(max_size=LONGEST + 10))
def test_a_template_is_usable_or_refused_and_nothing_else(template):
    try:
        assert fill(check(template), VALUES)
    except TemplateInvalid as error:
        assert error.text.da and error.text.en


def test_the_customers_template_goes_before_the_gateways_and_the_key_fills_both():
    plain, own = FileName(None, {"number": "7"}), FileName("{number}.{key8}", {"number": "7"})
    assert plain.stem("{number}_{key8}", "mfrggzdfmztwq2lk") == "7_mfrggzdf"
    assert own.stem("{number}_{key8}", "mfrggzdfmztwq2lk") == "7.mfrggzdf"
    assert FileName.from_dict(own.to_dict()) == own
    assert FileName.from_dict({}) == FileName()


def test_a_name_of_no_usable_character_is_a_document():
    assert safe_filename("北京") == "document"
