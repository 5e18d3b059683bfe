"""SG2: the parties of an invoice, their accounts, numbers and contacts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from invoiceapp.domain.identifiers import GLN
from invoiceapp.domain.invoice import Delivery, Invoice, PaymentMeans
from invoiceapp.domain.parties import Address, Contact, Party, Payee

from .profiles import Profile
from .syntax import Segment, segment

#: Width and number of pieces that a NAD has room for.
NAME, STREET, CITY, POSTAL_CODE, CONTACT = (35, 5), (35, 4), (35, 1), (9, 1), (35, 1)

_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2,5}")


def sender(invoice: Invoice, profile: Profile) -> str:
    """GLN of the mailbox that sends; empty where there is none."""
    return profile.sender_gln or invoice.seller.gln or ""


def receiver(invoice: Invoice, profile: Profile) -> str:
    """GLN of the mailbox that receives; empty where there is none."""
    return profile.receiver_gln or invoice.buyer.gln or ""


def seller_gln(invoice: Invoice, profile: Profile) -> str:
    """GLN of the supplier (NAD+SU)."""
    return invoice.seller.gln or profile.sender_gln


def buyer_gln(invoice: Invoice, profile: Profile) -> str:
    """GLN of the buyer (NAD+BY)."""
    return invoice.buyer.gln or profile.receiver_gln


def delivery_gln(invoice: Invoice, profile: Profile) -> str:
    """GLN of the place of delivery (NAD+DP): the invoice's own, else the buyer's where every message must have one."""
    delivery = invoice.delivery
    if delivery and delivery.location and delivery.location.scheme == GLN:
        return delivery.location.value
    return buyer_gln(invoice, profile) if profile.delivery_party else ""


def _name_and_address(qualifier: str, gln: str, name: str | None, address: Address | None, profile: Profile) -> Segment:
    identification = (gln, "", "9") if gln else ()
    if not profile.addresses or address is None:
        return segment("NAD", qualifier, identification, "", profile.pieces(name, *NAME) if profile.addresses else "")
    street = (profile.pieces(address.street, *STREET) + profile.pieces(address.additional, *STREET))[: STREET[1]]
    return segment(
        "NAD", qualifier, identification, "", profile.pieces(name, *NAME), street, "".join(profile.pieces(address.city, *CITY)), "",
        "".join(profile.pieces(address.postal_code, *POSTAL_CODE)), profile.clean(address.country)[:3],
    )  # fmt: skip


def _numbers(party: Party, profile: Profile) -> Iterator[Segment]:
    for qualifier, number in ((profile.vat_qualifier, party.vat_id), (profile.company_qualifier, party.legal_id)):
        if qualifier and profile.clean(number):
            yield segment("RFF", (qualifier, profile.clean(number)))


def _contact(contact: Contact, profile: Profile) -> Iterator[Segment]:
    name = profile.pieces(contact.name, *CONTACT)
    # UNOA and UNOB have no "@": a likeness of an address reaches nobody.
    email = contact.email if profile.keeps(contact.email) else None
    channels = [(profile.clean(value), code) for value, code in ((contact.phone, "TE"), (email, "EM"))]
    numbers = [channel for channel in channels if channel[0]]
    if not profile.contacts or not (name or numbers):
        return
    # 3413 stays empty: the person reference is OIOUBL's own, and CR has it here.
    yield segment("CTA", "IC", ("", *name))
    for channel in numbers:
        yield segment("COM", channel)


def _account(means: tuple[PaymentMeans, ...], profile: Profile) -> Iterator[Segment]:
    """The account that is paid to; a message has room for one way to pay."""
    if not profile.payment or not means or not profile.clean(means[0].account):
        return
    branch = profile.clean(means[0].branch)
    institution = (branch, "25", "5") if _BIC.fullmatch(branch) else ("", "", "", branch)
    account = (profile.clean(means[0].account), *profile.pieces(means[0].account_name, 35, 2))
    yield segment("FII", "RB", account, institution if branch else "")


def _delivery_party(invoice: Invoice, profile: Profile) -> Iterator[Segment]:
    delivery = invoice.delivery or Delivery()
    gln = delivery_gln(invoice, profile)
    known = profile.addresses and (delivery.name or delivery.address)
    if gln or known:
        yield _name_and_address("DP", gln, delivery.name, delivery.address, profile)


def _payee(payee: Payee | None, profile: Profile) -> Iterator[Segment]:
    if payee is None:
        return
    yield segment("NAD", "PE", "", "", profile.pieces(payee.name, *NAME))
    if profile.clean(payee.legal_id):
        yield segment("RFF", ("XA", profile.clean(payee.legal_id)))


def parties(invoice: Invoice, profile: Profile) -> Iterator[Segment]:
    """Supplier, buyer, and where they are known or wanted invoicee, place of delivery and payee."""
    seller, buyer = invoice.seller, invoice.buyer
    yield _name_and_address("SU", seller_gln(invoice, profile), seller.name, seller.address, profile)
    yield from _account(invoice.payment, profile)
    yield from _numbers(seller, profile)
    yield from _contact(seller.contact, profile)
    yield _name_and_address("BY", buyer_gln(invoice, profile), buyer.name, buyer.address, profile)
    yield from _numbers(buyer, profile)
    yield from _contact(buyer.contact, profile)
    invoicee = profile.invoicee_gln or (buyer_gln(invoice, profile) if profile.invoicee else "")
    if invoicee:
        yield segment("NAD", "IV", (invoicee, "", "9"))
    yield from _delivery_party(invoice, profile)
    yield from _payee(invoice.payee, profile)
