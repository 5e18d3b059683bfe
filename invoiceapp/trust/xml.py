"""XML from outside: no entities, no network, no DTD, bounded, and no Id twice."""

from __future__ import annotations

from typing import Any

from lxml import etree

_ID_NAMES = frozenset({"id", "{http://www.w3.org/xml/1998/namespace}id"})
_WSU_ID = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"


class XmlRefused(ValueError):
    """Content that is no XML, or XML that nobody honest sends."""


def parse(content: bytes, most: int = 1_000_000) -> Any:
    """The root element. ``most``: bytes. Raises ``XmlRefused``."""
    if len(content) > most:
        raise XmlRefused(f"more than {most} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlRefused(f"no XML: {type(error).__name__}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlRefused("a document type declaration")
    require_unique_ids(root)
    return root


def require_unique_ids(root: Any) -> None:
    """Raises ``XmlRefused``: of two elements with one Id, a signature holds for one and the reader may take the other."""
    seen = set[str]()
    for element in root.iter(etree.Element):
        for name, value in element.attrib.items():
            if name != _WSU_ID and name.lower() not in _ID_NAMES:
                continue
            if value in seen:
                raise XmlRefused("an Id that stands twice")
            seen.add(value)
