"""A readable PDF of an invoice, for documents that have none in the accounting system."""

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Format
from invoiceapp.formats.validation.builtin import check_readable

from .writer import write

FORMATS = (
    Format(
        id="pdf",
        label=Text("PDF", "PDF"),
        media_type="application/pdf",
        extension="pdf",
        writer=write,
        draws=True,
        checker=check_readable,
    ),
)
