from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from invoiceapp.domain.identifiers import (
    CVR,
    GLN,
    P_NUMBER,
    SE,
    Participant,
    cvr_from,
    digits,
    fik71_reference,
    is_valid_cvr,
    is_valid_fik71,
    is_valid_gln,
    is_valid_iban,
    is_valid_norwegian,
    is_valid_p_number,
    is_valid_se,
    is_valid_swedish,
    luhn_digit,
)


def digit_strings(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=length, max_size=length)


def with_another_digit(text: str, position: int, change: int) -> str:
    place = position % len(text)
    return text[:place] + str((int(text[place]) + change) % 10) + text[place + 1 :]


changes = st.integers(1, 9)
positions = st.integers(0, 40)


def gln_of(body: str) -> str:
    odd = sum(int(digit) for digit in body[1::2]) * 3
    even = sum(int(digit) for digit in body[0::2])
    return body + str((10 - (odd + even) % 10) % 10)


@given(digit_strings(12), positions, changes)
def test_a_gln_is_valid_and_every_changed_digit_is_noticed(body, position, change):
    gln = gln_of(body)
    assert is_valid_gln(gln)
    assert not is_valid_gln(with_another_digit(gln, position, change))


@given(digit_strings(7), positions, changes)
def test_a_cvr_number_is_valid_and_every_changed_digit_is_noticed(body, position, change):
    assume(body[0] != "0")
    weighted = sum(weight * int(digit) for weight, digit in zip((2, 7, 6, 5, 4, 3, 2), body, strict=True))
    last = -weighted % 11
    assume(last < 10)
    cvr = f"{body}{last}"
    assert is_valid_cvr(cvr)
    assert not is_valid_cvr(with_another_digit(cvr, position, change))


@given(digit_strings(14), positions, changes)
def test_an_iban_is_valid_and_every_changed_digit_is_noticed(account, position, change):
    number = int(account + "132000")  # D is 13, K is 20
    iban = f"DK{98 - number % 97:02d}{account}"
    assert is_valid_iban(iban)
    changed = "DK" + with_another_digit(iban[2:], position, change)
    assert not is_valid_iban(changed)


@given(digit_strings(14), positions, changes)
def test_a_fik_reference_is_valid_and_every_changed_digit_is_noticed(body, position, change):
    reference = body + str(luhn_digit(body))
    assert is_valid_fik71(reference)
    assert not is_valid_fik71(with_another_digit(reference, position, change))


@given(st.integers(1, 10**14 - 1))
def test_every_invoice_number_of_up_to_14_digits_has_a_fik_reference(number):
    reference = fik71_reference(str(number))
    assert reference is not None
    assert is_valid_fik71(reference)
    assert int(reference[:-1]) == number


@pytest.mark.parametrize("number", ["", "abc", "123456789012345"])
def test_a_number_without_digits_or_with_too_many_has_no_fik_reference(number):
    assert fik71_reference(number) is None


def test_letters_in_an_invoice_number_are_left_out_of_the_fik_reference():
    assert fik71_reference("F-1042") == fik71_reference("1042") == "000000000010421"


@given(digit_strings(9), positions, changes)
def test_a_swedish_number_is_valid_and_every_changed_digit_is_noticed(body, position, change):
    number = body + str(luhn_digit(body))
    assert is_valid_swedish(number)
    assert not is_valid_swedish(with_another_digit(number, position, change))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (is_valid_cvr, ["10150817", "13585628", "12345674"], ["10150818", "1015081", "101508170", "02345674", "", "DK10150817"]),
        (is_valid_gln, ["5798009811578", "5790000000005", "5798000000001"], ["5798009811579", "579800981157", "57980098115780", "x" * 13, ""]),
        (is_valid_se, ["DK12345674"], ["12345674", "dk12345674", "DK1234567", "SE12345674"]),
        (is_valid_p_number, ["1012345678"], ["101234567", "10123456789", ""]),
        (is_valid_iban, ["DK5000400440116243", "GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"],
         ["DK5000400440116244", "DK50", "", "5000400440116243", "DK50" + "0" * 40]),
        (is_valid_norwegian, ["974760673", "889640782"], ["974760674", "97476067", ""]),
        (is_valid_swedish, ["5560360793", "2021005489"], ["5560360794", "556036079"]),
    ],
)  # fmt: skip
def test_known_numbers_are_told_from_wrong_ones(check, good, bad):
    assert [number for number in good if not check(number)] == []
    assert [number for number in bad if check(number)] == []


@pytest.mark.parametrize(
    "check",
    [is_valid_cvr, is_valid_gln, is_valid_se, is_valid_p_number, is_valid_fik71, is_valid_norwegian, is_valid_swedish],
)
@pytest.mark.parametrize("zero", ["٠", "０", "०"])
def test_digits_of_other_scripts_are_no_digits_of_a_number(check, zero):
    for length in range(8, 16):
        assert not check(zero * length)
        assert not check("DK" + zero * length)


@given(st.text(max_size=40))
def test_no_text_makes_a_check_fail_with_an_error(text):
    for check in (is_valid_cvr, is_valid_gln, is_valid_iban, is_valid_fik71, is_valid_norwegian, is_valid_swedish):
        assert check(text) in (True, False)


@pytest.mark.parametrize(
    ("written", "cvr"),
    [
        ("12345674", "12345674"),
        ("DK12345674", "12345674"),
        ("dk 12 34 56 74", "12345674"),
        ("DK-12.34.56.74", "12345674"),
        ("12345675", "12345675"),
        ("1234567", None),
        ("SE12345674", None),
        ("", None),
        (None, None),
    ],
)
def test_cvr_numbers_are_read_however_people_write_them(written, cvr):
    assert cvr_from(written) == cvr


def test_blanks_dots_and_dashes_are_left_out():
    assert digits(" 57 98.00-98\t11578 ") == "5798009811578"


@pytest.mark.parametrize(
    ("scheme", "typed", "value", "well_formed"),
    [
        (GLN, "57 98 00 98 11 57 8", "5798009811578", True),
        (GLN, "5798009811579", "5798009811579", False),
        (CVR, "DK 12 34 56 74", "12345674", True),
        (CVR, "1234567", "1234567", False),
        (SE, "12345674", "DK12345674", True),
        (SE, "dk12345674", "DK12345674", True),
        (P_NUMBER, "10 12 34 56 78", "1012345678", True),
        ("0192", "974760673", "974760673", True),
        ("0192", "974760674", "974760674", False),
        ("0007", "5560360793", "5560360793", True),
        ("9930", " DE123456789 ", "DE123456789", True),
        ("9930", "  ", "", False),
        ("99", "x", "x", False),
        ("EM", "a@b.dk", "a@b.dk", True),
    ],
)
def test_participants_are_tidied_and_judged_by_their_scheme(scheme, typed, value, well_formed):
    participant = Participant.of(scheme, typed)
    assert participant.value == value
    assert participant.is_well_formed is well_formed
    assert str(participant) == f"{scheme}:{value}"
