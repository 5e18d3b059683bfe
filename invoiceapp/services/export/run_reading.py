"""The reading of one run: customers and documents are kept chunk by chunk while its lease holds."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import update

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, FoundGroup, Run, RunState, utcnow
from invoiceapp.services import bell
from invoiceapp.services.configuration import customer_reading, sources
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import text_dict
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
from .run_queries import query_from_json

log = logging.getLogger(__name__)

#: Of a run; renewed while it reads.
LEASE = timedelta(minutes=5)
#: How often a run renews its lease while a slow source hands out documents.
_RENEWAL = timedelta(minutes=1)
_CHUNK = 50
#: Records that are tried again in every run; each costs a request.
MOST_RETRIES = 300
#: Documents that a manual run names as left out by the settings; of more it gives the number.
MOST_NAMED = 200


def _chunks(items: Iterator[SourceDocument]) -> Iterator[list[SourceDocument]]:
    while chunk := list(itertools.islice(items, _CHUNK)):
        yield chunk


def _query(run: Run, adaptor: Adaptor) -> DocumentQuery:
    since = datetime.fromisoformat(adaptor.watermark) if adaptor.watermark and run.moves_watermark else None
    query = query_from_json(run.query, since)
    if run.moves_watermark and since is None and adaptor.start_date:
        return query_from_json({**run.query, "first_date": adaptor.start_date.isoformat()})
    return query


class LeaseLost(Exception):
    """Another worker has the run; what we would write is theirs to write."""


def read(run_id: str, token: str) -> Work:
    """Everything that a run does. No transaction is open while the source is asked.

    Raises ``SourceError``, ``ServiceError``, and ``LeaseLost`` where another worker has the run.
    """
    with transaction() as session:
        run = session.get_one(Run, run_id, populate_existing=True)
        adaptor = session.get_one(Adaptor, run.adaptor_id, populate_existing=True)
        standing.require(adaptor)
        work = Work(run.id, adaptor.id, token, newest=adaptor.watermark)
        query, waiting = _query(run, adaptor), list(adaptor.retry_ids) if run.moves_watermark else []
        company, opened = adaptor.organization, sources.open_source(adaptor)
    with opened as source:
        sources.require_company(source, company)
        customer_reading.read_customers(work.adaptor_id, source, lambda: _renew(work))
        of_customers = len(source.skipped)
        _keep_all(work, source.documents(query))
        work.failed = _ids_of(source.skipped[of_customers:])
        reached = work.newest
        _try_again(work, source, [one for one in waiting if one not in work.seen and one not in work.failed])
        # A record that was asked for by name says nothing about the others of its time.
        work.newest = reached
        unread = _problems(source)
        missing = _missing(query.numbers, work, has_unread=len(source.skipped) > of_customers)
        _finish(run_id, token, work, [*missing, *unread])
    return work


@dataclass(slots=True)
class Work:
    """One pass as it goes on."""

    run_id: str
    adaptor_id: str
    token: str
    newest: str | None
    seen: set[str] = field(default_factory=set)
    """The source's ids of the documents that were kept"""
    numbers: set[str] = field(default_factory=set)
    """Their numbers"""
    failed: list[str] = field(default_factory=list)
    """The source's ids of the documents that could not be read, to be tried again; oldest approval first"""
    failed_again: list[str] = field(default_factory=list)
    """The same of those that earlier runs could not read either, so older ones"""
    left_out: list[dict[str, str]] = field(default_factory=list)
    """What a person asked for and the settings leave out"""
    followed_by: str | None = None
    """The run that somebody asked for meanwhile"""


def _ids_of(skipped: Sequence[tuple[str, SourceError]]) -> list[str]:
    """Ids that are worth another try: not the ones that the source does not name, nor what it no longer has."""
    found = (record_id for record_id, error in skipped if record_id != "?" and not isinstance(error, NotFound))
    return list(dict.fromkeys(found))


def _keep_all(work: Work, read: Iterator[SourceDocument]) -> None:
    for chunk in _chunks(_held(work, read)):
        work.left_out += _keep(work.run_id, work.adaptor_id, work.token, chunk)
        bell.ring("convert")
        work.newest = _newest(work.newest, chunk)
        work.seen.update(item.id for item in chunk)
        work.numbers.update(item.number for item in chunk)


def _held(work: Work, read: Iterator[SourceDocument]) -> Iterator[SourceDocument]:
    """The same documents; the lease is renewed where a chunk takes long to fill. Raises ``LeaseLost``."""
    renewed = utcnow()
    for item in read:
        if utcnow() - renewed > _RENEWAL:
            _renew(work)
            renewed = utcnow()
        yield item


def _try_again(work: Work, source: Source, waiting: Sequence[str]) -> None:
    """Read records that earlier runs could not. Whatever is wrong with them now, the run goes on. Raises ``LeaseLost``.

    One by one, so that a record that makes the source itself fail takes none of the others with it.
    """
    for position, document_id in enumerate(waiting):
        _renew(work)
        before = len(source.skipped)
        try:
            _keep_all(work, source.documents(DocumentQuery(ids=(document_id,))))
        except (SourceUnavailable, CredentialsRefused) as error:
            source.skipped.append((document_id, error))
            # Perhaps only this one makes the source fail: next time it is the last one, not the first.
            work.failed_again.extend([*waiting[position + 1 :], document_id])
            return
        except SourceError as error:
            source.skipped.append((document_id, error))
        work.failed_again.extend(_ids_of(source.skipped[before:]))


def _newest(seen: str | None, chunk: Sequence[SourceDocument]) -> str | None:
    """The newest approval time, as the source writes times."""
    approved = (item.approved_at.isoformat() for item in chunk if item.approved_at)
    return max(filter(None, (seen, *approved)), default=None)


def _renew(work: Work) -> None:
    """Keep the run for another ``LEASE``. Raises ``LeaseLost`` where somebody else has it."""
    with transaction() as session:
        result = session.execute(
            update(Run)
            .where(Run.id == work.run_id, Run.lease_token == work.token, Run.state == RunState.RUNNING)
            .values(lease_until=utcnow() + LEASE)
        )
        if not changed(result):
            raise LeaseLost


def _keep(run_id: str, adaptor_id: str, token: str, chunk: Sequence[SourceDocument]) -> list[dict[str, str]]:
    """Keep a chunk; what of it the settings leave out. Raises ``LeaseLost``, ``Conflict`` once the adaptor is switched off."""
    with transaction() as session:
        run = session.get_one(Run, run_id)
        adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
        standing.require(adaptor)
        tally = documents.ingest(run, adaptor, chunk)
        if found.is_finding(run):
            groups = found.keep(run, adaptor, [item.id for item in chunk])
            tally.not_activated = groups[FoundGroup.NOT_ACTIVATED]
            tally.already_exported = groups[FoundGroup.EXPORTED]
        result = session.execute(
            update(Run)
            .where(Run.id == run_id, Run.lease_token == token, Run.state == RunState.RUNNING)
            .values(
                lease_until=utcnow() + LEASE,
                read=Run.read + tally.read,
                queued=Run.queued + tally.queued,
                not_activated=Run.not_activated + tally.not_activated,
                already_exported=Run.already_exported + tally.already_exported,
            )
            .execution_options(synchronize_session=False)
        )
        if not changed(result):
            raise LeaseLost
        return tally.left_out


def _named(left_out: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The first ``MOST_NAMED``, and how many there are besides."""
    more = len(left_out) - MOST_NAMED
    if more <= 0:
        return list(left_out)
    text = Text(
        f"Yderligere {more} dokumenter er udeladt på samme måde.",
        f"{more} more documents are left out in the same way.",
    )
    return [*left_out[:MOST_NAMED], text_dict(text, id="…")]


def _problems(source: Source) -> list[dict[str, str]]:
    """Records that the source could not read, one broken one never spoiling the rest."""
    return [text_dict(error.text, id=record_id) for record_id, error in source.skipped]


def _missing(asked: Sequence[str], work: Work, *, has_unread: bool) -> list[dict[str, str]]:
    """An entry for each number that was asked for and not read."""
    return [
        text_dict(_not_found(number, has_unread), id=number)
        for number in dict.fromkeys(asked)
        if number not in work.numbers
    ]


def _not_found(number: str, has_unread: bool) -> Text:
    if has_unread:
        # A record that cannot be read may be the very one: its number is not known.
        return Text(
            f"{number} blev ikke fundet blandt de dokumenter, der kunne læses.",
            f"{number} was not found among the documents that could be read.",
        )
    return Text(
        f"{number} findes ikke i regnskabet. Kun godkendte fakturaer og kreditnotaer læses.",
        f"{number} does not exist in the accounts. Only approved invoices and credit notes are read.",
    )


def _to_retry(work: Work) -> list[str]:
    """The newest ``MOST_RETRIES``: so many broken records are a change in the source, and need a person."""
    failed = len(work.failed) + len(work.failed_again)
    if failed > MOST_RETRIES:
        log.error("run %s: %d records could not be read, too many to be tried again", work.run_id, failed)
    newest = work.failed[-MOST_RETRIES:]
    return [*newest, *work.failed_again[: MOST_RETRIES - len(newest)]]


def _finish(run_id: str, token: str, work: Work, problems: list[dict[str, str]]) -> None:
    skipped = len(problems) + len(work.left_out)
    with transaction() as session:
        result = session.execute(
            update(Run)
            .where(Run.id == run_id, Run.lease_token == token, Run.state == RunState.RUNNING)
            .values(
                state=RunState.FINISHED,
                finished_at=utcnow(),
                skipped=skipped,
                problems=[*problems, *_named(work.left_out)],
            )
        )
        if not changed(result):
            raise LeaseLost
        run = session.get_one(Run, run_id, populate_existing=True)
        adaptor = session.get_one(Adaptor, run.adaptor_id)
        adaptor.source_checked_at, adaptor.source_error = utcnow(), None
        if run.moves_watermark:
            adaptor.watermark = work.newest or adaptor.watermark
            adaptor.retry_ids = _to_retry(work)
        events.of_run("run_finished", run, read=run.read, queued=run.queued, skipped=skipped)
        work.followed_by = run_queue.follow(run)
