"""Groups that every UBL dialect writes the same way."""

from __future__ import annotations

import re
from base64 import b64encode

from invoiceapp.domain.invoice import Attachment, Delivery, DocumentReference, Invoice, Item, PaymentMeans, Period

from .xml import escape, group, leaf


def billing_reference(reference: DocumentReference) -> str:
    """The invoice that a document refers to (BG-3)."""
    issued = reference.issue_date.isoformat() if reference.issue_date else None
    return group(
        "BillingReference",
        group("InvoiceDocumentReference", leaf("ID", reference.number), leaf("IssueDate", issued)),
    )


def order_reference(invoice: Invoice, *, needed: bool = False) -> str:
    """The buyer's and the seller's order number (BT-13, BT-14).

    UBL wants an ID in OrderReference; NA is what Peppol prescribes where only
    BT-14 is known. ``needed``: where the group must be there in any case.
    """
    order = invoice.order_reference or ("NA" if needed or invoice.sales_order_reference else None)
    return group("OrderReference", leaf("ID", order), leaf("SalesOrderID", invoice.sales_order_reference))


def document_reference(name: str, number: str | None) -> str:
    """A document that is only named, such as the contract (BT-12) or the delivery note (BT-16)."""
    return group(name, leaf("ID", number)) if number else ""


def project_as_document(number: str | None) -> str:
    """BT-11 where the schema has no ProjectReference; type code 50 stands for it."""
    if not number:
        return ""
    return group("AdditionalDocumentReference", leaf("ID", number), leaf("DocumentTypeCode", "50"))


def period(value: Period | None) -> str:
    """When something was done that is invoiced (BG-14, BG-26)."""
    if value is None:
        return ""
    return group(
        "InvoicePeriod",
        leaf("StartDate", value.start.isoformat() if value.start else None),
        leaf("EndDate", value.end.isoformat() if value.end else None),
    )


def delivery(value: Delivery, location: str, address: str) -> str:
    """When, where and to whom (BG-13); ``location`` and ``address`` as the dialect writes them."""
    return group(
        "Delivery",
        leaf("ActualDeliveryDate", value.date.isoformat() if value.date else None),
        group("DeliveryLocation", location, address),
        group("DeliveryParty", group("PartyName", leaf("Name", value.name))),
    )


def embedded(item: Attachment) -> str:
    """The file itself (BT-125). Base64 needs no escaping, so the large text goes past ``leaf``."""
    return group(
        "Attachment",
        f'<cbc:EmbeddedDocumentBinaryObject mimeCode="{escape(item.media_type)}" filename="{escape(item.filename)}">'
        f"{b64encode(item.content).decode('ascii')}</cbc:EmbeddedDocumentBinaryObject>",
    )


def item_names(item: Item) -> str:
    """Description, name, and the buyer's and the seller's own number of an item (BT-153 … BT-156)."""
    return (
        leaf("Description", item.description)
        + leaf("Name", item.name)
        + (group("BuyersItemIdentification", leaf("ID", item.buyers_id)) if item.buyers_id else "")
        + (group("SellersItemIdentification", leaf("ID", item.sellers_id)) if item.sellers_id else "")
    )


def bar_code(gtin: str, **scheme: str) -> str:
    """BT-157, with the dialect's name of the scheme (BR-64)."""
    return group("StandardItemIdentification", leaf("ID", gtin, **scheme))


def card_account(means: PaymentMeans) -> str:
    """The card that has paid (BG-18); UBL demands the network."""
    if not means.card_number:
        return ""
    return group(
        "CardAccount", leaf("PrimaryAccountNumberID", means.card_number), leaf("NetworkID", means.card_network or "NA")
    )


def has_registration_number(means: PaymentMeans) -> bool:
    """Whether the bank is named by a Danish registration number, not by its BIC."""
    return re.fullmatch(r"[0-9]{4}", means.branch or "") is not None
