"""What is written is read back: all of it, but for what ``support/carried.py`` lists."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.carried import CARRIED
from support.generated import invoices

from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Interchange
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.ubl.reading import read_oioubl, read_peppol

READERS = {"peppol-bis-3": read_peppol, "oioubl-2.1": read_oioubl}
generated = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def differences(found: Any, expected: Any) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, because whole invoices are too long to read."""
    names = [item.name for item in fields(expected)]
    return {
        name: (getattr(found, name), getattr(expected, name))
        for name in names
        if getattr(found, name) != getattr(expected, name)
    }


def there_and_back(format_id: str, invoice: Invoice) -> Invoice:
    return READERS[format_id](formats()[format_id].write(invoice))


@pytest.mark.parametrize("format_id", READERS)
@generated
@given(data=st.data())
def test_what_is_written_is_read_back_and_then_never_changes(format_id, data):
    invoice = data.draw(invoices(format_id))
    first = there_and_back(format_id, invoice)
    assert differences(first, CARRIED[format_id](invoice)) == {}
    second = there_and_back(format_id, first)
    # OIOUBL's UUID is made of the source's id, and so never the same again.
    assert differences(replace(second, source_id=first.source_id), first) == {}


@pytest.mark.parametrize("format_id", READERS)
def test_an_envelope_is_opened(format_id, make_invoice):
    fmt, invoice = formats()[format_id], make_invoice()
    interchange = Interchange(7, datetime(2026, 11, 2, tzinfo=UTC))
    enveloped = fmt.write(invoice, fmt.parameters({"envelope": "true"}, interchange))
    assert b"StandardBusinessDocument" in enveloped
    assert READERS[format_id](enveloped) == READERS[format_id](fmt.write(invoice))


@pytest.mark.parametrize("format_id", READERS)
def test_the_format_knows_its_reader(format_id, invoice):
    fmt = formats()[format_id]
    assert fmt.reader is not None
    assert fmt.reader(fmt.write(invoice)) == READERS[format_id](fmt.write(invoice))
