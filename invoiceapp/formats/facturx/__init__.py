"""CII at the EN 16931 level: alone, and inside a PDF as Factur-X (in Germany ZUGFeRD 2)."""

from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import DocumentType, Invoice
from invoiceapp.formats.base import Format, Parameters, Schema
from invoiceapp.formats.validation import book
from invoiceapp.formats.validation.builtin import check_en16931

from . import cii, hybrid
from .carried import CARRIED, NOT_CARRIED

__all__ = ["CARRIED", "FORMATS", "NOT_CARRIED"]

#: CII takes twice the memory of UBL to judge, and the PDF beside it shows no more than some hundreds of lines.
MOST_LINES = 2_000


def check(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What no receiver of an EN 16931 invoice would take, and what a worker cannot judge."""
    found = check_en16931(invoice, parameters)
    if len(invoice.lines) > MOST_LINES and "IA-TOO-MANY-LINES" not in {finding.rule for finding in found}:
        found.append(book.finding("IA-TOO-MANY-LINES", count=len(invoice.lines), limit=MOST_LINES))
    return found


_SCHEMAS = {document_type: Schema("cii", ("facturx-en16931",)) for document_type in DocumentType}

FORMATS = (
    Format(
        id="cii",
        label=Text("CII (EN 16931)", "CII (EN 16931)"),
        media_type="application/xml",
        extension="xml",
        writer=cii.write,
        checker=check,
        schemas=_SCHEMAS,
        carries_attachments=True,
        reader=cii.read,
    ),
    Format(
        id="facturx",
        label=Text("Factur-X / ZUGFeRD (PDF med e-faktura)", "Factur-X / ZUGFeRD (PDF with e-invoice)"),
        media_type="application/pdf",
        extension="pdf",
        writer=hybrid.write,
        checker=check,
        schemas=_SCHEMAS,
        carries_attachments=True,
        payload=hybrid.payload,
        reader=hybrid.read,
        draws=True,
    ),
)
