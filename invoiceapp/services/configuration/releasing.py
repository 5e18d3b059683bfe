"""What a change of the configuration does to what waits: it is built anew, taken back, or judged again.

Only what has never left. What was tried, or is in a worker's hands, goes on by the rules of the delivery machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import SettingsInvalid
from invoiceapp.models import Adaptor, Delivery, Document, Event, ExportRule, Stage, db
from invoiceapp.services import bell
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import moves
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export.documents import queue

from . import outgoing
from .settings import resolve

S = DeliveryState
_STOPPED = Text(
    "Dokumentet er ikke sendt: kunden er ikke længere aktiveret, eller dokumentet er ældre end startdatoen.",
    "The document was not sent: its customer is no longer activated, or it is older than the start date.",
)
_BUILT_ANEW = Text(
    "Indstillingerne er ændret, før dokumentet blev sendt. Det dannes igen efter de nye; ventetiden begynder ikke forfra.",
    "The settings were changed before the document was sent. It is made again by the new ones; its hold does not start over.",
)
_LISTED = Text(
    "Indstillingerne under Generelt springer det ikke længere over. Det sendes ikke af sig selv: en manuel eksport tager det med.",
    "The General settings no longer skip it. It is not sent by itself: a manual export takes it.",
)


@dataclass(frozen=True, slots=True)
class Released:
    """What became of what waited."""

    queued: int = 0
    """Documents that are converted again"""
    stopped: int = 0
    """Deliveries taken back: their customer is not active, or they are older than the start date"""
    listed: int = 0
    """Documents that were skipped, and now wait for a manual export"""

    def __add__(self, other: Released) -> Released:
        return Released(*map(add, astuple(self), astuple(other)))


def _never_left() -> ColumnElement[bool]:
    return and_(Delivery.first_sent_at.is_(None), Delivery.tries == 0)


def _of(belongs: ColumnElement[bool]) -> ColumnElement[bool]:
    """The deliveries of documents."""
    return Delivery.document_id.in_(select(Document.id).where(belongs))


def _too_old() -> ColumnElement[bool]:
    started = select(Adaptor.start_date).where(Adaptor.id == Document.adaptor_id).scalar_subquery()
    return and_(started.is_not(None), Document.issue_date < started)


def _inactive() -> ColumnElement[bool]:
    return ~exists().where(ExportRule.customer_id == Document.customer_id, ExportRule.active)


def _lock(belongs: ColumnElement[bool]) -> None:
    """In this order, as everybody does: the documents are locked, then their deliveries are looked at.

    Looked at first, a delivery could be cancelled in between, and its document would be sent all the same.
    """
    waits = Delivery.state.in_((S.PENDING, S.BLOCKED))
    concerned = or_(Document.stage == Stage.SKIPPED, exists().where(Delivery.document_id == Document.id, waits))
    db.session.execute(
        select(Document.id).where(belongs, concerned).order_by(Document.id).with_for_update(of=Document, key_share=True)
    )


def unsent(belongs: ColumnElement[bool]) -> ColumnElement[bool]:
    """For queries of ``Delivery``: those of documents that wait, and of which nothing ever left."""
    return and_(_of(belongs), Delivery.state == S.PENDING, _never_left())


def _stop(belongs: ColumnElement[bool], actor: str) -> int:
    """Take back what waits and must not leave any more. Inside the caller's transaction, which has locked the documents."""
    concerned = unsent(and_(belongs, or_(_inactive(), _too_old())))
    moved = moves.move_all(and_(concerned, ~outgoing.repeats()), (S.PENDING,), S.SUPERSEDED, by=Mover.DISPATCHER)
    outgoing.tell("stopped", moved, actor, **text_dict(_STOPPED))
    # Its document is the list's again; whoever converts it now must not finish.
    _set_stage([row.document_id for row in moved], Stage.LISTED)
    # What a person sent again has left once: only a person sends it a third time. The start date is none of its business.
    again = and_(unsent(and_(belongs, _inactive())), outgoing.repeats())
    cancelled = moves.move_all(again, (S.PENDING,), S.CANCELLED)
    outgoing.tell("cancelled", cancelled, actor, **text_dict(_STOPPED))
    return len(moved) + len(cancelled)


def _set_stage(document_ids: Sequence[str], stage: Stage) -> None:
    if document_ids:
        db.session.execute(
            update(Document)
            .where(Document.id.in_(document_ids))
            .values(stage=stage, lease_until=None, lease_token=None, error=None),
            execution_options={"synchronize_session": "fetch"},
        )


def _take_back(concerned: ColumnElement[bool], actor: str) -> list[str]:
    """Block what waits until it is built anew, with the end of its hold kept in ``next_at``; ids of the documents.

    Inside the caller's transaction. What a person sends again are those bytes, and stays.
    """
    wanted = and_(concerned, ~outgoing.repeats())
    moved = moves.move_all(wanted, (S.PENDING,), S.BLOCKED, keeps_due=True)
    outgoing.tell("taken_back", moved, actor, **text_dict(_BUILT_ANEW))
    return [row.document_id for row in moved]


def _queue(belongs: ColumnElement[bool]) -> int:
    """Queue documents whose delivery is blocked, but for those before the start date; how many."""
    blocked = exists().where(Delivery.document_id == Document.id, Delivery.state == S.BLOCKED)
    documents = db.session.scalars(
        select(Document)
        .where(belongs, Document.stage == Stage.CONVERTED, blocked, ~_too_old())
        .order_by(Document.id)
        .execution_options(populate_existing=True)
    ).all()
    for document in documents:
        queue(document, run_id=document.run_id)
    return len(documents)


def _skips(common: Mapping[str, Any], override: Mapping[str, Any]) -> frozenset[str]:
    """The channels for which the settings leave a document out; those that cannot be read leave everything as it is."""
    try:
        general = resolve(common, override).general
    except SettingsInvalid:
        return frozenset({"email", "einvoice", "elsewhere"})
    found = {
        "email": general.already_mailed, "einvoice": general.already_einvoiced, "elsewhere": general.already_elsewhere,
    }  # fmt: skip
    return frozenset(channel for channel, policy in found.items() if policy == "skip")


def _list_skipped(belongs: ColumnElement[bool], actor: str) -> int:
    """Put on the list what the settings no longer skip; how many. They are not sent: nobody expects them any more."""
    rows = db.session.execute(
        select(Document, Adaptor.settings, ExportRule.customer_id, ExportRule.settings)
        .join(Adaptor, Adaptor.id == Document.adaptor_id)
        .outerjoin(ExportRule, ExportRule.customer_id == Document.customer_id)
        .where(belongs, Document.stage == Stage.SKIPPED)
        .order_by(Document.id)
        .execution_options(populate_existing=True)
    ).all()
    policies: dict[str | None, frozenset[str]] = {}
    count = 0
    for document, common, customer_id, override in rows:
        if customer_id not in policies:
            policies[customer_id] = _skips(common, override or {})
        channels = frozenset(filter(None, (document.error or {}).get("channels", "").split()))
        if channels and not channels & policies[customer_id]:
            document.stage, document.error = Stage.LISTED, None
            db.session.add(
                Event(
                    subscription_id=document.subscription_id, document_id=document.id, run_id=document.run_id, actor=actor,
                    kind="listed_again", data=text_dict(_LISTED),
                )
            )  # fmt: skip
            count += 1
    return count


def after_change(belongs: ColumnElement[bool], actor: str = "system") -> Released:
    """After settings were saved or undone: everything of these documents that waits obeys the new ones.

    Blocked ones are tried again. Those that are to be sent are taken back and built anew. Those that must not leave any
    more are stopped, and those that were skipped and no longer are wait on the list.
    """
    with transaction():
        _lock(belongs)
        stopped = _stop(belongs, actor)
        _take_back(unsent(belongs), actor)
        released = Released(_queue(belongs), stopped, _list_skipped(belongs, actor))
    if released.queued:
        bell.ring("convert")
    return released


def waiting(belongs: ColumnElement[bool]) -> int:
    """How many documents ``after_change`` would convert again."""
    to_be_sent = and_(Delivery.state == S.PENDING, _never_left(), ~outgoing.repeats(), ~_inactive())
    waits = exists().where(Delivery.document_id == Document.id, or_(Delivery.state == S.BLOCKED, to_be_sent))
    found = select(func.count()).select_from(Document)
    count = found.where(belongs, Document.status.in_((S.BLOCKED, S.PENDING)), waits, ~_too_old())
    return db.session.scalar(count) or 0


def hold(belongs: ColumnElement[bool]) -> None:
    """Lock the documents that ``build_again`` is about, before anything else. Inside the caller's transaction."""
    _lock(belongs)


def build_again(belongs: ColumnElement[bool]) -> int:
    """``let_go`` inside the caller's transaction, which holds them (``hold``) and rings ``convert`` afterwards."""
    return _queue(belongs)


def let_go(belongs: ColumnElement[bool]) -> int:
    """Try blocked ones again; how many. What waits to be sent stays as it is."""
    with transaction():
        _lock(belongs)
        count = _queue(belongs)
    if count:
        bell.ring("convert")
    return count


def after_choice(customer_ids: Sequence[str], actor: str = "system") -> Released:
    """After customers were activated or deactivated: what waits for them is stopped, or goes by their new format and gateway.

    What is blocked or was skipped stays as it is.
    """
    belongs = Document.customer_id.in_(customer_ids)
    chosen = exists().where(
        ExportRule.customer_id == Document.customer_id,
        Document.id == Delivery.document_id,
        or_(ExportRule.gateway_id != Delivery.gateway_id, ExportRule.format != Delivery.format),
    )
    with transaction():
        _lock(belongs)
        stopped = _stop(belongs, actor)
        taken = _take_back(and_(unsent(belongs), chosen), actor)
        queued = _queue(Document.id.in_(taken)) if taken else 0
    if queued:
        bell.ring("convert")
    return Released(queued, stopped)


def stop_document(document_id: str) -> None:
    """Take back what waits of one document and must not leave: a worker found that out just before it sent it."""
    with transaction():
        _lock(Document.id == document_id)
        _stop(Document.id == document_id, "system")
