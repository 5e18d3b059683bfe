"""What conversions need of the database: a whole batch in one query, or one document anew.

A batch is read once, and what a document needs is looked at again twice: when its turn comes (``begin``), and in the
transaction that keeps the result (``outbox``), which throws it away where somebody has saved other settings meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import undefer

from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Gateway, Stage, db, utcnow
from invoiceapp.services.database import changed, reading, transaction
from invoiceapp.services.reach.destination import Destination

from . import standing
from .outbox import STILL_OURS, Work, change_ours, has_gone, has_left

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
_TABLE = db.metadata.tables["document"]
_STILL_AS_READ = STILL_OURS.where(
    _TABLE.c.updated_at == bindparam("read_at"),
    exists().where(Adaptor.id == _TABLE.c.adaptor_id, standing.working()),
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
    document = work.document
    read = {"ours": document.id, "token": work.token, "read_at": document.updated_at}
    with transaction() as session:
        return changed(
            session.execute(_STILL_AS_READ, {**read, "lease_until": utcnow() + LEASE, "tries": document.tries + 1})
        )


def _anew(document_id: str, token: str) -> Work | None:
    with transaction() as session:
        if not change_ours(document_id, token, lease_until=utcnow() + LEASE):
            return None
        document = session.get_one(Document, document_id, populate_existing=True)
        if has_left(document_id):
            document.stage, document.lease_until, document.lease_token = Stage.CONVERTED, None, None
            return None
        adaptor = session.get_one(Adaptor, document.adaptor_id, populate_existing=True)
        if not standing.is_working(adaptor):
            # It keeps its place, and this was no try.
            document.lease_until, document.lease_token = None, None
            return None
        document.tries += 1
        row = session.execute(_ROWS.where(Document.id == document_id)).one_or_none()
        if row is None:
            document.stage, document.lease_until, document.lease_token = Stage.LISTED, None, None
            return None
        for one in row:
            session.expunge(one)
        return _work(*row, token)


def _work(document: Document, adaptor: Adaptor, rule: ExportRule, gateway: Gateway, token: str) -> Work:
    return Work(document, document.bundle, adaptor, rule, gateway, token, Destination(gateway, rule.format))
