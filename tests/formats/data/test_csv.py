"""CSV: one row for each line, numbers that are numbers, and texts that never become formulas."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoiceapp.domain.invoice import AllowanceCharge, Invoice, Item
from invoiceapp.formats.base import OptionsInvalid
from invoiceapp.formats.data import FORMATS
from invoiceapp.formats.data.csv_format import COLUMNS

CSV = next(item for item in FORMATS if item.id == "csv")
EXCEL = CSV.parameters({"dialect": "danish-excel"})


def rows(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def named(invoice: Invoice, name: str) -> dict[str, str]:
    item = replace(invoice.lines[0].item, name=name)
    return rows(CSV.write(replace(invoice, lines=(replace(invoice.lines[0], item=item),))))[0]


def test_each_line_is_a_row_with_the_document_repeated(invoice):
    first, second = rows(CSV.write(invoice))
    assert (first["itemName"], second["itemName"]) == ("Reparation", "Reservedel")
    assert first["number"] == second["number"] == "2042"
    assert (first["issueDate"], first["payable"], first["vatPercent"]) == ("2026-11-02", "1229.16", "25")
    assert (second["quantity"], second["price"], second["lineNet"]) == ("2.5", "33.33", "83.33")
    assert (first["buyerGln"], first["buyerEndpoint"]) == ("5798009811578", "0088:5798009811578")


def test_the_columns_are_these_and_stay_in_this_order():
    assert [column.name for column in COLUMNS] == [
        "documentType", "number", "issueDate", "dueDate", "currency", "sellerName", "sellerLegalId", "sellerVatId",
        "buyerName", "buyerLegalId", "buyerVatId", "buyerEndpoint", "buyerGln", "buyerStreet", "buyerPostalCode",
        "buyerCity", "buyerCountry", "buyerReference", "orderReference", "contractReference", "projectReference",
        "precedingInvoices", "note", "paymentMeansCode", "paymentId", "paymentAccount", "paymentTerms",
        "documentAllowances", "documentCharges", "netTotal", "vatTotal", "grossTotal", "prepaid", "rounding", "payable",
        "lineId", "itemNumber", "itemGtin", "itemName", "itemDescription", "quantity", "unit", "price", "priceQuantity",
        "lineAllowancesCharges", "lineNet", "vatCategory", "vatPercent", "lineNote", "orderLine", "accountingCost",
    ]  # fmt: skip
    assert len({column.danish for column in COLUMNS}) == len(COLUMNS)


def test_a_danish_excel_gets_its_own_form(invoice):
    content = CSV.write(invoice, EXCEL)
    assert content.startswith(b"\xef\xbb\xbfDokumenttype;Nummer;Dato;")
    assert content.endswith(b"\r\n")
    first, second = rows(content, ";")
    assert (first["Dato"], first["At betale"], second["Antal"]) == ("02-11-2026", "1229,16", "2,5")


def test_the_international_form_has_no_mark_and_plain_line_ends(invoice):
    content = CSV.write(invoice)
    assert content.startswith(b"documentType,number,")
    assert b"\r" not in content


def test_an_unknown_dialect_is_refused():
    with pytest.raises(OptionsInvalid):
        CSV.parameters({"dialect": "klingon"})


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+45 66", "-5 grader", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1+1", "＝1", "＠x", "\x00=1+1", "\ufeff=1",
     '=cmd|" /C calc"!A0', '=HYPERLINK("http://x.example";"klik")'],
)  # fmt: skip
def test_a_text_that_would_be_a_formula_is_marked_as_text(invoice, name):
    assert named(invoice, name)["itemName"].startswith("'")


@pytest.mark.parametrize("name", ["Skrue 5-6", "a=b", "'citat'", "10 %", "", "3,5 mm; rustfri", 'Rør "1/2"'])
def test_other_texts_stay_as_they_are(invoice, name):
    assert named(invoice, name)["itemName"] == name


def test_negative_numbers_stay_numbers(invoice):
    line = replace(invoice.lines[0], quantity=Decimal("-2"), net_amount=Decimal("-900.00"))
    (row,) = rows(CSV.write(replace(invoice, lines=(line,)), EXCEL), ";")
    assert (row["Antal"], row["Linjebeløb uden moms"]) == ("-2", "-900,00")


def test_line_breaks_and_separators_stay_inside_their_cell(invoice):
    text = 'Linje 1\r\nLinje 2\rLinje 3; "citat", slut'
    assert named(invoice, text)["itemName"] == 'Linje 1\nLinje 2\nLinje 3; "citat", slut'
    row = rows(CSV.write(replace(invoice, note=text), EXCEL), ";")[0]
    assert row["Bemærkning"] == 'Linje 1\nLinje 2\nLinje 3; "citat", slut'


def test_a_nul_disappears_and_very_long_texts_are_whole(invoice):
    assert named(invoice, "a\x00b")["itemName"] == "ab"
    assert named(invoice, "æ" * 100_000)["itemName"] == "æ" * 100_000


def test_a_document_without_lines_is_one_row(make_invoice):
    (row,) = rows(CSV.write(make_invoice(lines=())))
    assert (row["number"], row["payable"], row["lineId"], row["lineNet"]) == ("2042", "0.00", "", "")


def test_allowances_of_a_line_are_one_signed_sum(invoice):
    items = (AllowanceCharge(False, Decimal("10"), "Rabat"), AllowanceCharge(True, Decimal("2.5"), "Gebyr"))
    line = replace(invoice.lines[0], allowances_charges=items)
    assert rows(CSV.write(replace(invoice, lines=(line,))))[0]["lineAllowancesCharges"] == "-7.50"


def test_missing_values_are_empty_cells(invoice):
    row = rows(CSV.write(replace(invoice, due_date=None, payment=())))[0]
    assert (row["dueDate"], row["paymentId"], row["note"]) == ("", "", "")


def test_what_is_shown_is_the_text_without_the_mark(invoice):
    assert CSV.shown(CSV.write(invoice, EXCEL)).startswith("Dokumenttype;")


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=30), dialect=st.sampled_from(["international", "danish-excel"]))
def test_no_text_ever_breaks_a_row_or_begins_a_formula(base, text, dialect):
    line = replace(base.lines[0], item=Item(text, text), note=text)
    document = replace(base, note=text, issue_date=date(2026, 1, 2), lines=(line, line))
    found = rows(CSV.write(document, CSV.parameters({"dialect": dialect})), ";" if dialect == "danish-excel" else ",")
    assert len(found) == 2
    for row in found:
        assert None not in row
        assert len(row) == len(COLUMNS)
        for cell in row.values():
            assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n"))


@pytest.fixture(scope="module")
def base() -> Invoice:
    from invoiceapp.demo.billy.company import demo_company
    from invoiceapp.domain.settings import settings_from
    from invoiceapp.sources.billy.mapping import convert

    company = demo_company(date(2026, 11, 22))
    invoice = convert(company.bundle(company.hard_cases["mixed_rates"]), settings_from({})).invoice
    assert invoice is not None
    return invoice
