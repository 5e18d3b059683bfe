"""The generator of test invoices itself: what it makes is right, and it makes everything."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from support.generated import invoices

from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.invoice import DocumentType, Invoice, PaymentMeansCode
from invoiceapp.domain.money import HUNDRED
from invoiceapp.domain.tax import VatCategory
from invoiceapp.formats.base import registry as formats

FORMATS = ("peppol-bis-3", "oioubl-2.1")
plenty = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def drawn(format_id: str) -> list[Invoice]:
    """The same 200 invoices every time."""
    found: list[Invoice] = []

    @plenty
    @given(invoices(format_id))
    def collect(invoice: Invoice) -> None:
        found.append(invoice)

    collect()
    return found


@pytest.fixture(scope="module")
def examples() -> dict[str, list[Invoice]]:
    return {format_id: drawn(format_id) for format_id in FORMATS}


@pytest.mark.parametrize("format_id", FORMATS)
def test_generated_invoices_are_valid_or_refused_before_they_are_written(validator, examples, format_id):
    fmt, written = formats()[format_id], 0
    for invoice in examples[format_id]:
        if has_fatal(fmt.check(invoice)):
            continue
        report = validator.validate(fmt.write(invoice), fmt, invoice.type)
        assert [(item.rule, item.text.en) for item in report.findings if item.is_fatal] == []
        written += 1
    assert written > 150


@pytest.mark.parametrize("format_id", FORMATS)
def test_generated_invoices_satisfy_the_official_packs(official, examples, format_id):
    fmt = formats()[format_id]
    for invoice in examples[format_id]:
        if has_fatal(fmt.check(invoice)):
            continue
        report = official.validate(fmt.write(invoice), fmt, invoice.type)
        assert report.is_complete
        assert [(item.rule, item.text.en) for item in report.findings if item.is_fatal] == []


def test_generated_totals_reconcile(examples):
    for invoice in (*examples["peppol-bis-3"], *examples["oioubl-2.1"]):
        totals = invoice.totals
        assert totals.lines == sum(line.net_amount for line in invoice.lines)
        assert (
            totals.net
            == totals.lines - totals.allowances + totals.charges
            == sum(item.taxable_amount for item in invoice.vat)
        )
        assert totals.gross == totals.net + totals.vat
        assert totals.payable == totals.gross - totals.prepaid + totals.rounding >= 0
        for line in invoice.lines:
            exact = line.quantity * line.price / line.base_quantity + sum(
                item.signed for item in line.allowances_charges
            )
            assert abs(exact - line.net_amount) <= Decimal("0.02")  # PEPPOL-EN16931-R120
        for item in (
            *invoice.allowances_charges,
            *(item for line in invoice.lines for item in line.allowances_charges),
        ):
            assert item.amount > 0
            if item.percent is not None:
                assert item.base is not None
                assert abs(item.base * item.percent / HUNDRED - item.amount) <= Decimal("0.02")  # PEPPOL-EN16931-R040


def values(invoice: Invoice) -> dict[str, set[Any]]:
    """What of the model an invoice uses, by the name of a choice."""
    return {
        "type": {invoice.type},
        "currency": {invoice.currency},
        "category": {line.vat.category for line in invoice.lines},
        "payment": {means.code for means in invoice.payment},
        "country": {invoice.buyer.address.country},
        "endpoint": {party.endpoint.scheme for party in (invoice.seller, invoice.buyer) if party.endpoint},
        "line": {len(invoice.lines) == 30, any(line.quantity < 0 for line in invoice.lines)},
    }


def test_nearly_everything_that_an_invoice_may_have_is_among_400_of_them(examples):
    """Nearly, because hypothesis likes to stay near to what it has drawn before."""
    found: dict[str, set[Any]] = {}
    for invoice in (*examples["peppol-bis-3"], *examples["oioubl-2.1"]):
        for name, used in values(invoice).items():
            found.setdefault(name, set()).update(used)
    everything: dict[str, set[Any]] = {
        "type": set(DocumentType),
        "currency": {"DKK", "EUR", "SEK", "NOK", "USD", "GBP"},
        "category": set(VatCategory),
        "payment": set(PaymentMeansCode),
        "country": {"DK", "SE", "NO", "DE", "FR", "GB", "US"},
        "endpoint": {"0088", "0184", "0198", "0096", "0007", "0192", "9930", "9957", "9932", "0060"},
        "line": {True, False},
    }
    assert {name: len(used) for name, used in everything.items() if len(used - found[name]) > len(used) // 5} == {}


def test_every_field_of_the_model_is_filled_in_sometimes(examples):
    invoices_ = examples["peppol-bis-3"] + examples["oioubl-2.1"]
    lines = [line for invoice in invoices_ for line in invoice.lines]
    allowances = [item for line in lines for item in line.allowances_charges]
    holders = {
        "invoice": invoices_,
        "seller": [invoice.seller for invoice in invoices_],
        "buyer": [invoice.buyer for invoice in invoices_],
        "line": lines,
        "item": [line.item for line in lines],
        "allowance": allowances,
        "payment": [means for invoice in invoices_ for means in invoice.payment],
        "delivery": [invoice.delivery for invoice in invoices_ if invoice.delivery],
    }
    empty = {
        f"{name}.{field.name}"
        for name, found in holders.items()
        for field in fields(found[0])
        if not any(getattr(holder, field.name) for holder in found)
    }
    # The legal form is the seller's only; the VAT class of a line's allowance is the line's.
    assert empty == {"buyer.legal_form", "allowance.vat"}
