"""AS2 names and Message-IDs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.gateways.as2.identity import NAME_PATTERN, domain_of, header_name, key_of, message_id


@pytest.mark.parametrize(
    ("name", "written"),
    [("5790000000000", "5790000000000"), ("My Firm", '"My Firm"'), ('a"b', r'"a\"b"'), ("a\\b", r'"a\\b"'), ("a'(b)", "a'(b)")],
)  # fmt: skip
def test_a_name_is_quoted_where_it_must_be(name, written):
    assert header_name(name) == written


@given(st.from_regex(NAME_PATTERN, fullmatch=True))
def test_a_quoted_name_reads_as_the_name(name):
    written = header_name(name)
    inner = written[1:-1] if re.search(r'[ "\\]', name) else written
    assert re.sub(r"\\(.)", r"\1", inner) == name or inner == name


@pytest.mark.parametrize(("name", "domain"), [("Firma.DK 1", "firma-dk-1"), ("***", "as2"), ("a", "a")])
def test_the_domain_holds_letters_digits_and_dashes(name, domain):
    assert domain_of(name) == domain


def test_the_key_comes_back_from_the_message_id(consignment):
    one = consignment()
    assert key_of(message_id(one, "My Firm"), "My Firm") == one.key
    assert key_of(message_id(one, "My Firm"), "Other Firm") is None
