"""What the files of a document are called: decided when it is converted, used by every attempt to send it.

Kept in the timeline's line "converted", because settings may change between two attempts, and a partner that
gets the same document under another name has got it twice.
"""

from __future__ import annotations

from sqlalchemy import select

from invoiceapp.domain.file_names import FileName
from invoiceapp.domain.invoice import Invoice
from invoiceapp.models import Adaptor, Customer, Delivery, Document, Event, ExportRule, db
from invoiceapp.services.configuration import naming


def of_document(document: Document, invoice: Invoice, adaptor: Adaptor, rule: ExportRule) -> FileName:
    """The decision, by the settings as they are now. Inside the caller's transaction."""
    customer = db.session.get(Customer, rule.customer_id)
    template = naming.template(adaptor.settings, rule.settings)
    return naming.file_name(document, invoice.order_reference, customer.number if customer else None, template)


def of_delivery(delivery: Delivery) -> FileName:
    """What was decided when the document was converted last; nothing for documents of older releases."""
    data = db.session.scalar(
        select(Event.data)
        .where(Event.document_id == delivery.document_id, Event.kind == "converted")
        .order_by(Event.id.desc())
        .limit(1)
    )
    return FileName.from_dict((data or {}).get("file_name") or {})
