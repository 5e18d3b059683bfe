"""Deliveries brought to a state: along the table of moves, or past the database's guard."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text, update

from invoiceapp.domain.delivery import DeliveryState, moves
from invoiceapp.models import Delivery, db
from invoiceapp.models.movement import triggers

_GUARD = "delivery_moves_legally"


def bring(delivery: Delivery | str, state: DeliveryState) -> None:
    """By the fewest moves, inside the caller's transaction. Raises ``AssertionError`` where no way leads there."""
    key = delivery if isinstance(delivery, str) else delivery.id
    db.session.flush()
    now = db.session.get_one(Delivery, key, populate_existing=True).state
    for step in way(now, state):
        db.session.execute(
            update(Delivery).where(Delivery.id == key).values(state=step).execution_options(synchronize_session=False)
        )
    db.session.get_one(Delivery, key, populate_existing=True)


def way(old: DeliveryState, new: DeliveryState) -> list[DeliveryState]:
    """The states to go through, ``new`` last; nothing where it is there already."""
    ways = deque([[old]])
    seen = {old}
    while ways:
        at = ways.popleft()
        if at[-1] is new:
            return at[1:]
        further = [to for start, to in moves() if start is at[-1] and to not in seen]
        seen |= set(further)
        ways.extend([*at, to] for to in further)
    raise AssertionError(f"no way leads from {old} to {new}")


@contextmanager
def unguarded() -> Iterator[None]:
    """Inside, and in the caller's transaction, any state may follow any other: for what only rows of every kind can show."""
    dialect = db.engine.dialect.name
    db.session.flush()
    db.session.execute(text(f"DROP TRIGGER {_GUARD}" + ("" if dialect == "sqlite" else " ON delivery")))
    yield
    db.session.flush()
    [guard] = [one for one in triggers(dialect) if "TRIGGER" in one and f" {_GUARD} " in one]
    db.session.execute(text(guard.replace(":", r"\:")))
