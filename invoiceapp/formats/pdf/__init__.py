"""A readable PDF of an invoice, for documents that have none in the accounting system."""

from __future__ import annotations

from collections.abc import Callable

from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Format, Parameters
from invoiceapp.formats.validation import book
from invoiceapp.formats.validation.builtin import check_readable

from .writer import MOST_LINES, write

Checker = Callable[[Invoice, Parameters], list[Finding]]
_TOO_MANY = "IA-TOO-MANY-LINES"


def at_most(limit: int, checker: Checker) -> Checker:
    """The checker for a format that takes fewer lines than the built-in rules do."""

    def check(invoice: Invoice, parameters: Parameters) -> list[Finding]:
        found = checker(invoice, parameters)
        if len(invoice.lines) <= limit:
            return found
        others = [finding for finding in found if finding.rule != _TOO_MANY]
        return [*others, book.finding(_TOO_MANY, count=len(invoice.lines), limit=limit)]

    return check


FORMATS = (
    Format(
        id="pdf",
        label=Text("PDF", "PDF"),
        media_type="application/pdf",
        extension="pdf",
        writer=write,
        draws=True,
        checker=at_most(MOST_LINES, check_readable),
    ),
)
