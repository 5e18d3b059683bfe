"""The latest documents of one customer."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Delivery, Document, db

from .queries import Row


def of_customer(customer_id: str, limit: int = 10) -> list[Row]:
    """Newest first, each with its newest delivery."""
    inner = aliased(Delivery)
    newest = (
        select(func.max(inner.id))
        .where(inner.document_id == Document.id, inner.state != DeliveryState.SUPERSEDED)
        .scalar_subquery()
    )
    query = (
        select(Document, Delivery)
        .outerjoin(Delivery, Delivery.id == newest)
        .where(Document.customer_id == customer_id)
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(limit)
    )
    return [Row(document, delivery) for document, delivery in db.session.execute(query)]
