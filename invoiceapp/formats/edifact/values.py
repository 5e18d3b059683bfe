"""Typed values out of segments; what is no such value makes the message unreadable."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from invoiceapp.domain.invoice import Period
from invoiceapp.domain.tax import VatCategory, VatClass

from .directory import Node
from .syntax import Segment, unreadable

_NUMBER = re.compile(r"-?[0-9]{1,30}([.,][0-9]{0,30})?")
_DATE_FORMS = {"101": "%y%m%d", "102": "%Y%m%d", "203": "%Y%m%d%H%M"}


def number(segment: Segment, element: int, component: int) -> Decimal:
    """A number; also with a comma, because a partner's UNA may say so. Raises ``Unreadable``."""
    text = segment.get(element, component)
    if not _NUMBER.fullmatch(text):
        raise unreadable(
            f"{segment.tag}: »{text[:40]}« er ikke et tal.",
            f"{segment.tag}: “{text[:40]}” is not a number.",
            segment.position,
        )
    return Decimal(text.replace(",", "."))


def day(segment: Segment | None) -> date | None:
    """The date of a DTM; None where there is no segment. Raises ``Unreadable``."""
    if segment is None:
        return None
    text, form = segment.get(0, 1), _DATE_FORMS.get(segment.get(0, 2) or "102")
    try:
        # strptime takes shorter fields than written: 2026111 would be a date.
        if form is None or len(text) != len(datetime(2000, 1, 1).strftime(form)) or not text.isdigit():
            raise ValueError
        return datetime.strptime(text, form).date()
    except ValueError as error:
        raise unreadable(
            f"DTM: »{text[:40]}« er ikke en dato.", f"DTM: “{text[:40]}” is not a date.", segment.position
        ) from error


def period(node: Node) -> Period | None:
    """Begin and end (DTM 167 and 168)."""
    start, end = day(node.first("DTM", "167")), day(node.first("DTM", "168"))
    return Period(start, end) if start or end else None


def joined(parts: tuple[str, ...]) -> str | None:
    """Text that was cut into components; None where there is none."""
    return " ".join(part for part in parts if part) or None


def free_text(node: Node, qualifier: str) -> str | None:
    """All free text of one subject (FTX)."""
    return joined(tuple(part for child in node.all("FTX", qualifier) for part in child.segment.all(3)))


def reference(node: Node, group: str, qualifier: str) -> str | None:
    """The first reference with a qualifier (RFF)."""
    found = node.first(group, qualifier)
    return (found.get(0, 1) or None) if found else None


def money(nodes: list[Node], *qualifiers: str) -> Decimal | None:
    """The first amount with one of the qualifiers, in order of these; those in a named currency are others' amounts."""
    for qualifier in qualifiers:
        for node in nodes:
            if node.segment.get(0) == qualifier and not node.segment.get(0, 2):
                return number(node.segment, 0, 1)
    return None


def vat_class(segment: Segment | None) -> VatClass:
    """Category and rate of a TAX; exempt where there is none. Raises ``Unreadable``."""
    if segment is None:
        return VatClass(VatCategory.EXEMPT, Decimal(0))
    percent = number(segment, 4, 3) if segment.get(4, 3) else Decimal(0)
    code = segment.get(5)
    if code in set(VatCategory):
        return VatClass(VatCategory(code), percent)
    # Partners also write H (higher), AA (lower) or nothing.
    return VatClass(VatCategory.STANDARD if percent else VatCategory.EXEMPT, percent)
