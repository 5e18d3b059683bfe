"""Deleting what is kept no longer: a document with everything of it, some at a time, and the files that nothing names any more.

Each batch is one transaction. A file is noted in it and removed afterwards, so that a kill in between loses nothing that a
row still needs, and leaves nothing behind for ever.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, or_, select, update

from invoiceapp.models import (
    ApprovalWait,
    Attempt,
    Delivery,
    Document,
    Event,
    FoundDocument,
    NumberedInterchange,
    PreflightResult,
    Problem,
    ProblemDocument,
    Receipt,
    Rendition,
    SentNumber,
    StatusChange,
    ValueAuthor,
    db,
    utcnow,
)
from invoiceapp.services import audit
from invoiceapp.services.database import transaction
from invoiceapp.services.export.validators import today
from invoiceapp.services.proof.evidence import packs

from . import discarding, incoming, proofs, retention, terms

log = logging.getLogger(__name__)

BATCH = 100
#: Seconds of work after which other work gets its turn.
SLICE = 5.0


@dataclass(slots=True)
class Done:
    """What went."""

    documents: int = 0
    files: int = 0
    is_over: bool = True
    """Whether nothing more is due"""


def night() -> bool:
    """One slice for the subscription whose turn it is; True while there is more."""
    with transaction() as session:
        subscription_id = session.scalar(retention.next_query(today()))
    if subscription_id is not None:
        run(subscription_id, seconds=SLICE)
        return True
    return discarding.remove(BATCH) == BATCH


def run(subscription_id: str, seconds: float | None = None) -> Done:
    """Delete what is due of a subscription; with ``seconds``, about so long."""
    started, done = time.monotonic(), Done()
    while True:
        deleted = _delete_batch(subscription_id)
        done.documents += deleted
        if deleted < BATCH:
            break
        if seconds is not None and time.monotonic() - started > seconds:
            done.is_over = False
            return done
    incoming.delete_old(subscription_id)
    proofs.delete_old(subscription_id)
    packs.remove_outdated(subscription_id)
    while found := discarding.remove(BATCH):
        done.files += found
    _end(subscription_id, done)
    return done


def _delete_batch(subscription_id: str) -> int:
    """Documents that went; fewer than ``BATCH`` where no more are due."""
    with transaction() as session:
        on, until = today(), terms.of(subscription_id).last_day_due(today())
        ids = session.scalars(
            select(Document.id)
            .where(retention.due(subscription_id, until, on))
            .order_by(Document.id)
            .limit(BATCH)
            # Whoever moves one of its deliveries has locked it before.
            .with_for_update(skip_locked=True)
        ).all()
        if ids:
            discarding.note(_files_of(ids))
            delete_documents(ids)
            row = terms.row_of(subscription_id)
            before = row.done if row.done and _is_unfinished(row.done) else {}
            count = len(ids) + int(before.get("documents", 0))
            row.done, row.done_at = {"documents": count, "until": until.isoformat(), "is_over": False}, utcnow()
    return len(ids)


def _is_unfinished(done: dict[str, object] | None) -> bool:
    return bool(done) and not (done or {}).get("is_over", True)


def _end(subscription_id: str, done: Done) -> None:
    """Note that today was looked at, and once how much went, however many slices it took."""
    with transaction():
        row = terms.row_of(subscription_id)
        row.looked_on = today()
        if _is_unfinished(row.done) and row.done:
            row.done = {**row.done, "files": done.files, "is_over": True}
            audit.note(
                "retention.deleted", subscription_id=subscription_id, of=f"subscription/{subscription_id}",
                after={"documents": row.done["documents"], "dated_until": row.done["until"]},
            )  # fmt: skip
            log.warning("subscription %s: %s documents deleted by retention", subscription_id, row.done["documents"])


def _files_of(document_ids: Collection[str]) -> set[str]:
    names = set(db.session.scalars(select(Rendition.sha256).where(Rendition.document_id.in_(document_ids))))
    pdfs = select(Document.pdf_sha256).where(Document.id.in_(document_ids), Document.pdf_sha256.is_not(None))
    return names | {name for name in db.session.scalars(pdfs) if name}


def delete_documents(ids: Collection[str]) -> None:
    """Everything that belongs to the documents alone, in the order of what points to what. Inside the caller's transaction."""
    deliveries = select(Delivery.id).where(Delivery.document_id.in_(ids))
    about = (Event.document_id.in_(ids), Event.delivery_id.in_(deliveries))
    steps = (
        delete(Receipt).where(Receipt.delivery_id.in_(deliveries)),
        delete(Attempt).where(Attempt.delivery_id.in_(deliveries)),
        delete(Event).where(or_(*about)),
        delete(Delivery).where(Delivery.document_id.in_(ids)),
        delete(PreflightResult).where(PreflightResult.document_id.in_(ids)),
        delete(FoundDocument).where(FoundDocument.document_id.in_(ids)),
        delete(ProblemDocument).where(ProblemDocument.document_id.in_(ids)),
        update(Problem).where(Problem.document_id.in_(ids)).values(document_id=None, numbers=[]),
        delete(ApprovalWait).where(ApprovalWait.document_id.in_(ids)),
        delete(ValueAuthor).where(ValueAuthor.atom.in_(ids)),
        delete(SentNumber).where(SentNumber.document_id.in_(ids)),
        delete(Rendition).where(Rendition.document_id.in_(ids)),
        delete(NumberedInterchange).where(NumberedInterchange.document_id.in_(ids)),
        # Late: what goes before it moves the document, and the database notes that.
        delete(StatusChange).where(StatusChange.document_id.in_(ids)),
        delete(Document).where(Document.id.in_(ids)),
    )
    for step in steps:
        db.session.execute(step.execution_options(synchronize_session=False))
