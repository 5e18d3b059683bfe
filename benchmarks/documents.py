"""The documents that are measured: one everyday DKK invoice with a given number of lines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from invoiceapp.demo.billy.company import demo_company
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import Settings
from invoiceapp.sources.billy.source import BillySource


def bundle(lines: int) -> dict[str, Any]:
    """An ordinary document of the demo company with its first line repeated."""
    company = demo_company(date(2026, 11, 2))
    invoice_id = company.hard_cases["percent_discount"]
    found = company.bundle(invoice_id)
    first = dict(
        found["invoice"]["lines"][0], discountMode=None, discountValue=None, quantity=3, unitPrice=Decimal("149.50")
    )
    repeated = [{**first, "id": f"line{number:018d}", "priority": number} for number in range(1, lines + 1)]
    net = Decimal("448.50") * lines
    header = {"amount": net, "tax": (net / 4).quantize(Decimal("0.01")), "taxMode": "excl", "lines": repeated}
    return {**found, "invoice": {**found["invoice"], **header}}


def invoice(lines: int) -> Invoice:
    """The same as a model."""
    converted = BillySource.convert(bundle(lines), Settings()).invoice
    if converted is None:
        raise SystemExit("the benchmark's invoice does not convert")
    return converted
