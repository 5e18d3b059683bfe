"""Cancelling the rest of a manual export: what has not left is taken back, what has left is said to have left."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, or_, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Document, Event, FoundDocument, FoundOutcome, Job, Run, Stage, db
from invoiceapp.services import background
from invoiceapp.services.background import Progress
from invoiceapp.services.configuration import outgoing, releasing
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import moves
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export import events, found

from . import exporting
from .finding import EXPORT

S = DeliveryState
_TRIED_AGAIN, _SEND_ANYWAY = "tried_again", "send_anyway"
#: Documents that one transaction takes back.
CHUNK = 50
_TAKEN_BACK = Text(
    "Taget tilbage, før det blev sendt: resten af den manuelle eksport blev annulleret.",
    "Taken back before it was sent: the rest of the manual export was cancelled.",
)


def run(progress: Progress) -> bool:
    """One slice, the handler of ``TAKE_BACK``; True while there is more. Raises ``LeaseLost``."""
    until = time.monotonic() + background.SLICE
    while _step(progress):
        if time.monotonic() > until:
            return True
    return False


def _step(progress: Progress) -> bool:
    run_id = progress.parameters["run"]
    is_open = or_(FoundDocument.outcome.is_(None), FoundDocument.outcome == FoundOutcome.SENT)
    chosen = (FoundDocument.run_id == run_id, FoundDocument.chosen_at.is_not(None), is_open)
    with transaction() as session:
        if progress.total is None:
            progress.total = session.scalar(select(func.count()).select_from(FoundDocument).where(*chosen)) or 0
        rows = session.scalars(
            select(FoundDocument)
            .where(*chosen, FoundDocument.document_id > (progress.cursor or ""))
            .order_by(FoundDocument.document_id)
            .limit(CHUNK)
            .execution_options(populate_existing=True)
        ).all()
        if not rows:
            return False
        _take_back(rows, progress)
        progress.step(len(rows), rows[-1].document_id)
    return True


def _take_back(rows: Sequence[FoundDocument], progress: Progress) -> None:
    """In the caller's transaction."""
    exporters = _exporters(progress)
    for row in rows:
        if row.outcome is None and exporting.was_done(row, exporters):
            row.outcome = FoundOutcome.SENT
    documents = found.current([row.document_id for row in rows if row.outcome is FoundOutcome.SENT], locked=True)
    done = _lines(progress.parameters["run"], [one.id for one in documents], exporters)
    stopped = _stop_queued(documents, progress.actor) | _stop_deliveries(documents, done, progress.actor)
    _leave_out_again([one for one in documents if one.id in stopped], done)
    for row in rows:
        if row.outcome is None or row.document_id in stopped:
            row.outcome, row.text = FoundOutcome.TAKEN_BACK, text_dict(_TAKEN_BACK)


def _exporters(progress: Progress) -> set[str]:
    """Who started or continued the export that is cancelled."""
    run_id = progress.parameters["run"]
    since = select(Run.created_at).where(Run.id == run_id).scalar_subquery()
    jobs = db.session.scalars(
        select(Job).where(Job.adaptor_id == progress.adaptor_id, Job.kind == EXPORT, Job.created_at >= since)
    )
    return {job.actor for job in jobs if job.parameters["run"] == run_id}


def _lines(run_id: str, ids: Sequence[str], exporters: Collection[str]) -> dict[tuple[str, str], Event]:
    """What the export did to single documents, by document and kind of line."""
    query = select(Event).where(exporting.handed_over(run_id, exporters), FoundDocument.document_id.in_(ids))
    return {(line.document_id or "", line.kind): line for line in db.session.scalars(query.order_by(Event.id))}


def _stop_queued(documents: Sequence[Document], actor: str) -> set[str]:
    """Put back what waits for conversion, where it was before; whoever converts it now must not finish."""
    stopped = set()
    for document in documents:
        if document.stage is Stage.QUEUED:
            document.stage = Stage.CONVERTED if document.delivery_id else Stage.LISTED
            document.lease_until = document.lease_token = None
            events.of_document("stopped", document, actor=actor, **text_dict(_TAKEN_BACK))
            stopped.add(document.id)
    return stopped


def _stop_deliveries(documents: Sequence[Document], done: Mapping[tuple[str, str], Event], actor: str) -> set[str]:
    """Stop what waits to be sent: what had failed before has failed again, what is new is cancelled."""
    ids = [one.id for one in documents]
    tried_again = [line.delivery_id for (_, kind), line in done.items() if kind == _TRIED_AGAIN]
    # With a try since, it is in the hands of the machine, like all that has been tried.
    failed = moves.move_all(Delivery.id.in_(tried_again) & (Delivery.tries == 0), (S.PENDING,), S.FAILED)
    outgoing.tell("stopped", failed, actor, **text_dict(_TAKEN_BACK))
    cancelled = moves.move_all(releasing.unsent(Document.id.in_(ids)), (S.PENDING,), S.CANCELLED)
    outgoing.tell("cancelled", cancelled, actor, **text_dict(_TAKEN_BACK))
    return {row.document_id for row in (*failed, *cancelled)}


def _leave_out_again(documents: Sequence[Document], done: Mapping[tuple[str, str], Event]) -> None:
    """What the accounting system has sent itself is left out as before, so that no later run sends it after all."""
    for document in documents:
        line = done.get((document.id, _SEND_ANYWAY))
        if line is not None and line.data.get("left_out"):
            document.stage, document.send_anyway, document.beside_id = Stage.SKIPPED, False, None
            document.error = line.data.get("left_out")
