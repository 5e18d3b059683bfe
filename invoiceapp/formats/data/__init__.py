"""Plain data for systems and people that read no e-invoices: JSON and CSV."""

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Format
from invoiceapp.formats.validation.builtin import check_readable

from . import csv_format, json_format

FORMATS = (
    Format(
        id="json",
        label=Text("JSON (alle felter)", "JSON (all fields)"),
        media_type="application/json",
        extension="json",
        writer=json_format.write,
        checker=check_readable,
        options=json_format.OPTIONS,
        carries_attachments=True,
        reader=json_format.read,
        shown=json_format.shown,
    ),
    Format(
        id="csv",
        label=Text("CSV (regneark)", "CSV (spreadsheet)"),
        media_type="text/csv",
        extension="csv",
        writer=csv_format.write,
        checker=check_readable,
        options=csv_format.OPTIONS,
        shown=json_format.shown,
    ),
)
