from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain import number_patterns
from invoiceapp.domain.number_patterns import LONGEST, Found, PatternInvalid, check, find, fits, locate


@pytest.mark.parametrize(
    ("pattern", "text", "number"),
    [
        ("4500######", "Vedr. ordre 4500123456, tak", "4500123456"),
        ("4500######", "Ordre 45001234567", None),
        ("4500######", "Ordre x4500123456", None),
        ("4500######", "Ordre 4500123456a", None),
        ("4500######", "(4500123456)", "4500123456"),
        ("4500######", "4500 123456", None),
        ("4500 ######", "4500  \n 123456", "4500 123456"),
        ("PO: [######]", "po:  123456.", "123456"),
        ("PO: [######]", "123456", None),
        ("[######] (rekv", "654321 (rekv. 7)", "654321"),
        ("PO [ ####", None, None),
        ("@@-####", "æø-1234", "æø-1234"),
        ("@@-####", "12-1234", None),
        ("??-##", "a7-12", "a7-12"),
        ("PO.####", "POx1234", None),
        ("PO.####", "PO.1234", "PO.1234"),
        ("#####", "²²²²² ٣٣٣٣٣", None),
        ("PO: [ #### ]x", "PO: 1234 x", "1234"),
        ("PO: [ ####", "", None),
    ],
)
def test_a_number_is_found_as_the_pattern_draws_it(pattern, text, number):
    try:
        checked = check(pattern)
    except PatternInvalid:
        assert number is None
    else:
        assert find(checked, [text]) == number


def test_the_first_text_that_has_one_wins_and_empty_ones_are_passed_over():
    assert find("####", [None, "", "intet", "nr. 1234", "nr. 5678"]) == "1234"


def test_where_a_number_stands_is_told_for_the_text_with_single_blanks():
    assert locate("PO: [######]", ["Hej\n\nPO:\t123456 tak"]) == Found("123456", "Hej PO: 123456 tak", 8, 14)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "mindst ét"),
        ("PO", "mindst ét"),
        ("PO ## []", "mindst ét"),
        ("[##", "ét par klammer"),
        ("##]", "ét par klammer"),
        ("]##[", "ét par klammer"),
        ("[#][#]", "ét par klammer"),
        ("[[#]]", "ét par klammer"),
        ("#" * (LONGEST + 1), "højst 60"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_in_words(pattern, says):
    with pytest.raises(PatternInvalid) as refused:
        check(pattern)
    assert says in refused.value.text.da
    assert str(refused.value) == refused.value.text.en


@pytest.mark.parametrize(
    ("pattern", "number", "does"),
    [
        ("4500######", "4500123456", True),
        ("4500######", " 4500123456 ", True),
        ("4500######", "Ordre 4500123456", False),
        ("4500######", "450012345", False),
        ("PO: [######]", "123456", True),
        ("PO: [######]", "po: 123456", True),
        ("PO: [######]", "1234567", False),
    ],
)
def test_a_whole_number_fits_the_pattern_or_the_part_that_is_taken(pattern, number, does):
    assert fits(pattern, number) is does


#: Signs of patterns, of regular expressions, blanks, and letters whose case is not a matter of one to one.
signs = st.one_of(
    st.sampled_from("#@?[] .*+(){}\\^$|-_/:aAzZ0459æÅßıİſK\t\u00a0\u2003"), st.characters(exclude_categories=["Cs"])
)
written = st.text(signs, max_size=LONGEST + 5)


def checked(pattern: str) -> str | None:
    try:
        return check(pattern)
    except PatternInvalid:
        return None


@st.composite
def usable(draw: st.DrawFn) -> str:
    """A pattern that ``check`` takes: plain signs around at least one that stands for something, with brackets or without."""
    plain = st.text(signs.filter(lambda sign: sign not in "[]"), max_size=LONGEST // 5)
    taken = draw(plain) + draw(st.sampled_from("#@?")) + draw(plain)
    opening, closing = draw(st.sampled_from((("", ""), ("[", "]"))))
    return check(draw(plain) + opening + taken + closing + draw(plain))


def text_like(pattern: str, draw: st.DrawFn) -> str:
    """A text that the pattern draws."""
    fillers = {
        "#": st.sampled_from("0123456789"),
        "@": st.sampled_from("aZæØ"),
        "?": st.sampled_from("7bÅ"),
        "[": st.just(""),
        "]": st.just(""),
    }
    return "".join(draw(fillers[sign]) if sign in fillers else sign for sign in pattern)


@given(st.data(), usable())
def test_a_pattern_finds_what_it_draws_and_what_it_finds_fits_it(data, pattern):
    drawn = text_like(pattern, data.draw)
    found = locate(pattern, [f"( {drawn} )"])
    assert found is not None
    assert fits(pattern, found.number)
    assert found.text[found.start : found.end] == found.number


@given(written, st.lists(st.none() | st.text(signs), max_size=4))
def test_no_pattern_and_no_text_raises_and_what_is_found_fits(pattern, texts):
    tidy = checked(pattern)
    if tidy is not None:
        found = locate(tidy, texts)
        assert found is None or fits(tidy, found.number)


@given(usable())
def test_a_stored_pattern_is_checked_again_without_change(pattern):
    assert check(pattern) == pattern


@given(usable())
def test_no_pattern_can_take_long_because_none_repeats_or_chooses(pattern):
    """One step a sign at each place of the text: length of text times length of pattern at most."""
    from re import _parser  # type: ignore[attr-defined]

    def steps(parsed) -> set[str]:
        found = set()
        for name, argument in parsed:
            found.add(str(name))
            if str(name) == "SUBPATTERN":
                found |= steps(argument[3])
        return found

    compiled = number_patterns._compiled(pattern)
    assert isinstance(compiled, re.Pattern)
    assert steps(_parser.parse(compiled.pattern)) <= {"LITERAL", "NOT_LITERAL", "IN", "SUBPATTERN", "ASSERT_NOT"}
