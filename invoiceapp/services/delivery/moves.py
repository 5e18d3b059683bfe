"""The one place where deliveries move: along the table of ``domain.delivery``, compared and set.

One at a time by the holder of its newest lease (``move``), or all of one condition (``move_all``). What claims or replaces
deliveries in a statement of its own names its move with ``require`` first. The database asks once more, whoever writes
(``models/movement.py``).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, ColumnElement, bindparam, select, update

from invoiceapp.domain.delivery import DeliveryState, Mover, may_move
from invoiceapp.models import Delivery, Document, Gateway, db, utcnow

S = DeliveryState


class LeaseLost(Exception):
    """The row moved on without us: nothing of ours may be written to it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed delivery; ``fence`` is what our updates must name."""

    delivery_id: str
    gateway_id: str
    fence: int


def owner() -> str:
    """Who holds a lease, for people who read the table."""
    return f"{socket.gethostname()}:{os.getpid()}"[:80]


def require(old: DeliveryState, new: DeliveryState, by: Mover) -> None:
    """Raises ``AssertionError`` where the table does not have the move."""
    if not may_move(old, new, by):
        raise AssertionError(f"{by} may not move a delivery from {old} to {new}")


_TABLE = db.metadata.tables["delivery"]
_ROW = _TABLE.c
#: What it sets are the other values that it is executed with. Made once, as it is asked several times for each document.
_COMPARE_AND_SET = (
    update(_TABLE)
    .where(_ROW.id == bindparam("moved"), _ROW.state == bindparam("old"), _ROW.fence == bindparam("named"))
    .returning(
        _ROW.id, _ROW.subscription_id, _ROW.document_id, _ROW.run_id, _ROW.adaptor_id,
        select(Gateway.kind).where(Gateway.id == _ROW.gateway_id).scalar_subquery().label("kind"),
    )
)  # fmt: skip


def move(lease: Lease, old: DeliveryState, new: DeliveryState, by: Mover, **values: Any) -> Any:
    """Compare-and-set inside the caller's transaction. Raises ``LeaseLost`` where the row moved on.

    Answers with the row's id, tenant (``subscription_id``), document, run and adaptor, and the ``kind`` of its gateway.
    """
    lock_document(lease.delivery_id)
    return move_on(lease, old, new, by, **values)


def move_on(lease: Lease, old: DeliveryState, new: DeliveryState, by: Mover, **values: Any) -> Any:
    """``move`` by who has locked the document in this transaction, as an earlier move of it did."""
    require(old, new, by)
    # What the caller has changed by itself goes first.
    db.session.flush()
    computed = {name: value for name, value in values.items() if isinstance(value, ClauseElement)}
    given = {name: value for name, value in values.items() if name not in computed}
    moved = db.session.execute(
        _COMPARE_AND_SET.values(computed) if computed else _COMPARE_AND_SET,
        {"moved": lease.delivery_id, "old": old, "named": lease.fence, "state": new, "updated_at": utcnow(), **given},
    ).one_or_none()
    if moved is None:
        raise LeaseLost
    return moved


def lock_document(delivery_id: str) -> None:
    """In this order, as everybody does: the document, which the database marks with the new state, then its delivery.

    Inside the caller's transaction.
    """
    lock_documents([delivery_id])


def lock_documents(delivery_ids: Collection[str]) -> None:
    """The same for several that one transaction moves: all documents first, in the order of their ids, as everybody does."""
    if db.session.get_bind().dialect.name == "sqlite":
        # Its one write lock is ours already.
        return
    concerned = select(Delivery.document_id).where(Delivery.id.in_(delivery_ids))
    db.session.execute(
        select(Document.id).where(Document.id.in_(concerned)).order_by(Document.id).with_for_update(key_share=True)
    )


def move_all(
    belongs: ColumnElement[bool], old: Sequence[DeliveryState], new: DeliveryState, *, by: Mover = Mover.PERSON,
    keeps_due: bool = False,
) -> list[Any]:  # fmt: skip
    """Move all deliveries of one condition; id, document, run, tenant, gateway and findings of those that moved.

    Inside the caller's transaction. One statement compares and sets, so that what was claimed meanwhile stays with its worker.
    ``keeps_due`` leaves ``next_at``, for what comes back into the same place of the queue.
    """
    for state in old:
        require(state, new, by)
    concerned = select(Delivery.document_id).where(belongs, Delivery.state.in_(old))
    # In this order, as everybody does: the documents are locked, then their deliveries are changed.
    db.session.execute(
        select(Document.id)
        .where(Document.id.in_(concerned))
        .order_by(Document.id)
        .with_for_update(of=Document, key_share=True)
    )
    now = utcnow()
    ended = {"finished_at": now} if new in (S.CANCELLED, S.FAILED, S.SUPERSEDED) else {}
    due = {} if keeps_due else {"next_at": None}
    rows = db.session.execute(
        update(Delivery)
        .where(belongs, Delivery.state.in_(old))
        .values(state=new, fence=Delivery.fence + 1, updated_at=now, **due, **ended)
        .returning(
            Delivery.id, Delivery.document_id, Delivery.run_id, Delivery.subscription_id, Delivery.gateway_id,
            Delivery.findings,
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return list(rows)
