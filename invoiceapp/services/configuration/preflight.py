"""What would become of the documents of the last 90 days if their customers were switched on today. Nothing is sent.

Verdicts are kept with a fingerprint of all they depend on (``judging.py``), so
that a check after a small change judges little.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from datetime import date, timedelta
from itertools import islice

from sqlalchemy import delete, func, or_, select, update

from invoiceapp.models import ACTIVE_JOBS, Customer, Document, Job, JobState, PreflightResult, Readiness, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export.validators import today

from . import verdicts

log = logging.getLogger(__name__)

#: The kind of job that checks all customers of an adaptor.
KIND = "preflight"
#: Days back from today whose documents are judged.
DAYS = 90
#: Customers that a step looks at; how many it takes depends on their documents.
_CUSTOMERS = 200
#: A person waits for the check of one customer: what would take longer, the job does.
_NEWEST, _PATIENCE = 25, 2.0


# --- asking for a check --------------------------------------------------------------------------------------------


def refresh(adaptor_id: str, actor: str = "system") -> None:
    """Check all customers again in the background, after something that they share has changed.

    While a check is running it is asked to run once more, because it may have passed what has changed.
    """
    while not _asked_again(adaptor_id):
        try:
            background.start(adaptor_id, KIND, actor=actor)
        except Conflict:
            continue  # another one was started in between
        return


def _asked_again(adaptor_id: str) -> bool:
    """Whether there is a check that will see what is stored now."""
    with transaction() as session:
        job = session.scalar(
            select(Job)
            .where(Job.adaptor_id == adaptor_id, Job.kind == KIND, Job.state.in_(ACTIVE_JOBS))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if job is None:
            return False
        if job.state is JobState.RUNNING:
            job.parameters = {**job.parameters, "again": True}
        return True


def refresh_customer(customer_id: str) -> None:
    """Check one customer again, after its settings have changed. Raises nothing: what was saved stays saved.

    At most its newest documents are judged here, while a person waits; the job does the others.
    """
    try:
        adaptor_id, is_complete = _check_newest(customer_id)
        if adaptor_id and not is_complete:
            refresh(adaptor_id)
    except Exception:
        log.exception("customer %s could not be checked", customer_id)
        db.session.rollback()


def _check_newest(customer_id: str) -> tuple[str | None, bool]:
    """The customer's adaptor, and whether all its documents are judged as things are now."""
    adaptor_id = None
    for _ in range(3):
        batch = verdicts.newest_of(customer_id, _first_day(), _NEWEST)
        if batch is None:
            return None, True
        adaptor_id = batch.adaptor_id
        judged = verdicts.judge(batch, time.monotonic() + _PATIENCE)
        with transaction():
            if verdicts.keep(batch, judged):
                return adaptor_id, batch.is_everything and len(judged) == len(batch.to_judge)
    return adaptor_id, False


# --- the job -------------------------------------------------------------------------------------------------------


def run(progress: background.Progress) -> bool:
    """One slice of a check of all customers, the handler of ``KIND``; True while there is more."""
    until = time.monotonic() + background.SLICE
    if progress.total is None:
        _begin(progress)
    since = date.fromisoformat(progress.result["since"])
    customer_id, _, after = (progress.cursor or "").partition("/")
    waiting = deque(_customer_ids(progress.adaptor_id, customer_id, is_begun=bool(after)))
    after = after if waiting and waiting[0] == customer_id else ""
    while waiting:
        batch = verdicts.next_batch(progress.adaptor_id, list(islice(waiting, _CUSTOMERS)), since, after)
        judged = verdicts.judge(batch)
        with transaction():
            if not verdicts.keep(batch, judged):
                continue
            progress.step(batch.size, batch.cursor)
        for _ in batch.whole:
            waiting.popleft()
        after = batch.after
        # Asked after the work: a slice that does none would count as a failure of the job.
        if time.monotonic() > until:
            return True
    return _end_or_go_round(progress)


def _begin(progress: background.Progress) -> None:
    """Count what is to be done, and forget what is no longer judged."""
    since = _first_day()
    with transaction() as session:
        verdicts.lock(progress.adaptor_id)
        judged = verdicts.of_adaptor(select(Customer.id), progress.adaptor_id)
        old = select(Document.id).where(Document.adaptor_id == progress.adaptor_id, Document.issue_date < since)
        session.execute(
            delete(PreflightResult)
            .where(
                PreflightResult.adaptor_id == progress.adaptor_id,
                or_(PreflightResult.document_id.in_(old), PreflightResult.customer_id.not_in(judged)),
            )
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(Customer)
            .where(
                Customer.adaptor_id == progress.adaptor_id,
                Customer.readiness != Readiness.UNCHECKED,
                Customer.id.not_in(judged),
            )
            .values(readiness=Readiness.UNCHECKED, problems=[])
            .execution_options(synchronize_session=False)
        )
        customers = session.scalar(verdicts.of_adaptor(select(func.count(Customer.id)), progress.adaptor_id)) or 0
        documents = session.scalar(
            verdicts.of_adaptor(
                select(func.count(Document.id))
                .select_from(Customer)
                .join(Document, Document.customer_id == Customer.id),
                progress.adaptor_id,
            ).where(Document.issue_date >= since)
        )
        progress.result = {"since": since.isoformat(), "until": today().isoformat()}
        progress.done, progress.total = 0, customers + (documents or 0)
        progress.step(0, None)


def _end_or_go_round(progress: background.Progress) -> bool:
    """Finish the job, or begin anew where ``refresh`` asked for that meanwhile; True in that case.

    The job's row is finished here and not by ``background``: between the question and the end nobody may
    ask again, or the wish would be lost.
    """
    with transaction() as session:
        job = session.get_one(Job, progress.job_id, with_for_update=True, populate_existing=True)
        goes_round = bool(job.parameters.get("again"))
        if goes_round:
            job.parameters = {name: value for name, value in job.parameters.items() if name != "again"}
            progress.done, progress.total = 0, None
            session.flush()
            progress.step(0, None)
        else:
            progress.result |= _outcome(progress.adaptor_id)
            progress.step(0, progress.cursor)
            job.state, job.finished_at = JobState.FINISHED, utcnow()
    return goes_round


def _outcome(adaptor_id: str) -> dict[str, int]:
    documents = dict(
        db.session.execute(
            select(PreflightResult.may_leave, func.count())
            .where(PreflightResult.adaptor_id == adaptor_id)
            .group_by(PreflightResult.may_leave)
        ).all()
    )
    customers = dict(
        db.session.execute(
            select(Customer.readiness, func.count())
            .where(Customer.adaptor_id == adaptor_id)
            .group_by(Customer.readiness)
        ).all()
    )
    go, stop = documents.get(True, 0), documents.get(False, 0)
    return {
        "documents": go + stop,
        "go": go,
        "stop": stop,
        "customers_ready": customers.get(Readiness.READY, 0),
        "customers_needing": customers.get(Readiness.NEEDS, 0),
    }


def _first_day() -> date:
    return today() - timedelta(days=DAYS)


def _customer_ids(adaptor_id: str, last: str, *, is_begun: bool) -> list[str]:
    """Ids of the customers that are still to be checked, in order."""
    with transaction() as session:
        rest = Customer.id >= last if is_begun else Customer.id > last
        query = verdicts.of_adaptor(select(Customer.id), adaptor_id)
        return list(session.scalars(query.where(rest).order_by(Customer.id)))
