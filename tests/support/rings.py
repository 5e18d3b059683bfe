"""What waits in the queues, for tests."""

from __future__ import annotations

from rq.job import Job

from invoiceapp.services import bell


def rung() -> list[Job]:
    """The jobs that wait, of all kinds, in the order in which they were rung for."""
    jobs = [job for kind in bell.Kind for job in bell.queue(kind).jobs]
    return sorted(jobs, key=lambda job: job.enqueued_at)


def failed() -> int:
    """How many jobs have failed."""
    return sum(bell.queue(kind).failed_job_registry.count for kind in bell.Kind)


def lost() -> None:
    """Redis forgets what waits, and keeps all else."""
    for kind in bell.Kind:
        bell.queue(kind).empty()
