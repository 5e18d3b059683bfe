"""A readable PDF of an invoice, for documents that have none in the accounting system."""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Format
from invoiceapp.formats.validation.builtin import at_most, check_readable

from .writer import MOST_LINES, write

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
