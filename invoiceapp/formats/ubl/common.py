"""Groups that every UBL dialect writes the same way."""

from __future__ import annotations

from base64 import b64encode

from invoiceapp.domain.invoice import Attachment, DocumentReference, Item

from .xml import escape, group, leaf


def billing_reference(reference: DocumentReference) -> str:
    """The invoice that a document refers to (BG-3)."""
    issued = reference.issue_date.isoformat() if reference.issue_date else None
    return group(
        "BillingReference",
        group("InvoiceDocumentReference", leaf("ID", reference.number), leaf("IssueDate", issued)),
    )


def embedded(item: Attachment) -> str:
    """The file itself (BT-125). Base64 needs no escaping, so the large text goes past ``leaf``."""
    return group(
        "Attachment",
        f'<cbc:EmbeddedDocumentBinaryObject mimeCode="{escape(item.media_type)}" filename="{escape(item.filename)}">'
        f"{b64encode(item.content).decode('ascii')}</cbc:EmbeddedDocumentBinaryObject>",
    )


def item_names(item: Item) -> str:
    """Description, name and the seller's own number of an item (BT-153 … BT-155)."""
    return (
        leaf("Description", item.description)
        + leaf("Name", item.name)
        + group("SellersItemIdentification", leaf("ID", item.sellers_id))
    )
