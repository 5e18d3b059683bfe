"""What partners and other programs write, which our own writer does not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from invoiceapp.domain.identifiers import GLN, Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.tax import VatCategory
from invoiceapp.formats.base import Unreadable, registry

READ = registry()["edifact-d96a"].reader
HEAD = "UNB+UNOC:3+5790000000012:14+5798009811578:14+261102:0930+1'UNH+1+INVOIC:D:96A:UN:EAN008'"
BEGIN = "BGM+380+2042+9'DTM+137:20261102:102'"
PARTIES = "NAD+SU+5790000000029::9'NAD+BY+++Skolen'"
LINE = "LIN+1'QTY+47:2:PCE'MOA+203:900'PRI+AAA:450'"
END = "UNS+S'MOA+77:1125'"
TRAILER = "UNT+1+1'UNZ+1+1'"


def interchange(*, begin: str = BEGIN, parties: str = PARTIES, line: str = LINE, end: str = END) -> bytes:
    return (HEAD + begin + parties + line + end + TRAILER).encode("latin-1")


def test_a_message_with_the_least_there_can_be_is_read():
    invoice = READ(interchange())
    assert (invoice.type, invoice.number, invoice.currency) == (DocumentType.INVOICE, "2042", "DKK")
    assert (invoice.lines[0].price, invoice.lines[0].unit) == (Decimal(450), "EA")
    # What is not stated follows from the rest.
    assert (invoice.totals.lines, invoice.totals.net, invoice.totals.payable) == (
        Decimal(900),
        Decimal(900),
        Decimal(1125),
    )


def test_a_party_without_a_gln_is_known_by_its_mailbox():
    invoice = READ(interchange())
    assert invoice.seller.endpoint == Participant(GLN, "5790000000029")
    assert invoice.buyer.endpoint == Participant(GLN, "5798009811578")


@pytest.mark.parametrize(
    ("tax", "category"),
    [
        ("TAX+7+VAT+++:::25+S'", VatCategory.STANDARD), ("TAX+7+VAT+++:::12+AA'", VatCategory.STANDARD),
        ("TAX+7+VAT+++:::25'", VatCategory.STANDARD), ("TAX+7+VAT'", VatCategory.EXEMPT), ("", VatCategory.EXEMPT),
        ("TAX+7+VAT+++:::0+Z'", VatCategory.ZERO_RATED),
    ],
)  # fmt: skip
def test_partners_vat_codes_are_understood(tax, category):
    assert READ(interchange(line=LINE + tax)).lines[0].vat.category is category


def test_a_second_currency_without_an_amount_in_it_says_nothing_of_vat():
    assert READ(interchange(parties=PARTIES + "CUX+2:EUR:4+3:DKK:11+7.46'")).vat_in_tax_currency is None


def test_other_dates_and_decimal_commas_are_understood():
    content = interchange(begin="BGM+381+2042'DTM+137:202611020930:203'", line="LIN+1'QTY+46:2,5:PCE'MOA+203:900,50'")
    invoice = READ(content)
    assert (invoice.is_credit_note, str(invoice.issue_date)) == (True, "2026-11-02")
    assert (invoice.lines[0].quantity, invoice.lines[0].price) == (Decimal("2.5"), Decimal("360.2"))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"begin": "BGM+325+2042+9'DTM+137:20261102:102'"}, "BGM"),
        ({"begin": "BGM+380'DTM+137:20261102:102'"}, "BGM"),
        ({"begin": "BGM+380+1'DTM+35:20261102:102'"}, "DTM+137"),
        ({"begin": "BGM+380+1'DTM+137:2026112:102'"}, "not a date"),
        ({"begin": "BGM+380+1'DTM+137:20261102:999'"}, "not a date"),
        ({"begin": "BGM+380+1'DTM+137:20260230:102'"}, "not a date"),
        ({"begin": "BGM+380+1'"}, "Segment 4: NAD stands where DTM should be."),
        ({"parties": "NAD+SU+5790000000029::9'"}, "NAD+BY"),
        ({"line": "LIN+1'MOA+203:900'"}, "no quantity"),
        ({"line": "LIN+1'QTY+47:2'"}, "no amount"),
        ({"line": "LIN+1'QTY+47:x'MOA+203:1'"}, "not a number"),
        ({"line": "LIN+1'QTY+47:1E999999999'MOA+203:1'"}, "not a number"),
        ({"line": LINE + "ALC+X'MOA+8:1'"}, "ALC"),
        ({"line": LINE + "ALC+A'"}, "ALC"),
        ({"end": "UNS+S'"}, "MOA is missing"),
        ({"end": "UNS+S'MOA+77:1'FTX+AAI'"}, "FTX may not stand here"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason(parts, said):
    with pytest.raises(Unreadable) as refused:
        READ(interchange(**parts))
    assert said in refused.value.text.en
