"""What names one UBL document among all others: its kind, its numbers and its parties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from invoiceapp.trust.xml import XmlRefused, parse

#: Bytes of a document; its PDF travels inside it.
LARGEST = 25_000_000
_PARTIES = {"AccountingSupplierParty", "AccountingCustomerParty"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Equal for two files exactly where both are the same document of the same seller to the same buyer."""

    kind: str
    """Local name of the root: ``Invoice``, ``CreditNote``"""
    number: str
    uuid: str
    issued: str
    parties: tuple[str, ...]
    """``scheme:value`` of the seller's and of the buyer's electronic address"""


def identity(content: bytes) -> Identity | None:
    """Of a document; None where it is no UBL that names itself."""
    try:
        root = parse(content, LARGEST)
    except XmlRefused:
        return None
    number = _text(root, "ID")
    if not number:
        return None
    parties = tuple(_address(child) for child in root if _name(child) in _PARTIES)
    return Identity(_name(root), number, _text(root, "UUID").lower(), _text(root, "IssueDate"), parties)


def _address(party: Any) -> str:
    found = next((one for one in party.iter(etree.Element) if _name(one) == "EndpointID"), None)
    return "" if found is None else f"{found.get('schemeID', '')}:{(found.text or '').strip()}"


def _text(root: Any, name: str) -> str:
    """Of the root's own child; lines have numbers too."""
    return next(((child.text or "").strip() for child in root if _name(child) == name), "")


def _name(element: Any) -> str:
    # Comments have no name.
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
