"""A user's own list of what they were told, with what is unread."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, true, update

from invoiceapp.models import Notice, Recipient, db, utcnow
from invoiceapp.services.database import transaction

PAGE = 50
#: Of unread ones more are not counted: "99+" says enough.
MOST_COUNTED = 100


def _of(subscription_id: str, user_id: str) -> str | None:
    return db.session.scalar(
        select(Recipient.id).where(Recipient.subscription_id == subscription_id, Recipient.user_id == user_id)
    )


def _shown(only_of: Collection[str] | None) -> ColumnElement[bool]:
    """About what the person may see: about one of these adaptors, or none; with None everything."""
    return true() if only_of is None else or_(Notice.adaptor_id.is_(None), Notice.adaptor_id.in_(only_of))


def unread(subscription_id: str, user_id: str, only_of: Collection[str] | None = None) -> int:
    """How many are unread, at most ``MOST_COUNTED``; two look-ups in indexes. ``only_of``: ids of adaptors, None for all."""
    recipient_id = _of(subscription_id, user_id)
    mine = (Notice.recipient_id == recipient_id, Notice.read_at.is_(None), _shown(only_of))
    first = select(Notice.id).where(*mine).limit(MOST_COUNTED)
    return int(db.session.scalar(select(func.count()).select_from(first.subquery())) or 0)


def page(
    subscription_id: str,
    user_id: str,
    *,
    before: str = "",
    only_unread: bool = False,
    adaptor_id: str = "",
    only_of: Collection[str] | None = None,
) -> tuple[list[Notice], str]:
    """Newest first, and the cursor of the next page ("" where there is none). ``before``: a cursor; ``only_of`` as above."""
    query = select(Notice).where(Notice.recipient_id == _of(subscription_id, user_id), _shown(only_of))
    if before:
        query = query.where(Notice.id < before)
    if only_unread:
        query = query.where(Notice.read_at.is_(None))
    if adaptor_id:
        query = query.where(Notice.adaptor_id == adaptor_id)
    rows = list(db.session.scalars(query.order_by(Notice.id.desc()).limit(PAGE + 1)))
    return rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else ""


def notice(subscription_id: str, user_id: str, notice_id: str) -> Notice | None:
    """One of the user's own."""
    row = db.session.get(Notice, notice_id)
    return row if row is not None and row.recipient_id == _of(subscription_id, user_id) else None


def mark(
    subscription_id: str, user_id: str, notice_ids: list[str], *, is_read: bool, now: datetime | None = None
) -> int:
    """Mark as read or unread; how many changed. Others' ids change nothing."""
    with transaction() as session:
        result = session.execute(
            update(Notice)
            .where(
                Notice.recipient_id == _of(subscription_id, user_id), Notice.id.in_(notice_ids),
                Notice.read_at.is_(None) if is_read else Notice.read_at.is_not(None),
            )
            .values(read_at=(now or utcnow()) if is_read else None)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        return int(result.rowcount)  # type: ignore[attr-defined]


def mark_all_read(subscription_id: str, user_id: str, up_to: str, now: datetime | None = None) -> int:
    """Mark as read what the person has seen, up to the notice with this id; how many changed."""
    with transaction() as session:
        result = session.execute(
            update(Notice)
            .where(
                Notice.recipient_id == _of(subscription_id, user_id), Notice.read_at.is_(None), Notice.id <= up_to
            )
            .values(read_at=now or utcnow())
            .execution_options(synchronize_session=False)
        )  # fmt: skip
        return int(result.rowcount)  # type: ignore[attr-defined]
