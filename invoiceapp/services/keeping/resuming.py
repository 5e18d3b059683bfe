"""After a restore a person says when the schedules run again."""

from __future__ import annotations

from sqlalchemy import select, update

from invoiceapp.models import Adaptor, Restoration, Schedule, db, utcnow
from invoiceapp.services.daily import schedules
from invoiceapp.services.database import transaction


def waiting(subscription_id: str) -> Restoration | None:
    """The newest restore, while nobody has said that the schedules may run again."""
    newest = db.session.scalar(
        select(Restoration)
        .where(Restoration.subscription_id == subscription_id)
        .order_by(Restoration.id.desc())
        .limit(1)
    )
    return newest if newest is not None and newest.resumed_at is None else None


def resume(subscription_id: str, actor: str) -> int:
    """Let the schedules run again that the restore has paused; how many. Those that a person has touched stay as they are.

    May be done twice: the second finds nothing to do.
    """
    with transaction() as session:
        rows = session.scalars(
            select(Restoration)
            .where(Restoration.subscription_id == subscription_id, Restoration.resumed_at.is_(None))
            .order_by(Restoration.id)
            .with_for_update()
        ).all()
        ids = [schedule_id for row in rows for schedule_id in row.schedules]
        now, resumed = utcnow(), 0
        for schedule in session.scalars(
            select(Schedule)
            .join(Adaptor, Adaptor.id == Schedule.adaptor_id)
            .where(Schedule.id.in_(ids), Schedule.active.is_(False), Adaptor.deleted_at.is_(None))
            .order_by(Schedule.id)
            .with_for_update(of=Schedule)
        ):
            schedule.active = True
            schedule.next_at = schedules.next_after(schedule, now)
            resumed += 1
        session.execute(
            update(Restoration)
            .where(Restoration.id.in_([row.id for row in rows]))
            .values(resumed_at=now, resumed_by=actor[:255])
        )
    return resumed
