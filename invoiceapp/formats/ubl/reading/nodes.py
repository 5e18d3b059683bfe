"""A window on UBL elements: paths of plain names, stripped texts, and errors that name the element.

In UBL every group is a ``cac:`` element and every value a ``cbc:`` element, so
``"Party/Contact/ID"`` needs no prefixes. Where an element stands twice that may
stand once, the first one counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from lxml import etree

from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.money import LARGEST_AMOUNT, to_decimal
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.ubl.envelope import unwrap
from invoiceapp.formats.validation.validator import parse_xml

_UBL = "{urn:oasis:names:specification:ubl:schema:xsd:%s-2}%s"
_ROOTS = {
    _UBL % ("Invoice", "Invoice"): DocumentType.INVOICE,
    _UBL % ("CreditNote", "CreditNote"): DocumentType.CREDIT_NOTE,
}
#: xs:decimal and xs:date; Python's own readers also take ``1_000``, ``1E5``, ``NaN`` and ``2026-W01-1``.
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})?")


@cache
def _group_path(path: str) -> str:
    return "/".join(_UBL % ("CommonAggregateComponents", name) for name in path.split("/"))


@cache
def _value_path(path: str) -> str:
    groups, _, name = path.rpartition("/")
    value = _UBL % ("CommonBasicComponents", name)
    return f"{_group_path(groups)}/{value}" if groups else value


def unreadable(da: str, en: str) -> Unreadable:
    """The error for a document that we cannot use; only its sender can mend it."""
    return Unreadable(
        Text(
            f"Dokumentet kan ikke læses: {da} Bed afsenderen om et rettet dokument.",
            f"The document cannot be read: {en} Ask the sender for a corrected document.",
        )
    )


@dataclass(frozen=True, slots=True)
class Node:
    """One group of the document. Paths name elements below it; all errors are ``Unreadable``."""

    element: etree._Element

    def where(self, path: str) -> str:
        """The full name of what stands, or should stand, at ``path``: ``Invoice/InvoiceLine/ID``."""
        names = [etree.QName(item).localname for item in (self.element, *self.element.iterancestors())]
        return f"{'/'.join(reversed(names))}/{path}"

    def missing(self, path: str) -> Unreadable:
        """The error for a mandatory element that is not there."""
        where, line = self.where(path), self.element.sourceline
        return unreadable(f"»{where}« mangler (linje {line}).", f"“{where}” is missing (line {line}).")

    def wrong(self, path: str, value: str) -> Unreadable:
        """The error for a value that cannot be what the element wants."""
        where, shown, line = self.where(path), value[:40], self.element.sourceline
        return unreadable(
            f"»{where}« kan ikke være »{shown}« (linje {line}).", f"“{where}” cannot be “{shown}” (line {line})."
        )

    def nodes(self, path: str) -> list[Node]:
        """All groups at ``path``."""
        return [Node(item) for item in self.element.iterfind(_group_path(path))]

    def node(self, path: str) -> Node | None:
        """The first group at ``path``."""
        found = self.element.find(_group_path(path))
        return None if found is None else Node(found)

    def needed(self, path: str) -> Node:
        """The first group at ``path``, which must be there."""
        found = self.node(path)
        if found is None:
            raise self.missing(path)
        return found

    def texts(self, path: str) -> list[str]:
        """All values at ``path`` that are not blank."""
        found = ((item.text or "").strip() for item in self.element.iterfind(_value_path(path)))
        return [text for text in found if text]

    def text(self, path: str) -> str | None:
        """The first value at ``path``; None where it is blank or not there."""
        return next(iter(self.texts(path)), None)

    def needed_text(self, path: str) -> str:
        """The first value at ``path``, which must be there."""
        found = self.text(path)
        if found is None:
            raise self.missing(path)
        return found

    def attribute(self, path: str, name: str) -> str | None:
        """An attribute of the first value at ``path``."""
        found = self.element.find(_value_path(path))
        return None if found is None else (found.get(name) or "").strip() or None

    def number(self, path: str) -> Decimal | None:
        """A decimal number; None where there is no value."""
        text = self.text(path)
        if text is None:
            return None
        number = to_decimal(text) if _DECIMAL.fullmatch(text) else None
        if number is None or abs(number) > LARGEST_AMOUNT:
            raise self.wrong(path, text)
        return number

    def needed_number(self, path: str) -> Decimal:
        """A decimal number that must be there."""
        found = self.number(path)
        if found is None:
            raise self.missing(path)
        return found

    def amount(self, path: str, currency: str) -> Decimal | None:
        """A number of ``currency``: another currency would be another sum of money (PEPPOL-EN16931-R051, F-INV012…)."""
        stated = self.attribute(path, "currencyID")
        if stated not in (None, currency):
            raise self.wrong(f"{path}/@currencyID", str(stated))
        return self.number(path)

    def needed_amount(self, path: str, currency: str) -> Decimal:
        """An amount that must be there."""
        found = self.amount(path, currency)
        if found is None:
            raise self.missing(path)
        return found

    def date(self, path: str) -> date | None:
        """A date, whose time zone UBL allows and no invoice means; None where there is no value."""
        text = self.text(path)
        if text is None:
            return None
        shape = _DATE.fullmatch(text)
        try:
            return date.fromisoformat(shape.group(1) if shape else "")
        except ValueError as error:
            raise self.wrong(path, text) from error


def open_document(content: bytes) -> tuple[Node, DocumentType]:
    """The root and what kind of document it is, out of an envelope where it is in one. Raises ``Unreadable``."""
    root = parse_xml(unwrap(content))
    if isinstance(root, Finding):
        raise Unreadable(root.text)
    kind = _ROOTS.get(root.tag)
    if kind is None:
        raise unreadable(
            "Det er hverken en UBL-faktura eller en UBL-kreditnota.",
            "It is neither a UBL invoice nor a UBL credit note.",
        )
    # A comment would cut a value in two.
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
    return Node(root), kind
