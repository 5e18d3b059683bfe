"""The queue of runs: at most one is active in an adaptor, and one more may be asked for meanwhile."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from invoiceapp.models import ACTIVE_RUNS, Adaptor, Run, RunState, db
from invoiceapp.services.database import changed, transaction

from . import events, standing


def add(
    adaptor: Adaptor, *, trigger: str, actor: str = "system", query: dict[str, Any] | None = None, only_reads: bool = False
) -> Run:  # fmt: skip
    """A queued run, inside the caller's transaction; ``query`` as it is stored. The caller rings for it afterwards.

    Raises ``Conflict`` for an adaptor that is switched off, and ``IntegrityError`` while another run is active.
    """
    standing.require(adaptor)
    run = Run(
        subscription_id=adaptor.subscription_id,
        adaptor_id=adaptor.id,
        trigger=trigger,
        actor=actor,
        query=query or {},
        moves_watermark=query is None,
        only_reads=only_reads,
        state=RunState.QUEUED,
    )
    db.session.add(run)
    db.session.flush()
    events.of_run("run_started", run, trigger=trigger)
    return run


def active(adaptor_id: str) -> Run | None:
    """The run that is queued or running."""
    return db.session.scalar(select(Run).where(Run.adaptor_id == adaptor_id, Run.state.in_(ACTIVE_RUNS)))


def ask_again(adaptor_id: str, actor: str) -> bool:
    """Have everything new read once more when the active run has ended; False where none is active.

    One that waits for its turn will itself read what has been approved since: nothing is added for it.
    """
    with transaction() as session:
        run = active(adaptor_id)
        if run is None:
            return False
        if run.state == RunState.QUEUED and run.moves_watermark:
            return True
        asked = session.execute(
            update(Run).where(Run.id == run.id, Run.state.in_(ACTIVE_RUNS)).values(again_by=actor)
        )  # fmt: skip
        return changed(asked)


def follow(run: Run) -> str | None:
    """The id of the run that was asked for while ``run``, which has just ended, was active; in the caller's transaction."""
    adaptor = db.session.get_one(Adaptor, run.adaptor_id)
    if run.again_by is None or not standing.is_working(adaptor):
        return None
    db.session.flush()
    return add(adaptor, trigger="manual", actor=run.again_by).id
