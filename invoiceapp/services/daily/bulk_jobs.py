"""One action done to many documents in the background, each in a transaction of its own.

What is done is frozen when the person confirms: a job names the very deliveries (or documents) it is for, one after the
other in ``Job.items``, 26 characters each. So "all that match" is what the summary showed, and nothing that
appeared later. And nothing can be sent twice by a worker that died between an action and the note that it was done: a
delivery that was sent again is superseded, and no second sending can name it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Document, Event, Job, cut, db
from invoiceapp.models.types import ID_LENGTH
from invoiceapp.services import background
from invoiceapp.services.background import LeaseLost, Progress
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError, text_dict
from invoiceapp.services.export import actions
from invoiceapp.sources.base import CredentialsRefused, SourceUnavailable

from .bulk_actions import ACTIONS, Action, Selection, chosen, rows_of, where_it_is, why_not

log = logging.getLogger(__name__)

KIND = "documents"
#: Documents that a result names; the counts are exact however many there are.
MOST_LISTED = 500
#: Reasons that a result tells apart.
MOST_REASONS = 40
SUCCEEDED, LEFT_OUT, FAILED = "succeeded", "left_out", "failed"
_GOING_ON = Text(
    "Der arbejdes allerede med mange dokumenter på én gang. Vent, til det er færdigt, og prøv så igen.",
    "Many documents are being worked on already. Wait until that has ended, and try again then.",
)
_NOTHING_TO_DO = Text(
    "Der er ikke længere noget dokument, som det kan gøres med. Se oversigten igen.",
    "There is no document left with which it can be done. Look at the summary again.",
)
_FAULT = Text(
    "En uventet fejl i programmet. Giv besked til den, der driver serveren.",
    "An unexpected fault in the program. Tell whoever runs the server.",
)
_OTHER = Text("Andre årsager; se dokumenterne.", "Other reasons; look at the documents.")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one document."""

    kind: str
    reason: Text | None = None
    document_id: str = ""
    number: str = ""


def start(
    adaptor_id: str, selection: Selection, name: str, note: str, actor: str, *, problem_id: str | None = None
) -> str:
    """Do an action to the selected documents; the job's id. A second click on the same summary gives the same job.

    Raises ``ServiceError`` where the reason is missing or nothing can be done, and ``Conflict`` while another such job of
    the adaptor is going on.
    """
    action = ACTIONS[name]
    if action.requires and not note.strip():
        raise ServiceError(
            Text("Skriv en begrundelse; den gemmes på dokumenterne.", "Write a reason; it is kept with the documents.")
        )
    if (same := _same_click(adaptor_id, selection.until, name, actor)) is not None:
        return same
    items, left_out = _frozen(adaptor_id, selection, action)
    parameters = {
        "action": name, "note": note.strip(), "problem": problem_id,
        "shown": selection.until.isoformat() if selection.until else None,
        "left_out": [text_dict(reason) | {"documents": count} for reason, count in left_out.items()],
    }  # fmt: skip
    return _start(adaptor_id, parameters, items, actor)


def _start(adaptor_id: str, parameters: Mapping[str, Any], items: Sequence[str], actor: str) -> str:
    if not items:
        raise ServiceError(_NOTHING_TO_DO)
    try:
        return background.start(
            adaptor_id, KIND, actor=actor, parameters=parameters, items="".join(items), total=len(items)
        )
    except Conflict as error:
        raise Conflict(_GOING_ON) from error


def _same_click(adaptor_id: str, until: datetime | None, name: str, actor: str) -> str | None:
    job = background.latest(adaptor_id, KIND) if until else None
    if job is None or until is None:
        return None
    key = (job.parameters["shown"], job.parameters["action"], job.actor)
    return job.id if key == (until.isoformat(), name, actor) else None


def _frozen(adaptor_id: str, selection: Selection, action: Action) -> tuple[list[str], dict[Text, int]]:
    """Ids of the rows that the action is for, and how many documents are left out for which reason."""
    items: list[str] = []
    left_out: dict[Text, int] = {}
    for row in chosen(adaptor_id, selection):
        reason = why_not(action, row)
        if reason is None:
            items.append(row.item(action))
        else:
            left_out[reason] = left_out.get(reason, 0) + 1
    return sorted(items), left_out


def items_of(job: Job) -> list[str]:
    """Ids of the rows that a job is for."""
    items = job.items or ""
    return [items[start : start + ID_LENGTH] for start in range(0, len(items), ID_LENGTH)]


def size_of(job: Job) -> int:
    """How many that are."""
    return job.total or 0


def active(adaptor_id: str) -> Job | None:
    """The job that works on many of the adaptor's documents now."""
    return background.active(adaptor_id, KIND)


def again(job: Job, actor: str) -> str:
    """Do the rest of a job that has ended: what failed, and what it did not come to. The new job's id.

    Raises ``ServiceError`` where nothing is left to do, and ``Conflict`` while another one is going on.
    """
    rest = [item for part in _rest(job) for item in part]
    return _start(job.adaptor_id, {**job.parameters, "left_out": []}, rest, actor)


def _rest(job: Job) -> Iterator[list[str]]:
    action, items = ACTIONS[job.parameters["action"]], items_of(job)
    adaptor_id, key = job.adaptor_id, Document.delivery_id if action.of_delivery else Document.id
    done = _was_done(action, job)
    for start in range(0, len(items), 500):
        undone = select(Document.id).where(
            Document.adaptor_id == adaptor_id, key.in_(items[start : start + 500]), ~done
        )
        rows = rows_of(adaptor_id, db.session.scalars(undone).all())
        yield [row.item(action) for row in rows if why_not(action, row) is None]


def _was_done(action: Action, job: Job) -> Any:
    """For queries of ``Document``: whether this job has done the action to it, by the line on its timeline."""
    return (
        exists()
        .where(
            Event.document_id == Document.id, Event.kind == action.event, Event.actor == job.actor,
            Event.created_at >= job.created_at,
        )
        .correlate(Document)
    )  # fmt: skip


def run(progress: Progress) -> bool:
    """A slice of a job, the handler of ``KIND``; True while there is more. Raises ``ServiceError``, ``LeaseLost``."""
    ends = time.monotonic() + background.SLICE
    with transaction():
        job = db.session.get_one(Job, progress.job_id)
        items, position = items_of(job), int(progress.cursor or 0)
        interrupted = items[position] if position < len(items) and _is_done(job, items[position]) else None
    progress.total = len(items)
    while position < len(items):
        item = items[position]
        outcome = _Outcome(SUCCEEDED) if item == interrupted else _carry_out(progress, item)
        position += 1
        progress.result = _noted(progress.result, outcome)
        with transaction():
            progress.step(1, str(position))
        if time.monotonic() >= ends:
            break
    return position < len(items)


def _is_done(job: Job, item: str) -> bool:
    """Whether a worker died after it did this one and before it could note it."""
    action = ACTIONS[job.parameters["action"]]
    document = (
        select(Delivery.document_id).where(Delivery.id == item)
        if action.of_delivery
        else select(Document.id).where(Document.id == item)
    )
    return db.session.scalar(select(Document.id).where(Document.id.in_(document), _was_done(action, job))) is not None


def _carry_out(progress: Progress, item: str) -> _Outcome:
    """Do it to one row. Raises ``ServiceError`` where the rest would meet the same."""
    action, note = ACTIONS[progress.parameters["action"]], progress.parameters["note"]
    with transaction() as session:
        row: Any = session.get(Delivery if action.of_delivery else Document, item, populate_existing=True)
        document: Document | None = row.document if row is not None and action.of_delivery else row
        if document is None or document.adaptor_id != progress.adaptor_id:
            return _Outcome(LEFT_OUT, actions.MOVED_ON)
        id_, number = document.id, document.number
        if document.status not in action.statuses:
            return _Outcome(LEFT_OUT, where_it_is(document.status), id_, number)
        if action.of_delivery and document.delivery_id != item:
            return _Outcome(LEFT_OUT, actions.MOVED_ON, id_, number)
    try:
        action.do(row, progress.actor, note)
    except ServiceError as error:
        db.session.rollback()
        if isinstance(error.__cause__, CredentialsRefused | SourceUnavailable):
            # Thousands would each wait for the same source in vain.
            raise
        return _Outcome(LEFT_OUT if error.text == actions.MOVED_ON else FAILED, error.text, id_, number)
    except (SQLAlchemyError, LeaseLost):
        raise
    except Exception:
        # One document must not stop the others.
        log.exception("%s failed for document %s", action.name, id_)
        db.session.rollback()
        return _Outcome(FAILED, _FAULT, id_, number)
    return _Outcome(SUCCEEDED)


def _noted(result: Mapping[str, Any], outcome: _Outcome) -> dict[str, Any]:
    """A job's result with one more document: counts by kind, and reasons with the first documents of each."""
    noted = {**result, outcome.kind: result.get(outcome.kind, 0) + 1}
    if outcome.reason is None:
        return noted
    reasons: list[dict[str, Any]] = list(result.get("reasons", []))
    words = outcome.reason
    found = _place(reasons, outcome.kind, words)
    if found is None and len(reasons) >= MOST_REASONS:
        words = _OTHER
        found = _place(reasons, outcome.kind, words)
    if found is None:
        reasons.append(text_dict(words) | {"kind": outcome.kind, "documents": 0, "listed": []})
        found = len(reasons) - 1
    reason = reasons[found]
    listed = reason["listed"]
    if outcome.document_id and sum(len(one["listed"]) for one in reasons) < MOST_LISTED:
        listed = [*listed, [outcome.document_id, cut(outcome.number, 40)]]
    reasons[found] = reason | {"documents": reason["documents"] + 1, "listed": listed}
    return noted | {"reasons": reasons}


def _place(reasons: Sequence[Mapping[str, Any]], kind: str, words: Text) -> int | None:
    places = (n for n, one in enumerate(reasons) if one["kind"] == kind and one["da"] == words.da)
    return next(places, None)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some documents were not done."""

    text: Text
    documents: int
    listed: list[tuple[str, str]]
    """Id and number of the first ones"""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job's documents so far."""

    succeeded: int
    failed: list[Reason]
    left_out: list[Reason]
    """Of the frozen ones, as they had moved on"""
    left_out_before: list[Reason]
    """When it was confirmed"""

    @property
    def failed_count(self) -> int:
        """Documents with which it could not be done."""
        return sum(one.documents for one in self.failed)

    @property
    def left_out_count(self) -> int:
        """Documents that had moved on, or that it is not for."""
        return sum(one.documents for one in [*self.left_out, *self.left_out_before])


def result_of(job: Job) -> Result:
    """A job's result, each list with most documents first."""

    def reasons(stored: Sequence[Mapping[str, Any]]) -> list[Reason]:
        found = [
            Reason(Text(one["da"], one["en"]), one["documents"], [(row[0], row[1]) for row in one.get("listed", [])])
            for one in stored
        ]
        return sorted(found, key=lambda one: -one.documents)

    stored = job.result.get("reasons", [])
    return Result(
        job.result.get(SUCCEEDED, 0),
        reasons([one for one in stored if one["kind"] == FAILED]),
        reasons([one for one in stored if one["kind"] == LEFT_OUT]),
        reasons(job.parameters["left_out"]),
    )
