"""Texts that no XML document can carry, and texts that are nothing but blanks."""

from __future__ import annotations

from collections.abc import Iterator

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import AllowanceCharge, Invoice, Line
from invoiceapp.domain.parties import Address, Party
from invoiceapp.formats.base import UNWRITABLE

from .checks import Problem, is_blank, rules

#: How the texts call the fields.
_NAMES = {
    "BT-1": Text("dokumentets nummer", "the document's number"),
    "BT-10": Text("personreferencen", "the buyer reference"),
    "BT-11": Text("projektnummeret", "the project number"),
    "BT-12": Text("kontraktnummeret", "the contract number"),
    "BT-13": Text("ordrenummeret", "the order number"),
    "BT-14": Text("salgsordrens nummer", "the sales order's number"),
    "BT-16": Text("følgesedlens nummer", "the delivery note's number"),
    "BT-19": Text("kontostrengen", "the accounting cost"),
    "BT-20": Text("betalingsbetingelserne", "the payment terms"),
    "BT-22": Text("noten", "the note"),
    "BT-25": Text("nummeret på den tidligere faktura", "the earlier invoice's number"),
    "BT-27": Text("jeres navn", "your name"),
    "BT-28": Text("jeres firmanavn", "your trading name"),
    "BT-30": Text("jeres registreringsnummer", "your registration number"),
    "BT-31": Text("jeres momsnummer", "your VAT number"),
    "BT-33": Text("selskabsoplysningerne", "the company form and capital"),
    "BT-35": Text("jeres gade", "your street"),
    "BT-36": Text("jeres anden adresselinje", "your second address line"),
    "BT-37": Text("jeres by", "your city"),
    "BT-38": Text("jeres postnummer", "your postal code"),
    "BT-41": Text("jeres kontaktperson", "your contact person"),
    "BT-42": Text("jeres telefonnummer", "your telephone number"),
    "BT-43": Text("jeres e-mailadresse", "your e-mail address"),
    "BT-44": Text("kundens navn", "the customer's name"),
    "BT-45": Text("kundens firmanavn", "the customer's trading name"),
    "BT-47": Text("kundens registreringsnummer", "the customer's registration number"),
    "BT-48": Text("kundens momsnummer", "the customer's VAT number"),
    "BT-50": Text("kundens gade", "the customer's street"),
    "BT-51": Text("kundens anden adresselinje", "the customer's second address line"),
    "BT-52": Text("kundens by", "the customer's city"),
    "BT-53": Text("kundens postnummer", "the customer's postal code"),
    "BT-56": Text("kundens kontaktperson", "the customer's contact person"),
    "BT-57": Text("kundens telefonnummer", "the customer's telephone number"),
    "BT-58": Text("kundens e-mailadresse", "the customer's e-mail address"),
    "BT-59": Text("betalingsmodtagerens navn", "the payee's name"),
    "BT-61": Text("betalingsmodtagerens CVR-nummer", "the payee's CVR number"),
    "BT-70": Text("leveringsstedets navn", "the name of the place of delivery"),
    "BT-71": Text("leveringsstedets nummer", "the number of the place of delivery"),
    "BT-75": Text("leveringsstedets gade", "the street of the place of delivery"),
    "BT-76": Text("leveringsstedets anden adresselinje", "the second address line of the place of delivery"),
    "BT-77": Text("leveringsstedets by", "the city of the place of delivery"),
    "BT-78": Text("leveringsstedets postnummer", "the postal code of the place of delivery"),
    "BT-83": Text("betalingsreferencen", "the payment reference"),
    "BT-84": Text("kontonummeret", "the account number"),
    "BT-85": Text("kontoens navn", "the account's name"),
    "BT-86": Text("registreringsnummeret til kontoen", "the bank registration number"),
    "BG-18": Text("korttypen", "the card network"),
    "BT-87": Text("kortet", "the card"),
    "BT-89": Text("betalingsaftalen", "the direct-debit agreement"),
    "BT-91": Text("kontoen, der trækkes fra", "the account that is debited"),
    "BT-97": Text("grunden til en rabat eller et gebyr", "the reason of an allowance or charge"),
    "BT-98": Text("koden for en rabat eller et gebyr", "the code of an allowance or charge"),
    "BT-120": Text("fritagelsesgrunden", "the exemption reason"),
    "BT-121": Text("fritagelseskoden", "the exemption code"),
    "BT-122": Text("bilagets nummer", "the attachment's number"),
    "BT-123": Text("bilagets beskrivelse", "the attachment's description"),
    "BT-125": Text("bilagets filnavn", "the attachment's file name"),
    "BT-126": Text("linjens nummer", "the line's number"),
    "BT-127": Text("linjens note", "the line's note"),
    "BT-132": Text("ordrelinjens nummer", "the order line's number"),
    "BT-133": Text("linjens kontostreng", "the line's accounting cost"),
    "BT-153": Text("varens navn", "the item's name"),
    "BT-154": Text("varens beskrivelse", "the item's description"),
    "BT-155": Text("varenummeret", "the product number"),
    "BT-156": Text("kundens varenummer", "the customer's product number"),
    "BT-157": Text("stregkoden", "the bar code"),
    "BT-158": Text("varekoden", "the classification"),
}
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
        yield "BG-18", "customer.cardNetwork", means.card_network
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
        if text and UNWRITABLE.search(text):
            readable = UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
            yield Problem("IA-CHARACTERS", cause=term, term=term, fix=fix, value=readable, field=_NAMES[term])


#: Mandatory texts: BR-02, BR-06, BR-07, BR-17, BR-21, BR-25, BR-52, BR-55, DK-R-002 tell of these in their own words.
_TOLD = frozenset(["BT-1", "BT-25", "BT-27", "BT-44", "BT-59", "BT-122", "BT-126", "BT-153"])


def _blank(texts: Iterator[_Text]) -> Iterator[Problem]:
    for term, fix, text in texts:
        if text and term not in _TOLD and is_blank(text):
            yield Problem("PEPPOL-EN16931-R008", cause=term, term=term, fix=fix, value=_NAMES[term])


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
