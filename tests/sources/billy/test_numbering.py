"""Which numbers Billy has given out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from invoiceapp.sources.base import BookState
from invoiceapp.sources.billy.source import BillySource

pytestmark = pytest.mark.server


def test_numbers_of_every_state_are_told_and_only_of_these_days(
    source: BillySource, billy: Any, make_invoice: Callable[..., dict[str, Any]]
) -> None:
    invoices = [
        make_invoice(id="a", invoiceNo="1"), make_invoice(id="b", invoiceNo="2", state="voided", type="creditNote"),
        make_invoice(id="c", invoiceNo=None, state="draft"), make_invoice(id="d", invoiceNo="4", state="draft"),
        make_invoice(id="e", invoiceNo="5", entryDate="2026-12-01"), make_invoice(id="f", invoiceNo="6", state="new"),
        make_invoice(id="g", invoiceNo="7", entryDate="some day"),
    ]  # fmt: skip
    billy.on("/invoices", {"invoices": invoices})
    found = list(source.taken_numbers(date(2026, 11, 1), date(2026, 11, 30)))
    assert [(one.id, one.number, one.type.value, one.state) for one in found] == [
        ("a", "1", "invoice", BookState.APPROVED), ("b", "2", "creditNote", BookState.VOIDED),
        ("d", "4", "invoice", BookState.DRAFT),
    ]  # fmt: skip
    asked = billy.requests[-1].params
    assert "state" not in asked and (asked["minEntryDate"], asked["maxEntryDate"]) == ("2026-11-01", "2026-11-30")
