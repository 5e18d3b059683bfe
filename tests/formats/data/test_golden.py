"""Whole JSON and CSV files, byte by byte. ``pytest --update-golden`` writes them anew; read the difference before committing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.data import FORMATS
from invoiceapp.sources.billy.mapping import convert

GOLDEN = Path(__file__).parents[2] / "golden"
JSON, CSV = FORMATS
#: Of the demo company, and then of ``golden/bundles``.
DEMO = ("mixed_rates", "percent_discount", "emoji", "credit_with_reference", "foreign_currency_eur", "reverse_charge")
BUNDLES = ("plain", "fik_and_references")
FILES = [(JSON, case, "", {}) for case in (*DEMO, *BUNDLES)]
FILES += [(CSV, case, "", {}) for case in (*DEMO, *BUNDLES)]
FILES += [(CSV, case, "-danish-excel", {"dialect": "danish-excel"}) for case in ("mixed_rates", "emoji", "plain")]


def invoice_of(company: Company, case: str) -> Invoice:
    bundle: dict[str, Any] = (
        company.bundle(company.hard_cases[case])
        if case in DEMO
        else json.loads((GOLDEN / "bundles" / f"{case}.json").read_bytes(), parse_float=Decimal)
    )
    invoice = convert(bundle, settings_from(bundle.get("settings") or {})).invoice
    assert invoice is not None
    return invoice


def path_of(fmt: Any, case: str, suffix: str) -> Path:
    return GOLDEN / fmt.id / f"{case}{suffix}.{fmt.extension}"


@pytest.mark.parametrize(("fmt", "case", "suffix", "typed"), FILES, ids=lambda value: getattr(value, "id", None))
def test_a_file_is_written_exactly_as_before(request, company, fmt, case, suffix, typed):
    content = fmt.write(invoice_of(company, case), fmt.parameters(typed))
    path = path_of(fmt, case, suffix)
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert content == path.read_bytes()


def test_no_golden_file_is_left_over():
    expected = {path_of(fmt, case, suffix) for fmt, case, suffix, _ in FILES}
    assert {path for fmt in FORMATS for path in (GOLDEN / fmt.id).iterdir()} == expected
