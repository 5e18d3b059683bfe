"""Who may move a delivery: the holder of its newest lease, along the moves that ``domain.delivery`` knows."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update

from invoiceapp.domain.delivery import DeliveryState, Mover, may_move
from invoiceapp.models import Delivery, db, utcnow
from invoiceapp.services.database import changed


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


def move(lease: Lease, old: DeliveryState, new: DeliveryState, by: Mover, **values: Any) -> None:
    """Compare-and-set inside the caller's transaction. Raises ``LeaseLost`` where the row moved on."""
    if not may_move(old, new, by):
        raise AssertionError(f"{by} may not move a delivery from {old} to {new}")
    result = db.session.execute(
        update(Delivery)
        .where(Delivery.id == lease.delivery_id, Delivery.state == old, Delivery.fence == lease.fence)
        .values(state=new, updated_at=utcnow(), **values)
        .execution_options(synchronize_session=False)
    )
    if not changed(result):
        raise LeaseLost
