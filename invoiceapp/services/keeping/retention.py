"""What is due for deletion: documents whose time has passed, that have ended, and that no hold keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Delivery, Document, Retention, Stage, Subscription, db, utcnow
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export.validators import today

from . import holds, terms

S = DeliveryState
_COPENHAGEN = ZoneInfo("Europe/Copenhagen")
#: Before that hour nothing is deleted: backups are mostly taken at midnight.
_FIRST_HOUR = 2
_NOT_ENDED = (S.BLOCKED, S.PENDING, S.LEASED, S.SENDING, S.OUTCOME_UNKNOWN)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept and what goes, of one subscription."""

    subscription_id: str
    name: str
    years: int
    last_months: tuple[int, ...]
    until: date
    """Documents dated up to it are due"""
    due: int
    held: int
    """Old enough, and kept by a hold"""
    open: int
    """Old enough, and kept because they have not ended"""
    next_day: date
    """When more is due"""
    next_until: date
    """Documents dated up to it are due then"""
    next_due: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(self).items()}


def subscriptions() -> list[Subscription]:
    """All, oldest first."""
    return list(db.session.scalars(select(Subscription).order_by(Subscription.id)))


def subscription_of(text: str) -> Subscription:
    """The subscription of an id, or of a name that only one has. Raises ``ServiceError``."""
    rows = [row for row in subscriptions() if text in (row.id, row.name)]
    if len(rows) != 1:
        raise ServiceError(
            Text(
                f"Der er {len(rows)} abonnementer, der hedder »{text}«. Skriv dets id.",
                f"There are {len(rows)} subscriptions called “{text}”. Write its id.",
            )
        )
    return rows[0]


def is_old(subscription_id: str, until: date) -> ColumnElement[bool]:
    """Dated up to ``until``, and nothing has happened to it since: evidence of a later sending is as old as that."""
    end = datetime.combine(until + timedelta(days=1), time(), _COPENHAGEN).astimezone(UTC)
    of_it = Document.adaptor_id.in_(select(Adaptor.id).where(Adaptor.subscription_id == subscription_id))
    return and_(of_it, Document.issue_date <= until, Document.status_at < end)


def has_ended() -> ColumnElement[bool]:
    """Nothing of it is under way, or waits for a person who has to say what became of it."""
    awaits = and_(Delivery.state == S.ACCEPTED, Delivery.next_at.is_not(None))
    is_open = exists().where(Delivery.document_id == Document.id, or_(Delivery.state.in_(_NOT_ENDED), awaits))
    return and_(Document.stage != Stage.QUEUED, ~is_open)


def due(subscription_id: str, until: date, on: date) -> ColumnElement[bool]:
    """Everything together, for queries that have ``Document``."""
    return and_(is_old(subscription_id, until), has_ended(), ~holds.keeps(on))


def _count(*conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(Document).where(*conditions)) or 0


def plan(subscription: Subscription, only_of: frozenset[str] | None = None) -> Plan:
    """As of today; nothing is deleted. ``only_of``: ids of adaptors whose documents count, None for all."""
    on, kept = today(), terms.of(subscription.id)
    until = kept.last_day_due(on)
    next_day = kept.next_day(until)
    later = kept.last_day_due(next_day)
    mine = true() if only_of is None else Document.adaptor_id.in_(only_of)
    old = and_(mine, is_old(subscription.id, until))
    now_due = _count(mine, due(subscription.id, until, on))
    return Plan(
        subscription.id, subscription.name, kept.years, kept.months, until,
        now_due, _count(old, holds.keeps(on)), _count(old, ~has_ended(), ~holds.keeps(on)),
        next_day, later, _count(mine, due(subscription.id, later, on)) - now_due,
    )  # fmt: skip


def is_due() -> bool:
    """Whether some subscription has old documents, and nobody has looked at them today. Asked by every tick."""
    now = utcnow().astimezone(_COPENHAGEN)
    return now.hour >= _FIRST_HOUR and bool(db.session.scalar(select(next_query(now.date()).exists())))


def next_query(on: date) -> Any:
    """Ids of subscriptions to look at, oldest first. Coarse: whose terms are longer is looked at in vain."""
    oldest = date(on.year - terms.LAWFUL_YEARS, on.month, 1) - timedelta(days=1)
    has_old = exists().where(Document.adaptor_id == Adaptor.id, Document.issue_date <= oldest)
    return (
        select(Adaptor.subscription_id)
        .outerjoin(Retention, Retention.subscription_id == Adaptor.subscription_id)
        .where(or_(Retention.looked_on.is_(None), Retention.looked_on < on), has_old)
        .order_by(Adaptor.subscription_id)
        .limit(1)
    )
