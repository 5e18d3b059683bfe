"""The clock's tick: find what is due in the database and ring for it. Milliseconds; harmless when doubled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import Select, func, or_, select

from invoiceapp.models import Run, RunState, db, utcnow
from invoiceapp.services import background, bell
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.configuration import expiries
from invoiceapp.services.database import transaction
from invoiceapp.services.export import conversion, delivery, probing, reach, recovery
from invoiceapp.services.four_eyes import letting_go
from invoiceapp.services.keeping import retention, verifying
from invoiceapp.services.notifications import calling, composing, mailing, noticing
from invoiceapp.services.proof import reconciling
from invoiceapp.services.proof.evidence import packs as evidence_packs
from invoiceapp.services.reach import recheck
from invoiceapp.services.receipts import collecting, matching, polling

from . import due_runs, problems

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Runs that are rung for in one tick. Ten thousand may wait for their turn, and their first ring is mostly not lost.
_MOST_RINGS = 100


def tick() -> None:
    """Reap expired leases and receipts, stop what may not be sent, claim due runs, and wake workers for every kind of due work."""
    steps: tuple[Callable[[], object], ...] = (
        recovery.reap, recovery.expire_receipts, matching.match_waiting, reach.block_out_of_reach, due_runs.claim,
        recheck.start_due, audit_verify.log_heads, letting_go.finish, reconciling.start_due, evidence_packs.remove_old,
    )  # fmt: skip
    for step in steps:
        _guarded(step)
    _ring_for_due_work()


def _guarded(step: Callable[[], T]) -> T | None:
    """One broken step must not stop the others: then None."""
    try:
        return step()
    except Exception:
        log.exception("the clock's step %r failed", step)
        db.session.rollback()
        return None


def _ring_for_due_work() -> None:
    with transaction():
        runs, jobs = _guarded(_stuck_runs) or [], _guarded(background.due) or []
        tasks = [task for task, is_due in _TASKS.items() if _guarded(is_due)]
    for run_id in runs:
        bell.ring("execute_run", run_id)
    for job_id in jobs:
        bell.ring("work", job_id)
    for task in tasks:
        bell.ring(task)
    if _guarded(collecting.due):
        bell.ring("collect")


def _stuck_runs() -> list[str]:
    """Runs that nobody works on although they are active, first those that nobody has worked on for longest.

    Each slice brings a run to the end: many that merely wait for their next turn do not hide one that is stuck.
    """
    now = utcnow()
    since = func.coalesce(Run.lease_until, Run.created_at)
    found = select(Run.id).where(
        or_(
            (Run.state == RunState.QUEUED) & (Run.created_at < now - timedelta(seconds=10)),
            (Run.state == RunState.RUNNING) & (Run.lease_until < now),
        )
    )
    return list(db.session.scalars(found.order_by(since, Run.id).limit(_MOST_RINGS)))


def _any(found: Select[str]) -> bool:
    return db.session.scalar(found.limit(1)) is not None


#: What to ring for, and whether to; asked inside one transaction.
_TASKS: dict[str, Callable[[], bool]] = {
    "start_runs": due_runs.waiting,
    "convert": lambda: _any(conversion.with_work()),
    "deliver": lambda: _any(delivery.with_work()),
    "probe": lambda: bool(probing.due(1)),
    "poll": polling.due,
    "note_problems": lambda: bool(problems.dirty()),
    "check_expiries": expiries.due,
    "notice": lambda: bool(noticing.due()),
    "compose": composing.due,
    "send_mail": mailing.due,
    "call_webhooks": calling.due,
    "delete_due": retention.is_due,
    "verify_archive": verifying.is_due,
}
