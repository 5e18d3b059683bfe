"""CII at the EN 16931 level: alone, and inside a PDF as Factur-X (in Germany ZUGFeRD 2)."""

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Format, Schema
from invoiceapp.formats.pdf import writer
from invoiceapp.formats.validation.builtin import at_most, check_en16931

from . import cii, hybrid

#: CII takes twice the memory of UBL to judge.
MOST_LINES = 2_000

_SCHEMAS = {document_type: Schema("cii", ("facturx-en16931",)) for document_type in DocumentType}

FORMATS = (
    Format(
        id="cii",
        label=Text("CII (EN 16931)", "CII (EN 16931)"),
        media_type="application/xml",
        extension="xml",
        writer=cii.write,
        checker=at_most(MOST_LINES, check_en16931),
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
        # The page shows what the XML says (Factur-X 1.0, 6.2.2): every line of it.
        checker=at_most(writer.MOST_LINES, check_en16931),
        schemas=_SCHEMAS,
        carries_attachments=True,
        payload=hybrid.payload,
        reader=hybrid.read,
        draws=True,
    ),
)
