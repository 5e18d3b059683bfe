"""Seller, buyer, payee and the place of delivery: names, countries, numbers."""

from __future__ import annotations

from collections.abc import Iterator

from invoiceapp.domain.findings import Severity, Text
from invoiceapp.domain.identifiers import CVR, is_valid_cvr
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.parties import Party
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, is_blank, rules

#: Both parties with the settings that mend them.
SIDES = (("seller", "supplier", "BT-30", "BT-31", "BT-29"), ("buyer", "customer", "BT-47", "BT-48", "BT-46"))

#: How the texts call them.
WHOSE = {
    "seller": Text("jeres", "your"),
    "buyer": Text("kundens", "the customer's"),
    "payee": Text("betalingsmodtagerens", "the payee's"),
}


def between_danes(invoice: Invoice) -> bool:
    """Whether the rules for Danish sellers with Danish buyers hold (DK-R-003 … DK-R-011, 013, 016, 017)."""
    return invoice.seller.is_danish and invoice.buyer.is_danish


@rules("BR-06", "BR-07")
def names(invoice: Invoice) -> Iterator[Problem]:
    """Both parties have a name."""
    if is_blank(invoice.seller.name):
        yield Problem("BR-06")
    if is_blank(invoice.buyer.name):
        yield Problem("BR-07")


@rules("BR-11")
def buyers_country(invoice: Invoice) -> Iterator[Problem]:
    """The buyer has a country."""
    if is_blank(invoice.buyer.address.country):
        yield Problem("BR-11")


@rules("BR-09")
def sellers_country(invoice: Invoice) -> Iterator[Problem]:
    """The seller has a country."""
    if is_blank(invoice.seller.address.country):
        yield Problem("BR-09")


@rules("BR-57")
def delivery_country(invoice: Invoice) -> Iterator[Problem]:
    """A place of delivery has a country."""
    place = invoice.delivery.address if invoice.delivery else None
    if (
        place is not None
        and not place.country
        and (place.street or place.city or place.postal_code or place.additional)
    ):
        yield Problem("BR-57")


def countries(invoice: Invoice) -> Iterator[tuple[str, str, str]]:
    """The countries that the document names: term, fix and code."""
    place = invoice.delivery.address if invoice.delivery else None
    for term, fix, country in (
        ("BT-40", "source.organization", invoice.seller.address.country),
        ("BT-55", "customer.country", invoice.buyer.address.country),
        ("BT-80", "customer.deliveryCountry", place.country if place else None),
    ):
        if country and not is_blank(country):
            yield term, fix, country


@rules("BR-CL-14")
def known_countries(invoice: Invoice) -> Iterator[Problem]:
    """Countries stand in ISO 3166-1."""
    for term, fix, country in countries(invoice):
        if country not in codes("countries"):
            yield Problem("BR-CL-14", cause=term, term=term, fix=fix, value=country)


@rules("BR-CO-09")
def vat_number_prefixes(invoice: Invoice) -> Iterator[Problem]:
    """VAT numbers begin with a country."""
    for side, group, _, term, _ in SIDES:
        party: Party = getattr(invoice, side)
        if party.vat_id and not is_blank(party.vat_id) and party.vat_id[:2] not in codes("vat_prefixes"):
            yield Problem(
                "BR-CO-09", cause=side, term=term, fix=f"{group}.vatNumber", value=party.vat_id, whose=WHOSE[side]
            )


@rules("BR-CO-26")
def seller_is_identified(invoice: Invoice) -> Iterator[Problem]:
    """The seller has any number at all; a Danish one is told of its CVR number instead (DK-R-002)."""
    seller = invoice.seller
    if not (seller.is_danish or seller.vat_id or seller.legal_id or seller.identifiers):
        yield Problem("BR-CO-26")


@rules("DK-R-014")
def danish_registration(invoice: Invoice) -> Iterator[Problem]:
    """The registration of a Danish seller is a CVR number."""
    seller = invoice.seller
    if seller.is_danish and not is_blank(seller.legal_id) and seller.legal_scheme != CVR:
        yield Problem("DK-R-014", value=seller.legal_id)


@rules("DK-R-002", "IA-CVR")
def danish_seller(invoice: Invoice) -> Iterator[Problem]:
    """A Danish seller has a CVR number."""
    seller = invoice.seller
    if not seller.is_danish:
        return
    if is_blank(seller.legal_id):
        yield Problem("DK-R-002")
    elif seller.legal_scheme == CVR and not is_valid_cvr(seller.legal_id or ""):
        yield Problem("IA-CVR", severity=Severity.WARNING, value=seller.legal_id)


@rules("DK-R-017")
def danish_buyer(invoice: Invoice) -> Iterator[Problem]:
    """The registration of a Danish buyer is a CVR number."""
    buyer = invoice.buyer
    if between_danes(invoice) and buyer.legal_id and buyer.legal_scheme != CVR:
        yield Problem("DK-R-017", value=buyer.legal_id, buyer=buyer.name)


@rules("BR-17", "UBL-SR-19")
def payee(invoice: Invoice) -> Iterator[Problem]:
    """A payee has a name, and it is not the seller."""
    if invoice.payee is None or not (invoice.payee.name or invoice.payee.legal_id):
        return
    name = invoice.payee.name
    if name == invoice.seller.name:
        yield Problem("UBL-SR-19", value=name)
    elif is_blank(name) or name == invoice.seller.trading_name:
        yield Problem("BR-17")
