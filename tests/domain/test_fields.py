from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.domain.fields import (
    LONGEST_TEXT,
    Field,
    FieldInvalid,
    FieldType,
    counting,
    parse,
    parse_all,
    parse_email,
    parse_participant,
)
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant

LABEL = Text("Felt", "Field")
CHOICES = (("a", Text("A", "A")), ("b", Text("B", "B")))


def field(type: FieldType = FieldType.TEXT, **more: object) -> Field:
    return Field("name", LABEL, type, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "raw", "value"),
    [
        (field(), "  Nordlys ApS ", "Nordlys ApS"),
        (field(), "", None),
        (field(), "   ", None),
        (field(FieldType.MULTILINE), "a\nb", "a\nb"),
        (field(FieldType.INTEGER), "42", 42),
        (field(FieldType.INTEGER), "-7", -7),
        (field(FieldType.INTEGER, smallest=1, largest=65535), "22", 22),
        (field(FieldType.DECIMAL), "0,50", Decimal("0.50")),
        (field(FieldType.DECIMAL), "0.50", Decimal("0.50")),
        (field(FieldType.BOOLEAN), "on", True),
        (field(FieldType.BOOLEAN), "false", False),
        (field(FieldType.CHOICE, choices=CHOICES), "b", "b"),
        (field(FieldType.EMAIL), "faktura@firma.dk", "faktura@firma.dk"),
        (field(FieldType.PARTICIPANT), "0184:DK 12345674", Participant("0184", "12345674")),
        (field(pattern=r"\d{4}"), "9999", "9999"),
        (field(secret=True), " hemmeligt ", " hemmeligt "),
    ],
)
def test_what_people_type_is_read(declared, raw, value):
    assert parse(declared, raw) == value


@pytest.mark.parametrize(
    ("declared", "raw"),
    [
        (field(required=True), " "),
        (field(), "x" * (LONGEST_TEXT + 1)),
        (field(), "a\nb"),
        (field(), "a\x00b"),
        (field(), "a\x85b"),
        (field(), "a\ud800b"),
        (field(), "a\uffffb"),
        (field(FieldType.INTEGER), "4.5"),
        (field(FieldType.INTEGER), "٤"),
        (field(FieldType.INTEGER), "9" * 5000),
        (field(FieldType.INTEGER, smallest=1, largest=65535), "65536"),
        (field(FieldType.INTEGER, smallest=1, largest=65535), "0"),
        (field(FieldType.DECIMAL), "1.000,50"),
        (field(FieldType.DECIMAL), "NaN"),
        (field(FieldType.DECIMAL), "1e999999"),
        (field(FieldType.CHOICE, choices=CHOICES), "c"),
        (field(FieldType.EMAIL), "a@b.dk, c@d.dk"),
        (field(FieldType.EMAIL), "a@b"),
        (field(FieldType.EMAIL), "Navn <a@b.dk>"),
        (field(FieldType.EMAIL), "a@b.dk\nBcc: c@d.dk"),
        (field(FieldType.PARTICIPANT), "0184"),
        (field(FieldType.PARTICIPANT), ":"),
        (field(FieldType.PARTICIPANT), "0088:5798009811579"),
        (field(pattern=r"\d{4}"), "999"),
        (field(pattern=r"\d{4}"), "٩٩٩٩"),
    ],
)
def test_what_cannot_be_used_is_refused_in_both_languages(declared, raw):
    with pytest.raises(FieldInvalid) as refused:
        parse(declared, raw)
    assert refused.value.text.da
    assert refused.value.text.en
    assert refused.value.text.da != refused.value.text.en


def test_a_pattern_explains_itself_with_the_fields_help():
    declared = field(pattern=r"\d{4}", help=Text("Fire cifre.", "Four digits."))
    with pytest.raises(FieldInvalid) as refused:
        parse(declared, "x")
    assert refused.value.text == Text("»x« kan ikke bruges her. Fire cifre.", "“x” cannot be used here. Four digits.")


@pytest.mark.parametrize("more", [{"secret": True}, {}])
def test_what_is_secret_or_long_is_not_repeated(more):
    declared = field(pattern=r"\d{4}", help=Text("Fire cifre.", "Four digits."), **more)
    with pytest.raises(FieldInvalid) as refused:
        parse(declared, "x" if more else "x" * 100)
    assert refused.value.text == Text("Fire cifre.", "Four digits.")


@given(st.sampled_from(FieldType), st.text())
def test_no_text_makes_a_field_fail_otherwise(type, raw):
    try:
        value = parse(field(type, choices=CHOICES), raw)
    except FieldInvalid:
        return
    assert value is None or isinstance(value, str | int | Decimal | bool | Participant)


def test_all_fields_are_read_with_defaults_and_undeclared_names_are_ignored():
    declared = (field(default="std"), Field("port", LABEL, FieldType.INTEGER, default=22))
    assert parse_all(declared, {"port": "2222", "admin": "1"}) == ({"name": "std", "port": 2222}, {})


def test_errors_are_collected_by_name():
    declared = (field(required=True), Field("port", LABEL, FieldType.INTEGER))
    values, errors = parse_all(declared, {"port": "x"})
    assert values == {}
    assert set(errors) == {"name", "port"}


def test_one_mailbox_is_one_mailbox():
    assert parse_email("o'hara+faktura@sub.firma-navn.dk") == "o'hara+faktura@sub.firma-navn.dk"


def test_a_wrong_address_names_its_scheme():
    with pytest.raises(FieldInvalid) as refused:
        parse_participant("0088", "123")
    assert "GLN/EAN" in refused.value.text.da


@pytest.mark.parametrize("typed", ["5790000000005", " 57 9000 0000 005 "])
def test_a_gln_is_taken_without_its_blanks(typed):
    assert parse(Field("gln", Text("EAN", "EAN"), FieldType.GLN), typed) == "5790000000005"


@pytest.mark.parametrize("typed", ["5790000000004", "579000000000", "57900000000055", "abc"])
def test_a_gln_with_a_wrong_check_digit_or_length_is_refused(typed):
    with pytest.raises(FieldInvalid, match="check digit"):
        parse(Field("gln", Text("EAN", "EAN"), FieldType.GLN), typed)


def test_what_hangs_on_a_field_that_does_not_count_does_not_count():
    declared = (
        Field("root", LABEL, required=True, only_when=("tls", ("yes",))),
        Field("carrier", LABEL, default="sftp"),
        Field("tls", LABEL, default="yes", only_when=("carrier", ("ftp",))),
        field(),
    )
    assert counting(declared, {"carrier": "ftp", "tls": "yes"}) == {"root", "carrier", "tls", "name"}
    assert counting(declared, {"carrier": "ftp", "tls": "no"}) == {"carrier", "tls", "name"}
    assert counting(declared, {"carrier": "sftp", "tls": "yes"}) == {"carrier", "name"}
    assert parse_all(declared, {"carrier": "sftp"})[1] == {}
    assert set(parse_all(declared, {"carrier": "ftp"})[1]) == {"root"}
