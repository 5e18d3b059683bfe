"""Lines (BG-25)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.invoice import Invoice, Line
from invoiceapp.domain.money import ZERO, divide, multiply, round2, total
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, is_blank, rules
from .parties import between_danes
from .references import is_reversed

#: PEPPOL-EN16931-R120
_LINE_TOLERANCE = Decimal("0.02")
_UNSPSC = "TST"
#: DK-R-003
_UNSPSC_VERSIONS = frozenset(["19.05.01", "19.0501", "26.08.01", "26.0801"])


@rules("BR-16")
def present(invoice: Invoice) -> Iterator[Problem]:
    """There is at least one line."""
    if not invoice.lines:
        yield Problem("BR-16")


#: A UBL document of 5 000 lines takes 150 MB to judge; a worker has 512 MB, half of them for the compiled rules.
MOST_LINES = 5_000


@rules("IA-TOO-MANY-LINES")
def few_enough(invoice: Invoice) -> Iterator[Problem]:
    """A worker can judge the document in the memory that it has."""
    if len(invoice.lines) > MOST_LINES:
        yield Problem("IA-TOO-MANY-LINES", count=len(invoice.lines), limit=MOST_LINES)


@rules("IA-LINE-ID")
def distinct(invoice: Invoice) -> Iterator[Problem]:
    """No two lines have one id: receivers answer by it."""
    twice = [line_id for line_id, count in Counter(line.id for line in invoice.lines).items() if count > 1]
    if twice:
        yield Problem("IA-LINE-ID", value=twice[0])


@rules("BR-21", "BR-25")
def names(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A line has an id and its item a name."""
    if is_blank(line.id):
        yield Problem("BR-21")
    if is_blank(line.item.name):
        yield Problem("BR-25")


@rules("BR-CL-23")
def unit(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """The unit stands in UN/ECE Recommendation 20."""
    if line.unit not in codes("units"):
        yield Problem("BR-CL-23", cause=line.unit, value=line.unit)


@rules("BR-27")
def price(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A price is not negative; what is given back has a negative quantity."""
    if line.price < ZERO:
        yield Problem("BR-27", value=line.price)


@rules("PEPPOL-EN16931-R120", "PEPPOL-EN16931-R121")
def amount(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A line's amount is its quantity x price, with the line's own allowances and charges."""
    if line.base_quantity <= ZERO:
        yield Problem("PEPPOL-EN16931-R121", value=line.base_quantity)
        return
    expected = multiply(line.quantity, line.price)
    if line.base_quantity != 1:
        expected = divide(expected, line.base_quantity, 12)
    if line.allowances_charges:
        expected += total(round2(item.signed) for item in line.allowances_charges)
    net = round2(line.net_amount)
    if abs(net - expected) > _LINE_TOLERANCE:
        yield Problem("PEPPOL-EN16931-R120", stated=net, expected=expected)


@rules("BR-30")
def period(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A line's period ends after it begins."""
    if line.period is not None and is_reversed(line.period):
        yield Problem("BR-30", start=str(line.period.start), end=str(line.period.end))


@rules("PEPPOL-EN16931-R110", "PEPPOL-EN16931-R111")
def period_within(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A line's period lies within that of the document."""
    own, whole = line.period, invoice.period
    if own is None or whole is None:
        return
    if own.start and whole.start and own.start < whole.start:
        yield Problem("PEPPOL-EN16931-R110", start=str(own.start), whole=str(whole.start))
    if own.end and whole.end and own.end > whole.end:
        yield Problem("PEPPOL-EN16931-R111", end=str(own.end), whole=str(whole.end))


@rules("BR-CL-13")
def classifications(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """An item is classified by a list that EN 16931 knows."""
    for item in line.item.classifications:
        if item.list_id not in codes("classifications"):
            yield Problem("BR-CL-13", cause=item.list_id, value=item.list_id)


@rules("DK-R-003")
def unspsc(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """Between Danes UNSPSC codes are of a known version."""
    if not line.item.classifications or not between_danes(invoice):
        return
    versions = [item.version for item in line.item.classifications]
    if any(item.list_id == _UNSPSC for item in line.item.classifications) and _UNSPSC_VERSIONS.isdisjoint(versions):
        yield Problem("DK-R-003", value=versions[0] or "–")
