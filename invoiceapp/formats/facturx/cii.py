"""UN/CEFACT Cross Industry Invoice (CII) at the EN 16931 level, written and read through the ``factur-x`` library.

The library is imported where it is used: it costs half a second, and the web
process only asks what formats there are.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import LARGEST_DOCUMENT, Parameters, Unreadable

from .reading import invoice_of
from .terms import terms_of

_RSM = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
_RAM = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_ROOT = f"{{{_RSM}}}CrossIndustryInvoice"
_SHIP_TO_NAME = f".//{{{_RAM}}}ApplicableHeaderTradeDelivery/{{{_RAM}}}ShipToTradeParty/{{{_RAM}}}Name"


def write(invoice: Invoice, parameters: Parameters) -> bytes:
    """The invoice or credit note as UTF-8 XML; it has no options.

    Raises ``ValueError`` for what the library cannot write at all (no number,
    a currency that ISO 4217 has not, a line without a name): the built-in
    checks refuse such an invoice before.
    """
    import facturx

    terms = terms_of(invoice)
    # The library demands both; an empty name is taken out again below, a breakdown is what the built-in checks demand.
    terms.setdefault("BG-23", [])
    terms.get("BG-13", {}).setdefault("name", "")
    # check_schematron would send the invoice to a server; our validator runs the same rules here.
    content: bytes = facturx.generate_xml(
        terms, flavor="factur-x", level="en16931", check_xsd=False, check_schematron=False
    )
    return _tidied(content)


def _tidied(content: bytes) -> bytes:
    """Without two traces of the library that the schema refuses.

    It marks a delivery without anything in it as ``xsi:nil``, and writes an
    empty name where goods go to an address without one; EN 16931 needs none
    (BT-70 only says who receives where it is not the buyer).
    """
    root = etree.fromstring(content, _parser(content))
    for delivery in root.iter(f"{{{_RAM}}}ApplicableHeaderTradeDelivery"):
        delivery.attrib.pop(_NIL, None)
    for name in [name for name in root.iterfind(_SHIP_TO_NAME) if not name.text]:
        name.getparent().remove(name)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written + b"\n"


def _parser(content: bytes) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=len(content) > 5_000_000,
    )


def _root(content: bytes) -> Any:
    """The root element of a CII document. Raises ``Unreadable``."""
    if len(content) > LARGEST_DOCUMENT:
        raise Unreadable(Text("Filen er for stor.", "The file is too large."))
    try:
        root = etree.fromstring(content, _parser(content))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable(Text("Filen er ikke gyldig XML.", "The file is not valid XML.")) from error
    if root.getroottree().docinfo.doctype:
        raise Unreadable(
            Text("Filen har en DOCTYPE, og det tillader vi ikke.", "The file has a DOCTYPE, which is refused.")
        )
    if root.tag != _ROOT:
        raise Unreadable(
            Text(
                "Filen er ikke en CII-faktura (CrossIndustryInvoice).",
                "The file is no CII invoice (CrossIndustryInvoice).",
            )
        )
    return root


def read(content: bytes) -> Invoice:
    """The invoice that a CII document carries; see ``carried``. Raises ``Unreadable``."""
    import facturx

    root = _root(content)
    try:
        terms = facturx.parse_ubl_cii_xml(root, flavor="factur-x", level="en16931", check_xsd=False)
    # The library fails with whatever its parts fail with: dates, base64, XPath.
    except Exception as error:
        raise Unreadable(
            Text(
                "Fakturaens værdier kan ikke læses. Kontroller filen hos den, der har lavet den.",
                "The values of the invoice cannot be read. Check the file with whoever made it.",
            )
        ) from error
    return invoice_of(terms)
