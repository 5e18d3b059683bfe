"""What the files of a document are called: decided when it is converted, used by every attempt to send it.

Kept in the timeline's line "converted", because settings may change between two attempts, and a partner that
gets the same document under another name has got it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ScalarSelect, select

from invoiceapp.domain.file_names import FileName
from invoiceapp.domain.invoice import Invoice
from invoiceapp.models import Adaptor, Delivery, Document, Event, ExportRule
from invoiceapp.services.configuration import naming


def of_document(
    document: Document, invoice: Invoice, adaptor: Adaptor, rule: ExportRule, customer_number: str | None
) -> FileName:
    """The decision, by the settings of ``adaptor`` and ``rule``."""
    template = naming.template(adaptor.settings, rule.settings)
    return naming.file_name(document, invoice.order_reference, customer_number, template)


def converted() -> ScalarSelect[dict[str, Any]]:
    """For queries that have ``Delivery``: the line that was written when its document was converted last."""
    return (
        select(Event.data)
        .where(Event.document_id == Delivery.document_id, Event.kind == "converted")
        .order_by(Event.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def decided(converted: Mapping[str, Any] | None) -> FileName:
    """What was decided then, by that line's data; nothing for documents of older releases."""
    return FileName.from_dict((converted or {}).get("file_name") or {})
