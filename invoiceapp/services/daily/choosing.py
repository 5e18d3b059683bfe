"""What a person does with what a manual export found: choose, try without sending, activate customers, cancel the rest."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from invoiceapp.domain.findings import Text
from invoiceapp.models import ACTIVE_RUNS, Adaptor, FoundDocument, FoundGroup, Run, db, utcnow
from invoiceapp.services import background, bell
from invoiceapp.services.background import LeaseLost, Progress
from invoiceapp.services.configuration import bulk
from invoiceapp.services.configuration.bulk import Selection, Started
from invoiceapp.services.configuration.rules import Outcome
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import found, standing

from . import finding, taking_back
from .finding import DRY_RUN, EXPORT, TAKE_BACK, Choice

_BUSY = Text(
    "En manuel eksport er allerede i gang for denne adaptor. Vent, til den er færdig, eller annullér resten af den.",
    "A manual export is already going on for this adaptor. Wait until it has ended, or cancel the rest of it.",
)
NOTHING = Text(
    "Vælg mindst ét dokument. Det, du valgte, kan også være taget af en anden eksport i mellemtiden.",
    "Choose at least one document. What you chose may also have been taken by another export meanwhile.",
)
_NEEDS_REASON = Text(
    "Skriv en begrundelse: modtageren kan få dokumenterne to gange. Den gemmes på hvert dokument.",
    "Write a reason: the receiver may get the documents twice. It is kept with each document.",
)
_READING = Text("Billy læses stadig. Vent, til listen er færdig.", "Billy is still being read. Wait until the list is complete.")  # fmt: skip
#: Characters of a reason.
LONGEST_REASON = 500


def _ready(run_id: str) -> Run:
    """The run, once it has read. Raises ``Conflict``, also where its adaptor is at rest or another export goes on."""
    run = db.session.get_one(Run, run_id, populate_existing=True)
    if run.state in ACTIVE_RUNS:
        raise Conflict(_READING)
    standing.require(db.session.get_one(Adaptor, run.adaptor_id, populate_existing=True))
    return run


def _require_idle(adaptor_id: str) -> None:
    if any(background.active(adaptor_id, kind) for kind in (EXPORT, TAKE_BACK)):
        raise Conflict(_BUSY)


def export(run_id: str, choice: Choice, actor: str, reason: str = "") -> int:
    """Hand the chosen documents over in the background; how many.

    What has left before goes again only with a ``reason``. Raises ``Conflict``, ``ServiceError``.
    """
    run = _ready(run_id)
    if choice.group not in (FoundGroup.NOT_EXPORTED, FoundGroup.EXPORTED):
        raise ServiceError(NOTHING)
    if choice.group is FoundGroup.EXPORTED and not reason.strip():
        raise ServiceError(_NEEDS_REASON)
    _require_idle(run.adaptor_id)
    with transaction() as session:
        kept = reason.strip()[:LONGEST_REASON] if choice.group is FoundGroup.EXPORTED else None
        result: Any = session.execute(
            update(FoundDocument)
            .where(choice.condition(run_id))
            .values(chosen_at=utcnow(), reason=kept, text=None)
            .execution_options(synchronize_session=False)
        )
        if not result.rowcount:
            raise Conflict(NOTHING)
        chosen = func.count(FoundDocument.document_id)
        is_chosen = (FoundDocument.run_id == run_id) & FoundDocument.chosen_at.is_not(None)
        session.get_one(Run, run_id).queued = session.scalar(select(chosen).where(is_chosen)) or 0
        # Commits the choice together with the job: neither is there without the other.
        _start(run.adaptor_id, EXPORT, run_id, actor)
    return int(result.rowcount)


def go_on(run_id: str, actor: str) -> None:
    """Hand over what still waits, after the work had stopped with an error. Raises ``Conflict``."""
    run = _ready(run_id)
    _require_idle(run.adaptor_id)
    _start(run.adaptor_id, EXPORT, run_id, actor)


def cancel_rest(run_id: str, actor: str) -> None:
    """Take back what has not left. Raises ``Conflict`` where that is going on already.

    The first slice at once: in the queue of the background it would wait behind the very sendings that it is to stop.
    """
    run = db.session.get_one(Run, run_id, populate_existing=True)
    job = finding.job_of(run_id, run.adaptor_id, (EXPORT,))
    if job is not None:
        background.cancel(job.id, run.adaptor_id)
    job_id = _start(run.adaptor_id, TAKE_BACK, run_id, actor)
    if background.execute(job_id, {TAKE_BACK: taking_back.run}):
        bell.ring("work", job_id)


def dry_run(run_id: str, choice: Choice, actor: str) -> None:
    """See in the background what would become of the chosen documents; nothing is sent. Raises ``Conflict``, ``ServiceError``."""
    run = _ready(run_id)
    count = db.session.scalar(select(func.count()).select_from(FoundDocument).where(choice.condition(run_id)))
    if not count:
        raise ServiceError(NOTHING)
    _start(
        run.adaptor_id, DRY_RUN, run_id, actor, group=choice.group.value, ids=choice.ids, everything=choice.everything
    )


def activate(run_id: str, choice: Choice, format_id: str, gateway_id: str, actor: str) -> Outcome | Started:
    """Activate the customers of the chosen documents, which are then to be exported like all others.

    Where that goes on in the background, their documents are looked at again when it ends (``change_customers``).
    Raises ``InvalidInput``, ``Conflict``, ``ServiceError``.
    """
    run = _ready(run_id)
    customers = tuple(one.id for one in finding.customers_of(run_id, choice))
    if not customers:
        raise ServiceError(NOTHING)
    outcome = bulk.activate(run.adaptor_id, Selection(customers), format_id, gateway_id, actor)
    found.look_again(run_id)
    return outcome


def change_customers(progress: Progress) -> bool:
    """``bulk.run``; once that has ended, however it did, what was found waits no longer for those who are active."""
    try:
        if bulk.run(progress):
            return True
    except (ServiceError, LeaseLost):
        db.session.rollback()
        found.look_again_at_activated(progress.adaptor_id)
        raise
    found.look_again_at_activated(progress.adaptor_id)
    return False


def _start(adaptor_id: str, kind: str, run_id: str, actor: str, **parameters: Any) -> str:
    try:
        return background.start(adaptor_id, kind, actor=actor, parameters={"run": run_id, **parameters})
    except Conflict as error:
        raise Conflict(_BUSY) from error
