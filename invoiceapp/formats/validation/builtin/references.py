"""Number, dates, references and currencies of the document."""

from __future__ import annotations

from collections.abc import Iterator

from invoiceapp.domain.invoice import Invoice, Period
from invoiceapp.domain.money import ZERO
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, is_blank, rules


@rules("BR-02")
def number(invoice: Invoice) -> Iterator[Problem]:
    """The document has a number."""
    if is_blank(invoice.number):
        yield Problem("BR-02")


@rules("PEPPOL-EN16931-R003")
def reference(invoice: Invoice) -> Iterator[Problem]:
    """Peppol demands a buyer reference or an order number."""
    # A sales order alone makes the writer write the order number "NA", which Peppol prescribes.
    if not (invoice.buyer_reference or invoice.order_reference or invoice.sales_order_reference):
        yield Problem("PEPPOL-EN16931-R003")


@rules("BR-55")
def preceding(invoice: Invoice) -> Iterator[Problem]:
    """A document that this one refers to has a number."""
    # The writer leaves out a reference that says nothing.
    if any(is_blank(found.number) and (found.number or found.issue_date) for found in invoice.preceding):
        yield Problem("BR-55")


def is_reversed(period: Period | None) -> bool:
    """Whether a period ends before it begins."""
    return period is not None and period.start is not None and period.end is not None and period.end < period.start


@rules("BR-29")
def period(invoice: Invoice) -> Iterator[Problem]:
    """The invoicing period ends after it begins."""
    if invoice.period is not None and is_reversed(invoice.period):
        yield Problem("BR-29", start=str(invoice.period.start), end=str(invoice.period.end))


@rules("BR-CL-04", "BR-CL-05")
def currencies(invoice: Invoice) -> Iterator[Problem]:
    """Currencies stand in ISO 4217."""
    if invoice.currency not in codes("currencies"):
        yield Problem("BR-CL-04", value=invoice.currency)
    books = invoice.vat_in_tax_currency
    if books is not None and books.currency not in codes("currencies"):
        yield Problem("BR-CL-05", value=books.currency)


@rules("PEPPOL-EN16931-R005", "PEPPOL-EN16931-R055")
def tax_currency(invoice: Invoice) -> Iterator[Problem]:
    """VAT in the currency of the books is in another currency than the invoice, and of the same sign."""
    books = invoice.vat_in_tax_currency
    if books is None:
        return
    if books.currency == invoice.currency:
        yield Problem("PEPPOL-EN16931-R005", value=books.currency)
    elif books.amount * invoice.totals.vat < ZERO:
        yield Problem("PEPPOL-EN16931-R055", value=books.amount, vat=invoice.totals.vat)
