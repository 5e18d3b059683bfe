"""A document as people read it: indented, coloured, and with the places of findings marked.

What is shown is not what was sent, byte for byte; the download is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import XmlLexer

from invoiceapp.formats.validation.reports import elements_at

#: Attachments travel inside the document as base64; a wall of letters helps nobody.
LONGEST_TEXT = 2000
#: A document of thousands of lines would be a page of many megabytes; its file can be downloaded.
MOST_LINES, MOST_PLACES = 1_000, 50


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


@dataclass(frozen=True, slots=True)
class Shown:
    """Escaped HTML for a ``<pre>`` in ``.code-xml``."""

    html: Markup
    is_cut: bool = False
    """Whether only a part is shown"""


def _shortened(lines: list[str], marked: Iterable[int]) -> tuple[list[str], list[int]]:
    """The first lines and those around marked ones, and where the marked ones stand then (from 1)."""
    kept = set(range(min(MOST_LINES, len(lines))))
    for line in list(marked)[:MOST_PLACES]:
        kept |= set(range(max(0, line - 3), min(len(lines), line + 2)))
    shown: list[str] = []
    places: list[int] = []
    before = -1
    for number in sorted(kept):
        if number != before + 1:
            shown.append("⋮")
        shown.append(lines[number])
        if number + 1 in set(marked):
            places.append(len(shown))
        before = number
    return shown, places


def as_lines(text: str) -> Shown:
    """Lines of a format that is not XML; endless ones are cut."""
    lines = text.splitlines()
    shown, _places = _shortened(lines, ())
    html = Markup("\n").join(line if len(line) <= LONGEST_TEXT else f"{line[:60]} … ({len(line)})" for line in shown)
    return Shown(html, len(lines) > MOST_LINES)


def as_html(content: bytes, locations: Iterable[str] = ()) -> Shown | None:
    """Coloured XML; None where ``content`` is no XML or uses entities."""
    try:
        text = _indented(content)
        marked = lines_of(text, locations)
    except etree.XMLSyntaxError:
        # Entities need a DTD, which is not read; e-invoices may have neither.
        return None
    lines = text.splitlines()
    shown, places = _shortened(lines, marked)
    formatter = HtmlFormatter(nowrap=True, hl_lines=places)
    html = Markup(highlight("\n".join(shown), XmlLexer(), formatter))  # noqa: S704 - Pygments escapes what it colours
    return Shown(html, len(lines) > MOST_LINES)
