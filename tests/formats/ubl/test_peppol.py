"""Peppol documents, read back by a reader that we did not write (factur-x)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from facturx import parse_ubl_cii_xml
from lxml import etree

from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.invoice import Attachment, DocumentReference, DocumentType, Period
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.base import registry as formats
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.mapping import convert

PEPPOL = formats()["peppol-bis-3"]


def elements(content: bytes, name: str) -> list[str]:
    return [element.text or "" for element in etree.fromstring(content).iter(f"{{*}}{name}")]


def test_an_independent_reader_finds_what_was_sold_when_by_whom_and_for_how_much(company):
    settings, read = settings_from({"customer": {"buyerReference": "REF"}}), 0
    # Every third document is enough for the ordinary ones; the hard cases are all read.
    chosen = dict.fromkeys([*company.hard_cases.values(), *list(company.tables["invoices"])[::3]])
    for key in chosen:
        try:
            invoice = convert(company.bundle(key), settings).invoice
        except UnusableBundle:
            continue
        if invoice is None or has_fatal(PEPPOL.check(invoice)):
            continue
        found = parse_ubl_cii_xml(PEPPOL.write(invoice), check_xsd=False)
        read += 1
        assert found["BT-1"] == invoice.number
        assert found["BT-2"] == invoice.issue_date
        assert found["BT-3"] == invoice.type.code
        assert found["BT-5"] == invoice.currency
        assert found.get("BT-9") == invoice.due_date or invoice.is_credit_note
        for group, party in (("BG-4", invoice.seller), ("BG-7", invoice.buyer)):
            assert found[group]["name"] == party.name
            assert found[group]["einvoicing_addr"] == party.endpoint.value
            assert found[group].get("vat_identifier") == party.vat_id
            assert found[group]["country_code"] == party.address.country
        assert Decimal(found["BT-106"]) == invoice.totals.lines
        assert Decimal(found["BT-109"]) == invoice.totals.net
        assert Decimal(found["BT-110"]) == invoice.totals.vat
        assert Decimal(found["BT-112"]) == invoice.totals.gross
        assert Decimal(found["BT-115"]) == invoice.totals.payable
        assert len(found["BG-25"]) == len(invoice.lines)
    assert read > 100


@pytest.mark.parametrize("format_id", ["peppol-bis-3", "oioubl-2.1"])
def test_no_document_ever_has_an_empty_element(company, format_id):
    for key in company.hard_cases.values():
        try:
            invoice = convert(company.bundle(key), settings_from({})).invoice
        except UnusableBundle:
            continue
        if invoice is None:
            continue
        for element in etree.fromstring(formats()[format_id].write(invoice)).iter():
            assert len(element) or (element.text or "").strip(), (invoice.number, element.tag)
            assert all(value for value in element.attrib.values())


def test_the_same_invoice_gives_the_same_bytes(invoice):
    assert PEPPOL.write(invoice) == PEPPOL.write(replace(invoice))


def test_everything_that_is_optional_is_written_and_valid(make_invoice, validator):
    full = make_invoice(
        note="Tak", contract_reference="C-1", project_reference="P-1", accounting_cost="K-1", sales_order_reference="S-1",
        period=Period(date(2026, 10, 1), date(2026, 10, 31)), payment_terms="Netto 14 dage",
        preceding=(DocumentReference("2000", date(2026, 10, 1)), DocumentReference("2001")),
        attachments=(Attachment("2042", 'a "b".pdf', "application/pdf", b"%PDF-1.7", "Faktura (PDF)"),),
    )  # fmt: skip
    for document_type in DocumentType:
        content = PEPPOL.write(replace(full, type=document_type))
        assert validator.validate(content, PEPPOL, document_type).findings == ()
        for name, text in (
            ("Note", "Tak"),
            ("SalesOrderID", "S-1"),
            ("StartDate", "2026-10-01"),
            ("EndDate", "2026-10-31"),
        ):
            assert text in elements(content, name)
        assert {"2000", "2001", "C-1", "P-1"} <= set(elements(content, "ID"))


def test_a_project_stands_in_a_credit_note_as_document_type_50(make_invoice):
    content = PEPPOL.write(make_invoice(project_reference="P-1", type=DocumentType.CREDIT_NOTE))
    assert elements(content, "DocumentTypeCode") == ["50"]
    assert elements(content, "ProjectReference") == []


def test_a_sales_order_alone_gets_the_prescribed_order_number(make_invoice):
    content = PEPPOL.write(make_invoice(order_reference=None, sales_order_reference="S-1"))
    assert "NA" in elements(content, "ID")
