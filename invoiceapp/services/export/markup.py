"""A document as people read it: indented, coloured, and with the places of findings marked.

What is shown is not what was sent, byte for byte; the download is.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import XmlLexer

from invoiceapp.formats.validation.reports import elements_at

#: Attachments travel inside the document as base64; a wall of letters helps nobody.
LONGEST_TEXT = 2000


def _parsed(text: bytes) -> etree._Element:
    """Raises ``etree.XMLSyntaxError``. No entities and no network: the bytes may hold what a source wrote."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    return etree.fromstring(text, parser)


def _indented(content: bytes) -> str:
    root = _parsed(content)
    for element in root.iter(etree.Element):
        text = str(element.text or "")
        if len(text) > LONGEST_TEXT:
            element.text = f"{text[:60]} … ({len(text)})"
    etree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{etree.tostring(root, encoding="unicode")}'


def lines_of(text: str, locations: Iterable[str]) -> list[int]:
    """Lines on which the located elements start; locations that lead nowhere are left out.

    Raises ``etree.XMLSyntaxError``.
    """
    root = etree.fromstring(text.encode())
    lines = {int(element.sourceline) for location in locations for element in elements_at(root, location)}
    return sorted(lines)


def as_lines(text: str) -> Markup:
    """Escaped lines of a format that is not XML, for the same ``<pre>``; endless ones are cut."""
    return Markup("\n").join(
        line if len(line) <= LONGEST_TEXT else f"{line[:60]} … ({len(line)})" for line in text.splitlines()
    )


def as_html(content: bytes, locations: Iterable[str] = ()) -> Markup | None:
    """Escaped, coloured HTML for a ``<pre>`` in ``.code-xml``; None where ``content`` is no XML or uses entities."""
    try:
        text = _indented(content)
        marked = lines_of(text, locations)
    except etree.XMLSyntaxError:
        # Entities need a DTD, which is not read; e-invoices may have neither.
        return None
    formatter = HtmlFormatter(nowrap=True, hl_lines=marked)
    return Markup(highlight(text, XmlLexer(), formatter))  # noqa: S704 - Pygments escapes what it colours
