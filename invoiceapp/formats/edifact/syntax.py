"""EDIFACT syntax version 3 (ISO 9735): segments to bytes and bytes to segments.

A segment has elements, an element has components; all are text here. The
parser also takes what partners send: their own service characters (UNA), line
ends between segments, and the repetition sign of syntax version 4 as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Unreadable

from .charset import CODECS, clean

#: Larger than any invoice; keeps a hostile file from taking the memory.
LARGEST_INTERCHANGE = 5_000_000
MOST_SEGMENTS = 100_000
#: No segment of the directory has half as many elements or components.
MOST_PARTS = 99
LINE_ENDS = {"none": "", "lf": "\n", "crlf": "\r\n"}

_UNA = "UNA:+.? '"
_RESERVED = re.compile(r"([?:+'])")
_BLANK = "\r\n\t "


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; trailing empty components and elements are not kept."""

    tag: str
    elements: tuple[tuple[str, ...], ...] = ()
    position: int = 0
    """Place in the interchange, from 1; 0 where it was not read"""

    def get(self, element: int, component: int = 0) -> str:
        """A component by its places from 0; empty where it is left out."""
        if element >= len(self.elements) or component >= len(self.elements[element]):
            return ""
        return self.elements[element][component]

    def all(self, element: int) -> tuple[str, ...]:
        """The components of an element; none where it is left out."""
        return self.elements[element] if element < len(self.elements) else ()


def _trimmed(values: Sequence[str]) -> tuple[str, ...]:
    last = len(values)
    while last and not values[last - 1]:
        last -= 1
    return tuple(values[:last])


def segment(tag: str, *elements: str | Sequence[str]) -> Segment:
    """A segment from simple elements (text) and composites (sequences of text)."""
    parts = [_trimmed((element,) if isinstance(element, str) else element) for element in elements]
    while parts and not parts[-1]:
        parts.pop()
    return Segment(tag, tuple(parts))


def _written(item: Segment, identifier: str) -> str:
    # A password on the envelope (0022) is right or wrong; a likeness of it would be another one.
    is_envelope = item.tag == "UNB"
    elements = (
        ":".join(_RESERVED.sub(r"?\1", value if is_envelope else clean(value, identifier)) for value in element)
        for element in item.elements
    )
    return "+".join((item.tag, *elements)) + "'"


def serialize(segments: Iterable[Segment], *, identifier: str, una: bool = True, line_end: str = "") -> bytes:
    """The interchange's bytes. Values are brought into the set ``identifier`` (UNOA, UNOB or UNOC), but for UNB's."""
    written = [_UNA] if una else []
    written += [_written(item, identifier) for item in segments]
    return (line_end.join(written) + line_end).encode("latin-1")


@dataclass(frozen=True, slots=True)
class _Service:
    component: str = ":"
    element: str = "+"
    release: str = "?"
    terminator: str = "'"


def unreadable(da: str, en: str, position: int = 0) -> Unreadable:
    """The error to raise, naming the segment where one is to blame."""
    if position:
        return Unreadable(Text(f"Segment {position}: {da}", f"Segment {position}: {en}"))
    return Unreadable(Text(da, en))


def _service(text: str) -> tuple[_Service, str]:
    """The service characters, and the text after the UNA where there is one."""
    if not text.startswith("UNA"):
        return _Service(), text
    if len(text) < 9:
        raise unreadable("UNA er for kort.", "UNA is too short.")
    component, element, release, terminator = text[3], text[4], text[6], text[8]
    # A blank release character means that there is none.
    used = [component, element, terminator, *([] if release == " " else [release])]
    if len(set(used)) < len(used) or any(character.isalnum() for character in used) or " " in used[:3]:
        raise unreadable("UNA nævner umulige skilletegn.", "UNA names impossible service characters.")
    return _Service(component, element, "" if release == " " else release, terminator), text[9:]


def decoded(content: bytes) -> str:
    """The text of an interchange, by the character set that its UNB names. Raises ``Unreadable``."""
    if len(content) > LARGEST_INTERCHANGE:
        raise unreadable("Filen er for stor.", "The file is too large.")
    start = re.search(rb"UNB.(UNO[A-Z])", content[:100], re.DOTALL)
    codec = CODECS.get(start[1].decode("ascii"), "latin-1") if start else "latin-1"
    try:
        return content.decode(codec).lstrip(_BLANK)
    except UnicodeDecodeError as error:
        raise unreadable(
            f"Filen er ikke skrevet i det tegnsæt, den nævner ({codec}).",
            f"The file is not written in the character set that it names ({codec}).",
        ) from error


@lru_cache(maxsize=64)
def _until(separator: str, release: str) -> re.Pattern[str]:
    """Text up to a separator that is not released; possessive, so that no text is looked at twice."""
    end, escape = re.escape(separator), re.escape(release)
    released = f"(?:{escape}.[^{end}{escape}]*+)*+" if release else ""
    return re.compile(rf"([^{end}{escape}]*+{released}){end}", re.DOTALL)


def _parts(text: str, separator: str, release: str) -> Iterator[str]:
    """The text between separators that are not released; the last part is what follows the last one."""
    pattern, at = _until(separator, release), 0
    while match := pattern.match(text, at):
        yield match[1]
        at = match.end()
    yield text[at:]


def _terminated(text: str, service: _Service) -> Iterator[str]:
    """The text of each segment, without its terminator."""
    last = None
    for part in _parts(text, service.terminator, service.release):
        if last is not None:
            yield last
        last = part
    if last and last.strip(_BLANK):
        raise unreadable("Det sidste segment mangler sit sluttegn.", "The last segment has no terminator.")


def _split(text: str, separator: str, release: str) -> list[str]:
    if not release or release not in text:
        return text.split(separator)
    return list(_parts(text, separator, release))


def _released(text: str, release: str) -> str:
    if not release or release not in text:
        return text
    return re.sub(rf"{re.escape(release)}(.?)", r"\1", text, flags=re.DOTALL)


def _segment(text: str, service: _Service, position: int) -> Segment:
    separators = text.count(service.element), text.count(service.component)
    if max(separators) > MOST_PARTS + text.count(service.release or service.element):
        raise unreadable("Segmentet har for mange felter.", "The segment has too many fields.", position)
    tag, *elements = _split(text.lstrip(_BLANK), service.element, service.release)
    if not re.fullmatch(r"[A-Z][A-Z0-9]{2}", tag):
        raise unreadable(f"»{tag[:10]}« er ikke et segmentnavn.", f"“{tag[:10]}” is not a segment tag.", position)
    parts = [
        _trimmed([_released(part, service.release) for part in _split(element, service.component, service.release)])
        for element in elements
    ]
    while parts and not parts[-1]:
        parts.pop()
    return Segment(tag, tuple(parts), position)


def parse(content: bytes) -> list[Segment]:
    """The segments of an interchange. Raises ``Unreadable`` with the segment's place."""
    service, text = _service(decoded(content))
    found: list[Segment] = []
    for part in _terminated(text, service):
        if len(found) >= MOST_SEGMENTS:
            raise unreadable("Filen har for mange segmenter.", "The file has too many segments.")
        found.append(_segment(part, service, len(found) + 1))
    if not found or found[0].tag != "UNB":
        raise unreadable("Filen begynder ikke med UNB.", "The file does not begin with UNB.")
    return found


def readable(content: bytes) -> str:
    """The interchange for people: one segment a line. Raises ``Unreadable``."""
    text = decoded(content)
    service, rest = _service(text)
    head = [text[: len(text) - len(rest)]] if text != rest else []
    lines = (part.lstrip(_BLANK) + service.terminator for part in _terminated(rest, service))
    return "\n".join([*head, *lines])
