"""Runs: read the source slice by slice, keep what was read, queue what is to be exported."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp import tracing
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
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
from invoiceapp.services.configuration import customers, preflight, sources
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import Conflict, ServiceError, text_dict
from invoiceapp.sources.base import (
    DocumentQuery,
    SourceError,
)

from . import events, run_queue
from .run_queries import query_to_json
from .run_reading import LEASE, LeaseLost, read
from .validators import today

log = logging.getLogger(__name__)

_COUNTS = ("read", "queued", "not_activated", "already_exported")
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
    not_understood: Sequence[str] = (),
) -> Run:
    """Queue a run: everything new, or what ``query`` names. One that ``only_reads`` exports nothing.

    Raises ``Conflict`` while another one is active, and for an adaptor that is switched off.
    """
    try:
        with transaction() as session:
            adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
            stored = query_to_json(query, not_understood) if query else None
            run = run_queue.add(adaptor, trigger=trigger, actor=actor, query=stored, only_reads=only_reads)
            run_id = run.id
    except IntegrityError as error:
        # The partial unique index uq_run_active: two clicks, or a click and a schedule.
        raise Conflict(
            Text("Der kører allerede en eksport for denne adaptor.", "An export is already running for this adaptor.")
        ) from error
    # Not run.id: reading it again would open a transaction while we wait for Redis.
    bell.ring("execute_run", run_id)
    return run


def find(
    adaptor_id: str, actor: str, *, first_date: date | None = None, last_date: date | None = None,
    customer_ids: Sequence[str] = (), numbers: Sequence[str] = (), not_understood: Sequence[str] = (),
) -> Run:  # fmt: skip
    """Queue a run that reads what a person looks for, and exports nothing: they choose afterwards (``services/daily/choosing.py``).

    ``customer_ids`` are ids of our rows; ``not_understood`` is kept to be told. Raises ``Conflict`` as ``start``,
    ``ServiceError`` where no chosen customer belongs to the adaptor: without a condition everything would be read.
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
    return start(
        adaptor_id, trigger="manual", actor=actor, query=query, only_reads=True, not_understood=tuple(not_understood)
    )


def start_reading(adaptor_id: str, actor: str, days: int = 365) -> Run:
    """Queue a run that fills our lists with the documents of the last ``days`` and sends nothing. Raises ``Conflict``."""
    query = DocumentQuery(first_date=today() - timedelta(days=days))
    return start(adaptor_id, trigger="reading", actor=actor, query=query, only_reads=True)


def _claim(run_id: str) -> str | None:
    """Take a queued run, or the next slice of a running one that nobody has: the token; None where somebody else has it."""
    token, now = new_id(), utcnow()
    # The release before this one noted no cursor, and began again where its worker had died.
    counts = {name: case((Run.cursor.is_(None), 0), else_=getattr(Run, name)) for name in _COUNTS}
    with transaction() as session:
        result = session.execute(
            update(Run)
            .where(
                Run.id == run_id,
                or_(
                    Run.state == RunState.QUEUED,
                    (Run.state == RunState.RUNNING) & (Run.lease_until < now),
                ),
            )
            .values(
                state=RunState.RUNNING, lease_token=token, lease_until=now + LEASE,
                started_at=func.coalesce(Run.started_at, now), **counts,
            )
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        return token if changed(result) else None


@tracing.of("run")
def execute(run_id: str) -> bool:
    """Carry out one slice of a run; whether there is more. Safe to call twice: the second caller finds the lease taken."""
    token = _claim(run_id)
    if token is None:
        return False
    try:
        work = read(run_id, token)
        if work.has_read:
            _look_at_what_was_read(work.adaptor_id)
        if work.followed_by:
            bell.ring("execute_run", work.followed_by)
        return not work.is_finished
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
    return False


def _remember_failure(run_id: str, error: SourceError) -> None:
    with transaction() as session:
        adaptor_id = session.get_one(Run, run_id).adaptor_id
    sources.remember_failure(adaptor_id, error)


def _look_at_what_was_read(adaptor_id: str) -> None:
    """Count each customer's documents anew, and check in the background what would become of them."""
    customers.count_recent(adaptor_id)
    preflight.refresh(adaptor_id)


def _fail(run_id: str, token: str, error: dict[str, str]) -> bool:
    """End the run with words; False where somebody else has it."""
    with transaction() as session:
        result = session.execute(
            update(Run)
            .where(Run.id == run_id, Run.lease_token == token, Run.state == RunState.RUNNING)
            .values(state=RunState.FAILED, finished_at=utcnow(), error=error, cursor=None)
        )
        if not changed(result):
            return False
        run = session.get_one(Run, run_id, populate_existing=True)
        events.of_run("run_failed", run, **error)
        followed_by = run_queue.follow(run)
    if followed_by:
        bell.ring("execute_run", followed_by)
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
