"""Changes to an input that keep enough of its structure to get past the first check of a parser."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from lxml import etree

#: Longer inputs are cut: what a parser takes long for is found with small ones, too.
LONGEST = 120_000
_NUMBERS = (
    "0", "-1", "00", "1e999999999", "1e-999999999", "9" * 400, "0x10", "NaN", "-Infinity", "١٢٣", "²", "2147483648",
    "18446744073709551616", "1.7976931348623157e309", "-0", "1_000", " 1 ", "9999-12-31", "0001-01-01", "2026-02-30",
    "2026-11-23T25:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "24:00:00",
)  # fmt: skip
_TEXTS = (
    "", " ", "\x00", "\ud800", "\u202e", "\ufeff", "æøå", "😀", "%s%n{0}{x}", "../../etc/passwd", "'\"<>&;", "]]>", "\r\n\r\n",
    "A" * 5_000, "http://[::1", "https://a:99999/", "//", "\x85", "\u2028", "a\u0301", "İ", "=?utf-8?q?=00?=",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1.5, "", "x", [], {}, [None], [[]], {"": None}, [{}], {"a": {"a": {"a": []}}},
    *_NUMBERS, *_TEXTS,
)  # fmt: skip
_BYTES = tuple(text.encode("utf-8", "surrogatepass") for text in (*_NUMBERS, *_TEXTS))

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutated(random: Random, content: bytes, pool: Sequence[bytes], kind: str, tokens: Sequence[bytes] = ()) -> bytes:
    """``content`` changed in one to four places; ``kind``: a key of ``KINDS``, ``pool``: other inputs to take parts of."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        change = random.choice(KINDS[kind]) if random.random() < 0.7 else random.choice(PLAIN)
        if tokens and random.random() < 0.1:
            at = random.randrange(len(content) + 1)
            content = content[:at] + random.choice(tokens) + content[at:]
            continue
        content = change(random, content, pool)[:LONGEST]
    return content


def _span(random: Random, content: bytes, longest: int = 60) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.randrange(1, longest))


def flip(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """One bit."""
    if not content:
        return b"\x00"
    at = random.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]


def put(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Something awkward in place of a few bytes, or between them."""
    start, end = _span(random, content, 12)
    return content[:start] + random.choice(_BYTES) + content[random.choice((start, end)) :]


def cut(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Without some bytes, or without the end."""
    start, end = _span(random, content)
    return content[:start] + (content[end:] if random.random() < 0.8 else b"")


def repeat(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Some bytes several times, now and then very often."""
    start, end = _span(random, content)
    times = random.choice((2, 2, 3, 10, 2_000))
    return content[:start] + content[start:end] * times + content[end:]


def splice(random: Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """The beginning of this and the end of another."""
    other = random.choice(pool) if pool else content
    return content[: random.randrange(len(content) + 1)] + other[random.randrange(len(other) + 1) :]


def recode(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """The same text in another encoding, or with a mark before it."""
    text = content.decode("utf-8", "replace")
    encoding = random.choice(("utf-16", "utf-16-be", "utf-32", "latin-1", "utf-7", "utf-8-sig", "cp037"))
    return text.encode(encoding, "replace")


def _joined(random: Random, parts: list[bytes], separator: bytes) -> bytes:
    at = random.randrange(len(parts))
    what = random.randrange(5)
    if what == 0:
        del parts[at]
    elif what == 1:
        parts.insert(random.randrange(len(parts) + 1), parts[at])
    elif what == 2:
        other = random.randrange(len(parts))
        parts[at], parts[other] = parts[other], parts[at]
    elif what == 3:
        parts[at] = put(random, parts[at], ())
    else:
        parts[at : at + 1] = [parts[at]] * random.choice((2, 5, 500))
    return separator.join(parts)


def lines(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Lines taken out, doubled, swapped."""
    return _joined(random, content.split(b"\n"), b"\n")


def segments(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Segments, elements or components of EDIFACT taken out, doubled, swapped."""
    return _joined(random, content.split(mark := random.choice((b"'", b"'", b"+", b":"))), mark)


def json_tree(random: Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """One value of a JSON document replaced, taken out, doubled, or buried."""
    try:
        root = json.loads(content)
    except (ValueError, RecursionError):
        return put(random, content, pool)
    places = list(_places({"": root}))
    holder, key = random.choice(places)
    if holder is None or random.random() < 0.02:
        return b"[" * 100_000
    what = random.randrange(4)
    if what == 0 and key != "":
        del holder[key]
    elif what == 1:
        holder[key] = [holder[key]] * random.choice((1, 2, 200))
    else:
        holder[key] = random.choice(_VALUES)
    top = places[0][0]
    return json.dumps(top.get(""), default=str).encode("utf-8", "surrogatepass") if top else b""


def answer_tree(random: Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """A JSON document after one byte that stands for the status; ``content``: both."""
    if random.random() < 0.2:
        return bytes([random.choice(b"21490 5a3")]) + content[1:]
    return content[:1] + json_tree(random, content[1:], pool)


def _places(holder: Any) -> Any:
    for key in holder if isinstance(holder, dict) else range(len(holder)):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])


def xml_tree(random: Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """One element or attribute of an XML document changed, taken out, doubled, moved, or buried."""
    try:
        root = etree.fromstring(content)
    except (etree.XMLSyntaxError, ValueError):
        return put(random, content, pool)
    elements = list(root.iter(etree.Element))
    element = random.choice(elements)
    parent = element.getparent()
    what = random.randrange(8)
    try:
        if what == 0 and parent is not None:
            parent.remove(element)
        elif what == 1 and parent is not None:
            for _ in range(random.choice((1, 1, 2, 300))):
                parent.append(etree.fromstring(etree.tostring(element, with_tail=False)))
        elif what == 2 and parent is not None:
            random.choice(elements).append(element)
        elif what == 3:
            _bury(element, random.choice((3, 50, 240)))
        elif what == 4 and element.attrib:
            element.set(random.choice(list(element.attrib)), random.choice((*_NUMBERS, *_TEXTS)))
        elif what == 5:
            element.append(random.choice((etree.Comment("c"), etree.ProcessingInstruction("p", "i"), etree.CDATA)))
        else:
            element.text = random.choice((*_NUMBERS, *_TEXTS))
    except (ValueError, TypeError, etree.LxmlError):  # what lxml does not write, or an element into itself
        return put(random, content, pool)
    return etree.tostring(root)


def _bury(element: Any, depth: int) -> None:
    for _ in range(depth):
        element = etree.SubElement(element, element.tag)


def xml_prolog(random: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """A document type or an encoding that nobody needs before the root."""
    entity = b'<!DOCTYPE r [<!ENTITY a "' + b"ha" * 20 + b'"><!ENTITY b "' + b"&a;" * 500 + b'">]>'
    heads = (
        entity, b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">', b'<?xml version="1.0" encoding="UTF-16"?>',
        b'<?xml version="1.1"?>', b'<?xml version="1.0" encoding="x-none"?>', b"<?x y?><!-- -->",
    )  # fmt: skip
    body = content.partition(b"?>")[2] if content.startswith(b"<?xml") else content
    return random.choice(heads) + (body.replace(b">", b">&b;", 1) if random.random() < 0.3 else body)


def der_tree(random: Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """One value of ASN.1 (DER) changed, taken out, doubled; lengths around it stay right."""
    values = list(_tlv(content, 0, len(content), ()))
    if not values:
        return flip(random, content, pool)
    start, head, end, around = random.choice(values)
    what = random.randrange(5)
    inside = content[start + head : end]
    if what == 0:
        made = b""
    elif what == 1:
        made = content[start:end] * 2
    elif what == 2:
        made = bytes([content[start] ^ 1 << random.randrange(8)]) + _length(len(inside)) + inside
    elif what == 3:
        other = random.choice((b"", b"\x00", b"\xff" * 8, b"\x7f\xff\xff", bytes(40), inside[::-1], inside[:-1]))
        made = content[start : start + 1] + _length(len(other)) + other
    else:
        other = flip(random, inside, pool)
        made = content[start : start + 1] + _length(len(other)) + other
    return _rebuilt(content, (start, end), made, around)


def _tlv(content: bytes, start: int, end: int, around: tuple[tuple[int, int, int], ...]) -> Any:
    while start + 2 <= end and len(around) < 30:
        head, size = 2, content[start + 1]
        if size & 0x80:
            width = size & 0x7F
            if not 0 < width < 4 or start + 2 + width > end:
                return
            head, size = 2 + width, int.from_bytes(content[start + 2 : start + 2 + width], "big")
        if start + head + size > end:
            return
        yield start, head, start + head + size, around
        inner = (*around, (start, head, start + head + size))
        if content[start] & 0x20:
            yield from _tlv(content, start + head, start + head + size, inner)
        elif content[start] == 4 and size > 8:
            # Octets often hold ASN.1 again.
            yield from _tlv(content, start + head, start + head + size, inner)
        start += head + size


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def _rebuilt(content: bytes, span: tuple[int, int], made: bytes, around: Sequence[tuple[int, int, int]]) -> bytes:
    start, end = span
    for outer, head, outer_end in reversed(around):
        inside = content[outer + head : start] + made + content[end:outer_end]
        made = content[outer : outer + 1] + _length(len(inside)) + inside
        start, end = outer, outer_end
    return content[:start] + made + content[end:]


def zip_tree(random: Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """One member of a zip renamed, doubled, taken out, or changed."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info, archive.read(info)) for info in archive.infolist()[:50]]
    except Exception:  # whatever a broken zip brings about
        return flip(random, content, pool)
    if not members:
        return flip(random, content, pool)
    at, what = random.randrange(len(members)), random.randrange(4)
    info, data = members[at]
    names = ("../../x", "/etc/x", "C:\\x", "a\x00b", "x" * 3_000, "", "\ud800", ".", "..\\x", "CON", info.filename)
    if what == 0:
        del members[at]
    elif what == 1:
        members.append((zipfile.ZipInfo(random.choice(names[:-5])), data))
    else:
        members[at] = (info, random.choice(PLAIN)(random, data, pool))
    made = io.BytesIO()
    try:
        # A name that stands twice is one of the points.
        with (
            warnings.catch_warnings(action="ignore"),
            zipfile.ZipFile(made, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive,
        ):
            for one, kept in members:
                archive.writestr(one.filename, kept)
    except (ValueError, IndexError):
        return flip(random, content, pool)
    return made.getvalue()


PLAIN: tuple[Mutation, ...] = (flip, flip, put, put, cut, repeat, splice, recode)
KINDS: dict[str, tuple[Mutation, ...]] = {
    "bytes": PLAIN,
    "lines": (lines,),
    "edifact": (segments,),
    "json": (json_tree,),
    "answer": (answer_tree,),
    "xml": (xml_tree, xml_tree, xml_tree, xml_prolog),
    "der": (der_tree,),
    "zip": (zip_tree,),
}
