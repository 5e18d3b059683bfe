"""What a manual export has come to, for people: its outcomes, what stops its documents, and what the dry run said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func, select

from invoiceapp.models import Document, FoundDocument, FoundGroup, FoundOutcome, Problem, ProblemDocument, db, utcnow

from . import listing, problems

#: So long at the most the causes of what has just stopped are looked for.
_LOOKED_FOR = timedelta(seconds=30)
#: Causes that a page names.
MOST_CAUSES = 20
#: Of chosen documents whose turn has not come, in ``outcomes``.
WAITING = "waiting"


def outcomes(run_ids: Sequence[str]) -> Mapping[str, Counter[str]]:
    """Of each run, how many chosen documents have which ``FoundOutcome``, or ``WAITING``."""
    found: dict[str, Counter[str]] = {run_id: Counter() for run_id in run_ids}
    rows = db.session.execute(
        select(FoundDocument.run_id, FoundDocument.outcome, func.count())
        .where(FoundDocument.run_id.in_(run_ids), FoundDocument.chosen_at.is_not(None))
        .group_by(FoundDocument.run_id, FoundDocument.outcome)
    )
    for run_id, outcome, count in rows:
        found[run_id][outcome.value if outcome else WAITING] += count
    return found


def _handed_over(run_id: str) -> ColumnElement[bool]:
    """For queries that have ``FoundDocument``."""
    is_chosen = FoundDocument.chosen_at.is_not(None)
    return (FoundDocument.run_id == run_id) & is_chosen & (FoundDocument.outcome == FoundOutcome.SENT)


def causes(run_id: str) -> list[tuple[Problem, int]]:
    """Open problems that stop what the run handed over, and how many of its documents; most first."""
    count = func.count(ProblemDocument.document_id)
    rows = db.session.execute(
        select(Problem, count)
        .join(ProblemDocument, ProblemDocument.problem_id == Problem.id)
        .join(FoundDocument, FoundDocument.document_id == ProblemDocument.document_id)
        .where(_handed_over(run_id), Problem.level == problems.DOCUMENT, Problem.resolved_at.is_(None))
        .group_by(Problem.id)
        .order_by(count.desc(), Problem.id)
        .limit(MOST_CAUSES)
    )
    return [(problem, documents) for problem, documents in rows]


def is_looked_at(run_id: str) -> bool:
    """Whether something has stopped just now, and its cause is not among the problems yet."""
    is_known = exists().where(
        ProblemDocument.document_id == Document.id,
        ProblemDocument.problem_id == Problem.id,
        Problem.resolved_at.is_(None),
    )
    query = (
        select(FoundDocument.document_id)
        .join(Document, Document.id == FoundDocument.document_id)
        .where(_handed_over(run_id), Document.status.in_(listing.GROUPS["person"]), ~is_known)
        .where(Document.status_at > utcnow() - _LOOKED_FOR)
        .limit(1)
    )
    return db.session.scalar(query) is not None


def problems_of(document_ids: Sequence[str]) -> dict[str, Problem]:
    """The first open problem of each document that has one."""
    rows = db.session.execute(
        select(ProblemDocument.document_id, Problem)
        .join(Problem, Problem.id == ProblemDocument.problem_id)
        .where(ProblemDocument.document_id.in_(document_ids), Problem.resolved_at.is_(None))
        .order_by(Problem.id.desc())
    )
    return {row.document_id: row.Problem for row in rows}


def tried(run_id: str) -> dict[FoundGroup, tuple[int, int]]:
    """What the dry runs of what is still to be chosen said: how many of each group would leave, and would be stopped."""
    rows = db.session.execute(
        select(FoundDocument.group, FoundDocument.verdict).where(
            FoundDocument.run_id == run_id, FoundDocument.chosen_at.is_(None), FoundDocument.verdict.is_not(None)
        )
    )
    found = Counter((group, bool(verdict["may_leave"])) for group, verdict in rows)
    return {group: (found[group, True], found[group, False]) for group, _may_leave in found}
