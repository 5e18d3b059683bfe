"""Whole documents, byte by byte. ``pytest --update-golden`` writes them anew; read the difference before committing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.sources.billy.mapping import convert

GOLDEN = Path(__file__).parent.parent / "golden"
BUNDLES = sorted(path.stem for path in (GOLDEN / "bundles").glob("*.json"))
DEMO = (
    "inclusive_cents", "exclusive_cents", "two_tiny_lines", "mixed_rates", "exempt", "four_decimals", "percent_discount",
    "cash_discount", "inclusive_discount", "one_oere_off", "negative_line", "negative_total", "null_product", "emoji",
    "control_characters", "markup", "long_name", "no_contact_person", "foreign_currency_eur", "intra_community",
    "reverse_charge", "export", "credit_with_reference", "credit_without_reference", "late_fee",
)  # fmt: skip
#: OIOUBL has no addresses outside Denmark.
ABROAD = {"intra_community", "reverse_charge", "export", "eu_goods_by_choice"}
UBL = ("peppol-bis-3", "oioubl-2.1")
CASES = [
    (format_id, case)
    for case in (*DEMO, *BUNDLES)
    for format_id in UBL
    if not (format_id == "oioubl-2.1" and case in ABROAD)
]


def bundle_of(company: Company, case: str) -> dict[str, Any]:
    if case in DEMO:
        return company.bundle(company.hard_cases[case])
    loaded: dict[str, Any] = json.loads((GOLDEN / "bundles" / f"{case}.json").read_bytes(), parse_float=Decimal)
    return loaded


def write(company: Company, format_id: str, case: str) -> tuple[bytes, DocumentType]:
    bundle = bundle_of(company, case)
    invoice = convert(bundle, settings_from(bundle.get("settings") or {})).invoice
    assert invoice is not None
    assert not has_fatal(formats()[format_id].check(invoice))
    return formats()[format_id].write(invoice), invoice.type


@pytest.mark.parametrize(("format_id", "case"), CASES)
def test_a_document_is_written_exactly_as_before(request, company, format_id, case):
    content, _ = write(company, format_id, case)
    path = GOLDEN / format_id / f"{case}.xml"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert content == path.read_bytes()


@pytest.mark.parametrize(("format_id", "case"), CASES)
def test_a_golden_document_has_no_fatal_findings(validator: Validator, company, format_id, case):
    content, document_type = write(company, format_id, case)
    report = validator.validate(content, formats()[format_id], document_type)
    assert [finding for finding in report.findings if finding.is_fatal] == []
    if format_id == "peppol-bis-3":
        assert "en16931-ubl" in [rule_set.name for rule_set in report.rule_sets]


@pytest.mark.parametrize(("format_id", "case"), CASES)
def test_a_golden_document_satisfies_the_official_packs(official: Validator, company, format_id, case):
    content, document_type = write(company, format_id, case)
    report = official.validate(content, formats()[format_id], document_type)
    assert report.is_complete
    assert [finding for finding in report.findings if finding.is_fatal] == []


def test_no_golden_file_is_left_over():
    expected = {GOLDEN / format_id / f"{case}.xml" for format_id, case in CASES}
    assert {path for format_id in UBL for path in (GOLDEN / format_id).glob("*")} == expected
