"""Runs: read the source, keep what was read, queue what is to be exported."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    ACTIVE_RUNS,
    Adaptor,
    Customer,
    Delivery,
    Document,
    Run,
    RunState,
    Stage,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import bell
from invoiceapp.services.configuration import customer_reading, customers, preflight, sources
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import Conflict, ServiceError, text_dict
from invoiceapp.sources.base import (
    CredentialsRefused,
    DocumentQuery,
    NotFound,
    Source,
    SourceDocument,
    SourceError,
    SourceUnavailable,
)

from . import documents, events, standing
from .run_queries import query_from_json, query_to_json
from .validators import today

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
#: How often a run renews its lease while a slow source hands out documents.
_RENEWAL = timedelta(minutes=1)
_CHUNK = 50
#: Records that are tried again in every run; each costs a request.
MOST_RETRIES = 300
#: Documents that a manual run names as left out by the settings; of more it gives the number.
MOST_NAMED = 200
_UNEXPECTED = Text(
    "Kørslen stoppede på grund af en fejl i programmet. Intet er tabt; næste kørsel læser det samme igen. Sker det igen, så "
    "giv besked til den, der driver serveren.",
    "The run stopped because of a fault in the program. Nothing is lost; the next run reads the same again. If it happens "
    "again, tell whoever runs the server.",
)


def start(
    adaptor_id: str,
    *,
    trigger: str,
    actor: str = "system",
    query: DocumentQuery | None = None,
    only_reads: bool = False,
) -> Run:
    """Queue a run: everything new, or what ``query`` names. One that ``only_reads`` exports nothing.

    Raises ``Conflict`` while another one is active, and for an adaptor that is switched off.
    """
    try:
        with transaction() as session:
            adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
            standing.require(adaptor)
            run = Run(
                subscription_id=adaptor.subscription_id,
                adaptor_id=adaptor.id,
                trigger=trigger,
                actor=actor,
                query=query_to_json(query) if query else {},
                moves_watermark=query is None,
                only_reads=only_reads,
                state=RunState.QUEUED,
            )
            session.add(run)
            session.flush()
            run_id = run.id
            events.of_run("run_started", run, trigger=trigger)
    except IntegrityError as error:
        # The partial unique index uq_run_active: two clicks, or a click and a schedule.
        raise Conflict(
            Text("Der kører allerede en eksport for denne adaptor.", "An export is already running for this adaptor.")
        ) from error
    # Not run.id: reading it again would open a transaction while we wait for Redis.
    bell.ring("execute_run", run_id)
    return run


def start_manual(
    adaptor_id: str, actor: str, *, first_date: date | None = None, last_date: date | None = None,
    customer_ids: Sequence[str] = (), numbers: Sequence[str] = (),
) -> Run:  # fmt: skip
    """Queue a run of what a person chose; ``customer_ids`` are ids of our rows.

    Raises ``Conflict`` as ``start``, ``ServiceError`` where no
    chosen customer belongs to the adaptor: without a condition everything would be read.
    """
    chosen = select(Customer.source_id).where(Customer.adaptor_id == adaptor_id, Customer.id.in_(customer_ids))
    source_ids = tuple(db.session.scalars(chosen)) if customer_ids else ()
    if customer_ids and not source_ids:
        raise ServiceError(
            Text(
                "De valgte kunder findes ikke længere. Vælg igen.",
                "The chosen customers no longer exist. Choose again.",
            )
        )
    query = DocumentQuery(first_date=first_date, last_date=last_date, customer_ids=source_ids, numbers=tuple(numbers))
    return start(adaptor_id, trigger="manual", actor=actor, query=query)


def start_reading(adaptor_id: str, actor: str, days: int = 365) -> Run:
    """Queue a run that fills our lists with the documents of the last ``days`` and sends nothing. Raises ``Conflict``."""
    query = DocumentQuery(first_date=today() - timedelta(days=days))
    return start(adaptor_id, trigger="reading", actor=actor, query=query, only_reads=True)


def active(adaptor_id: str) -> Run | None:
    """The run that is queued or running."""
    return db.session.scalar(select(Run).where(Run.adaptor_id == adaptor_id, Run.state.in_(ACTIVE_RUNS)))


def _claim(run_id: str) -> str | None:
    """Take a queued run, or a running one whose worker died: the token; None where somebody else has it."""
    token = new_id()
    with transaction() as session:
        result = session.execute(
            update(Run)
            .where(
                Run.id == run_id,
                or_(
                    Run.state == RunState.QUEUED,
                    (Run.state == RunState.RUNNING) & (Run.lease_until < utcnow()),
                ),
            )
            .values(
                state=RunState.RUNNING, lease_token=token, lease_until=utcnow() + LEASE, started_at=utcnow(),
                # A run whose worker died is read from its start again: nothing is counted twice.
                read=0, queued=0, not_activated=0, already_exported=0,
            )
        )  # fmt: skip
        return token if changed(result) else None


def _chunks(items: Iterator[SourceDocument]) -> Iterator[list[SourceDocument]]:
    while chunk := list(itertools.islice(items, _CHUNK)):
        yield chunk


def _query(run: Run, adaptor: Adaptor) -> DocumentQuery:
    since = datetime.fromisoformat(adaptor.watermark) if adaptor.watermark and run.moves_watermark else None
    query = query_from_json(run.query, since)
    if run.moves_watermark and since is None and adaptor.start_date:
        return query_from_json({**run.query, "first_date": adaptor.start_date.isoformat()})
    return query


def execute(run_id: str) -> None:
    """Carry out a run. Safe to call twice: the second caller finds the lease taken."""
    token = _claim(run_id)
    if token is None:
        return
    try:
        work = _read(run_id, token)
        if work.seen:
            _look_at_what_was_read(work.adaptor_id)
    except SourceError as error:
        if _fail(run_id, token, text_dict(error.text, detail=error.detail)):
            _remember_failure(run_id, error)
    except ServiceError as error:
        _fail(run_id, token, text_dict(error.text))
    except LeaseLost:
        log.warning("run %s was taken over by another worker", run_id)
    except Exception:
        log.exception("run %s met an unexpected error", run_id)
        _fail(run_id, token, text_dict(_UNEXPECTED))


def _look_at_what_was_read(adaptor_id: str) -> None:
    """Count each customer's documents anew, and check in the background what would become of them."""
    customers.count_recent(adaptor_id)
    preflight.refresh(adaptor_id)


class LeaseLost(Exception):
    """Another worker has the run; what we would write is theirs to write."""


def _read(run_id: str, token: str) -> _Work:
    """Everything that a run does. No transaction is open while the source is asked."""
    with transaction() as session:
        run = session.get_one(Run, run_id, populate_existing=True)
        adaptor = session.get_one(Adaptor, run.adaptor_id, populate_existing=True)
        standing.require(adaptor)
        work = _Work(run.id, adaptor.id, token, newest=adaptor.watermark)
        query, waiting = _query(run, adaptor), list(adaptor.retry_ids) if run.moves_watermark else []
        opened = sources.open_source(adaptor)
    with opened as source:
        customer_reading.read_customers(work.adaptor_id, source, lambda: _renew(work))
        of_customers = len(source.skipped)
        _keep_all(work, source.documents(query))
        work.failed = _ids_of(source.skipped[of_customers:])
        reached = work.newest
        _try_again(work, source, [one for one in waiting if one not in work.seen and one not in work.failed])
        # A record that was asked for by name says nothing about the others of its time.
        work.newest = reached
        _finish(run_id, token, work, _problems(source))
    return work


@dataclass(slots=True)
class _Work:
    """One pass as it goes on."""

    run_id: str
    adaptor_id: str
    token: str
    newest: str | None
    seen: set[str] = field(default_factory=set)
    """The source's ids of the documents that were kept"""
    failed: list[str] = field(default_factory=list)
    """The source's ids of the documents that could not be read, to be tried again"""
    left_out: list[dict[str, str]] = field(default_factory=list)
    """What a person asked for and the settings leave out"""


def _ids_of(skipped: Sequence[tuple[str, SourceError]]) -> list[str]:
    """Ids that are worth another try: not the ones that the source does not name, nor what it no longer has."""
    found = (record_id for record_id, error in skipped if record_id != "?" and not isinstance(error, NotFound))
    return list(dict.fromkeys(found))


def _keep_all(work: _Work, read: Iterator[SourceDocument]) -> None:
    for chunk in _chunks(_held(work, read)):
        work.left_out += _keep(work.run_id, work.adaptor_id, work.token, chunk)
        bell.ring("convert")
        work.newest = _newest(work.newest, chunk)
        work.seen.update(item.id for item in chunk)


def _held(work: _Work, read: Iterator[SourceDocument]) -> Iterator[SourceDocument]:
    """The same documents; the lease is renewed where a chunk takes long to fill. Raises ``LeaseLost``."""
    renewed = utcnow()
    for item in read:
        if utcnow() - renewed > _RENEWAL:
            _renew(work)
            renewed = utcnow()
        yield item


def _try_again(work: _Work, source: Source, waiting: Sequence[str]) -> None:
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
            work.failed.extend([*waiting[position + 1 :], document_id])
            return
        except SourceError as error:
            source.skipped.append((document_id, error))
        work.failed.extend(_ids_of(source.skipped[before:]))


def _newest(seen: str | None, chunk: Sequence[SourceDocument]) -> str | None:
    """The newest approval time, as the source writes times."""
    approved = (item.approved_at.isoformat() for item in chunk if item.approved_at)
    return max(filter(None, (seen, *approved)), default=None)


def _renew(work: _Work) -> None:
    """Keep the run for another ``LEASE``. Raises ``LeaseLost`` where somebody else has it."""
    with transaction() as session:
        result = session.execute(
            update(Run)
            .where(Run.id == work.run_id, Run.lease_token == work.token, Run.state == RunState.RUNNING)
            .values(lease_until=utcnow() + LEASE)
        )
        if not changed(result):
            raise LeaseLost


def _remember_failure(run_id: str, error: SourceError) -> None:
    with transaction() as session:
        adaptor_id = session.get_one(Run, run_id).adaptor_id
    sources.remember_failure(adaptor_id, error)


def _keep(run_id: str, adaptor_id: str, token: str, chunk: Sequence[SourceDocument]) -> list[dict[str, str]]:
    """Keep a chunk; what of it the settings leave out. Raises ``LeaseLost``, ``Conflict`` once the adaptor is switched off."""
    with transaction() as session:
        run = session.get_one(Run, run_id)
        adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
        standing.require(adaptor)
        tally = documents.ingest(run, adaptor, chunk)
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


def _to_retry(run_id: str, failed: Sequence[str]) -> list[str]:
    """The newest ``MOST_RETRIES``: so many broken records are a change in the source, and need a person."""
    if len(failed) > MOST_RETRIES:
        log.error("run %s: %d records could not be read, too many to be tried again", run_id, len(failed))
    return list(failed[:MOST_RETRIES])


def _finish(run_id: str, token: str, work: _Work, problems: list[dict[str, str]]) -> None:
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
            adaptor.retry_ids = _to_retry(run_id, work.failed)
        events.of_run("run_finished", run, read=run.read, queued=run.queued, skipped=skipped)


def _fail(run_id: str, token: str, error: dict[str, str]) -> bool:
    """End the run with words; False where somebody else has it."""
    with transaction() as session:
        result = session.execute(
            update(Run)
            .where(Run.id == run_id, Run.lease_token == token, Run.state == RunState.RUNNING)
            .values(state=RunState.FAILED, finished_at=utcnow(), error=error)
        )
        if not changed(result):
            return False
        events.of_run("run_failed", session.get_one(Run, run_id, populate_existing=True), **error)
    log.warning("run %s failed: %s", run_id, error.get("detail") or error["en"])
    return True


def progress(run: Run) -> dict[str, int]:
    """How many of the run's documents are where, for the progress bar and ``flask runs start --wait``."""
    stages = dict(
        db.session.execute(
            select(Document.stage, func.count()).where(Document.run_id == run.id).group_by(Document.stage)
        ).all()
    )
    states = dict(
        db.session.execute(
            select(Delivery.state, func.count()).where(Delivery.run_id == run.id).group_by(Delivery.state)
        ).all()
    )
    return {
        "converting": stages.get(Stage.QUEUED, 0),
        "unusable": stages.get(Stage.UNUSABLE, 0),
        "skipped": stages.get(Stage.SKIPPED, 0),
        **{state.value: count for state, count in states.items()},
    }
