from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from invoiceapp.formats.ubl.xml import amount, document, escape, group, leaf, price
from invoiceapp.sources.billy.texts import clean

NAMESPACES = "xmlns:cbc='b' xmlns:cac='a'"


def parsed(fragment: str) -> etree._Element:
    return etree.fromstring(f"<root {NAMESPACES}>{fragment}</root>")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a & b", "a &amp; b"),
        ("<b>", "&lt;b&gt;"),
        ("]]>", "]]&gt;"),
        ('"x"', "&quot;x&quot;"),
        ("&amp;", "&amp;amp;"),
        ("æøå ☕ 'x'", "æøå ☕ 'x'"),
    ],
)
def test_markup_is_escaped(text, escaped):
    assert escape(text) == escaped


@given(st.text())
def test_every_cleaned_text_comes_back_from_the_xml(text):
    cleaned = clean(text)
    if cleaned is None:
        assert leaf("Note", cleaned) == ""
        return
    root = parsed(leaf("Note", cleaned, schemeID=cleaned))
    assert root[0].text == cleaned
    assert root[0].get("schemeID") == cleaned


@pytest.mark.parametrize("nothing", [None, ""])
def test_empty_leaves_and_groups_vanish(nothing):
    assert leaf("Note", nothing, schemeID="x") == ""
    assert group("Party", leaf("Name", nothing), group("Contact")) == ""


def test_attributes_that_are_none_are_left_out():
    assert leaf("ID", "1", schemeID=None) == "<cbc:ID>1</cbc:ID>"


@pytest.mark.parametrize(("value", "text"), [("1.005", "1.01"), ("-0.001", "0.00"), ("1E+2", "100.00")])
def test_amounts_have_two_decimals(value, text):
    assert amount("Amount", Decimal(value), "DKK") == f'<cbc:Amount currencyID="DKK">{text}</cbc:Amount>'


@pytest.mark.parametrize(
    ("value", "text"), [("450", "450.00"), ("0.0645", "0.0645"), ("1.50", "1.50"), ("1E+3", "1000.00")]
)
def test_prices_keep_their_decimals_and_have_at_least_two(value, text):
    assert f">{text}<" in price("PriceAmount", Decimal(value), "DKK")


def test_a_document_is_utf8_with_the_ubl_namespaces():
    content = document("CreditNote", leaf("ID", "Å1"))
    root = etree.fromstring(content)
    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')
    assert root.tag == "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote"
    assert root[0].text == "Å1"
