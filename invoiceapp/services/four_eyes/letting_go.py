"""What a decision sets in motion, and what finishes it where nobody did: documents that wait for nothing any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import aliased

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.four_eyes import Kind, Rules
from invoiceapp.models import Approval, ApprovalState, ApprovalWait, Delivery, Document, Subscription, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.configuration import releasing
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, lock_documents, move
from invoiceapp.services.export import events, four_eyes

S = DeliveryState
#: Documents of a subscription that one tick finishes.
_BATCH = 200
_LEFT = (S.BLOCKED.value, S.FAILED.value)


@dataclass(frozen=True, slots=True)
class Moved:
    """What goes on."""

    built: int = 0
    """Documents that are converted again"""
    sent: int = 0
    """Those whose bytes are sent on"""

    def ring(self) -> None:
        """Wake who works on them. After the transaction."""
        if self.built:
            bell.ring("convert")
        if self.sent:
            bell.ring("deliver")


def stopped_by(ids: Sequence[str]) -> ColumnElement[bool]:
    """The documents that wait for these approvals."""
    return Document.id.in_(select(ApprovalWait.document_id).where(ApprovalWait.approval_id.in_(ids)))


def go_on(belongs: ColumnElement[bool], actor: str = "system") -> Moved:
    """Send on what had been tried before, and build again what is blocked.

    Inside the caller's transaction, which holds the documents (``releasing.hold``).
    """
    sent = _send_on(belongs, actor)
    return Moved(releasing.build_again(belongs), sent)


def _send_on(belongs: ColumnElement[bool], actor: str) -> int:
    """What failed for want of this approval only: nothing of it arrived, and the same bytes go."""
    moved = 0
    failed = select(Document.id).where(belongs, Document.status == S.FAILED.value)
    found = db.session.scalars(
        select(Delivery).where(Delivery.state == S.FAILED, Delivery.document_id.in_(failed))
    ).all()
    rows = [row for row in found if (row.error or {}).get("class") == four_eyes.CLASS]
    lock_documents([row.id for row in rows])
    for row in rows:
        try:
            move(
                Lease(row.id, row.gateway_id, row.fence), S.FAILED, S.PENDING, Mover.PERSON,
                next_at=utcnow(), finished_at=None, tries=0, fence=Delivery.fence + 1,
            )  # fmt: skip
        except LeaseLost:
            continue
        db.session.refresh(row)
        events.of_delivery("tried_again", row, actor=actor, approved=True)
        four_eyes.forget(row.document_id)
        moved += 1
    return moved


# --- what nobody finished -----------------------------------------------------------------------------------------------


def finish() -> int:
    """Let go what waits for nothing any more, some of it; how many documents.

    A process was killed between a decision and what it sets in motion, or a document was stopped while somebody decided.
    """
    with reading() as session:
        waits = exists().where(
            Approval.subscription_id == Subscription.id, ApprovalWait.approval_id == Approval.id
        )  # fmt: skip
        found = {
            subscription_id: ids
            for subscription_id, stored in session.execute(select(Subscription.id, Subscription.four_eyes).where(waits))
            if (ids := list(session.scalars(_free(subscription_id, Rules.of(stored)))))
        }
    return sum(_finish(subscription_id, ids) for subscription_id, ids in found.items())


def finish_all(subscription_id: str) -> int:
    """Let go all that waits for nothing any more, after less must be approved; how many documents."""
    count = 0
    while True:
        with reading() as session:
            rules = Rules.of(session.get_one(Subscription, subscription_id, populate_existing=True).four_eyes)
            ids = list(session.scalars(_free(subscription_id, rules)))
        if not ids:
            return count
        count += _finish(subscription_id, ids)


def look_again_at_amounts(subscription_id: str) -> int:
    """Let go what waits for the approval of an amount that may be sent by the rules of now; how many documents."""
    waits = (
        select(ApprovalWait.document_id)
        .join(Approval, Approval.id == ApprovalWait.approval_id)
        .where(
            Approval.subscription_id == subscription_id,
            Approval.kind == Kind.AMOUNT,
            Approval.state == ApprovalState.WAITING,
        )
        .order_by(ApprovalWait.document_id)
    )
    with reading() as session:
        ids = list(session.scalars(waits))
    return sum(_look_again(document_id) for document_id in ids)


def _look_again(document_id: str) -> int:
    with transaction() as session:
        releasing.hold(Document.id == document_id)
        stopped = select(Delivery).where(Delivery.document_id == document_id, Delivery.state.in_((S.BLOCKED, S.FAILED)))
        delivery = session.scalar(stopped.execution_options(populate_existing=True))
        if delivery is None or four_eyes.missing(four_eyes.of_delivery(delivery)):
            return 0
        moved = go_on(Document.id == document_id)
        four_eyes.forget(document_id)
    moved.ring()
    return moved.built + moved.sent


def _free(subscription_id: str, rules: Rules) -> Select[str]:
    """Documents that were stopped, and all of whose approvals are there, or are asked for no more."""
    watched = [kind for kind in Kind if rules.watches(kind)]
    holds = Approval.kind.in_(watched) & (Approval.state != ApprovalState.APPROVED)
    other = aliased(ApprovalWait)
    held = exists().where(other.document_id == ApprovalWait.document_id, other.approval_id == Approval.id, holds)
    return (
        select(Document.id)
        .join(ApprovalWait, ApprovalWait.document_id == Document.id)
        .where(Document.subscription_id == subscription_id, Document.status.in_(_LEFT), ~held)
        .distinct()
        .order_by(Document.id)
        .limit(_BATCH)
    )


def _finish(subscription_id: str, ids: Sequence[str]) -> int:
    with transaction() as session:
        releasing.hold(Document.id.in_(ids))
        rules = Rules.of(session.scalar(select(Subscription.four_eyes).where(Subscription.id == subscription_id)) or {})
        free = session.scalars(_free(subscription_id, rules).where(Document.id.in_(ids))).all()
        moved = go_on(Document.id.in_(free))
        for document_id in free:
            # Also of what cannot be built any more, so that the next ones get their turn.
            four_eyes.forget(document_id)
    moved.ring()
    return moved.built + moved.sent
