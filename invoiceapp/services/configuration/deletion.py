"""Deleting an adaptor: nothing of it is read or sent again, and nothing that was kept as evidence goes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete as delete_rows
from sqlalchemy import exists, func, select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    ACTIVE_JOBS,
    ACTIVE_RUNS,
    Adaptor,
    Delivery,
    Document,
    ExportRule,
    Job,
    JobState,
    Notice,
    Problem,
    Run,
    RunState,
    Schedule,
    ScheduleRun,
    Stage,
    Telling,
    Watch,
    Webhook,
    WebhookCall,
    db,
    utcnow,
)
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import moves
from invoiceapp.services.errors import Conflict, InvalidInput, text_dict
from invoiceapp.services.proof.evidence import packs

from . import outgoing
from .environments import require_kept

S = DeliveryState
_TAKEN_OUT = (S.PENDING, S.BLOCKED)
_DELETED = Text("Adaptoren blev slettet.", "The adaptor was deleted.")


@dataclass(frozen=True, slots=True)
class Consequences:
    """What deleting an adaptor does to its documents."""

    cancelled: int
    """Deliveries that wait or need correction: they are taken out"""
    unqueued: int
    """Documents that wait for their conversion: they go back on the list"""
    unclear: int
    """Deliveries of which nobody knows whether they arrived: they can no longer be sent again"""
    kept: int
    """All documents"""


def consequences(adaptor_id: str) -> Consequences:
    """What ``delete`` would do now."""
    states = dict(
        db.session.execute(
            select(Delivery.state, func.count()).where(Delivery.adaptor_id == adaptor_id).group_by(Delivery.state)
        ).all()
    )
    stages = dict(
        db.session.execute(
            select(Document.stage, func.count()).where(Document.adaptor_id == adaptor_id).group_by(Document.stage)
        ).all()
    )
    return Consequences(
        cancelled=sum(states.get(state, 0) for state in _TAKEN_OUT), unqueued=stages.get(Stage.QUEUED, 0),
        unclear=states.get(S.OUTCOME_UNKNOWN, 0), kept=sum(stages.values()),
    )  # fmt: skip


def _require_typed(adaptor: Adaptor, typed: str) -> None:
    if typed.strip() != adaptor.name.strip():
        raise InvalidInput(
            {
                "confirmation": Text(
                    f"Skriv adaptorens navn, præcis som det står: {adaptor.name}",
                    f"Write the adaptor's name exactly as it stands: {adaptor.name}",
                )
            }
        )


def delete(adaptor_id: str, typed: str, actor: str) -> int:
    """Delete an adaptor; how many deliveries were taken out. ``typed`` is its name, written by the person.

    Raises ``InvalidInput`` where another name was written, ``Conflict`` while a worker has one of its deliveries.
    """
    with transaction() as session:
        outgoing.hold_documents(Delivery.adaptor_id == adaptor_id, Document.adaptor_id == adaptor_id, _TAKEN_OUT)
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        require_kept(adaptor)
        _require_typed(adaptor, typed)
        moved = moves.move_all(Delivery.adaptor_id == adaptor_id, _TAKEN_OUT, S.CANCELLED)
        outgoing.tell("cancelled", moved, actor, **text_dict(_DELETED))
        _require_nothing_in_hand(adaptor_id)
        _end_work(adaptor_id)
        _unqueue(adaptor_id)
        for model in (ScheduleRun, Schedule, ExportRule):
            session.execute(delete_rows(model).where(model.adaptor_id == adaptor_id))
        _end_telling(adaptor_id)
        subscription_id = adaptor.subscription_id
        _forget(adaptor)
    packs.remove_outdated(subscription_id)
    return len(moved)


def _require_nothing_in_hand(adaptor_id: str) -> None:
    # Asked after the others were taken out: whatever a worker claimed before that is seen here, and nothing new is to claim.
    in_hand = exists().where(Delivery.adaptor_id == adaptor_id, Delivery.state.in_(outgoing.IN_HAND))
    if db.session.scalar(select(in_hand)):
        raise Conflict(
            Text(
                "Et dokument er ved at blive sendt lige nu. Intet er slettet. Vent et øjeblik, og slet så adaptoren igen.",
                "A document is being sent right now. Nothing was deleted. Wait a moment, and then delete the adaptor again.",
            )
        )


def _end_work(adaptor_id: str) -> None:
    """Runs and jobs find that their lease is lost, and stop."""
    for model, active, failed in ((Run, ACTIVE_RUNS, RunState.FAILED), (Job, ACTIVE_JOBS, JobState.FAILED)):
        db.session.execute(
            update(model)
            .where(model.adaptor_id == adaptor_id, model.state.in_(active))
            .values(state=failed, error=text_dict(_DELETED), finished_at=utcnow(), lease_until=None, lease_token=None)
            .execution_options(synchronize_session=False)
        )


def _unqueue(adaptor_id: str) -> None:
    """Whoever converts one of them now must not finish. What has a delivery tells of it; the rest is only listed."""
    for has_delivery, stage in ((True, Stage.CONVERTED), (False, Stage.LISTED)):
        known = exists().where(Delivery.document_id == Document.id)
        db.session.execute(
            update(Document)
            .where(
                Document.adaptor_id == adaptor_id,
                Document.stage == Stage.QUEUED,
                known if has_delivery else ~known,
            )
            .values(stage=stage, lease_until=None, lease_token=None, error=None)
            .execution_options(synchronize_session=False)
        )


def _end_telling(adaptor_id: str) -> None:
    """Nothing more is told, not even that something is solved; what is wrong with the adaptor itself is over."""
    # Whoever tells something of it holds this lock, so that nothing new is told meanwhile.
    db.session.get(Watch, adaptor_id, with_for_update=True)
    hooks = select(Webhook.id).where(Webhook.adaptor_id == adaptor_id)
    db.session.execute(delete_rows(WebhookCall).where(WebhookCall.webhook_id.in_(hooks)))
    db.session.execute(delete_rows(Webhook).where(Webhook.adaptor_id == adaptor_id))
    alarms = (Problem.adaptor_id == adaptor_id, Problem.level == "adaptor", Problem.resolved_at.is_(None))
    waiting = (Notice.adaptor_id == adaptor_id, Notice.mail_id.is_(None), ~Notice.positive)
    for model, rows, values in (
        (Problem, alarms, {"resolved_at": utcnow()}),
        (Telling, (Telling.adaptor_id == adaptor_id, Telling.closed_at.is_(None)), {"closed_at": utcnow()}),
        (Notice, waiting, {"mail_at": None}),
    ):
        db.session.execute(update(model).where(*rows).values(values).execution_options(synchronize_session=False))


def _forget(adaptor: Adaptor) -> None:
    adaptor.deleted_at, adaptor.active = utcnow(), False
    adaptor.source_config, adaptor.source_secrets, adaptor.secret_references = {}, {}, {}
    adaptor.source_error, adaptor.retry_ids = None, []
    adaptor.default_gateway_id = None
