from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pypdfium2
import pytest

from invoiceapp.domain.invoice import (
    DocumentReference,
    DocumentType,
    Item,
    PaymentMeans,
    PaymentMeansCode,
    VatInTaxCurrency,
)
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.pdf.writer import MOST_LINES, danish_date, danish_number

PDF = formats()["pdf"]


def read(content: bytes) -> str:
    """All text of a PDF, blanks made one."""
    document = pypdfium2.PdfDocument(io.BytesIO(content))
    try:
        pages = []
        for page in document:
            text = page.get_textpage()
            pages.append(text.get_text_bounded())
            text.close()
            page.close()
        return re.sub(r"\s+", " ", " ".join(pages))
    finally:
        document.close()


def test_the_pdf_says_what_is_owed_by_whom_and_how_to_pay(invoice):
    text = read(PDF.write(invoice))
    for part in (
        "Faktura 2042", "02.11.2026", "16.11.2026", "Skolen", "Værkstedet ApS", "CVR 12345674", "Reparation", "33,33",
        "983,33", "245,83", "At betale DKK", "1.229,16", "PO-1881", "0040 0440116243",
    ):  # fmt: skip
        assert part in text, part


def test_a_credit_note_is_called_one(invoice):
    credit = replace(invoice, type=DocumentType.CREDIT_NOTE, preceding=(DocumentReference("2000"),))
    text = read(PDF.write(credit))
    assert "Kreditnota 2042" in text
    assert "Krediteret DKK" in text
    assert "2000" in text


def test_fik_and_foreign_currency_are_shown(invoice):
    fik = PaymentMeans(PaymentMeansCode.FIK, "71#000000000020420", "81234567")
    vat = VatInTaxCurrency("DKK", Decimal("1833.89"), Decimal("7.46"))
    text = read(PDF.write(replace(invoice, payment=(fik,), currency="EUR", vat_in_tax_currency=vat)))
    assert "+71<000000000020420+81234567<" in text
    assert "1.833,89" in text


def test_the_same_invoice_gives_the_same_bytes(invoice):
    assert PDF.write(invoice) == PDF.write(replace(invoice))


def test_markup_in_texts_is_text_and_fetches_nothing(invoice, monkeypatch):
    import socket

    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("the renderer opened a connection")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    evil = Item('<img src="http://127.0.0.1:9/a.png">', '<link rel=stylesheet href="file:///etc/passwd">')
    text = read(PDF.write(replace(invoice, lines=(replace(invoice.lines[0], item=evil),), note="<script>1</script>")))
    assert '<img src="http://127.0.0.1:9/a.png">' in text
    assert "<script>1</script>" in text
    assert "root:" not in text


def test_very_many_lines_are_summed_up(invoice):
    lines = tuple(replace(invoice.lines[0], id=str(n)) for n in range(MOST_LINES + 2))
    text = read(PDF.write(replace(invoice, lines=lines)))
    assert "Yderligere 2 linjer står i e-fakturaen." in text
    assert "1.800,00" in text


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [("1234.5", 2, "1.234,50"), ("-0.5", 2, "-0,50"), ("2.5", None, "2,5"), ("25", None, "25")],
)
def test_numbers_are_danish(value, decimals, text):
    assert danish_number(Decimal(value), decimals) == text


def test_dates_are_danish():
    assert danish_date(date(2026, 3, 1)) == "01.03.2026"
    assert danish_date(None) == ""
