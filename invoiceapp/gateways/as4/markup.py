"""XML from outside, read without surprises; canonical forms; one child and no other."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from lxml import etree

from invoiceapp.trust import xml

from .errors import EbmsFault, InvalidHeader
from .names import EXC_C14N, WSU, XML, q

#: Attributes that name an element; in WS-Security messages all share one space.
_ID_ATTRIBUTES = (q(WSU, "Id"), "Id", "ID", "id", q(XML, "id"))
#: lxml has no types.
Element = Any


def parse(content: bytes, most: int) -> Element:
    """The root of a document of at most ``most`` bytes, by ``trust.xml``. Raises ``EbmsFault``."""
    try:
        return xml.parse(content, most)
    except xml.XmlRefused as error:
        raise EbmsFault(str(error)) from None


def canonical(element: Element, inclusive: tuple[str, ...] = ()) -> bytes:
    """Exclusive C14N without comments; ``inclusive``: prefixes treated as the inclusive form does. Raises ``EbmsFault``."""
    try:
        written: bytes = etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(inclusive) or None
        )
    except etree.C14NError:
        raise EbmsFault("no canonical form") from None
    return written


def prefix_list(element: Element) -> tuple[str, ...]:
    """Of ``ec:InclusiveNamespaces`` in a transform or canonicalization method."""
    found = element.find(q(EXC_C14N, "InclusiveNamespaces"))
    return tuple((found.get("PrefixList") or "").split()) if found is not None else ()


def children(parent: Element, name: str) -> list[Element]:
    """Direct children of that name."""
    return [one for one in parent if one.tag == name]


def only(parent: Element, name: str, fault: type[EbmsFault] = InvalidHeader) -> Element:
    """The one child of that name. Raises ``fault`` where there is none, or another."""
    found = children(parent, name)
    if len(found) != 1:
        raise fault(f"{len(found)} {etree.QName(name).localname} in {etree.QName(parent).localname}")
    return found[0]


def plain(element: Element, fault: type[EbmsFault] = InvalidHeader) -> str:
    """The text in an element, stripped. Raises ``fault`` where anything but text is in it: a comment would cut what is read
    short, and leave the canonical form as it was signed.
    """
    if len(element):
        raise fault(f"{etree.QName(element).localname} holds more than text")
    return (element.text or "").strip()


def octets(element: Element, fault: type[EbmsFault]) -> bytes:
    """Of the base64 in an element. Raises ``fault``."""
    try:
        return base64.b64decode("".join(plain(element, fault).split()), validate=True)
    except (binascii.Error, ValueError):
        raise fault(f"{etree.QName(element).localname} is no base64") from None


def text_of(parent: Element, name: str) -> str:
    """The text of the one child of that name, stripped; never empty. Raises ``InvalidHeader``."""
    text = plain(only(parent, name))
    if not text:
        raise InvalidHeader(f"{etree.QName(name).localname} is empty")
    return text


def _ids(root: Element) -> Iterator[tuple[str, Element]]:
    for element in root.iter(etree.Element):
        for attribute in _ID_ATTRIBUTES:
            if (value := element.get(attribute)) is not None:
                yield value, element


def by_id(root: Element) -> dict[str, Element]:
    """All elements that have an id. Raises ``EbmsFault`` where two have the same: signature wrapping lives on that."""
    found: dict[str, Element] = {}
    for value, element in _ids(root):
        if value in found:
            raise EbmsFault("an id that is not unique")
        found[value] = element
    return found
