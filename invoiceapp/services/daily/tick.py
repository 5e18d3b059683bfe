"""The clock's tick: find what is due in the database and ring for it. Milliseconds; harmless when doubled."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import exists, or_, select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Gateway, Run, RunState, Stage, db, utcnow
from invoiceapp.services import background, bell
from invoiceapp.services.configuration import expiries
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import breaker, probing, reach, recovery, runs, standing
from invoiceapp.services.receipts import collecting, matching

log = logging.getLogger(__name__)


def tick() -> None:
    """Reap expired leases and receipts, stop what may not be sent, start due runs, and wake workers for every kind of due work."""
    recovery.reap()
    recovery.expire_receipts()
    matching.match_waiting()
    reach.block_out_of_reach()
    for adaptor_id in _claim_due_adaptors():
        try:
            runs.start(adaptor_id, trigger="schedule")
        except Conflict:
            log.info(
                "adaptor %s is still running, or was switched off; the next schedule will find what is new", adaptor_id
            )
    _ring_for_due_work()


def _claim_due_adaptors() -> list[str]:
    """Adaptors whose time has come; each claimed by moving its next time, so that two clocks start one run."""
    now = utcnow()
    claimed = []
    with transaction() as session:
        due = session.execute(
            select(Adaptor.id, Adaptor.next_run_at, Adaptor.interval_minutes).where(
                standing.working(), Adaptor.next_run_at <= now, Adaptor.interval_minutes.is_not(None)
            )
        ).all()
        for adaptor_id, next_run_at, minutes in due:
            result = session.execute(
                update(Adaptor)
                .where(Adaptor.id == adaptor_id, Adaptor.next_run_at == next_run_at)
                .values(next_run_at=now + timedelta(minutes=minutes or 0))
            )
            if changed(result):
                claimed.append(adaptor_id)
    return claimed


def _ring_for_due_work() -> None:
    now = utcnow()
    with transaction():
        stuck_runs = db.session.scalars(
            select(Run.id).where(
                or_(
                    (Run.state == RunState.QUEUED) & (Run.created_at < now - timedelta(seconds=10)),
                    (Run.state == RunState.RUNNING) & (Run.lease_until < now),
                )
            )
        ).all()
        waiting_jobs = background.due()
        to_convert = db.session.scalar(
            select(
                exists().where(
                    Document.stage == Stage.QUEUED,
                    or_(Document.lease_until.is_(None), Document.lease_until < now),
                    Document.adaptor_id == Adaptor.id,
                    standing.working(),
                )
            )
        )
        to_deliver = db.session.scalar(
            select(
                exists().where(
                    Delivery.state == DeliveryState.PENDING,
                    Delivery.next_at <= now,
                    Delivery.gateway_id == Gateway.id,
                    Gateway.paused_at.is_(None),
                    breaker.may_try(),
                    Delivery.adaptor_id == Adaptor.id,
                    standing.working(),
                    standing.within_reach(),
                )
            )
        )
        to_probe = probing.due(1)
        to_check = expiries.due()
    for run_id in stuck_runs:
        bell.ring("execute_run", run_id)
    for job_id in waiting_jobs:
        bell.ring("work", job_id)
    if to_convert:
        bell.ring("convert")
    if to_deliver:
        bell.ring("deliver")
    if to_probe:
        bell.ring("probe")
    if collecting.due():
        bell.ring("collect")
    if to_check:
        bell.ring("check_expiries")
