"""Factur-X: a PDF/A-3 with the CII inside, always the same bytes."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from typing import Any

import pypdfium2
import pytest
from lxml import etree
from pypdf import PdfReader, PdfWriter

from invoiceapp.domain.invoice import DocumentType, Item
from invoiceapp.formats.base import Format, Unreadable
from invoiceapp.formats.facturx import FORMATS, hybrid
from invoiceapp.formats.pdf import FORMATS as PDF_FORMATS
from invoiceapp.formats.pdf.writer import MOST_LINES

CII, FACTURX = FORMATS
(PLAIN,) = PDF_FORMATS


def catalogue(content: bytes) -> Any:
    return PdfReader(io.BytesIO(content)).trailer["/Root"]


def metadata(content: bytes) -> etree._Element:
    return etree.fromstring(catalogue(content)["/Metadata"].get_data())


def text_of(content: bytes) -> str:
    document = pypdfium2.PdfDocument(io.BytesIO(content))
    try:
        page = document[0]
        text = page.get_textpage()
        found: str = text.get_text_bounded()
        text.close()
        page.close()
        return found
    finally:
        document.close()


def pdf_with(**files: bytes) -> bytes:
    """A PDF of somebody else; ``_`` in a name stands for a dot."""
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    for name, content in files.items():
        writer.add_attachment(name.replace("_", "."), content)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def test_the_xml_inside_is_the_cii_document(validator, invoice):
    content = FACTURX.write(invoice)
    assert FACTURX.payload(content) == CII.write(invoice)
    report = validator.validate(content, FACTURX, DocumentType.INVOICE)
    assert [finding for finding in report.findings if finding.is_fatal] == []
    assert report.is_complete
    assert FACTURX.reader(content) == CII.reader(CII.write(invoice))


def test_the_library_finds_the_same_xml(invoice):
    import facturx

    assert facturx.get_facturx_xml_from_pdf(FACTURX.write(invoice)) == ("factur-x.xml", CII.write(invoice))


def test_the_pages_say_what_the_xml_says(invoice):
    text = text_of(FACTURX.write(invoice))
    for part in ("Faktura 2042", "Skolen", "1.229,16", "0040 0440116243"):
        assert part in text, part


def test_no_more_lines_are_taken_than_the_page_shows(make_invoice, invoice):
    def found(fmt: Format, count: int) -> list[str]:
        lines = tuple(replace(invoice.lines[0], id=str(n)) for n in range(count))
        return [item.text.en for item in fmt.check(make_invoice(lines=lines)) if item.rule == "IA-TOO-MANY-LINES"]

    assert found(FACTURX, MOST_LINES) == []
    (told,) = found(FACTURX, MOST_LINES + 1)
    assert f"{MOST_LINES + 1} lines" in told
    assert f"at most {MOST_LINES}" in told
    assert found(CII, MOST_LINES + 1) == found(CII, 2_000) == []
    assert ["at most 2000" in text for text in found(CII, 2_001)] == [True]
    assert ["at most 2000" in text for text in found(CII, 5_001)] == [True]


def test_the_same_invoice_gives_the_same_bytes_without_the_clock(invoice):
    content = FACTURX.write(invoice)
    assert content == FACTURX.write(replace(invoice))
    info = PdfReader(io.BytesIO(content)).metadata
    assert (info["/CreationDate"], info["/ModDate"]) == ("D:20261102", "D:20261102")


def test_it_declares_pdf_a_3b_and_the_profile(invoice):
    root = metadata(FACTURX.write(invoice))
    assert root.xpath("count(//*[local-name()='RDF'])") == 1
    assert root.xpath("string(//@*[local-name()='part'])") == "3"
    assert root.xpath("string(//@*[local-name()='conformance'])") == "B"
    fx = {"fx": "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"}
    values = {name: root.xpath(f"string(//fx:{name})", namespaces=fx) for name in
              ("DocumentFileName", "DocumentType", "Version", "ConformanceLevel")}  # fmt: skip
    assert values == {
        "DocumentFileName": "factur-x.xml", "DocumentType": "INVOICE", "Version": "1.0", "ConformanceLevel": "EN 16931",
    }  # fmt: skip
    declared = root.xpath("//*[local-name()='property']//*[local-name()='name']/text()")
    assert declared == list(values)


def test_the_file_is_associated_once_as_an_alternative(invoice):
    root = catalogue(FACTURX.write(invoice))
    (associated,) = root["/AF"]
    spec = associated.get_object()
    assert (spec["/AFRelationship"], spec["/F"], spec["/UF"]) == ("/Alternative", "factur-x.xml", "factur-x.xml")
    stream = spec["/EF"]["/F"].get_object()
    assert (stream["/Subtype"], stream["/Params"]["/ModDate"]) == ("/text/xml", "D:20261102000000Z")


def test_colours_have_a_profile_and_fonts_are_inside(invoice):
    content = FACTURX.write(invoice)
    (intent,) = catalogue(content)["/OutputIntents"]
    assert intent["/S"] == "/GTS_PDFA1"
    assert b"sRGB" in intent["/DestOutputProfile"].get_object().get_data()
    fonts = PdfReader(io.BytesIO(content)).pages[0]["/Resources"]["/Font"]
    for font in fonts.values():
        descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(descriptor), font


def test_a_character_without_a_font_is_replaced_on_the_page_only(invoice):
    # Private use: no font has it, and PDF/A allows no missing glyphs.
    line = replace(invoice.lines[0], item=Item("Cykel \U000f0001 blå"))
    content = FACTURX.write(replace(invoice, lines=(line,)))
    assert "Cykel ? blå" in text_of(content)
    assert FACTURX.reader(content).lines[0].item.name == "Cykel \U000f0001 blå"


def test_a_plain_pdf_stays_without_attachments_and_profile(invoice):
    root = catalogue(PLAIN.write(invoice))
    assert not {"/AF", "/Names", "/OutputIntents", "/Metadata"} & set(root)


@pytest.mark.parametrize("content", [b"", b"\x00", b"<a/>", b"%PDF-1.7", b"%PDF-1.7\n" + b"\x00" * 10_000, b"x" * 100])
def test_what_is_no_pdf_is_unreadable(content):
    with pytest.raises(Unreadable):
        FACTURX.payload(content)


def test_a_pdf_without_an_invoice_says_so(invoice):
    for content in (PLAIN.write(invoice), pdf_with(notes_txt=b"hello", invoice_xml=b"<a/>")):
        with pytest.raises(Unreadable, match="no e-invoice inside"):
            FACTURX.payload(content)
        with pytest.raises(Unreadable):
            FACTURX.reader(content)


def test_a_truncated_file_is_unreadable(invoice):
    content = FACTURX.write(invoice)
    with pytest.raises(Unreadable):
        FACTURX.reader(content[: len(content) // 3])


def test_the_names_of_its_siblings_are_found(invoice):
    xml = CII.write(invoice)
    assert FACTURX.payload(pdf_with(xrechnung_xml=xml, other_txt=b"")) == xml
    assert FACTURX.payload(pdf_with(**{"ZUGFeRD-invoice_xml": xml})) == xml


def test_the_xml_inside_is_read_as_carefully_as_any(invoice):
    evil = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'
    with pytest.raises(Unreadable, match="DOCTYPE"):
        FACTURX.reader(pdf_with(**{"factur-x_xml": evil}))


def test_a_decompression_bomb_is_refused(invoice):
    bomb = zlib.compress(b"\x00" * 200_000_000, 9)
    base = pdf_with(**{"factur-x_xml": b"<a/>"})
    start = base.index(b"<a/>")
    filled = base[:start] + bomb + base[start + 4 :]
    head = filled.rindex(b"/EmbeddedFile", 0, start) + len(b"/EmbeddedFile")
    content = filled[:head] + b"\n/Filter /FlateDecode" + filled[head:]
    content = content.replace(b"/Length 4", b"/Length %d" % len(bomb), 1)
    with pytest.raises(Unreadable):
        FACTURX.payload(content)


def test_a_giant_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(hybrid, "LARGEST_DOCUMENT", 10)
    with pytest.raises(Unreadable, match="too large"):
        FACTURX.payload(b"%PDF-1.7 and more")
