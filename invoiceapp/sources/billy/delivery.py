"""When and where it was delivered (BG-13) and what period is invoiced (BG-14); Billy knows neither."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from invoiceapp.domain.identifiers import GLN, Participant
from invoiceapp.domain.invoice import Delivery, Line, Period
from invoiceapp.domain.parties import Address
from invoiceapp.domain.settings import CustomerSettings, Settings
from invoiceapp.domain.tax import VatCategory


def invoicing_period(issue_date: date, choice: str) -> Period | None:
    """The whole calendar month of the invoice date, or the one before it."""
    first = issue_date.replace(day=1)
    if choice == "month":
        return _month(first)
    if choice == "previous-month" and first > date.min:
        return _month((first - timedelta(days=1)).replace(day=1))
    return None


def _month(first: date) -> Period:
    return Period(first, first.replace(day=monthrange(first.year, first.month)[1]))


def delivery(lines: Iterable[Line], issue_date: date, buyer_country: str | None, settings: Settings) -> Delivery | None:
    """What the settings say; BR-IC-11 and BR-IC-12 want date and country for intra-community goods in any case."""
    customer = settings.customer
    is_required = any(line.vat.category is VatCategory.INTRA_COMMUNITY for line in lines)
    found = Delivery(
        date=issue_date if is_required or settings.general.delivery_date == "issue-date" else None,
        address=_address(customer, buyer_country, is_required),
        name=customer.delivery_name,
        location=Participant(GLN, customer.delivery_gln) if customer.delivery_gln else None,
    )
    return None if found == Delivery() else found


def _address(customer: CustomerSettings, buyer_country: str | None, is_required: bool) -> Address | None:
    """BR-57: an address has a country, the buyer's where none is given."""
    written = Address(
        street=customer.delivery_street,
        city=customer.delivery_city,
        postal_code=customer.delivery_postal_code,
        country=customer.delivery_country,
    )
    if written == Address() and not is_required:
        return None
    return replace(written, country=written.country or buyer_country)
