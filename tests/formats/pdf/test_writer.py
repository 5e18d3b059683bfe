from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import pypdfium2
import pytest

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Classification,
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
    Period,
    Totals,
    VatInTaxCurrency,
)
from invoiceapp.domain.money import danish_digits
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.pdf import writer
from invoiceapp.formats.pdf.writer import (
    MOST_LINES,
    column_width,
    company_number,
    danish_date,
    danish_period,
    participant,
    unit_name,
)

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


def test_very_many_lines_are_summed_up_where_an_e_invoice_has_them_all(invoice, monkeypatch):
    monkeypatch.setattr(writer, "MOST_LINES", 3)
    lines = tuple(replace(invoice.lines[0], id=str(n), item=Item(f"vare-{n}")) for n in range(5))
    text = read(PDF.write(replace(invoice, lines=lines)))
    assert [n for n in range(5) if f"vare-{n}" in text] == [0, 1, 2]
    assert "Yderligere 2 linjer står i e-fakturaen." in text
    assert "1.800,00" in text


def test_one_line_that_is_left_out_is_one_line(invoice, monkeypatch):
    monkeypatch.setattr(writer, "MOST_LINES", 1)
    lines = tuple(replace(invoice.lines[0], id=str(n)) for n in range(2))
    assert "Yderligere 1 linje står i e-fakturaen." in read(PDF.write(replace(invoice, lines=lines)))


@pytest.mark.parametrize(("more", "told"), [(0, []), (1, ["1001"]), (5_000, ["6000"])])
def test_a_pdf_that_is_the_document_itself_leaves_no_line_out(make_invoice, invoice, more, told):
    lines = tuple(replace(invoice.lines[0], id=str(n)) for n in range(MOST_LINES + more))
    found = [finding for finding in PDF.check(make_invoice(lines=lines)) if finding.rule == "IA-TOO-MANY-LINES"]
    assert [finding.is_fatal for finding in found] == [True for _ in told]
    for finding, count in zip(found, told, strict=True):
        assert f"{count} linjer" in finding.text.da
        assert "1000" in finding.text.en


STANDARD = VatClass(VatCategory.STANDARD, Decimal(25))
REVERSE = VatClass(VatCategory.REVERSE_CHARGE, Decimal(0), "Omvendt betalingspligt", "VATEX-EU-AE")


def party(mark: str) -> Party:
    return Party(
        f"{mark} ApS", Participant(GLN, f"5798-{mark}"), f"{mark} handel", f"1234-{mark}", CVR, f"DK-{mark}",
        Address(f"{mark}vej 1", f"{mark}etage", f"{mark}by", f"80-{mark}", f"{mark}amt", "SE"),
        Contact(f"id-{mark}", f"{mark} navn", f"tlf-{mark}", f"{mark}@x.example"),
        (Participant("0096", f"p-{mark}"),), f"{mark}kapital",
    )  # fmt: skip


def full() -> Invoice:
    """Every field is there, and no two of the same value; the sums need not be right."""
    item = Item("Navn", "Tekst", "V-1", "5712345000014", "K-77", (Classification("31161500", "TST", "19.05.01"),))
    line = Line(
        "L7", Decimal("1001"), "HUR", Decimal("4.05"), Decimal("0.0045"), STANDARD, item, "Linjenote", "OL-10", "LK-4711",
        (
            AllowanceCharge(False, Decimal("0.45"), "Rabat", percent=Decimal("10.5"), base=Decimal("4.51")),
            AllowanceCharge(True, Decimal("0.46"), "Hastegebyr"),
        ),
        Period(date(2026, 9, 1), date(2026, 9, 30)), Decimal(102),
    )  # fmt: skip
    return Invoice(
        "o:1", DocumentType.INVOICE, "2042", date(2026, 11, 2), "EUR", party("sælg"), party("køb"),
        (line, replace(line, id="L8", vat=REVERSE)),
        (
            VatBreakdown(STANDARD, Decimal("61.01"), Decimal("15.25")),
            VatBreakdown(REVERSE, Decimal("62.02"), Decimal("0.00")),
        ),
        Totals(*map(Decimal, ("123.03", "0", "0", "125.05", "15.26", "140.31", "17.17", "-0.03", "123.11"))),
        due_date=date(2026, 11, 16), note="Fakturanote", buyer_reference="REF-1", order_reference="PO-1",
        sales_order_reference="SO-1", despatch_reference="FS-1", contract_reference="KT-1", project_reference="PR-1",
        accounting_cost="AC-1", period=Period(date(2026, 10, 1), date(2026, 10, 31)),
        preceding=(DocumentReference("2000", date(2026, 1, 7)),), payee=Payee("Factoring A/S", "34567891"),
        delivery=Delivery(
            date(2026, 10, 30), Address("Havnevej 2", "Port 4", "Aarhus C", "8999", "Jylland", "NO"), "Lageret",
            Participant(GLN, "5798009811578"),
        ),
        payment=(PaymentMeans(PaymentMeansCode.SEPA, "ID-2042", "DK5000400440116243", "DABADKKK", "Sælgers konto"),),
        payment_terms="Netto 14 dage", vat_in_tax_currency=VatInTaxCurrency("DKK", Decimal("113.76"), Decimal("7.4602")),
        allowances_charges=(
            AllowanceCharge(False, Decimal("10.01"), "Bonus", STANDARD, percent=Decimal("8.5"), base=Decimal("117.76")),
            AllowanceCharge(True, Decimal("49.02"), "Fragt", REVERSE),
        ),
    )  # fmt: skip


#: What people are not told, or told in other words, which tests of their own look at.
TOLD_OTHERWISE = frozenset(
    [
        "source_id",
        "lines.unit",
        "lines.item.classifications.list_id",
        "lines.item.classifications.version",
        "lines.vat.exemption_code",
        "vat.vat.exemption_code",
        "allowances_charges.vat.exemption_code",
        "lines.vat.exemption_reason",
        "allowances_charges.vat.exemption_reason",
    ]
)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each text, number and date of the model with the names that lead to it."""
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from leaves(getattr(value, one.name), f"{path}.{one.name}".removeprefix("."))
    elif isinstance(value, tuple):
        for part in value:
            yield from leaves(part, path)
    elif value is not None and not isinstance(value, bool | Enum) and path not in TOLD_OTHERWISE:
        yield path, value


def on_page(path: str, value: Any) -> str:
    if isinstance(value, date):
        return danish_date(value)
    if isinstance(value, Decimal):
        return danish_digits(value)
    return "" if path.endswith((".scheme", "legal_scheme")) else str(value)


def test_the_page_tells_everything_that_the_model_says():
    text = read(PDF.write(full()))
    missing = [path for path, value in leaves(full()) if on_page(path, value) not in text]
    assert missing == []


def test_allowances_and_charges_have_their_signs():
    text = read(PDF.write(full()))
    for part in ("Rabat (10,5 % af 4,51): -0,45", "Hastegebyr: 0,46", "Bonus (8,5 % af 117,76), moms 25 % -10,01",
                 "Fragt, moms 0 % (AE) 49,02", "Forudbetalt -17,17", "Øreafrunding -0,03", "0,0045 pr. 102"):  # fmt: skip
        assert part in text, part


def test_nothing_is_shown_for_what_is_not_there(invoice):
    text = read(PDF.write(replace(invoice, delivery=Delivery(date(2026, 10, 30)), payment=(), order_reference=None)))
    for part in ("None", "Leveret til", "Forudbetalt", "Øreafrunding", "Linjer i alt", "I alt med moms", "Moms i alt",
                 "Jeres ordrenummer", "Periode", "Betal"):  # fmt: skip
        assert part not in text, part
    assert "Leveringsdato 30.10.2026" in text


Code = PaymentMeansCode


@pytest.mark.parametrize(
    ("means", "told"),
    [
        (PaymentMeans(Code.BANK_ACCOUNT, "2042", "0440116243", "0040"), "Bankkonto: 0040 0440116243 Mærkes: 2042"),
        (PaymentMeans(Code.BANK_ACCOUNT, None, "0440116243", "0040"), "Bankkonto: 0040 0440116243"),
        (PaymentMeans(Code.SEPA, "7", "DK5000400440116243", "DABADKKK", "Vi"),
         "IBAN: DK5000400440116243, BIC DABADKKK Kontohaver: Vi Mærkes: 7"),
        (PaymentMeans(Code.CREDIT_TRANSFER, "7", "0440116243"), "Konto: 0440116243 Mærkes: 7"),
        (PaymentMeans(Code.DEBIT_TRANSFER, None, "0440116243"), "Konto: 0440116243"),
        (PaymentMeans(Code.FIK, "71#000000000020420", "81234567"), "FIK: +71<000000000020420+81234567<"),
        (PaymentMeans(Code.FIK, "73#", "81234567"), "FIK: +73<+81234567<"),
        (PaymentMeans(Code.FIK, None, "81234567"), "FIK-kreditor: 81234567"),
        (PaymentMeans(Code.GIRO, "01#", "1234567"), "Giro: +01<+1234567<"),
        (PaymentMeans(Code.GIRO, "04#1234567890123452", "1234567"), "Giro: +04<1234567890123452+1234567<"),
        (PaymentMeans(Code.GIRO, None, "1234567"), "Girokonto: 1234567"),
        (PaymentMeans(Code.CARD, card_number="1234", card_network="VISA"), "Betalt med kort VISA, der ender på 1234"),
        (PaymentMeans(Code.DIRECT_DEBIT, mandate="AFT-17", payer_account="00400440116243"),
         "Opkræves via Betalingsservice eller Leverandørservice, aftale AFT-17, fra konto 00400440116243"),
        (PaymentMeans(Code.SEPA_DIRECT_DEBIT, mandate="AFT-17", payer_account="DK55"),
         "Opkræves via SEPA Direct Debit, aftale AFT-17, fra konto DK55"),
        (PaymentMeans(Code.NEMKONTO), "Betales via NemKonto"),
        (PaymentMeans(Code.UNDEFINED), "Betaling efter aftale"),
    ],
)  # fmt: skip
def test_each_way_to_pay_is_told_in_full_and_without_holes(invoice, means, told):
    text = read(PDF.write(replace(invoice, payment=(means,))))
    assert re.sub(r"^.*At betale DKK 1\.229,16 | Faktura 2042 Side 1 af 1.*$", "", text).strip() == told


def test_every_way_to_pay_says_something(invoice):
    plain = read(PDF.write(replace(invoice, payment=())))
    for code in PaymentMeansCode:
        assert read(PDF.write(replace(invoice, payment=(PaymentMeans(code, account="1"),)))) != plain, code


def test_large_numbers_are_whole_on_the_page(invoice):
    line = replace(
        invoice.lines[0],
        quantity=Decimal("123456.789"),
        price=Decimal("1234567.8901"),
        net_amount=Decimal("123456789012.34"),
    )
    text = read(PDF.write(replace(invoice, lines=(line,))))
    for part in ("123.456,789", "1.234.567,8901", "123.456.789.012,34"):
        assert part in text, part


def test_units_are_words_and_unknown_ones_keep_their_code():
    assert (unit_name("HUR"), unit_name("EA"), unit_name("X4A")) == ("timer", "stk.", "X4A")


def test_numbers_of_parties_are_named():
    assert participant(Participant(GLN, "5798009811578")) == "GLN/EAN 5798009811578"
    assert participant(Participant("9959", "12-3456789")) == "9959 12-3456789"
    assert company_number("12345674", None) == "CVR 12345674"
    assert company_number("5566778899", "0007") == "SE organisationsnummer 5566778899"


def test_a_column_is_as_wide_as_its_longest_text_up_to_a_limit():
    narrow, wide, widest = (column_width(["1" * n], "Nr.", 10) for n in (1, 8, 10))
    assert narrow == column_width([], "Nr.", 10)
    assert float(narrow[:-2]) < float(wide[:-2]) < float(widest[:-2])
    assert column_width(["1" * 500], "Nr.", 10) == widest


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (date(2026, 10, 1), date(2026, 10, 31), "01.10.2026 – 31.10.2026"),
        (date(2026, 10, 1), None, "fra 01.10.2026"),
        (None, date(2026, 10, 31), "til 31.10.2026"),
    ],
)
def test_periods_are_danish(start, end, text):
    assert danish_period(Period(start, end)) == text


def test_dates_are_danish():
    assert danish_date(date(2026, 3, 1)) == "01.03.2026"
    assert danish_date(None) == ""
