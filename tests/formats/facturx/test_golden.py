"""Whole CII documents, byte by byte. ``pytest --update-golden`` writes them anew; read the difference before committing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.facturx import FORMATS
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.mapping import convert

GOLDEN = Path(__file__).parents[2] / "golden"
CII = FORMATS[0]
#: Of the demo company, and then of ``golden/bundles``.
DEMO = ("mixed_rates", "percent_discount", "emoji", "credit_with_reference", "foreign_currency_eur", "reverse_charge")
BUNDLES = ("plain", "rounding", "fik_and_references", "without_vat_registration")


def invoice_of(company: Company, case: str) -> Invoice:
    bundle: dict[str, Any] = (
        company.bundle(company.hard_cases[case])
        if case in DEMO
        else json.loads((GOLDEN / "bundles" / f"{case}.json").read_bytes(), parse_float=Decimal)
    )
    invoice = convert(bundle, settings_from(bundle.get("settings") or {})).invoice
    assert invoice is not None
    return invoice


@pytest.mark.parametrize("case", (*DEMO, *BUNDLES))
def test_a_document_is_written_exactly_as_before(request, company, case):
    content = CII.write(invoice_of(company, case))
    path = GOLDEN / "cii" / f"{case}.xml"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert content == path.read_bytes()


@pytest.mark.parametrize("case", (*DEMO, *BUNDLES))
def test_a_golden_document_has_no_fatal_findings(validator, company, case):
    invoice = invoice_of(company, case)
    report = validator.validate((GOLDEN / "cii" / f"{case}.xml").read_bytes(), CII, invoice.type)
    assert report.is_complete
    assert [finding for finding in report.findings if finding.is_fatal] == []


def test_every_document_of_the_demo_company_is_valid(validator, company):
    fatal = {}
    written = 0
    for case, document_id in company.hard_cases.items():
        try:
            invoice = convert(company.bundle(document_id), settings_from({})).invoice
        # Drafts and voided documents never become invoices.
        except UnusableBundle:
            continue
        if invoice is None:
            continue
        report = validator.validate(CII.write(invoice), CII, invoice.type)
        fatal[case] = [finding.rule for finding in report.findings if finding.is_fatal]
        written += 1
    assert written > 30
    # What the built-in checks refuse, the official rules refuse too.
    assert {case for case, rules in fatal.items() if rules} <= {"no_country"}


def test_no_golden_file_is_left_over():
    assert {path.stem for path in (GOLDEN / "cii").iterdir()} == {*DEMO, *BUNDLES}
