"""How many connections all workers together have open to one machine.

A slot is a row that is taken until a moment, so that the slot of a worker that died is free again by itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.models import HostSlot, cut, db, new_id, utcnow
from invoiceapp.services.database import changed, transaction

#: Longer than one ``Transport.DEADLINE``, and renewed well before.
HOLD = timedelta(seconds=300)
_RENEW = timedelta(seconds=100)


@dataclass(slots=True)
class Slot:
    """One connection's place; ``number`` 0 where the machine has no limit."""

    host: str
    number: int
    token: str
    renewed: datetime = field(default_factory=utcnow)

    def renew(self) -> bool:
        """Keep it for a while longer; False where it was lost."""
        if not self.number or utcnow() - self.renewed < _RENEW:
            return True
        self.renewed = utcnow()
        with transaction():
            return _change(self, until=self.renewed + HOLD)


def pause() -> timedelta:
    """How long to wait where no slot is free; spread, so that workers do not come back together."""
    return timedelta(seconds=random.uniform(3, 10))  # noqa: S311


@contextmanager
def taken(host: str | None, most: int) -> Iterator[Slot | None]:
    """A slot of the machine while the block runs; None where all ``most`` are taken."""
    slot = Slot("", 0, "") if host is None else _take(cut(host, 255), most)
    try:
        yield slot
    finally:
        if slot is not None and slot.number:
            with transaction():
                _change(slot, token=None, until=None)


def _take(host: str, most: int) -> Slot | None:
    token, now = new_id(), utcnow()
    with transaction():
        _make_rows(host, most)
        free = (
            select(HostSlot.number)
            .where(HostSlot.host == host, HostSlot.number <= most, _is_free(now))
            .order_by(HostSlot.number)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        number = db.session.scalar(free)
        if number is None:
            return None
        result = db.session.execute(
            update(HostSlot)
            .where(HostSlot.host == host, HostSlot.number == number, _is_free(now))
            .values(token=token, until=now + HOLD)
            .execution_options(synchronize_session=False)
        )
        return Slot(host, number, token, now) if changed(result) else None


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(HostSlot.until.is_(None), HostSlot.until < now)


def _make_rows(host: str, most: int) -> None:
    known = set(db.session.scalars(select(HostSlot.number).where(HostSlot.host == host)))
    for number in sorted({*range(1, most + 1)} - known):
        try:
            with db.session.begin_nested():
                db.session.add(HostSlot(host=host, number=number))
        except IntegrityError:
            # Another worker made it at the same moment.
            continue


def _change(slot: Slot, **values: object) -> bool:
    result = db.session.execute(
        update(HostSlot)
        .where(HostSlot.host == slot.host, HostSlot.number == slot.number, HostSlot.token == slot.token)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return changed(result)
