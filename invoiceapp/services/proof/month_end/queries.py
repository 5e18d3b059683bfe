"""Proofs for pages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from invoiceapp.models import ACTIVE_JOBS, Job, JobState, MonthEndProof, ProofState, db
from invoiceapp.services.export import archive

from . import files

#: Newest proofs in a list.
MOST = 60


def of_adaptor(adaptor_id: str) -> list[MonthEndProof]:
    """The newest, newest first."""
    query = select(MonthEndProof).where(MonthEndProof.adaptor_id == adaptor_id)
    return list(db.session.scalars(query.order_by(MonthEndProof.id.desc()).limit(MOST)))


def jobs_of(proofs: list[MonthEndProof]) -> dict[str, Job]:
    """Of those that are not finished, by the proof's id."""
    by_job = {one.job_id: one.id for one in proofs if one.job_id and one.state is ProofState.OPEN}
    jobs = db.session.scalars(select(Job).where(Job.id.in_(by_job)).execution_options(populate_existing=True))
    return {by_job[job.id]: job for job in jobs}


def is_given_up(proof: MonthEndProof, job: Job | None) -> bool:
    """Whether it will not be finished."""
    if proof.state is ProofState.FINISHED:
        return False
    return job is None or job.state not in (*ACTIVE_JOBS, JobState.FINISHED)


def result(proof: MonthEndProof) -> dict[str, Any]:
    """As ``reckoning.reckon`` gave it. Raises ``ArchiveCorrupt``, ``ArchiveUnavailable``."""
    found: dict[str, Any] = files.read(archive.load(str(proof.result_sha256)))
    return found
