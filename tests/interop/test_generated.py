"""Two thousand generated documents: the official packs find nothing fatal that a built-in rule had not said before.

Half are Billy's records with settings (tax modes, discounts, currencies), half
are invoices of the model (every category, every way to pay). Each goes into
both UBL formats.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from support.generated import bundles, invoices

from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.mapping import convert

DOCUMENTS = 1_000
UBL = ("peppol-bis-3", "oioubl-2.1")
#: The same documents in every run: a failure here must be repeatable by whoever reads the log.
THOROUGH = settings(
    max_examples=DOCUMENTS,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def judge(official: Validator, format_id: str, invoice: Invoice, seen: Counter[str]) -> None:
    """Nothing fatal in what the built-in rules let through."""
    fmt = formats()[format_id]
    seen["documents"] += 1
    if has_fatal(fmt.check(invoice)):
        seen["refused by a built-in rule"] += 1
        return
    report = official.validate(fmt.write(invoice), fmt, invoice.type)
    assert report.is_complete
    assert [(finding.rule, finding.text.en) for finding in report.findings if finding.is_fatal] == []
    seen["valid"] += 1


@pytest.mark.parametrize("format_id", UBL)
def test_generated_records_of_billy_are_valid_or_refused_beforehand(official: Validator, format_id: str):
    seen: Counter[str] = Counter()

    @THOROUGH
    @given(bundles())
    def run(bundle):
        try:
            invoice = convert(bundle, settings_from(bundle.get("settings") or {})).invoice
        except UnusableBundle:
            seen["unusable"] += 1
            return
        if invoice is not None:
            judge(official, format_id, invoice, seen)

    run()
    # Otherwise the generator would only prove that we refuse.
    assert seen["valid"] > DOCUMENTS // 4, seen


@pytest.mark.parametrize("format_id", UBL)
def test_generated_invoices_are_valid_or_refused_beforehand(official: Validator, format_id: str):
    seen: Counter[str] = Counter()

    @THOROUGH
    @given(invoices(format_id=format_id))
    def run(invoice):
        judge(official, format_id, invoice, seen)

    run()
    assert seen["valid"] > DOCUMENTS // 2, seen
