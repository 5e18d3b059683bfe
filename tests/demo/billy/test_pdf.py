"""The PDF that the demo company prints."""

from __future__ import annotations

import pytest

from invoiceapp.demo.billy import pdf


@pytest.mark.parametrize(("count", "told"), [(32, b""), (33, b" 1 linje mere)"), (34, b" 2 linjer mere)")])
def test_lines_that_have_no_room_are_counted(company, count, told):
    key = company.hard_cases["percent_discount"]
    line = next(one for one in company.tables["invoiceLines"].values() if one["invoiceId"] == key)
    printed = pdf.invoice_pdf(company.organization, company.tables, company.tables["invoices"][key], [line] * count)
    assert told in printed
    assert (b" mere)" in printed) is bool(told)
