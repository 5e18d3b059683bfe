"""Texts that no XML document can carry, and texts that are nothing but blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from invoiceapp.domain.invoice import AllowanceCharge, Invoice, Line
from invoiceapp.domain.parties import Address, Party

from .checks import Problem, is_blank, rules

#: XML 1.0 section 2.2.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: Term, field to mend, and text.
_Text = tuple[str, str, str | None]


def _address(address: Address, terms: tuple[str, str, str, str], fix: str) -> Iterator[_Text]:
    values = (address.street, address.additional, address.city, address.postal_code)
    yield from ((term, fix, value) for term, value in zip(terms, values, strict=True))
    yield terms[0], fix, address.subdivision


def _seller(party: Party) -> Iterator[_Text]:
    yield "BT-27", "supplier.name", party.name
    yield "BT-28", "supplier.name", party.trading_name
    yield "BT-33", "supplier.legalForm", party.legal_form
    yield "BT-30", "source.organization", party.legal_id
    yield "BT-31", "supplier.vatNumber", party.vat_id
    yield "BT-41", "supplier.contactName", party.contact.name
    yield "BT-42", "supplier.phone", party.contact.phone
    yield "BT-43", "supplier.email", party.contact.email
    yield from _address(party.address, ("BT-35", "BT-36", "BT-37", "BT-38"), "source.organization")


def _buyer(party: Party) -> Iterator[_Text]:
    yield "BT-44", "customer.name", party.name
    yield "BT-45", "customer.name", party.trading_name
    yield "BT-47", "source.contact", party.legal_id
    yield "BT-48", "customer.vatNumber", party.vat_id
    yield "BT-56", "customer.contactName", party.contact.name
    yield "BT-57", "source.contact", party.contact.phone
    yield "BT-58", "customer.email", party.contact.email
    yield from _address(party.address, ("BT-50", "BT-51", "BT-52", "BT-53"), "source.contact")


def _references(invoice: Invoice) -> Iterator[_Text]:
    yield "BT-1", "source.invoice", invoice.number
    yield "BT-10", "customer.buyerReference", invoice.buyer_reference
    yield "BT-11", "customer.projectReference", invoice.project_reference
    yield "BT-12", "customer.contractReference", invoice.contract_reference
    yield "BT-13", "customer.orderNumber", invoice.order_reference
    yield "BT-14", "source.invoice", invoice.sales_order_reference
    yield "BT-16", "source.invoice", invoice.despatch_reference
    yield "BT-19", "customer.accountingCost", invoice.accounting_cost
    yield "BT-20", "general.paymentTerms", invoice.payment_terms
    yield "BT-22", "general.note", invoice.note
    for reference in invoice.preceding:
        yield "BT-25", "source.invoice", reference.number


def _payment(invoice: Invoice) -> Iterator[_Text]:
    for means in invoice.payment:
        yield "BT-83", "supplier.paymentMethod", means.payment_id
        yield "BT-84", "supplier.bankAccount", means.account
        yield "BT-85", "supplier.bankAccount", means.account_name
        yield "BT-86", "supplier.bankRegistration", means.branch
        yield "BT-87", "customer.cardNumber", means.card_number
        yield "BT-87", "customer.cardNetwork", means.card_network
        yield "BT-89", "customer.mandate", means.mandate
        yield "BT-91", "customer.payerAccount", means.payer_account
    if invoice.payee is not None:
        yield "BT-59", "supplier.payeeName", invoice.payee.name
        yield "BT-61", "supplier.payeeCvr", invoice.payee.legal_id


def _delivery(invoice: Invoice) -> Iterator[_Text]:
    if invoice.delivery is not None:
        yield "BT-70", "customer.deliveryName", invoice.delivery.name
        if invoice.delivery.location is not None:
            yield "BT-71", "customer.deliveryGln", invoice.delivery.location.value
        if invoice.delivery.address is not None:
            terms = ("BT-75", "BT-76", "BT-77", "BT-78")
            yield from _address(invoice.delivery.address, terms, "customer.deliveryStreet")


def _rest(invoice: Invoice) -> Iterator[_Text]:
    for attachment in invoice.attachments:
        yield "BT-122", "source.invoice", attachment.id
        yield "BT-123", "source.invoice", attachment.description
        yield "BT-125", "source.invoice", attachment.filename
    for group in invoice.vat:
        yield "BT-120", "vat", group.vat.exemption_reason
        yield "BT-121", "vat", group.vat.exemption_code
    for allowance in invoice.allowances_charges:
        yield from _allowance(allowance)


def _allowance(item: AllowanceCharge) -> Iterator[_Text]:
    yield "BT-97", "source.invoice", item.reason
    yield "BT-98", "source.invoice", item.reason_code


def _document(invoice: Invoice) -> Iterator[_Text]:
    yield from _references(invoice)
    yield from _seller(invoice.seller)
    yield from _buyer(invoice.buyer)
    yield from _delivery(invoice)
    yield from _payment(invoice)
    yield from _rest(invoice)


def _line(line: Line) -> Iterator[_Text]:
    item, fix = line.item, "source.invoice"
    yield "BT-126", fix, line.id
    yield "BT-127", fix, line.note
    yield "BT-132", fix, line.order_line
    yield "BT-133", fix, line.accounting_cost
    yield "BT-153", fix, item.name
    yield "BT-154", fix, item.description
    yield "BT-155", fix, item.sellers_id
    yield "BT-156", fix, item.buyers_id
    yield "BT-157", fix, item.standard_id
    for classification in item.classifications:
        yield "BT-158", "customer.unspsc", classification.code
    for allowance in line.allowances_charges:
        yield from _allowance(allowance)


def _unwritable(texts: Iterator[_Text]) -> Iterator[Problem]:
    for term, fix, text in texts:
        if text and _UNWRITABLE.search(text):
            readable = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
            yield Problem("IA-CHARACTERS", cause=term, term=term, fix=fix, value=readable)


#: Mandatory texts: BR-02, BR-06, BR-07, BR-17, BR-21, BR-25, BR-52, BR-55, DK-R-002 tell of these in their own words.
_TOLD = frozenset(["BT-1", "BT-25", "BT-27", "BT-44", "BT-59", "BT-122", "BT-126", "BT-153"])


def _blank(texts: Iterator[_Text]) -> Iterator[Problem]:
    for term, fix, text in texts:
        if text and term not in _TOLD and is_blank(text):
            yield Problem("PEPPOL-EN16931-R008", cause=term, term=term, fix=fix, value=term)


@rules("IA-CHARACTERS")
def characters(invoice: Invoice) -> Iterator[Problem]:
    """The document's own texts have only characters that XML can carry."""
    yield from _unwritable(_document(invoice))
    # Only OIOUBL writes it, and never blank (F-INV051).
    yield from _unwritable(iter([("BT-56", "customer.buyerReference", invoice.buyer.contact.id)]))


@rules("IA-CHARACTERS")
def line_characters(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A line's texts have only characters that XML can carry."""
    yield from _unwritable(_line(line))


@rules("PEPPOL-EN16931-R008")
def blanks(invoice: Invoice) -> Iterator[Problem]:
    """No text of the document is nothing but blanks."""
    yield from _blank(_document(invoice))


@rules("PEPPOL-EN16931-R008")
def line_blanks(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """No text of a line is nothing but blanks."""
    yield from _blank(_line(line))
