"""The customer's order number (BT-13): Billy's own field, else what people wrote into texts, else the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from invoiceapp.domain import number_patterns
from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, warning
from invoiceapp.domain.money import ZERO, to_decimal
from invoiceapp.domain.settings import CustomerSettings

from .texts import clean

Record = Mapping[str, Any]

#: What Peppol prescribes where a receiver wants an order number and there is none (PEPPOL-EN16931-R003).
NOT_APPLICABLE = "NA"
#: Signs of a text that are kept on each side of a number that was found in it.
_AROUND = 60


def order_number(
    invoice: Record, products: Mapping[str, Record], settings: CustomerSettings, findings: list[Finding]
) -> str | None:
    """The number, by the customer's policy; what was wrong or is worth knowing goes to ``findings``."""
    own, pattern = clean(invoice.get("orderNo")), settings.order_number_pattern
    is_required = settings.order_number_policy == "required"
    if own is not None:
        if is_required and pattern and not number_patterns.fits(pattern, own):
            findings.append(_looks_different(own, pattern))
        return own
    found = number_patterns.locate(pattern, _texts(invoice, products)) if pattern else None
    if found is not None:
        findings.append(_found(found))
        return found.number
    if settings.order_number:
        return settings.order_number
    if is_required:
        findings.append(_missing(invoice, pattern))
    return NOT_APPLICABLE if settings.order_number_policy == "not-applicable" else None


def _texts(invoice: Record, products: Mapping[str, Record]) -> Iterator[str | None]:
    """What people wrote, in the order of the printed invoice: the text on top, then each line's name and text."""
    yield clean(invoice.get("contactMessage"))
    for line in sorted(invoice["lines"], key=lambda record: to_decimal(record.get("priority")) or ZERO):
        yield clean(products.get(str(line.get("productId")), {}).get("name"))
        yield clean(line.get("description"))


def _excerpt(found: number_patterns.Found) -> str:
    """The number with some words around it. Cut at blanks only, so that the pattern finds the same in it."""
    start = found.text.rfind(" ", 0, max(found.start - _AROUND, 0)) + 1
    end = found.text.find(" ", found.end + _AROUND)
    return found.text[start : end if end >= 0 else None]


def _found(found: number_patterns.Found) -> Finding:
    return Finding(
        "IA-ORDER-NUMBER-FOUND",
        Severity.INFO,
        Text(
            f"Ordrenummeret {found.number} er fundet i fakturaens tekst.",
            f"The order number {found.number} was found in the text of the invoice.",
        ),
        Turn.HERE,
        term="BT-13",
        location=_excerpt(found),
        fix="customer.orderNumberPattern",
    )


def _looks_different(number: str, pattern: str) -> Finding:
    return warning(
        "IA-ORDER-NUMBER-FORM",
        f"Ordrenummeret »{number}« ligner ikke kundens ordrenumre ({pattern}), og kunden kan afvise fakturaen. Kontroller det i "
        "Billy, eller ret mønsteret på kunden.",
        f"The order number “{number}” does not look like the customer's order numbers ({pattern}), and the customer may refuse the "
        "invoice. Check it in Billy, or correct the pattern on the customer.",
        turn=Turn.SOURCE,
        term="BT-13",
        fix="customer.orderNumberPattern",
    )


def _missing(invoice: Record, pattern: str | None) -> Finding:
    number = clean(invoice.get("invoiceNo"))
    da, en = ("Kreditnota", "Credit note") if invoice.get("type") == "creditNote" else ("Faktura", "Invoice")
    tried = (
        f", og der er intet i teksten, der ligner {pattern}" if pattern else "",
        f", and nothing in its text looks like {pattern}" if pattern else "",
    )
    return fatal(
        "IA-ORDER-NUMBER",
        f"{da} {number} har intet ordrenummer{tried[0]}. Kunden kræver et. Skriv det i feltet »Ordrenr.« i Billy, og hent "
        "dokumentet igen, eller giv kunden et fast ordrenummer eller et mønster, som det kan findes med.",
        f"{en} {number} has no order number{tried[1]}. The customer demands one. Write it in the field “Order no.” in Billy and "
        "fetch the document again, or give the customer a fixed order number or a pattern by which it can be found.",
        turn=Turn.SOURCE,
        term="BT-13",
        fix="customer.orderNumber",
    )
