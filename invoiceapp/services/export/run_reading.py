"""One slice of a run: customers and documents are kept chunk by chunk while its lease holds.

A slice ends at the first place, after ``background.SLICE`` seconds, from which the source can go on, or at once where the
worker is to stop. Each chunk is committed with its counts and with the cursor (``run_cursor.py``), so a slice whose
worker is killed costs no more than reading its last part again: documents of it that are kept already are not counted
again, for ``Document.read_run_id`` names the run.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select, update

from invoiceapp import tracing
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Document, FoundGroup, Run, RunState, db, utcnow
from invoiceapp.services import background, bell, stopping
from invoiceapp.services.configuration import customer_reading, sources
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import Conflict, text_dict
from invoiceapp.sources.base import (
    CredentialsRefused,
    DocumentQuery,
    NotFound,
    Source,
    SourceDocument,
    SourceError,
    SourceUnavailable,
)

from . import documents, events, found, run_queue, standing
from .run_cursor import Cursor

#: Of a run; renewed while it reads.
LEASE = timedelta(minutes=5)
#: How often a run renews its lease while a slow source hands out documents.
_RENEWAL = timedelta(minutes=1)
_CHUNK = 50
_OTHER_COMPANY = Text(
    "Adaptoren blev forbundet med en anden virksomhed, mens kørslen læste. Start en ny kørsel.",
    "The adaptor was connected to another company while the run was reading. Start a new run.",
)


class LeaseLost(Exception):
    """Another worker has the run; what we would write is theirs to write."""


class Stopping(Exception):
    """This worker is asked to stop; another one goes on."""


@dataclass(slots=True)
class Work:
    """One slice as it goes on."""

    run_id: str
    adaptor_id: str
    token: str
    query: DocumentQuery
    cursor: Cursor
    begun: float = field(default_factory=time.monotonic)
    taken: int = 0
    """Of ``Source.skipped``, how many the cursor has"""
    is_finished: bool = False
    """Whether this was the last slice"""
    has_read: bool = False
    """Whether the run has read any document; known once it is finished"""
    followed_by: str | None = None
    """The run that somebody asked for meanwhile"""

    @property
    def is_over(self) -> bool:
        """Whether the slice should end."""
        return time.monotonic() - self.begun >= background.SLICE


def read(run_id: str, token: str) -> Work:
    """One slice, of which the last finishes the run. No transaction is open while the source is asked.

    Raises ``SourceError``, ``ServiceError``, and ``LeaseLost`` where another worker has the run.
    """
    with transaction() as session:
        run = session.get_one(Run, run_id, populate_existing=True)
        adaptor = session.get_one(Adaptor, run.adaptor_id, populate_existing=True)
        tracing.about(adaptor=adaptor.id)
        standing.require(adaptor)
        cursor, company = Cursor.of(run, adaptor), adaptor.organization
        if cursor.company != (company or {}).get("id"):
            raise Conflict(_OTHER_COMPANY)
        work = Work(run.id, adaptor.id, token, cursor.query(run), cursor)
        opened = sources.open_source(adaptor)
    with opened as source:
        sources.require_company(source, company)
        try:
            is_read = _read_all(work, source)
        except Stopping:
            is_read = False
    if is_read:
        _finish(work)
    else:
        _let_go(work)
    return work


def _read_all(work: Work, source: Source) -> bool:
    """Read on; whether there is nothing more to read. Raises ``Stopping``, ``LeaseLost``."""
    if not work.cursor.customers_read:
        customer_reading.read_customers(work.adaptor_id, source, lambda: _renew(work))
        _take_skipped(work, source)
        work.cursor.customers_read = True
    if work.cursor.to_try is None:
        if not _read_list(work, source):
            return False
        work.cursor.to_try = _still_to_try(work)
    return _try_again(work, source)


def _read_list(work: Work, source: Source) -> bool:
    """Read on in the source's list; whether it was read to its end."""
    for part in source.parts(work.query, work.cursor.bookmark):
        _keep_all(work, part.documents)
        if part.bookmark is not None:
            # What was skipped is noted together with the place behind it.
            _note_unread(work, source)
            work.cursor.bookmark = part.bookmark
            if work.is_over:
                return False
    _note_unread(work, source)
    return True


def _chunks(items: Iterator[SourceDocument]) -> Iterator[list[SourceDocument]]:
    while chunk := list(itertools.islice(items, _CHUNK)):
        yield chunk


def _keep_all(work: Work, read: Iterator[SourceDocument]) -> None:
    for chunk in _chunks(_held(work, read)):
        # A record that was asked for by its id says nothing about the others of its time.
        if work.cursor.to_try is None:
            work.cursor.newest = _newest(work.cursor.newest, chunk)
        _keep(work, chunk)
        bell.ring("convert")


def _held(work: Work, read: Iterator[SourceDocument]) -> Iterator[SourceDocument]:
    """The same documents; the lease is renewed where a chunk takes long to fill. Raises ``LeaseLost``, ``Stopping``."""
    renewed = utcnow()
    for item in read:
        if stopping.asked():
            raise Stopping
        if utcnow() - renewed > _RENEWAL:
            _renew(work)
            renewed = utcnow()
        yield item


def _newest(seen: str | None, chunk: Sequence[SourceDocument]) -> str | None:
    """The newest approval time, as the source writes times."""
    approved = (item.approved_at.isoformat() for item in chunk if item.approved_at)
    return max(filter(None, (seen, *approved)), default=None)


def _still_to_try(work: Work) -> list[str]:
    """What earlier runs could not read, and this one has not met."""
    with transaction() as session:
        run = session.get_one(Run, work.run_id)
        waiting = list(session.get_one(Adaptor, work.adaptor_id).retry_ids) if run.moves_watermark else []
        met = {*_counted(work, waiting), *work.cursor.failed}
    return [one for one in waiting if one not in met]


def _try_again(work: Work, source: Source) -> bool:
    """Read records that earlier runs could not; whether all were tried. Whatever is wrong with them now, the run goes on.

    One by one, so that a record that makes the source itself fail takes none of the others with it. Raises
    ``LeaseLost``, ``Stopping``.
    """
    cursor = work.cursor
    while cursor.to_try:
        _renew(work)
        document_id, *rest = cursor.to_try
        try:
            _keep_all(work, source.documents(DocumentQuery(ids=(document_id,))))
        except SourceError as error:
            source.skipped.append((document_id, error))
            if isinstance(error, SourceUnavailable | CredentialsRefused):
                # Perhaps only this one makes the source fail: next time it is the last one, not the first.
                cursor.failed_again += rest
                rest = []
        cursor.failed_again += _ids_of(_take_skipped(work, source))
        cursor.to_try = rest
        if rest and work.is_over:
            return False
    return True


def _take_skipped(work: Work, source: Source) -> list[tuple[str, SourceError]]:
    """Note what the source could not read since the last time: one broken record never spoils the rest."""
    new = source.skipped[work.taken :]
    work.taken = len(source.skipped)
    work.cursor.unread.add(text_dict(error.text, id=record_id) for record_id, error in new)
    return new


def _note_unread(work: Work, source: Source) -> None:
    """The same of documents, which are tried again."""
    if new := _take_skipped(work, source):
        work.cursor.has_unread = True
        work.cursor.fail(_ids_of(new))


def _ids_of(skipped: Sequence[tuple[str, SourceError]]) -> list[str]:
    """Ids that are worth another try: not the ones that the source does not name, nor what it no longer has."""
    found = (record_id for record_id, error in skipped if record_id != "?" and not isinstance(error, NotFound))
    return list(dict.fromkeys(found))


def _counted(work: Work, source_ids: Sequence[str]) -> set[str]:
    """Of these ids, the documents that this run has counted. In the caller's transaction."""
    its_own = (Document.adaptor_id == work.adaptor_id, Document.read_run_id == work.run_id)
    return set(db.session.scalars(select(Document.source_id).where(*its_own, Document.source_id.in_(source_ids))))


def _renew(work: Work) -> None:
    """Keep the run for another ``LEASE``. Raises ``LeaseLost`` where somebody else has it, ``Stopping``."""
    if stopping.asked():
        raise Stopping
    with transaction():
        _write(work, lease_until=utcnow() + LEASE)


def _write(work: Work, **values: object) -> None:
    """Write to the run, in the caller's transaction. Raises ``LeaseLost`` where somebody else has it."""
    result = db.session.execute(
        update(Run)
        .where(Run.id == work.run_id, Run.lease_token == work.token, Run.state == RunState.RUNNING)
        .values({"cursor": work.cursor.to_json(), **values})
        .execution_options(synchronize_session=False)
    )
    if not changed(result):
        raise LeaseLost


def _keep(work: Work, chunk: Sequence[SourceDocument]) -> None:
    """Keep a chunk and what it counts. Raises ``LeaseLost``, ``Conflict`` once the adaptor is switched off."""
    with transaction() as session:
        run = session.get_one(Run, work.run_id)
        adaptor = session.get_one(Adaptor, work.adaptor_id, populate_existing=True)
        standing.require(adaptor)
        counted = _counted(work, [item.id for item in chunk])
        fresh = [item for item in chunk if item.id not in counted]
        ids = [item.id for item in fresh]
        tally = documents.ingest(run, adaptor, fresh)
        if found.is_finding(run):
            groups = found.keep(run, adaptor, ids)
            tally.not_activated = groups[FoundGroup.NOT_ACTIVATED]
            tally.already_exported = groups[FoundGroup.EXPORTED]
        session.flush()
        session.execute(
            update(Document)
            .where(Document.adaptor_id == adaptor.id, Document.source_id.in_(ids))
            .values(read_run_id=run.id)
            .execution_options(synchronize_session=False)
        )
        work.cursor.left_out.add(tally.left_out)
        read = {item.number for item in fresh} & set(work.query.numbers)
        work.cursor.numbers = sorted(read | set(work.cursor.numbers))
        _write(
            work,
            lease_until=utcnow() + LEASE,
            read=Run.read + tally.read,
            queued=Run.queued + tally.queued,
            not_activated=Run.not_activated + tally.not_activated,
            already_exported=Run.already_exported + tally.already_exported,
        )


def _let_go(work: Work) -> None:
    """Let any worker do the next slice. Raises ``LeaseLost``."""
    with transaction():
        # Long past, also by the clock of a worker that is behind ours.
        _write(work, lease_until=utcnow() - LEASE)


def _finish(work: Work) -> None:
    asked = work.query.numbers
    skipped, problems = work.cursor.skipped(asked), work.cursor.problems(asked)
    with transaction() as session:
        _write(work, state=RunState.FINISHED, finished_at=utcnow(), skipped=skipped, problems=problems, cursor=None)
        run = session.get_one(Run, work.run_id, populate_existing=True)
        adaptor = session.get_one(Adaptor, run.adaptor_id)
        adaptor.source_checked_at, adaptor.source_error = utcnow(), None
        if run.moves_watermark:
            adaptor.watermark = work.cursor.newest or adaptor.watermark
            adaptor.retry_ids = work.cursor.to_retry()
        events.of_run("run_finished", run, read=run.read, queued=run.queued, skipped=skipped)
        work.is_finished, work.has_read = True, run.read > 0
        work.followed_by = run_queue.follow(run)
