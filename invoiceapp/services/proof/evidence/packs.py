"""The finished packs that lie below the instance: for a few days, the newest of each person, and no longer than its documents."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from invoiceapp.current import config
from invoiceapp.models import Adaptor, Document, Job, JobState, db, utcnow
from invoiceapp.models.types import ID_LENGTH
from invoiceapp.services.database import reading

#: How long a pack can be fetched; after that it is made again.
KEPT = timedelta(days=7)
#: In a job's result: documents that were deleted before they were read.
GONE = "gone"
#: Ids of one query.
_AT_ONCE = 500


def folder() -> Path:
    """Where packs lie, and drafts of those that are being written."""
    return config().instance_dir / "evidence"


def path_of(job_id: str) -> Path:
    """Where the finished pack of a job lies."""
    return folder() / f"{job_id}.zip"


def file_of(job: Job) -> Path | None:
    """The finished pack; None where there is none (any more). Inside a transaction of the caller's."""
    path = path_of(job.id)
    is_there = job.state is JobState.FINISHED and path.is_file() and path.stat().st_mtime > _oldest()
    return path if is_there and not _is_outdated(job) else None


def ids_of(job: Job) -> list[str]:
    """Ids of the documents that were chosen."""
    items = job.items or ""
    return [items[start : start + ID_LENGTH] for start in range(0, len(items), ID_LENGTH)]


def remove_old() -> None:
    """Packs, and drafts of jobs that ended, whose time is over."""
    for path in folder().glob("*"):
        # Several processes may look at once.
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < _oldest():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_outdated(subscription_id: str) -> None:
    """Packs of the subscription that hold what was deleted since: a document, or the adaptor. No transaction may be open."""
    with reading() as session:
        jobs = session.scalars(select(Job).where(Job.subscription_id == subscription_id, Job.id.in_(_stems()))).all()
        outdated = [job.id for job in jobs if _is_outdated(job)]
    _remove(outdated)


def remove_earlier(job_id: str) -> None:
    """Packs that the same person had of the same adaptor before. No transaction may be open."""
    with reading() as session:
        job = session.get_one(Job, job_id)
        earlier = session.scalars(
            select(Job.id).where(
                Job.adaptor_id == job.adaptor_id, Job.actor == job.actor, Job.id < job_id, Job.id.in_(_stems())
            )
        ).all()  # fmt: skip
    _remove(earlier)


def _stems() -> list[str]:
    return [path.stem for path in folder().glob("*.zip")]


def _remove(job_ids: Iterable[str]) -> None:
    for job_id in job_ids:
        path_of(job_id).unlink(missing_ok=True)


def _is_outdated(job: Job) -> bool:
    ids, there = ids_of(job), 0
    if db.session.get_one(Adaptor, job.adaptor_id).deleted_at is not None:
        return True
    for start in range(0, len(ids), _AT_ONCE):
        query = select(func.count()).where(Document.id.in_(ids[start : start + _AT_ONCE]))
        there += db.session.scalar(query) or 0
    return there < len(ids) - int(job.result.get(GONE, 0))


def _oldest() -> float:
    return (utcnow() - KEPT).timestamp()
