"""Checks on the bytes: no official rule engine exists for EDIFACT, so these judge what the writer has made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.money import ZERO, plain, total
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.validation import book

from .charset import SETS
from .codes import digit_count, gives
from .directory import SEGMENTS, Component, Node
from .envelope import Envelope, message, unwrap
from .reader import read
from .syntax import Segment, parse
from .values import money, number

#: A broken file breaks everywhere; nobody reads the hundredth finding.
MOST_FINDINGS = 50

_NUMERIC = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def _place(segment: Segment) -> str:
    return f"{segment.tag}[{segment.position}]"


def _component(segment: Segment, element: int, at: int, form: Component | None) -> Iterator[Finding]:
    value = segment.get(element, at)
    place = f"{element + 1}.{at + 1}"
    if form is None:
        if value:
            yield _found("EDI-ELEMENT-UNKNOWN", segment, place, value)
        return
    if not value:
        if form.mandatory:
            yield _found("EDI-ELEMENT-MISSING", segment, place, value)
        return
    if form.numeric and not _NUMERIC.fullmatch(value):
        yield _found("EDI-ELEMENT-NUMBER", segment, place, value)
    length = digit_count(value) if form.numeric else len(value)
    if length > form.length:
        yield _found("EDI-ELEMENT-LENGTH", segment, place, value, limit=form.length, length=length)


def _found(rule: str, segment: Segment, place: str, value: str, *, limit: int = 0, length: int = 0) -> Finding:
    return book.finding(
        rule,
        segment=segment.tag,
        position=segment.position,
        place=place,
        value=value,
        location=_place(segment),
        limit=limit,
        length=length,
    )


def _segment(segment: Segment) -> Iterator[Finding]:
    """Elements against the directory; a segment that it lacks is the structure's affair."""
    forms = SEGMENTS.get(segment.tag)
    if forms is None:
        return
    for at in range(max(len(forms), len(segment.elements))):
        form = forms[at] if at < len(forms) else None
        components = form.components if form else ()
        written = segment.all(at)
        if not written and not (form and form.mandatory):
            continue
        for inner in range(max(len(components), len(written))):
            yield from _component(segment, at, inner, components[inner] if inner < len(components) else None)


def _characters(segments: Sequence[Segment]) -> Iterator[Finding]:
    known = SETS.get(segments[0].get(0))
    if known is None:
        yield _found("EDI-CHARACTER-SET", segments[0], "1.1", segments[0].get(0))
        return
    for item in segments:
        for element, components in enumerate(item.elements):
            for at, value in enumerate(components):
                if not known.issuperset(value):
                    yield _found("EDI-CHARACTERS", item, f"{element + 1}.{at + 1}", value)


def _count(rule: str, stated: Segment, element: int, component: int, actual: int) -> Iterator[Finding]:
    value = stated.get(element, component)
    if value != str(actual):
        yield book.finding(rule, value=value, actual=actual, location=_place(stated))


def _counts(envelope: Envelope, root: Node) -> Iterator[Finding]:
    yield from _count("EDI-UNT-COUNT", envelope.trailer, 0, 0, len(envelope.body) + 2)
    yield from _count("EDI-UNZ-COUNT", envelope.closing, 0, 0, 1)
    lines = root.first("CNT", "2")
    if lines:
        yield from _count("EDI-CNT-COUNT", lines, 0, 1, len(root.all("SG25")))
    for place, node in enumerate(root.all("SG25"), 1):
        yield from _count("EDI-LIN-NUMBER", node.segment, 0, 0, place)
    for rule, first, last, at in (
        ("EDI-UNZ-REFERENCE", envelope.opening, envelope.closing, 4),
        ("EDI-UNT-REFERENCE", envelope.header, envelope.trailer, 0),
    ):
        if first.get(at) != last.get(1):
            yield book.finding(rule, value=last.get(1), actual=first.get(at), location=_place(last))


def _sum(rule: str, stated: Decimal | None, actual: Decimal) -> Iterator[Finding]:
    if stated is None or stated != actual:
        yield book.finding(rule, stated="–" if stated is None else stated, actual=actual)


def _line_amounts(root: Node, invoice: Invoice) -> Iterator[Finding]:
    """Quantity x price is the line's amount: by the net price (AAA), and with the line's allowances by AAB."""
    for node, line in zip(root.all("SG25"), invoice.lines, strict=True):
        before = line.net_amount - total(item.signed for item in line.allowances_charges)
        expected = {"AAA": line.net_amount} | ({"AAB": before} if line.allowances_charges else {})
        for price in (child.segment for child in node.all("SG28") if child.segment.get(0) in expected):
            code, value = price.get(0), number(price, 0, 1)
            basis = number(price, 0, 4) if price.get(0, 4) else Decimal(1)
            if not gives(line.quantity, value, basis, expected[code]):
                yield book.finding(
                    "EDI-SUM-LINE", line=line.id, quantity=plain(line.quantity), price=plain(value), code=code,
                    stated=expected[code], location=_place(price),
                )  # fmt: skip


def _arithmetic(root: Node, invoice: Invoice) -> Iterator[Finding]:
    """The amounts that are stated must follow from one another."""
    stated, totals = root.all("SG48"), invoice.totals
    yield from _sum("EDI-SUM-LINES", money(stated, "79"), total(line.net_amount for line in invoice.lines))
    yield from _sum("EDI-SUM-NET", money(stated, "125"), totals.lines + totals.charges - totals.allowances)
    yield from _sum("EDI-SUM-VAT", money(stated, "124"), total(group.tax_amount for group in invoice.vat))
    yield from _sum("EDI-SUM-BASES", totals.net, total(group.taxable_amount for group in invoice.vat))
    payable = totals.net + totals.vat - totals.prepaid + totals.rounding
    yield from _sum("EDI-SUM-PAYABLE", money(stated, "77", "9", "86"), payable)
    if totals.charges != ZERO or totals.allowances != ZERO:
        yield from _sum("EDI-SUM-CHARGES", money(stated, "131"), totals.charges - totals.allowances)


def _all(content: bytes) -> Iterator[Finding]:
    segments = parse(content)
    for item in segments:
        yield from _segment(item)
    yield from _characters(segments)
    envelope = unwrap(segments)
    root = message(envelope)
    yield from _counts(envelope, root)
    invoice = read(content)
    yield from _line_amounts(root, invoice)
    yield from _arithmetic(root, invoice)


def examine(content: bytes) -> list[Finding]:
    """Syntax, structure, elements, counts, references and arithmetic of an interchange."""
    findings: list[Finding] = []
    try:
        for found in _all(content):
            findings.append(found)
            if len(findings) >= MOST_FINDINGS:
                break
    except Unreadable as error:
        findings.append(book.finding("EDI-SYNTAX", reason=error.text))
    return findings
