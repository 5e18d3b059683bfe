"""Fix once, release many: where the documents of a problem are now, and what can be done to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Document, Job, Problem, ProblemDocument, Stage, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.errors import Conflict
from invoiceapp.services.four_eyes import words as approval_words

from . import bulk_jobs, listing
from .bulk_actions import ACTIONS, Action, Selection
from .listing import Filter

#: For how long a resolved problem is shown in the list.
SHOWN = timedelta(days=30)
#: Resolved problems in the list.
MOST_RESOLVED = 100
#: What releases documents of a status once the cause is mended. What was rejected has left, and is not built anew.
_RELEASES = {
    DeliveryState.BLOCKED.value: "rebuild",
    Stage.UNUSABLE.value: "rebuild",
    DeliveryState.FAILED.value: "try-again",
    DeliveryState.OUTCOME_UNKNOWN.value: "ask-again",
}


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """How many of a problem's documents are where."""

    stopped: int = 0
    """Need a person"""
    on_the_way: int = 0
    arrived: int = 0
    elsewhere: int = 0
    """Cancelled, or taken care of outside"""

    @property
    def total(self) -> int:
        """All of them."""
        return self.stopped + self.on_the_way + self.arrived + self.elsewhere

    @property
    def released(self) -> int:
        """Those that were mended: on their way, or arrived."""
        return self.on_the_way + self.arrived


def whereabouts(problem_id: str) -> Whereabouts:
    """As things are at this moment; the problem itself is looked at again a few seconds later."""
    rows = db.session.execute(
        select(Document.status, func.count())
        .join(ProblemDocument, ProblemDocument.document_id == Document.id)
        .where(ProblemDocument.problem_id == problem_id)
        .group_by(Document.status)
    ).all()
    found = {status: int(count) for status, count in rows}
    known = {name: sum(found.get(status, 0) for status in statuses) for name, statuses in listing.GROUPS.items()}
    return Whereabouts(
        known["person"], known["progress"], known["arrived"], sum(found.values()) - sum(known.values())
    )  # fmt: skip


def release_of(problem: Problem) -> Action | None:
    """What sends all its documents once the cause is mended; None where nothing can, or it has none."""
    if problem.rule == approval_words.RULE:
        # An approval lets them go by itself.
        return None
    name = _RELEASES.get(problem.status)
    return ACTIONS[name] if name and problem.is_open else None


def release(problem: Problem, actor: str) -> str:
    """Build and send all its documents again; the job's id. Raises ``Conflict``, ``ServiceError``."""
    action = release_of(problem)
    if action is None:
        raise Conflict(
            Text(
                "Problemet er løst, eller dokumenterne er sendt.",
                "The problem is resolved, or its documents have left.",
            )
        )
    return _start(problem, action, "", actor)


def handle_outside(problem: Problem, note: str, actor: str) -> str:
    """Say that all its documents are taken care of elsewhere; the job's id. Raises ``Conflict``, ``ServiceError``."""
    return _start(problem, ACTIONS["handle-outside"], note, actor)


def _start(problem: Problem, action: Action, note: str, actor: str) -> str:
    selection = Selection(everything=Filter(problem_id=problem.id))
    return bulk_jobs.start(problem.adaptor_id, selection, action.name, note, actor, problem_id=problem.id)


def job_of(problem: Problem) -> Job | None:
    """The work on its documents that a person started last, if nothing else of its kind has followed."""
    job = background.latest(problem.adaptor_id, bulk_jobs.KIND)
    return job if job is not None and job.parameters["problem"] == problem.id else None


def successor(problem: Problem) -> Problem | None:
    """The open problem of the same cause, where a resolved one has come back."""
    if problem.is_open:
        return None
    return db.session.scalar(
        select(Problem).where(
            Problem.adaptor_id == problem.adaptor_id, Problem.key == problem.key, Problem.resolved_at.is_(None)
        )
    )


def resolved(adaptor_ids: Sequence[str]) -> list[Problem]:
    """Those that were resolved of late, newest first."""
    query = (
        select(Problem)
        .where(Problem.adaptor_id.in_(adaptor_ids), Problem.resolved_at >= utcnow() - SHOWN)
        .order_by(Problem.resolved_at.desc(), Problem.id.desc())
        .limit(MOST_RESOLVED)
    )
    return list(db.session.scalars(query))
