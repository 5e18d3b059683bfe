"""Long pieces of work in slices: progress for the person who waits, turns for all other work, and nothing lost in a crash.

A job is a row (``models/job.py``). A worker takes it for ``LEASE``, does one slice
of a few seconds and rings again while there is more, so that deliveries never
wait for a pre-flight. Each slice commits its work together with the cursor from
which the next one goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp import tracing
from invoiceapp.domain.findings import Text
from invoiceapp.models import ACTIVE_JOBS, Adaptor, Job, JobState, db, new_id, utcnow
from invoiceapp.services import audit, bell
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import Conflict, ServiceError, text_dict

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
#: Seconds of work after which a slice should end.
SLICE = 5.0
#: Times that a job may meet an unexpected error, or take its worker down, before it is given up.
MOST_TRIES = 5
_GIVEN_UP = Text(
    "Arbejdet stoppede på grund af en fejl i programmet. Det, der nåede at blive gjort, står ved magt; prøv igen, og giv "
    "besked til den, der driver serveren, hvis det sker igen.",
    "The work stopped because of a fault in the program. What was done until then stands; try again, and tell whoever runs "
    "the server if it happens again.",
)


class LeaseLost(Exception):
    """Another worker has the job; what we would write is theirs to write."""


@dataclass(slots=True)
class Progress:
    """One job during a slice."""

    job_id: str
    adaptor_id: str
    actor: str
    parameters: Mapping[str, Any]
    done: int
    total: int | None
    cursor: str | None
    token: str
    result: dict[str, Any] = field(default_factory=dict)
    """What the person is told at the end; kept with every step"""
    subscription_id: str | None = None
    user_id: str | None = None

    def step(self, done: int, cursor: str | None = None) -> None:
        """Note ``done`` more and where to go on. Inside the caller's transaction, with the work itself.

        Raises ``LeaseLost``.
        """
        self.done += done
        self.cursor = cursor
        result = db.session.execute(
            update(Job)
            .where(Job.id == self.job_id, Job.lease_token == self.token, Job.state == JobState.RUNNING)
            .values(
                done=self.done, total=self.total, cursor=cursor, result=self.result, lease_until=utcnow() + LEASE, tries=0
            )
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        if not changed(result):
            raise LeaseLost

    def renew(self) -> None:
        """Keep the job for another ``LEASE`` while something slow is read; in a transaction of its own. Raises ``LeaseLost``."""
        with transaction() as session:
            result = session.execute(
                update(Job)
                .where(Job.id == self.job_id, Job.lease_token == self.token, Job.state == JobState.RUNNING)
                .values(lease_until=utcnow() + LEASE)
                .execution_options(synchronize_session=False)
            )
            if not changed(result):
                raise LeaseLost


#: Does one slice; True while there is more. Raises ``ServiceError`` to end the job with words.
Handler = Callable[[Progress], bool]


def start(
    adaptor_id: str,
    kind: str,
    *,
    actor: str = "system",
    parameters: Mapping[str, Any] | None = None,
    items: str | None = None,
    total: int | None = None,
) -> str:
    """Queue a job; its id. ``items`` as ``Job`` has them. Raises ``Conflict`` while the adaptor has an active one of the kind."""
    try:
        with transaction() as session:
            adaptor = session.get_one(Adaptor, adaptor_id)
            job = Job(
                id=new_id(), subscription_id=adaptor.subscription_id, adaptor_id=adaptor_id, kind=kind, actor=actor,
                parameters=dict(parameters or {}), items=items, total=total, state=JobState.QUEUED, user_id=_user_id(actor),
            )  # fmt: skip
            session.add(job)
            job_id = job.id
    except IntegrityError as error:
        # The partial unique index uq_job_active.
        raise Conflict(Text("Det er allerede i gang.", "That is going on already.")) from error
    bell.ring("work", job_id)
    return job_id


def _user_id(actor: str) -> str | None:
    """Of the person who acts now, if it is for them."""
    context = audit.current()
    return context.who().user_id if context is not None and actor != "system" else None


def active(adaptor_id: str, kind: str) -> Job | None:
    """The job that is queued or running."""
    return db.session.scalar(
        select(Job).where(Job.adaptor_id == adaptor_id, Job.kind == kind, Job.state.in_(ACTIVE_JOBS))
    )


def latest(adaptor_id: str, kind: str) -> Job | None:
    """The newest job of a kind, whatever became of it."""
    return db.session.scalar(
        select(Job).where(Job.adaptor_id == adaptor_id, Job.kind == kind).order_by(Job.id.desc()).limit(1)
    )


def cancel(job_id: str, adaptor_id: str) -> bool:
    """Stop a job at the end of its current step; False where it has ended already. What was done until then stands."""
    with transaction() as session:
        # Without its token the worker that has it can note nothing more (``Progress.step``).
        result = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.adaptor_id == adaptor_id, Job.state.in_(ACTIVE_JOBS))
            .values(state=JobState.CANCELLED, finished_at=utcnow(), lease_until=None, lease_token=None)
            .execution_options(synchronize_session=False)
        )
        return changed(result)


def due() -> list[str]:
    """Jobs that nobody works on although they are active."""
    now = utcnow()
    return list(
        db.session.scalars(
            select(Job.id).where(
                or_(
                    (Job.state == JobState.QUEUED) & (Job.created_at < now - timedelta(seconds=10)),
                    (Job.state == JobState.RUNNING) & (Job.lease_until < now - timedelta(seconds=10)),
                )
            )
        )
    )


def _claim(job_id: str) -> tuple[str, Progress] | None:
    """Take a job for a slice: its kind and its progress. None where somebody else has it, or it has ended."""
    token, now = new_id(), utcnow()
    with transaction() as session:
        result = session.execute(
            update(Job)
            .where(
                Job.id == job_id,
                Job.state.in_(ACTIVE_JOBS),
                or_(Job.lease_until.is_(None), Job.lease_until <= now),
            )
            .values(state=JobState.RUNNING, lease_token=token, lease_until=now + LEASE, tries=Job.tries + 1)
            .execution_options(synchronize_session=False)
        )
        if not changed(result):
            return None
        job = session.get_one(Job, job_id, populate_existing=True)
        progress = Progress(
            job.id, job.adaptor_id, job.actor, job.parameters, job.done, job.total, job.cursor, token, dict(job.result)
        )
        progress.subscription_id, progress.user_id = job.subscription_id, job.user_id
        if job.tries > MOST_TRIES:
            _end(progress, JobState.FAILED, text_dict(_GIVEN_UP))
            return None
        return job.kind, progress


@tracing.of("job")
def execute(job_id: str, handlers: Mapping[str, Handler]) -> bool:
    """Do one slice of a job; whether there is more. Safe to call twice: the second caller finds the lease taken."""
    claimed = _claim(job_id)
    if claimed is None:
        return False
    kind, progress = claimed
    tracing.about(adaptor=progress.adaptor_id)
    try:
        with _for_its_person(progress):
            has_more = handlers[kind](progress)
        if has_more:
            _let_go(progress)
            return True
        _finish(progress, JobState.FINISHED)
    except ServiceError as error:
        db.session.rollback()
        _finish(progress, JobState.FAILED, text_dict(error.text))
    except LeaseLost:
        log.warning("job %s was taken over by another worker", job_id)
    except Exception:
        log.exception("job %s met an unexpected error", job_id)
        db.session.rollback()
        _let_go(progress)
        return True
    return False


def _for_its_person(progress: Progress) -> AbstractContextManager[None]:
    """What a job changes is written to the audit log as its person's."""
    if progress.actor == "system":
        return nullcontext()
    return audit.acting(progress.actor, user_id=progress.user_id, subscription_id=progress.subscription_id)


def _let_go(progress: Progress) -> None:
    """Let any worker do the next slice."""
    with transaction() as session:
        session.execute(
            update(Job)
            .where(Job.id == progress.job_id, Job.lease_token == progress.token)
            .values(lease_until=utcnow())
            .execution_options(synchronize_session=False)
        )


def _finish(progress: Progress, state: JobState, error: dict[str, str] | None = None) -> None:
    with transaction():
        _end(progress, state, error)


def _end(progress: Progress, state: JobState, error: dict[str, str] | None = None) -> None:
    """Inside the caller's transaction."""
    db.session.execute(
        update(Job)
        .where(Job.id == progress.job_id, Job.lease_token == progress.token)
        .values(state=state, error=error, result=progress.result, finished_at=utcnow(), lease_until=None)
        .execution_options(synchronize_session=False)
    )
