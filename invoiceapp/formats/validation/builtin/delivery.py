"""Where and when it was delivered: EN 16931 asks it of sales to other EU countries."""

from __future__ import annotations

from collections.abc import Iterator

from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.tax import VatCategory

from .checks import Problem, is_blank, rules


@rules("BR-IC-11", "BR-IC-12")
def of_goods_to_the_eu(invoice: Invoice) -> Iterator[Problem]:
    """Sales of category K have a date or period, and the country of delivery."""
    if all(group.vat.category is not VatCategory.INTRA_COMMUNITY for group in invoice.vat):
        return
    delivery, period = invoice.delivery, invoice.period
    if not (delivery and delivery.date) and not (period and (period.start or period.end)):
        yield Problem("BR-IC-11")
    if delivery is None or delivery.address is None or is_blank(delivery.address.country):
        yield Problem("BR-IC-12")
