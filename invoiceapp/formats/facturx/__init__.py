"""CII at the EN 16931 level: alone, and inside a PDF as Factur-X (in Germany ZUGFeRD 2)."""

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Format, Schema
from invoiceapp.formats.validation.builtin import check_en16931

from . import cii, hybrid
from .carried import CARRIED, NOT_CARRIED

__all__ = ["CARRIED", "FORMATS", "NOT_CARRIED"]

_SCHEMAS = {document_type: Schema("cii", ("facturx-en16931",)) for document_type in DocumentType}

FORMATS = (
    Format(
        id="cii",
        label=Text("CII (EN 16931)", "CII (EN 16931)"),
        media_type="application/xml",
        extension="xml",
        writer=cii.write,
        checker=check_en16931,
        schemas=_SCHEMAS,
        reader=cii.read,
    ),
    Format(
        id="facturx",
        label=Text("Factur-X / ZUGFeRD (PDF med e-faktura)", "Factur-X / ZUGFeRD (PDF with e-invoice)"),
        media_type="application/pdf",
        extension="pdf",
        writer=hybrid.write,
        checker=check_en16931,
        schemas=_SCHEMAS,
        payload=hybrid.payload,
        reader=hybrid.read,
        draws=True,
    ),
)
