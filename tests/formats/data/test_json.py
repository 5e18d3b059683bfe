"""JSON: every field there and back, and the schema that is shipped beside the writer."""

from __future__ import annotations

import base64
import dataclasses
import json
import types
import typing
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import invoiceapp.formats.data
from invoiceapp.domain.invoice import Attachment, Invoice
from invoiceapp.formats.base import OptionsInvalid, Unreadable
from invoiceapp.formats.data import FORMATS
from tests.support.generated import invoices

JSON = next(item for item in FORMATS if item.id == "json")
SCHEMA = json.loads((Path(invoiceapp.formats.data.__file__).parent / "invoice-1.schema.json").read_bytes())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of the domain, sensible or not."""
    if isinstance(kind, types.UnionType):
        inner = next(item for item in typing.get_args(kind) if item is not type(None))
        return st.none() | anything(inner)
    if typing.get_origin(kind) is tuple:
        return st.lists(anything(typing.get_args(kind)[0]), max_size=2).map(tuple)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{field.name: anything(hints[field.name]) for field in dataclasses.fields(kind)})
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return {
        str: st.text(st.characters(codec="utf-8"), max_size=8),
        Decimal: st.decimals(-(10**15), 10**15, allow_nan=False, places=None).filter(
            lambda d: d.as_tuple().exponent > -30
        ),
        date: st.dates(),
        bool: st.booleans(),
        bytes: st.binary(max_size=20),
    }[kind]


@settings(max_examples=60, deadline=None)
@given(invoice=anything(Invoice))
def test_every_value_of_the_model_comes_back_exactly(invoice):
    content = JSON.write(invoice)
    VALIDATOR.validate(json.loads(content))
    assert JSON.reader(content) == invoice


@settings(max_examples=60, deadline=None)
@given(invoice=invoices())
def test_every_generated_invoice_comes_back_exactly(invoice):
    content = JSON.write(invoice)
    VALIDATOR.validate(json.loads(content))
    assert JSON.reader(content) == invoice


def test_numbers_and_dates_are_texts_and_names_are_camel_case(invoice):
    body = json.loads(JSON.write(invoice))
    assert body["schema"] == "invoiceapp/invoice/1"
    assert body["issueDate"] == "2026-11-02"
    assert body["lines"][1]["netAmount"] == "83.33"
    assert body["seller"]["address"]["postalCode"] == "5000"
    assert "note" not in body
    assert body["attachments"] == []


def test_danish_letters_are_readable_and_bytes_are_always_the_same(invoice):
    assert "Værkstedet ApS" in JSON.write(invoice).decode()
    assert JSON.write(invoice) == JSON.write(dataclasses.replace(invoice))
    assert JSON.shown(JSON.write(invoice)).startswith('{\n  "schema"')


def test_numbers_have_no_superfluous_zeros(invoice):
    lines = (dataclasses.replace(invoice.lines[0], price=Decimal("450.000000")),)
    line = json.loads(JSON.write(dataclasses.replace(invoice, lines=lines)))["lines"][0]
    assert (line["price"], line["netAmount"]) == ("450", "900")


def test_large_and_small_numbers_have_no_exponent(invoice):
    lines = (dataclasses.replace(invoice.lines[0], price=Decimal("1E+3"), quantity=Decimal("1E-7")),)
    line = json.loads(JSON.write(dataclasses.replace(invoice, lines=lines)))["lines"][0]
    assert (line["price"], line["quantity"]) == ("1000", "0.0000001")


def test_attachments_are_carried_or_only_named(invoice):
    item = Attachment("b-1", "bilag.pdf", "application/pdf", b"\x00\xff%PDF", "Timeseddel")
    full = dataclasses.replace(invoice, attachments=(item,))
    assert base64.b64decode(json.loads(JSON.write(full))["attachments"][0]["content"]) == b"\x00\xff%PDF"
    named = JSON.write(full, JSON.parameters({"attachments": "names"}))
    assert json.loads(named)["attachments"][0] == {
        "id": "b-1", "filename": "bilag.pdf", "mediaType": "application/pdf", "content": "", "description": "Timeseddel",
    }  # fmt: skip
    VALIDATOR.validate(json.loads(named))


def test_an_unknown_choice_is_refused():
    with pytest.raises(OptionsInvalid):
        JSON.parameters({"attachments": "maybe"})


def test_a_nul_very_long_texts_and_no_lines_come_back(make_invoice):
    strange = make_invoice(lines=(), note="a\x00b\u2028" + "æ" * 300_000)
    assert JSON.reader(JSON.write(strange)) == strange


def test_half_a_surrogate_pair_does_not_stop_the_file(invoice):
    assert JSON.reader(JSON.write(dataclasses.replace(invoice, note="a\ud800b"))).note == "a?b"


def test_the_schema_is_valid_and_knows_every_field_of_the_model():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert "additionalProperties" in SCHEMA
    empty = {"schema": "invoiceapp/invoice/1"}
    missing = {error.message.split("'")[1] for error in VALIDATOR.iter_errors(empty)}
    assert {"number", "issueDate", "seller", "lines", "totals"} <= missing


def changed(invoice: Invoice, **fields: Any) -> bytes:
    return json.dumps({**json.loads(JSON.write(invoice)), **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"number": None}, "$.number"),
        ({"number": 5}, "$.number"),
        ({"issueDate": "02-11-2026"}, "$.issueDate"),
        ({"issueDate": "20261102"}, "$.issueDate"),
        ({"issueDate": "2026-13-01"}, "$.issueDate"),
        ({"type": "quote"}, "$.type"),
        ({"lines": {}}, "$.lines"),
        ({"lines": [5]}, r"$.lines[0]"),
        ({"seller": {}}, "$.seller.name"),
        ({"totals": {"lines": 1.5}}, "$.totals.lines"),
        ({"totals": {"lines": "1,5"}}, "$.totals.lines"),
        ({"totals": {"lines": "NaN"}}, "$.totals.lines"),
        ({"totals": {"lines": "1e9"}}, "$.totals.lines"),
        (
            {"attachments": [{"id": "1", "filename": "a", "mediaType": "b", "content": "!!"}]},
            r"$.attachments[0].content",
        ),
        ({"allowancesCharges": [{"isCharge": "yes", "amount": "1", "reason": ""}]}, r"$.allowancesCharges[0].isCharge"),
    ],
)
def test_a_wrong_value_is_named(invoice, fields, path):
    with pytest.raises(Unreadable) as raised:
        JSON.reader(changed(invoice, **fields))
    assert path in raised.value.text.en
    assert path in raised.value.text.da


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"[]",
        b"5",
        b'{"schema": "invoiceapp/invoice/2"}',
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": ',
    ],
)
def test_what_is_no_invoice_is_unreadable(content):
    with pytest.raises(Unreadable):
        JSON.reader(content)


def test_a_file_with_a_byte_order_mark_is_read(invoice):
    assert JSON.reader(b"\xef\xbb\xbf" + JSON.write(invoice)) == invoice


def test_names_that_this_edition_does_not_know_are_passed_over(invoice):
    assert JSON.reader(changed(invoice, colour="blue")) == invoice
