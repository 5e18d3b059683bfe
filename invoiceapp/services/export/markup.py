"""A document as people read it: folded by element, coloured, and with the places of findings marked.

What is shown is not what was sent, byte for byte; the download is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree
from markupsafe import Markup, escape

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import ReadableLine
from invoiceapp.formats.validation.reports import elements_at

#: Attachments travel inside the document as base64; a wall of letters helps nobody.
LONGEST_TEXT = 2000
#: Lines that are shown at once, and at most where a person asks for all of them.
MOST_LINES, MOST_OF_ALL = 600, 40_000
#: Findings whose places are looked for.
MOST_PLACES = 50
#: Deeper groups begin folded, and so do groups of which there are many beside each other.
_OPEN_LEVELS, _OPEN_SIBLINGS = 3, 3
#: Groups with no more elements inside are shown whole or not at all.
_SMALL = 60

#: A line of the invoice by its number, as rules on the model name it; more may follow in words.
_LINE = re.compile(r"BG-25\[(?P<id>[^\]]+)\]")
_LINES_BY_NUMBER = (
    "//*[local-name()='InvoiceLine' or local-name()='CreditNoteLine'][*[local-name()='ID']=$id]"
    " | //*[local-name()='IncludedSupplyChainTradeLineItem']"
    "[*[local-name()='AssociatedDocumentLineDocument']/*[local-name()='LineID']=$id]"
)


@dataclass(frozen=True, slots=True)
class Words:
    """What the pages say inside of a document that is shown."""

    finding: str = "Finding %s"
    """The link from a place to its finding; ``%s`` is its number, from 1"""
    left_out: str = "%s more"
    """What stands where elements are left out; ``%s`` is how many"""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Shown:
    """Escaped HTML for ``.code-xml``."""

    html: Markup
    is_cut: bool = False
    """Whether only a part is shown"""
    placed: frozenset[int] = frozenset()
    """The findings, by their position from 0, whose place has the id ``place-<number from 1>``"""


Places = Mapping[etree._Element, list[int]]


def _parsed(content: bytes) -> etree._Element | None:
    """None for what is no XML, or has a DTD: entities are not expanded, and e-invoices have none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        return None
    return None if root.getroottree().docinfo.doctype else root


def _located(root: etree._Element, location: str) -> list[etree._Element]:
    named = _LINE.match(location)
    if named is None:
        return elements_at(root, location)
    found = root.xpath(_LINES_BY_NUMBER, id=named["id"])
    return list(found) if isinstance(found, list) else []


def _places(root: etree._Element, locations: Iterable[str | None]) -> dict[etree._Element, list[int]]:
    """Positions of the findings at each element; the first element that a location names."""
    found: dict[etree._Element, list[int]] = {}
    for position, location in list(enumerate(locations))[:MOST_PLACES]:
        elements = _located(root, location) if location else []
        if elements:
            found.setdefault(elements[0], []).append(position)
    return found


def _size(length: int) -> str:
    return f"{length} B" if length < 1000 else f"{length // 1000} kB"


def _text(text: str | None) -> Markup:
    """Character data; of an attachment only its beginning and its size."""
    plain = (text or "").strip()
    if len(plain) <= LONGEST_TEXT:
        return escape(plain)
    return Markup('{}<span class="c"> … {}</span>').format(plain[:40], _size(len(plain)))


@dataclass(slots=True)
class _Writer:
    """One document on its way to HTML."""

    words: Words
    most: int
    places: Places
    kept: frozenset[etree._Element]
    """Elements that are shown however long the document is: the marked ones, and those around them"""
    parts: list[str] = field(default_factory=list)
    count: int = 0
    left_out: int = 0

    def element(self, element: etree._Element, level: int = 0, siblings: int = 1) -> None:
        """One element with everything in it."""
        self.count += 1
        marks = self._marks(element)
        start, end = _start_tag(element), _tag(f"</{_name(element)}>")
        if not len(element):
            body = f"{start}{_text(element.text)}{end}" if element.text else _start_tag(element, closed=True)
            self.parts.append(f'<div class="{"hll" if marks else "leaf"}">{marks}{body}</div>')
            return
        is_open = element in self.kept or (level < _OPEN_LEVELS and siblings <= _OPEN_SIBLINGS)
        marked = ' class="hll"' if marks else ""
        inside = sum(1 for _one in element.iterdescendants())
        if marks:
            self.parts.append(f'<div class="hll">{marks}</div>')
        self.parts.append(
            f"<details{' open' if is_open else ''}><summary{marked}>{start}"
            f'<span class="c folded"> … {inside}</span></summary><div class="in">'
        )
        self._children(element, level + 1, may_cut=inside > _SMALL)
        self.parts.append(f"</div>{end}</details>")

    def _children(self, parent: etree._Element, level: int, *, may_cut: bool) -> None:
        tags: dict[str, int] = {}
        for child in parent.iterchildren(etree.Element):
            tags[child.tag] = tags.get(child.tag, 0) + 1
        if parent.text and parent.text.strip():
            self.parts.append(f"<div>{_text(parent.text)}</div>")
        gap = 0
        for child in parent:
            if may_cut and self.count >= self.most and child not in self.kept:
                gap += 1
                continue
            gap = self._close_gap(gap)
            if isinstance(child.tag, str):
                self.element(child, level, tags[child.tag])
            else:
                self.parts.append(
                    f'<div class="c">{escape(etree.tostring(child, encoding="unicode", with_tail=False))}</div>'
                )
            if child.tail and child.tail.strip():
                self.parts.append(f"<div>{_text(child.tail)}</div>")
        self._close_gap(gap)

    def _close_gap(self, gap: int) -> int:
        if gap:
            self.left_out += gap
            self.parts.append(f'<div class="c">⋮ {escape(self.words.left_out % gap)}</div>')
        return 0

    def _marks(self, element: etree._Element) -> str:
        return "".join(_mark(position, self.words) for position in self.places.get(element, ()))


def _mark(position: int, words: Words) -> str:
    number = position + 1
    return f'<a class="place" id="place-{number}" href="#finding-{number}">{escape(words.finding % number)}</a> '


def _tag(text: str) -> str:
    return f'<span class="nt">{escape(text)}</span>'


def _name(element: etree._Element, tag: str | None = None) -> str:
    """With the document's own prefix."""
    name = etree.QName(tag or element)
    if tag is None:
        return f"{element.prefix}:{name.localname}" if element.prefix else str(name.localname)
    if name.namespace is None:
        return str(name.localname)
    prefix = next((key for key, uri in element.nsmap.items() if key and uri == name.namespace), "xml")
    return f"{prefix}:{name.localname}"


def _start_tag(element: etree._Element, *, closed: bool = False) -> str:
    parent = element.getparent()
    above = parent.nsmap if parent is not None else {}
    declared = {key: uri for key, uri in element.nsmap.items() if above.get(key) != uri}
    attributes = [(f"xmlns:{key}" if key else "xmlns", uri) for key, uri in declared.items()]
    attributes += [(_name(element, str(key)), str(value)) for key, value in element.attrib.items()]
    inside = "".join(
        f' <span class="na">{escape(key)}=</span><span class="s">"{escape(value)}"</span>' for key, value in attributes
    )
    return f"{_tag(f'<{_name(element)}')}{inside}{_tag('/>' if closed else '>')}"


def _around(marked: Iterable[etree._Element]) -> Iterator[etree._Element]:
    for element in marked:
        yield element
        yield from element.iterancestors()


def as_html(
    content: bytes, locations: Sequence[str | None] = (), *, whole: bool = False, words: Words | None = None
) -> Shown | None:
    """Folded and coloured XML; None where ``content`` is no XML or uses entities.

    ``locations`` are those of findings, in the order in which the page numbers them.
    """
    root = _parsed(content)
    if root is None:
        return None
    places = _places(root, locations)
    most = MOST_OF_ALL if whole else MOST_LINES
    writer = _Writer(words or Words(), most, places, frozenset(_around(places)))
    writer.element(root)
    placed = frozenset(position for positions in places.values() for position in positions)
    return Shown(Markup("".join(writer.parts)), bool(writer.left_out), placed)  # noqa: S704 # nosec B704 # made of escaped parts


def as_lines(text: str, *, whole: bool = False) -> Shown:
    """Lines of a format that is not XML; endless ones are cut."""
    lines = text.splitlines()
    shown = lines[: MOST_OF_ALL if whole else MOST_LINES]
    html = Markup("\n").join(
        line if len(line) <= LONGEST_TEXT else f"{line[:60]} … {_size(len(line))}" for line in shown
    )
    return Shown(Markup("<pre>{}</pre>").format(html), len(lines) > len(shown))


def as_segments(
    lines: Sequence[ReadableLine],
    locations: Sequence[str | None] = (),
    *,
    whole: bool = False,
    words: Words | None = None,
) -> Shown:
    """Lines with what each says in words."""
    words = words or Words()
    at = _lines_at(lines, locations)
    most, gap, left_out = MOST_OF_ALL if whole else MOST_LINES, 0, 0
    parts: list[str] = []
    for number, line in enumerate(lines):
        if number >= most and number not in at:
            gap += 1
            continue
        if gap:
            left_out, gap = left_out + gap, _gap(parts, gap, words)
        parts.append(_segment(line, at.get(number, ()), words))
    if gap:
        left_out, gap = left_out + gap, _gap(parts, gap, words)
    placed = frozenset(position for positions in at.values() for position in positions)
    return Shown(Markup("".join(parts)), bool(left_out), placed)  # noqa: S704 # nosec B704 # made of escaped parts


def _gap(parts: list[str], gap: int, words: Words) -> int:
    parts.append(f'<div class="c">⋮ {escape(words.left_out % gap)}</div>')
    return 0


def _lines_at(lines: Sequence[ReadableLine], locations: Sequence[str | None]) -> dict[int, list[int]]:
    by_place: dict[str, int] = {}
    for number, line in enumerate(lines):
        for place in line.places:
            by_place.setdefault(place, number)
    found: dict[int, list[int]] = {}
    for position, location in list(enumerate(locations))[:MOST_PLACES]:
        named = _LINE.match(location or "")
        place = named[0] if named else location or ""
        if place in by_place:
            found.setdefault(by_place[place], []).append(position)
    return found


def _segment(line: ReadableLine, positions: Iterable[int], words: Words) -> str:
    marks = "".join(_mark(position, words) for position in positions)
    text = line.text if len(line.text) <= LONGEST_TEXT else f"{line.text[:60]} … {_size(len(line.text))}"
    tag, rest = text[:3], text[3:]
    meaning = _said(line.meaning, words)
    return (
        f'<div class="segment{" hll" if marks else ""}"><code>{marks}{_tag(tag)}{escape(rest)}</code>'
        f'<span class="meaning">{escape(meaning)}</span></div>'
    )


def _said(text: Text | None, words: Words) -> str:
    return text.in_language(words.language) if text else ""
