"""Our own rule engine: each way to break a good interchange has a rule that sees it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from invoiceapp.domain.findings import Turn
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import registry
from invoiceapp.formats.edifact import examination
from invoiceapp.formats.edifact.codes import gives

FORMAT = registry()["edifact-d96a"]


@pytest.fixture
def content(invoice) -> bytes:
    return FORMAT.write(invoice, FORMAT.parameters({"senderGln": "5790000000012"}))


def rules(content: bytes) -> list[str]:
    return [finding.rule for finding in FORMAT.examine(content)]


def test_what_we_write_has_nothing_to_complain_of(content):
    assert FORMAT.examine(content) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"UNT+44+1'", b"UNT+43+1'", {"EDI-UNT-COUNT"}),
        (b"UNT+44+1'", b"UNT+44+2'", {"EDI-UNT-REFERENCE"}),
        (b"UNZ+1+1'", b"UNZ+2+1'", {"EDI-UNZ-COUNT"}),
        (b"UNZ+1+1'", b"UNZ+1+9'", {"EDI-UNZ-REFERENCE"}),
        (b"CNT+2:2'", b"CNT+2:3'", {"EDI-CNT-COUNT"}),
        (b"CNT+2:2'", b"", {"EDI-UNT-COUNT"}),
        (b"LIN+2'", b"LIN+7'", {"EDI-LIN-NUMBER"}),
        (b"MOA+79:983.33'", b"MOA+79:983.34'", {"EDI-SUM-LINES", "EDI-SUM-NET"}),
        (b"MOA+203:900.00'", b"MOA+203:900.01'", {"EDI-SUM-LINES"}),
        (b"MOA+124:245.83'TAX", b"MOA+124:245.84'TAX", {"EDI-SUM-VAT", "EDI-SUM-PAYABLE"}),
        (b"MOA+125:983.33'UNT", b"MOA+125:983.32'UNT", {"EDI-SUM-BASES"}),
        (b"MOA+77:1229.16'", b"MOA+77:1229.15'", {"EDI-SUM-PAYABLE"}),
        (b"BGM+380+2042", b"BGM+380+" + b"2" * 36, {"EDI-ELEMENT-LENGTH"}),
        (b"PRI+AAA:450'", b"PRI+AAA:4500000000000000'", {"EDI-ELEMENT-LENGTH", "EDI-SUM-LINE"}),
        (b"QTY+47:2:HUR'", b"QTY+47:2.0000000000001:HUR'", set()),
        (b"PRI+AAA:450'", b"PRI+AAA:45000:::100:HUR'", set()),
        (b"PRI+AAA:450'", b"PRI+AAA:45000:::10:HUR'", {"EDI-SUM-LINE"}),
        (b"PRI+AAA:450'", b"PRI+AAA:450:::0:HUR'", {"EDI-SUM-LINE"}),
        (b"PRI+AAA:450'", b"PRI+AAA:450.01'", set()),
        (b"PRI+AAA:450'", b"PRI+AAA:450.02'", {"EDI-SUM-LINE"}),
        (b"QTY+47:2:HUR'", b"QTY+47:-2:HUR'", {"EDI-SUM-LINE"}),
        (b"QTY+47:2:HUR'", b"QTY+47:2:HOUR'", {"EDI-ELEMENT-LENGTH"}),
        (b"QTY+47:2:HUR'", b"QTY+47:2,0:HUR'", {"EDI-ELEMENT-NUMBER"}),
        (b"NAD+SU+", b"NAD++", {"EDI-ELEMENT-MISSING", "EDI-SYNTAX"}),
        (b"UNS+S'", b"UNS'", {"EDI-ELEMENT-MISSING"}),
        (b"UNS+S'", b"UNS+S+1'", {"EDI-ELEMENT-UNKNOWN"}),
        (b"Reservedel'", b"Reserve\x80del'", {"EDI-CHARACTERS"}),
        (b"UNOC:3", b"UNOB:3", {"EDI-CHARACTERS"}),
        (b"UNOC:3", b"UNOE:3", {"EDI-CHARACTER-SET"}),
        (b"UNS+S'", b"", {"EDI-SYNTAX"}),
        (b"BGM+380+2042+9'", b"", {"EDI-SYNTAX"}),
        (b"MOA+203:900.00'PRI+AAA:450'", b"PRI+AAA:450'MOA+203:900.00'", {"EDI-SYNTAX"}),
        (b"CUX+2:DKK:4'", b"XXX+2:DKK:4'", {"EDI-SYNTAX"}),
        (b"DTM+137:20261102:102'", b"DTM+137:20261332:102'", {"EDI-SYNTAX"}),
        (b"PAI+::42'", b"PAI+::42'PAI+::42'", {"EDI-SYNTAX"}),
        (b"INVOIC:D:96A", b"INVOIC:D:01B", {"EDI-SYNTAX"}),
        (b"UNT+44+1'", b"UNT+44+1'UNH+2'UNT+2+2'", {"EDI-ELEMENT-MISSING", "EDI-SYNTAX"}),
        (b"UNZ+1+1'", b"", {"EDI-SYNTAX"}),
    ],
)
def test_every_way_to_break_it_is_seen(content, old, new, expected):
    assert content.count(old) >= 1
    assert set(rules(content.replace(old, new, 1))) == expected


def test_a_finding_says_the_segment_the_value_and_the_limit(content):
    (found,) = FORMAT.examine(content.replace(b"+2:HUR", b"+2:HOUR").replace(b"47:2:HUR", b"47:2:HOUR"))
    assert found.location == "QTY[26]"
    assert found.turn is Turn.OPERATOR
    assert found.text.en == "QTY (segment 26), field 1.3: “HOUR” has length 4; there is room for 3."
    (found,) = FORMAT.examine(content.replace(b"MOA+77:1229.16", b"MOA+77:1.00"))
    assert "1,00" in found.text.da
    assert "1.229,16" in found.text.da


def lines_of(price: bytes, quantity: bytes = b"700000") -> bytes:
    """One line of 9000.00 with a discount of 1000.00."""
    return (
        b"UNB+UNOC:3+5790000000012:14+5798009811578:14+261102:0930+1'UNH+1+INVOIC:D:96A:UN:EAN008'BGM+380+1+9'"
        b"DTM+137:20261102:102'NAD+SU+5790000000012::9'NAD+BY+5798009811578::9'LIN+1'IMD+F++:::Skruer'"
        b"QTY+47:" + quantity + b":PCE'MOA+203:9000.00'" + price + b"TAX+7+VAT+++:::25+S'ALC+A++++AJ:::Rabat'"
        b"MOA+8:1000.00'UNS+S'CNT+2:1'MOA+77:11250.00'MOA+79:9000.00'MOA+125:9000.00'MOA+124:2250.00'"
        b"TAX+7+VAT+++:::25+S'MOA+124:2250.00'MOA+125:9000.00'UNT+%d+1'UNZ+1+1'" % (22 + price.count(b"'"))
    )


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (b"PRI+AAA:0.012857143'", []),
        # Six decimals make 8999.90 of 9000.00; that only so few are written excuses nothing.
        (b"PRI+AAA:0.012857'", ["EDI-SUM-LINE"]),
        (b"PRI+AAA:0.012857143'PRI+AAB:0.01428571428571'", []),
        (b"PRI+AAA:0.012857143'PRI+AAB:0.014286'", ["EDI-SUM-LINE"]),
        (b"PRI+AAA:0.012857'PRI+AAB:0.014286'", ["EDI-SUM-LINE", "EDI-SUM-LINE"]),
        (b"", []),
    ],
)
def test_quantity_and_price_give_the_amount_with_and_without_the_discount(price, expected):
    assert rules(lines_of(price)) == expected


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "right"),
    [
        # Fifteen digits cannot come nearer than this.
        ("700000000", "1234567.12345679", "864196986419750.00", True),
        ("700000000", "1234567.12345679", "864196986419740.00", False),
        ("0.000001", "1", "0.00", True),
        ("0", "5", "0.00", True),
        ("0", "5", "1.00", False),
        ("1", "10.02", "10.00", True),
        ("1", "10.03", "10.00", False),
    ],
)
def test_only_what_no_price_of_fifteen_digits_could_avoid_is_forgiven(quantity, price, amount, right):
    assert gives(Decimal(quantity), Decimal(price), Decimal(1), Decimal(amount)) is right


def test_a_broken_file_does_not_fill_the_page(content):
    broken = content.replace(b"UNS+S'", b"IMD+FFFF'" * 500 + b"UNS+S'")
    assert len(FORMAT.examine(broken)) == examination.MOST_FINDINGS


def test_the_validator_asks_it(validator, content):
    assert validator.validate(content, FORMAT, DocumentType.INVOICE).findings == ()
    report = validator.validate(content.replace(b"UNZ+1", b"UNZ+2"), FORMAT, DocumentType.INVOICE)
    assert [finding.rule for finding in report.findings] == ["EDI-UNZ-COUNT"]
