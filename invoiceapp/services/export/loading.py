"""What conversions need of the database: a whole batch in one query, or one document anew.

A batch is read once, and what a document needs is looked at again twice: when its turn comes (``begin``), and in the
transaction that keeps the result (``outbox``), which throws it away where somebody has saved other settings meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import undefer

from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Gateway, Stage, utcnow
from invoiceapp.services.database import changed, reading, transaction
from invoiceapp.services.reach.destination import Destination

from . import standing
from .outbox import Work, has_gone, has_left, still_ours

#: For one document; renewed when its turn comes.
LEASE = timedelta(minutes=10)

_ROWS = (
    select(Document, Adaptor, ExportRule, Gateway)
    .join(Adaptor, Adaptor.id == Document.adaptor_id)
    .join(Customer, (Customer.adaptor_id == Adaptor.id) & (Customer.source_id == Document.customer_source_id))
    .join(ExportRule, ExportRule.customer_id == Customer.id)
    .join(Gateway, Gateway.id == ExportRule.gateway_id)
    .where(ExportRule.active, standing.working(), ~has_gone())
    .options(undefer(Document.bundle))
    .execution_options(populate_existing=True)
)


def of_batch(claimed: Sequence[tuple[str, str]]) -> dict[str, Work]:
    """What is to be converted of the claimed documents (id, token), by id. What is missing ``begin`` reads itself, and says why."""
    if not claimed:
        return {}
    tokens = dict(claimed)
    with reading() as session:
        rows = session.execute(_ROWS.where(Document.id.in_(tokens))).all()
        # Left to themselves, reading them later would open a transaction, and keep it open while the source is asked.
        for row in {id(one): one for found in rows for one in found}.values():
            session.expunge(row)
    return {
        document.id: _work(document, adaptor, rule, gateway, tokens[document.id])
        for document, adaptor, rule, gateway in rows
        if document.lease_token == tokens[document.id]
    }


def begin(document_id: str, token: str, known: Work | None = None) -> Work | None:
    """The work, its lease renewed and its try counted. ``known`` is what the batch has read.

    None where the document is no longer ours, was sent already, or its customer or adaptor was deactivated meanwhile.
    """
    if known is not None and _is_as_read(known):
        known.document.tries += 1
        return known
    return _anew(document_id, token)


def _is_as_read(work: Work) -> bool:
    """Whether nobody has changed the document since it was read; then it is begun. Of the settings the end asks."""
    works = select(Adaptor.id).where(Adaptor.id == work.adaptor.id, standing.working())
    begun = (
        still_ours(work.document.id, work.token)
        .where(Document.updated_at == work.document.updated_at, Document.adaptor_id.in_(works))
        .values(lease_until=utcnow() + LEASE, tries=Document.tries + 1)
    )
    with transaction() as session:
        return changed(session.execute(begun))


def _anew(document_id: str, token: str) -> Work | None:
    with transaction() as session:
        begun = still_ours(document_id, token).values(lease_until=utcnow() + LEASE, tries=Document.tries + 1)
        if not changed(session.execute(begun)):
            return None
        document = session.get_one(Document, document_id, populate_existing=True)
        if has_left(document_id):
            document.stage, document.lease_until, document.lease_token = Stage.CONVERTED, None, None
            return None
        adaptor = session.get_one(Adaptor, document.adaptor_id, populate_existing=True)
        if not standing.is_working(adaptor):
            # It keeps its place, and this was no try.
            document.lease_until, document.lease_token, document.tries = None, None, document.tries - 1
            return None
        row = session.execute(_ROWS.where(Document.id == document_id)).one_or_none()
        if row is None:
            document.stage, document.lease_until, document.lease_token = Stage.LISTED, None, None
            return None
        for one in row:
            session.expunge(one)
        return _work(*row, token)


def _work(document: Document, adaptor: Adaptor, rule: ExportRule, gateway: Gateway, token: str) -> Work:
    return Work(document, document.bundle, adaptor, rule, gateway, token, Destination(gateway, rule.format))
