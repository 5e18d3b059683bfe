"""Whole interchanges, byte by byte, and as another parser reads them. ``pytest --update-golden`` writes them anew."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydifact.parser import Parser

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.base import Interchange, registry
from invoiceapp.formats.edifact.syntax import parse
from invoiceapp.sources.billy.mapping import convert

FORMAT = registry()["edifact-d96a"]
TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "golden" / FORMAT.id
INTERCHANGE = Interchange(17, datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
ENDS = {"senderGln": "5790000000012", "receiverGln": "5798009811578"}
#: Case and options; a bundle's own settings name its GLNs.
CASES: dict[str, dict[str, str]] = {
    "inclusive_cents": {},
    "mixed_rates": {"profile": "generic-un"},
    "exempt": {"payableQualifier": "86"},
    "four_decimals": {"gtinCode": "SRV"},
    "percent_discount": {},
    "cash_discount": {"profile": "eancom-gln"},
    "one_oere_off": {"lineEnds": "crlf"},
    "emoji": {"characterSet": "UNOA"},
    "control_characters": {"lineEnds": "lf"},
    "markup": {"testFlag": "true", "acknowledgementRequest": "true", "recipientReference": "KODE"},
    "long_name": {},
    "foreign_currency_eur": {},
    "intra_community": {},
    "reverse_charge": {"profile": "generic-un"},
    "export": {},
    "credit_with_reference": {"firstControlReference": "5000"},
    "late_fee": {"characterSet": "UNOB"},
    "fik_and_references": {},
    "rounding": {},
    "plain": {"deliveryNote": "order"},
}


def bundle_of(company: Company, case: str) -> dict[str, Any]:
    if case in company.hard_cases:
        return company.bundle(company.hard_cases[case])
    path = TESTS / "golden" / "bundles" / f"{case}.json"
    loaded: dict[str, Any] = json.loads(path.read_bytes(), parse_float=Decimal)
    return loaded


def invoice_of(company: Company, case: str) -> Invoice:
    bundle = bundle_of(company, case)
    invoice = convert(bundle, settings_from(bundle.get("settings") or {})).invoice
    assert invoice is not None
    return invoice


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def content(company, case) -> bytes:
    invoice, parameters = invoice_of(company, case), FORMAT.parameters(ENDS | CASES[case], INTERCHANGE)
    assert not has_fatal(FORMAT.check(invoice, parameters))
    return FORMAT.write(invoice, parameters)


def test_an_interchange_is_written_exactly_as_before(request, case, content):
    path = GOLDEN / f"{case}.edi"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert content == path.read_bytes()


def test_the_examination_finds_nothing(content):
    assert FORMAT.examine(content) == []


@pytest.mark.filterwarnings("ignore:segments.xml not found")
def test_another_parser_reads_the_same_segments(content):
    theirs = [
        (item.tag, [[element] if isinstance(element, str) else list(element) for element in item.elements])
        for item in Parser().parse(content.decode("latin-1"))
        if item.tag != "UNA"
    ]
    ours = [(item.tag, [list(element) or [""] for element in item.elements]) for item in parse(content)]
    assert ours == theirs


def test_the_amounts_are_those_of_the_invoice(company, case, content):
    invoice, read = invoice_of(company, case), FORMAT.reader(content)
    assert (read.type, read.number, read.currency, read.totals) == (
        invoice.type, invoice.number, invoice.currency, invoice.totals,
    )  # fmt: skip
    assert [(line.quantity, line.net_amount) for line in read.lines] == [
        (line.quantity, line.net_amount) for line in invoice.lines
    ]


def test_no_golden_file_is_left_over():
    assert {path.name for path in GOLDEN.glob("*")} == {f"{case}.edi" for case in CASES}


def test_retail_takes_what_the_settings_name(company):
    """The GLNs of the settings reach the envelope without any option of the format."""
    bundle = company.bundle(company.hard_cases["percent_discount"])
    settings = settings_from(
        {
            "general": {"deliveryDate": "issue-date"},
            "supplier": {"gln": ENDS["senderGln"]},
            "customer": {"gln": ENDS["receiverGln"]},
        }
    )
    invoice = convert(bundle, settings).invoice
    assert invoice is not None
    parameters = FORMAT.parameters({"profile": "dk-retail", "deliveryNote": "order"})
    assert not has_fatal(FORMAT.check(invoice, parameters))
    sender, receiver = FORMAT.route(invoice, parameters.options)
    assert sender == ENDS["senderGln"]
    assert receiver == invoice.buyer.gln
    assert FORMAT.examine(FORMAT.write(invoice, parameters)) == []
