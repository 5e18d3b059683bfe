"""Every document of the demo company through the official packs, with several kinds of settings."""

from __future__ import annotations

from typing import Any

import pytest

from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.base import registry as formats
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.mapping import convert

SETTINGS: dict[str, Any] = {
    "defaults": {},
    "fik_and_references": {
        "general": {"note": "Fast tekst", "paymentTerms": "Løbende måned + 14 dage"},
        "supplier": {"fikCreditor": "81234567"},
        "customer": {"buyerReference": "REF-1", "orderNumber": "PO-1", "accountingCost": "4411"},
    },
    "parties_delivery_and_items": {
        "general": {"invoicingPeriod": "previous-month", "deliveryDate": "issue-date", "productNumberIsGtin": True},
        "supplier": {
            "gln": "5798000000001", "legalForm": "Aktiekapital 500.000 kr.", "paymentMethod": "iban",
            "payeeName": "Nordisk Factoring A/S", "payeeCvr": "99887702",
        },
        "customer": {
            "gln": "5798009811578", "projectReference": "P-7", "unspsc": "44121600", "deliveryName": "Lager 3",
            "deliveryGln": "5798000000018", "deliveryStreet": "Kajen 1", "deliveryPostalCode": "9000",
            "deliveryCity": "Aalborg",
        },
    },
    "direct_debit_and_delivery_by_name": {
        "general": {"invoicingPeriod": "month"},
        "supplier": {"paymentMethod": "direct-debit"},
        "customer": {"mandate": "BS-04711", "payerAccount": "0440116243", "deliveryName": "Lager 3"},
    },
    "card_and_delivery_by_number": {
        "general": {"deliveryDate": "issue-date"},
        "supplier": {"paymentMethod": "card"},
        "customer": {"cardNumber": "6789", "cardNetwork": "VISA", "deliveryGln": "5798000000018"},
    },
}  # fmt: skip


@pytest.mark.parametrize("chosen", SETTINGS)
@pytest.mark.parametrize("format_id", ["peppol-bis-3", "oioubl-2.1"])
def test_the_official_rules_find_nothing_that_the_built_in_rules_did_not(official, company, format_id, chosen):
    fmt, settings = formats()[format_id], settings_from(SETTINGS[chosen])
    refused, written = {}, 0
    for key, record in company.tables["invoices"].items():
        try:
            invoice = convert(company.bundle(key), settings).invoice
        except UnusableBundle:
            assert record["state"] != "approved"
            continue
        if invoice is None or has_fatal(fmt.check(invoice)):
            continue
        report = official.validate(fmt.write(invoice), fmt, invoice.type)
        written += 1
        assert report.is_complete
        if has_fatal(report.findings):
            refused[invoice.number] = [finding.rule for finding in report.findings]
    assert refused == {}
    assert written > 400
