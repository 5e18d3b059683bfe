"""The export of what a person chose: each document gets its one outcome, whatever dies on the way.

What was never exported is queued many at a time, in the transaction that notes the outcome. What goes again goes one by
one by ``services/export/actions.py``; a worker that dies after such an action finds its line in the timeline, and does
not repeat it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.domain.delivery import IN_PROGRESS, DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    Event,
    FoundDocument,
    FoundGroup,
    FoundOutcome,
    Run,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import background, bell
from invoiceapp.services.background import Progress
from invoiceapp.services.configuration import sources
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError, text_dict
from invoiceapp.services.export import actions, documents, found, standing
from invoiceapp.services.export.found import Place
from invoiceapp.services.four_eyes import authors
from invoiceapp.sources.base import CredentialsRefused, DocumentQuery, SourceError, SourceUnavailable

log = logging.getLogger(__name__)

S = DeliveryState
G = FoundGroup
#: Documents that one transaction queues.
CHUNK = 50
#: What was read longer ago is read again before it is queued: it may have been voided or changed.
FRESH = timedelta(minutes=10)
#: The cursor once only single documents are left.
_SINGLE = "~"
#: The timeline's lines of the actions that hand a single document over.
_ACTIONS = ("sent_again", "tried_again", "rebuilt", "sent_for_real", "send_anyway")

_ON_ITS_WAY = Text(
    "Ikke taget med: dokumentet er allerede på vej, så det sendes kun én gang.",
    "Left out: the document is on its way already, so that it is sent only once.",
)
_EXPORTED = Text(
    "Ikke taget med: dokumentet er eksporteret i mellemtiden. Skal det sendes igen, så vælg det med en begrundelse.",
    "Left out: the document has been exported meanwhile. If it is to be sent again, choose it with a reason.",
)
_NOT_ACTIVATED = Text(
    "Ikke taget med: kunden er ikke aktiveret længere. Aktivér kunden, og find dokumentet igen.",
    "Left out: the customer is no longer activated. Activate the customer, and find the document again.",
)
_UNFIT = Text("Ikke taget med: dokumentet kan ikke eksporteres længere.", "Left out: the document can no longer be exported.")  # fmt: skip
_GONE = Text(
    "Ikke taget med: dokumentet er ikke længere godkendt i Billy. Det er annulleret eller slettet, siden det blev fundet.",
    "Left out: the document is no longer approved in Billy. It was voided or deleted since it was found.",
)
_NOT_EXPORTED = Text(
    "Ikke taget med: dokumentet er ikke sendt længere, så der er intet at sende igen. Find det igen, og eksportér det.",
    "Left out: the document is no longer sent, so there is nothing to send again. Find it again, and export it.",
)
_FAULT = Text(
    "Ikke taget med på grund af en uventet fejl i programmet. Giv besked til den, der driver serveren.",
    "Left out because of an unexpected fault in the program. Tell whoever runs the server.",
)


def run(progress: Progress) -> bool:
    """One slice, the handler of ``EXPORT``; True while there is more. Raises ``ServiceError``, ``LeaseLost``."""
    until = time.monotonic() + background.SLICE
    if progress.total is None:
        _begin(progress)
    while _queue_some(progress) if progress.cursor != _SINGLE else _hand_over_one(progress):
        if time.monotonic() > until:
            return True
    return False


def _waiting(run_id: str) -> tuple[object, ...]:
    return FoundDocument.run_id == run_id, FoundDocument.chosen_at.is_not(None), FoundDocument.outcome.is_(None)


def _begin(progress: Progress) -> None:
    with transaction() as session:
        progress.total = session.scalar(
            select(func.count()).select_from(FoundDocument).where(*_waiting(progress.parameters["run"]))  # type: ignore[arg-type]
        )
        progress.step(0, None)


# --- many at a time --------------------------------------------------------------------------------------------------


def _queue_some(progress: Progress) -> bool:
    run_id = progress.parameters["run"]
    with transaction() as session:
        rows = session.execute(
            select(FoundDocument.document_id, FoundDocument.read_at)
            .where(*_waiting(run_id), FoundDocument.group == G.NOT_EXPORTED)  # type: ignore[arg-type]
            .where(FoundDocument.document_id > (progress.cursor or ""))
            .order_by(FoundDocument.document_id)
            .limit(CHUNK)
        ).all()
        if not rows:
            progress.step(0, _SINGLE)
            return True
    ids = [row.document_id for row in rows]
    _read_again(progress, [row.document_id for row in rows if (row.read_at or utcnow()) < utcnow() - FRESH])
    with transaction():
        progress.step(_queue(run_id, ids), ids[-1])
    bell.ring("convert")
    return True


def _queue(run_id: str, ids: Sequence[str]) -> int:
    """Queue what may be queued, and say of the others why not; how many have their outcome. In the caller's transaction."""
    run = db.session.get_one(Run, run_id)
    adaptor = db.session.get_one(Adaptor, run.adaptor_id, populate_existing=True)
    standing.require(adaptor)
    locked = found.current(ids, locked=True)
    places, rows = found.places(adaptor, locked), _rows(run_id, ids)
    done = 0
    for document in locked:
        place, row = places[document.id], rows[document.id]
        if row.outcome is not None or (place.group is G.NOT_EXPORTED and place.needs_source):
            continue
        done += 1
        if place.group is G.NOT_EXPORTED:
            documents.queue(document, run_id=run_id)
            authors.asked_for(run.subscription_id, [document.id])
            row.outcome = FoundOutcome.SENT
        else:
            row.outcome, row.text = FoundOutcome.LEFT_OUT, text_dict(_why_not(document, place))
    return done


def _rows(run_id: str, ids: Sequence[str]) -> dict[str, FoundDocument]:
    found_rows = db.session.scalars(
        select(FoundDocument)
        .where(FoundDocument.run_id == run_id, FoundDocument.document_id.in_(ids))
        .execution_options(populate_existing=True)
    )
    return {row.document_id: row for row in found_rows}


def _why_not(document: Document, place: Place) -> Text:
    if place.group is G.NOT_ACTIVATED:
        return _NOT_ACTIVATED
    if place.group is G.UNFIT:
        return place.text or _UNFIT
    return _ON_ITS_WAY if document.stage is Stage.QUEUED or document.status == S.PENDING else _EXPORTED


def _read_again(progress: Progress, ids: Sequence[str]) -> None:
    """Take over what the source says now; what it no longer has approved is left out. Raises ``ServiceError``."""
    if not ids:
        return
    run_id = progress.parameters["run"]
    with transaction() as session:
        adaptor = session.get_one(Adaptor, progress.adaptor_id, populate_existing=True)
        asked = {row.source_id: row.id for row in found.current(ids)}
        company, opened = adaptor.organization, sources.open_source(adaptor)
    try:
        with opened as source:
            sources.require_company(source, company)
            read = list(source.documents(DocumentQuery(ids=tuple(asked))))
            broken = {record_id: error.text for record_id, error in source.skipped}
    except SourceError as error:
        raise ServiceError(error.text) from error
    with transaction() as session:
        run = session.get_one(Run, run_id)
        adaptor = session.get_one(Adaptor, progress.adaptor_id, populate_existing=True)
        documents.ingest(run, adaptor, read)
        found.keep(run, adaptor, [one.id for one in read])
        rows = _rows(run_id, ids)
        gone = [source_id for source_id in asked if source_id not in {one.id for one in read}]
        for source_id in gone:
            row = rows[asked[source_id]]
            row.outcome, row.text = FoundOutcome.LEFT_OUT, text_dict(broken.get(source_id, _GONE))
        progress.step(len(gone), progress.cursor)


# --- one by one ------------------------------------------------------------------------------------------------------


def _hand_over_one(progress: Progress) -> bool:
    run_id = progress.parameters["run"]
    with transaction() as session:
        row = session.scalars(
            select(FoundDocument)
            .where(*_waiting(run_id))  # type: ignore[arg-type]
            .order_by(FoundDocument.document_id)
            .limit(1)
            .execution_options(populate_existing=True)
        ).first()
        if row is None:
            return False
        standing.require(session.get_one(Adaptor, progress.adaptor_id, populate_existing=True))
        document_id = row.document_id
    settle(run_id, document_id, _carry_out(run_id, document_id, progress.actor))
    with transaction():
        progress.step(1, _SINGLE)
    return True


def _carry_out(run_id: str, document_id: str, actor: str) -> Text | None:
    """Hand one document over; why not, where that failed. Raises ``ServiceError`` where the rest would meet the same."""
    try:
        with transaction():
            act = _action(_rows(run_id, [document_id])[document_id], actor)
        act()
    except ServiceError as error:
        db.session.rollback()
        if isinstance(error.__cause__, CredentialsRefused | SourceUnavailable):
            # Thousands would each wait for the same source in vain, and be left out for good.
            raise
        return error.text
    except SQLAlchemyError:
        raise
    except Exception:
        # One document must not stop the others.
        log.exception("document %s could not be handed over", document_id)
        db.session.rollback()
        with transaction():
            return None if was_done(_rows(run_id, [document_id])[document_id], [actor]) else _FAULT
    return None


def settle(run_id: str, document_id: str, text: Text | None) -> None:
    """Note the outcome of an action that is over: handed over, or left out with its reason.

    Also where the job was cancelled during the action: what has happened has happened.
    """
    values = {"outcome": FoundOutcome.LEFT_OUT, "text": text_dict(text)} if text else {"outcome": FoundOutcome.SENT, "text": None}  # fmt: skip
    is_open = or_(FoundDocument.outcome.is_(None), FoundDocument.outcome == FoundOutcome.TAKEN_BACK)
    with transaction() as session:
        session.execute(
            update(FoundDocument)
            .where(FoundDocument.run_id == run_id, FoundDocument.document_id == document_id, is_open)
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def was_done(row: FoundDocument, actors: Collection[str]) -> bool:
    """Whether the action on a single document was committed before the worker died."""
    line = exists().where(handed_over(row.run_id, actors), FoundDocument.document_id == row.document_id)
    return bool(db.session.scalar(select(line)))


def handed_over(run_id: str, actors: Collection[str]) -> ColumnElement[bool]:
    """For queries of ``Event`` and ``FoundDocument``: the lines of actions on what was chosen of a run."""
    return and_(
        FoundDocument.run_id == run_id,
        Event.document_id == FoundDocument.document_id,
        Event.kind.in_(_ACTIONS),
        Event.actor.in_(actors),
        Event.created_at >= FoundDocument.chosen_at,
    )


def _action(row: FoundDocument, actor: str) -> Callable[[], object]:
    """What hands the document over; it raises ``ServiceError`` where that is not possible any more."""
    if was_done(row, [actor]):
        return lambda: None
    (document,) = found.current([row.document_id])
    adaptor = db.session.get_one(Adaptor, document.adaptor_id, populate_existing=True)
    place = found.places(adaptor, [document])[document.id]
    delivery = db.session.get(Delivery, document.delivery_id or "", populate_existing=True)
    if row.group is G.EXPORTED:
        return _again(row, document, place, delivery, actor)
    if place.group is not G.NOT_EXPORTED:
        return _refuse(_why_not(document, place))
    if delivery is not None and delivery.state is not S.CANCELLED:
        return lambda: actions.send_for_real(document, actor)
    return lambda: actions.rebuild(document, actor)


def _again(
    row: FoundDocument, document: Document, place: Place, delivery: Delivery | None, actor: str
) -> Callable[[], object]:
    reason = row.reason or ""
    if place.group is not G.EXPORTED:
        return _refuse(_NOT_EXPORTED if place.group is G.NOT_EXPORTED else _why_not(document, place))
    if document.stage is Stage.SKIPPED:
        return lambda: actions.send_anyway(document, actor, reason)
    if document.stage is Stage.QUEUED or delivery is None or delivery.state in IN_PROGRESS:
        return _refuse(_ON_ITS_WAY)
    if delivery.id != row.delivery_id:
        return _refuse(_EXPORTED)
    if delivery.state is S.FAILED:
        return lambda: actions.try_again(delivery, actor)
    return lambda: actions.send_again(delivery, actor, reason)


def _refuse(text: Text) -> Callable[[], object]:
    def refuse() -> None:
        raise Conflict(text)

    return refuse
