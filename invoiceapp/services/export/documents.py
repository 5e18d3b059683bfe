"""Documents as read: keep them, and decide which are to be exported."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Customer, Delivery, Document, ExportRule, Run, Stage, db, dump_json
from invoiceapp.sources.base import SourceDocument

from . import events


@dataclass(slots=True)
class Tally:
    """What a run found, for its progress."""

    read: int = 0
    queued: int = 0
    not_activated: int = 0
    already_exported: int = 0


def revision(document: SourceDocument) -> str:
    """Hash of the source's records."""
    return hashlib.sha256(dump_json(document.bundle).encode()).hexdigest()


def _known(adaptor_id: str, read: Sequence[SourceDocument]) -> dict[str, Document]:
    rows = db.session.scalars(
        select(Document)
        .where(Document.adaptor_id == adaptor_id, Document.source_id.in_([item.id for item in read]))
        .order_by(Document.id)
        # Locked, so that no conversion ends between this and the decision what to do with the document.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.source_id: row for row in rows}


def _customers(adaptor_id: str, read: Sequence[SourceDocument]) -> dict[str, tuple[str, bool]]:
    """Id and whether an active rule exists, by the customer's id in the source."""
    rows = db.session.execute(
        select(Customer.source_id, Customer.id, ExportRule.active)
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == adaptor_id, Customer.source_id.in_({item.customer_id for item in read}))
    )
    return {source_id: (customer_id, bool(active)) for source_id, customer_id, active in rows}


def _blocked(documents: Sequence[Document]) -> set[str]:
    """Ids of documents whose delivery waits for a correction."""
    return set(
        db.session.scalars(
            select(Delivery.document_id).where(
                Delivery.document_id.in_([document.id for document in documents]),
                Delivery.state == DeliveryState.BLOCKED,
            )
        )
    )


def refresh(document: Document, read: SourceDocument) -> None:
    """Take over what the source says now. Inside the caller's transaction."""
    document.type = read.type
    document.number = read.number[:100]
    document.issue_date = read.issue_date
    document.approved_at = read.approved_at.isoformat() if read.approved_at else None
    document.customer_source_id = read.customer_id
    document.customer_name = read.customer_name[:500]
    document.currency = read.currency[:3]
    document.net, document.vat = read.net, read.vat
    document.order_number = read.order_number[:200] if read.order_number else None
    document.bundle = dict(read.bundle)
    document.bundle_sha256 = revision(read)


def _take_in(read: SourceDocument, document: Document | None, adaptor: Adaptor, is_blocked: bool) -> Document:
    """Insert or refresh one document; what has left keeps the records that it was made of."""
    if document is None:
        document = Document(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, source_id=read.id, stage=Stage.LISTED
        )
        refresh(document, read)
        db.session.add(document)
        db.session.flush()
        events.of_document("fetched", document)
    elif document.bundle_sha256 != revision(read):
        if document.stage is Stage.CONVERTED and not is_blocked:
            events.of_document("changed_in_source", document)
        else:
            refresh(document, read)
            document.tries, document.error = 0, None
            # Whoever converts the old records now must not finish.
            document.lease_until = document.lease_token = None
            if document.stage is Stage.UNUSABLE:
                document.stage = Stage.LISTED
            events.of_document("fetched_again", document)
    return document


def _wants_export(document: Document, adaptor: Adaptor, is_active: bool, is_blocked: bool) -> bool:
    if not is_active or (adaptor.start_date is not None and document.issue_date < adaptor.start_date):
        return False
    return document.stage is Stage.LISTED or is_blocked


def ingest(run: Run, adaptor: Adaptor, read: Sequence[SourceDocument]) -> Tally:
    """Keep a chunk of documents and queue those to be exported. Inside the caller's transaction."""
    known = _known(adaptor.id, read)
    customers = _customers(adaptor.id, read)
    blocked = _blocked(list(known.values()))
    tally = Tally(read=len(read))
    for item in read:
        existing = known.get(item.id)
        is_blocked = existing is not None and existing.id in blocked
        document = _take_in(item, existing, adaptor, is_blocked)
        customer_id, is_active = customers.get(item.customer_id, (None, False))
        document.customer_id = customer_id
        if _wants_export(document, adaptor, is_active, is_blocked):
            queue(document, run_id=run.id)
            tally.queued += 1
        elif document.run_id == run.id:
            # Queued before this run's worker died.
            tally.queued += 1
        elif document.stage is Stage.CONVERTED:
            tally.already_exported += 1
        elif document.stage is Stage.LISTED:
            tally.not_activated += 1
    return tally


def queue(document: Document, *, run_id: str | None) -> None:
    """Mark for conversion. Inside the caller's transaction."""
    document.stage = Stage.QUEUED
    document.run_id = run_id
    document.lease_until = document.lease_token = None
    document.tries, document.error = 0, None
