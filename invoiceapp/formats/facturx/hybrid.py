"""Factur-X: a PDF/A-3 that people read, with the CII document inside for machines.

WeasyPrint attaches the XML itself. The library's ``generate_from_binary`` writes the
wall clock into the file in four places and takes no other time, so that
the same invoice would never give the same bytes.
"""

from __future__ import annotations

from io import BytesIO

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import LARGEST_DOCUMENT, Parameters, Unreadable
from invoiceapp.formats.pdf.writer import Embedded, render

from . import cii

#: The name that Factur-X 1.0 prescribes, then those of its siblings ZUGFeRD 2 and XRechnung.
FILENAME = "factur-x.xml"
_FILENAMES = (FILENAME, "zugferd-invoice.xml", "xrechnung.xml")

_PROPERTIES = (
    ("DocumentFileName", "The name of the embedded XML document", FILENAME),
    ("DocumentType", "The type of the hybrid document in capital letters, e.g. INVOICE or ORDER", "INVOICE"),
    ("Version", "The actual version of the standard applying to the embedded XML document", "1.0"),
    ("ConformanceLevel", "The conformance level of the embedded XML document", "EN 16931"),
)
_FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"


def _xmp() -> bytes:
    """RDF that says which profile lies inside, and the schema of these words, as PDF/A demands (ISO 19005-3, 6.6.2.3)."""
    declared = "".join(
        f'<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{name}</pdfaProperty:name>'
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{description}</pdfaProperty:description></rdf:li>"
        for name, description, _ in _PROPERTIES
    )
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, _, value in _PROPERTIES)
    return (
        '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about="" '
        'xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" '
        'xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" '
        'xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"><pdfaExtension:schemas><rdf:Bag>'
        '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
        f"<pdfaSchema:namespaceURI>{_FX}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{declared}</rdf:Seq></pdfaSchema:property></rdf:li>"
        "</rdf:Bag></pdfaExtension:schemas></rdf:Description>"
        '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about="" '
        f'xmlns:fx="{_FX}">{values}</rdf:Description>'
    ).encode()


def write(invoice: Invoice, parameters: Parameters) -> bytes:
    """The invoice as PDF/A-3b with the CII inside; it has no options. Raises ``PdfEngineMissing``, and as ``cii.write``."""
    embedded = Embedded(
        name=FILENAME,
        media_type="text/xml",
        description="Factur-X invoice",
        content=cii.write(invoice, parameters),
        # The XML says the same as the pages (Factur-X 1.0, 6.2.2).
        relationship="Alternative",
        xmp=_xmp(),
    )
    return render(invoice, embedded=embedded)


def payload(content: bytes) -> bytes:
    """The XML inside a Factur-X or ZUGFeRD 2 PDF. Raises ``Unreadable``."""
    if len(content) > LARGEST_DOCUMENT:
        raise Unreadable(Text("Filen er for stor.", "The file is too large."))
    if not content.startswith(b"%PDF-"):
        raise Unreadable(Text("Filen er ikke en PDF.", "The file is no PDF."))
    try:
        found = _attachments(content)
    # pypdf fails with whatever a broken file makes its parts fail with; its own limits stop decompression bombs.
    except Exception as error:
        raise Unreadable(Text("PDF-filen er beskadiget.", "The PDF is damaged.")) from error
    for name in _FILENAMES:
        if found.get(name):
            return found[name]
    raise Unreadable(
        Text(
            "PDF-filen har ingen e-faktura i sig. Brug den PDF, som afsenderen har lavet som Factur-X eller ZUGFeRD.",
            "The PDF has no e-invoice inside. Use the PDF that the sender made as Factur-X or ZUGFeRD.",
        )
    )


def _attachments(content: bytes) -> dict[str, bytes]:
    """The files that may be the invoice, by name in small letters; the others are not unpacked."""
    from pypdf import PdfReader  # only where a PDF is read

    return {
        item.name.lower(): bytes(item.content)
        for item in PdfReader(BytesIO(content)).attachment_list
        if item.name.lower() in _FILENAMES
    }


def read(content: bytes) -> Invoice:
    """The invoice inside a Factur-X PDF; see ``carried``. Raises ``Unreadable``."""
    return cii.read(payload(content))
