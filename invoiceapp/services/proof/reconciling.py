"""Every night: what the source has approved is compared with what we have; what is missing is fetched, the rest reported.

A run reads what was approved since the newest approval that it knows. It misses what gets an older approval time later: a
clock that was set back or ahead, a record that Billy shows late, one without a time. So the period is read twice here: by
the time of approval, and by date (docs/decisions/0034). What is missing is fetched by a run of its own (``run_queue``), by
the same rules as any other. Job and cursor as ``services/background.py`` has them; no transaction is open meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    ACTIVE_JOBS,
    Adaptor,
    Document,
    Job,
    Reconciliation,
    ReconciliationState,
    Run,
    RunState,
    db,
    utcnow,
)
from invoiceapp.services import background, bell
from invoiceapp.services.background import Progress
from invoiceapp.services.configuration import sources
from invoiceapp.services.daily import problems
from invoiceapp.services.database import changed, reading, transaction
from invoiceapp.services.errors import Conflict, ServiceError, text_dict
from invoiceapp.services.export import run_queue, standing
from invoiceapp.services.export.run_queries import query_to_json
from invoiceapp.services.export.validators import today
from invoiceapp.services.reach import nights
from invoiceapp.sources.base import DocumentQuery, Source, SourceError

from . import changes, comparing, unfinished
from .comparing import Reading

log = logging.getLogger(__name__)
State = ReconciliationState

KIND = "reconcile"
#: However long the source was away, no more is read in one night.
MOST_DAYS = 400
#: After which it is stopped, however much is left.
LONGEST = timedelta(hours=6)
#: Results are kept so long, and what they list of single documents for so many nights: as many as are shown.
KEPT = timedelta(days=400)
LISTED = 30
#: At night, in Denmark; the minute is the adaptor's own.
HOUR = 1
_CHUNK = 500
_NOTHING_READ = Text(
    "Der er endnu ikke hentet nye dokumenter, så der er intet at afstemme. Hent dem først.",
    "No new documents were fetched yet, so there is nothing to reconcile. Fetch them first.",
)
_STOPPED = Text(
    "Afstemningen blev afbrudt og begynder forfra næste nat. Start den selv, hvis den ikke kan vente.",
    "The reconciliation was interrupted and begins anew the next night. Start it yourself if it cannot wait.",
)


def start(adaptor_id: str, actor: str = "system") -> str:
    """Queue a reconciliation; the job's id. Raises ``Conflict`` while one is going on, or where nothing was read yet."""
    with reading() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        standing.require(adaptor)
        if adaptor.watermark is None:
            raise Conflict(_NOTHING_READ)
    return background.start(adaptor_id, KIND, actor=actor)


def start_due() -> int:
    """Start the nightly ones that are due, and what had to wait for another run; how many began."""
    begun = 0
    for adaptor_id in _claim_due():
        try:
            start(adaptor_id)
            begun += 1
        except ServiceError as error:
            log.info("adaptor %s is not reconciled tonight: %s", adaptor_id, error)
    settle()
    return begun


def settle() -> None:
    """Start what had to wait for another run, note what the runs have fetched, and end what nobody works on any more."""
    with reading() as session:
        rows = session.execute(
            select(Reconciliation.id, Reconciliation.state)
            .where(Reconciliation.state.in_((State.WAITING, State.FETCHING)) | _is_given_up())
            .order_by(Reconciliation.id)
        ).all()
    for row_id, state in rows:
        if state is State.WAITING:
            _fetch_missing(row_id)
        elif state is State.FETCHING:
            _note_fetched(row_id)
        else:
            _give_up(row_id)


def _is_given_up() -> ColumnElement[bool]:
    """Half read, and its job has ended: it met too many errors, or somebody stopped it."""
    works = exists().where(Job.adaptor_id == Reconciliation.adaptor_id, Job.kind == KIND, Job.state.in_(ACTIVE_JOBS))
    return and_(Reconciliation.state == State.READING, ~works)


def _give_up(row_id: str) -> None:
    with transaction() as session:
        session.execute(
            update(Reconciliation)
            .where(Reconciliation.id == row_id, _is_given_up())
            .values(state=State.FAILED, finished_at=utcnow(), error=text_dict(_STOPPED), is_complete=False)
            .execution_options(synchronize_session=False)
        )


def _note_fetched(row_id: str) -> None:
    """How much of what was missing is here, once its run has ended."""
    with transaction() as session:
        row = session.get_one(Reconciliation, row_id, populate_existing=True, with_for_update=True)
        run = session.get(Run, row.run_id) if row.run_id else None
        if row.state is not State.FETCHING or (run and run.state in (RunState.QUEUED, RunState.RUNNING)):
            return
        here = comparing.ours(row.adaptor_id, [one["id"] for one in row.missing])
        row.state, row.counts = State.DONE, {**row.counts, "fetched": len(here)}


def _claim_due() -> list[str]:
    """Each claimed by moving its next time, so that two clocks start one; the first time is only planned."""
    now, claimed = utcnow(), []
    with transaction():
        is_due = Adaptor.next_reconciliation_at.is_(None) | (Adaptor.next_reconciliation_at <= now)
        wanted = select(Adaptor.id, Adaptor.next_reconciliation_at).where(
            standing.working(), Adaptor.watermark.is_not(None), is_due
        )
        for adaptor_id, planned in db.session.execute(wanted.order_by(Adaptor.id)).all():
            result = db.session.execute(
                update(Adaptor)
                .where(Adaptor.id == adaptor_id, Adaptor.next_reconciliation_at.is_not_distinct_from(planned))
                .values(next_reconciliation_at=nights.next_time(adaptor_id, HOUR, now))
                .execution_options(synchronize_session=False)
            )
            if changed(result) and planned is not None:
                claimed.append(adaptor_id)
    return claimed


def run(progress: Progress) -> bool:
    """One slice; True while there is more. Raises ``ServiceError`` where the source cannot be read."""
    if progress.cursor is None:
        _begin(progress)
        return True
    if progress.cursor == comparing.END:
        _conclude(progress)
        return False
    try:
        since, begun = _period(progress)
        with _opened(progress.adaptor_id) as source:
            comparing.read(Reading(progress, source, since, max(since, today()), begun + LONGEST))
    except SourceError as error:
        _fail(progress, error.text)
        raise ServiceError(error.text) from error
    except ServiceError as error:
        _fail(progress, error.text)
        raise
    return True


def _begin(progress: Progress) -> None:
    with transaction() as session:
        adaptor = session.get_one(Adaptor, progress.adaptor_id)
        session.execute(
            update(Reconciliation)
            .where(Reconciliation.adaptor_id == adaptor.id, Reconciliation.state == State.READING)
            .values(state=State.FAILED, finished_at=utcnow(), error=text_dict(_STOPPED), is_complete=False)
        )
        _forget(adaptor.id)
        row = Reconciliation(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, actor=progress.actor, since=_since(adaptor.id),
            state=State.READING, is_complete=True, counts={}, missing=[], notes=[],
        )  # fmt: skip
        session.add(row)
        session.flush()
        progress.result = {"reconciliation": row.id}
        progress.step(0, comparing.first_cursor(row.since))


def _forget(adaptor_id: str) -> None:
    """What is not shown any more: old results, single documents of all but the newest ones, and documents that are deleted."""
    mine = Reconciliation.adaptor_id == adaptor_id
    db.session.execute(delete(Reconciliation).where(mine, Reconciliation.created_at < utcnow() - KEPT))
    shown = db.session.scalars(
        select(Reconciliation).where(mine).order_by(Reconciliation.id.desc()).limit(LISTED)
    ).all()
    if len(shown) == LISTED:
        db.session.execute(
            update(Reconciliation).where(mine, Reconciliation.id < shown[-1].id).values(notes=[], missing=[])
        )
    named = sorted({one["document_id"] for row in shown for one in row.notes if "document_id" in one})
    here: set[str] = set()
    for start_ in range(0, len(named), _CHUNK):
        here.update(db.session.scalars(select(Document.id).where(Document.id.in_(named[start_ : start_ + _CHUNK]))))
    for row in shown:
        kept = [one for one in row.notes if one.get("document_id") is None or one["document_id"] in here]
        if len(kept) < len(row.notes):
            row.notes = kept


def _period(progress: Progress) -> tuple[date, datetime]:
    """Its first day, and when it began."""
    with reading() as session:
        row = session.get_one(Reconciliation, progress.result["reconciliation"])
        return row.since, row.created_at


def days_back() -> int:
    """Read anew every night: so long an approval may come late, and a change is noticed."""
    return config().reconciliation_days


def _since(adaptor_id: str) -> date:
    """As far back as is set, or as the nights go that could not be read, ``MOST_DAYS`` at most."""
    mine = Reconciliation.adaptor_id == adaptor_id
    whole = select(func.max(Reconciliation.id)).where(
        mine, Reconciliation.state.in_((State.DONE, State.FETCHING)), Reconciliation.is_complete
    )
    oldest = db.session.scalar(
        select(func.min(Reconciliation.since)).where(
            mine, Reconciliation.id > func.coalesce(whole.scalar_subquery(), "")
        )
    )
    first = today() - timedelta(days=days_back())
    return max(min(first, oldest or first), today() - timedelta(days=MOST_DAYS))


@contextmanager
def _opened(adaptor_id: str) -> Iterator[Source]:
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
        standing.require(adaptor)
        company, found = adaptor.organization, sources.open_source(adaptor)
    with found as source:
        sources.require_company(source, company)
        yield source


def _fail(progress: Progress, text: Text) -> None:
    with transaction() as session:
        row = session.get_one(Reconciliation, progress.result["reconciliation"], populate_existing=True)
        row.state, row.finished_at, row.error, row.is_complete = State.FAILED, utcnow(), text_dict(text), False


def _conclude(progress: Progress) -> None:
    """Look over our own side, and have fetched what is missing."""
    row_id, adaptor_id = progress.result["reconciliation"], progress.adaptor_id
    with transaction() as session:
        row = session.get_one(Reconciliation, row_id, populate_existing=True)
        adaptor = session.get_one(Adaptor, adaptor_id)
        counts = dict(row.counts)
        begin = datetime.combine(row.since, time_of_day(), UTC)
        credited = [comparing.told(one) for one in changes.note_credited(adaptor, begin)]
        row.notes = unfinished.joined(row.notes, [*credited, *unfinished.of(adaptor_id, row.since)], counts)
        row.counts, row.state, row.finished_at = counts, State.WAITING if row.missing else State.DONE, utcnow()
        progress.step(0, comparing.END)
    _fetch_missing(row_id)
    problems.refresh(adaptor_id)


def _fetch_missing(row_id: str) -> None:
    """Start the run that fetches it; it waits while another one is active, which may bring it anyway."""
    try:
        with transaction() as session:
            row = session.get_one(Reconciliation, row_id, populate_existing=True, with_for_update=True)
            if row.state is not State.WAITING or run_queue.active(row.adaptor_id):
                return
            wanted = [one["id"] for one in row.missing]
            here = comparing.ours(row.adaptor_id, wanted)
            ids = [one for one in wanted if one not in here]
            row.state, run_id = State.FETCHING if ids else State.DONE, None
            row.counts = {**row.counts, "fetched": len(here)}
            if ids:
                adaptor = session.get_one(Adaptor, row.adaptor_id, populate_existing=True)
                query = query_to_json(DocumentQuery(ids=tuple(ids)))
                run_id = row.run_id = run_queue.add(adaptor, trigger="reconciliation", query=query).id
    except Conflict as error:
        # Switched off meanwhile: what is missing is found again once it works again.
        with transaction() as session:
            row = session.get_one(Reconciliation, row_id)
            row.state, row.is_complete, row.error = State.FAILED, False, text_dict(error.text)
        return
    except IntegrityError:
        log.info("reconciliation %s waits: a run has just been started", row_id)
        return
    if run_id:
        bell.ring("execute_run", run_id)
