"""The rows behind the figures: which are news, and folding them into one row for each day and status."""

from __future__ import annotations

from collections import Counter
from datetime import date

from sqlalchemy import delete, insert, select, update

from invoiceapp.models import Adaptor, Tally, db

#: News that are taken at a time; the rest stay news.
MOST_NEWS = 20_000
#: Ids in one statement.
_CHUNK = 5_000


class TakenMeanwhile(Exception):
    """Somebody else has taken some of these rows."""


def moved() -> list[str]:
    """Adaptors whose documents have moved since somebody looked for problems. Reads nothing but news."""
    return list(db.session.scalars(select(Tally.adaptor_id).where(Tally.is_news).distinct().order_by(Tally.adaptor_id)))


def news(adaptor_id: str) -> list[int]:
    """Rows that nobody has looked at. By id and not by the largest: a smaller one may be committed later."""
    query = select(Tally.id).where(Tally.adaptor_id == adaptor_id, Tally.is_news).order_by(Tally.id).limit(MOST_NEWS)
    return list(db.session.scalars(query))


def take(adaptor_id: str, ids: list[int]) -> Counter[tuple[date, str]]:
    """Take news out, for ``fold`` in the same transaction. Who wants the same ones waits. Raises ``TakenMeanwhile``."""
    more: Counter[tuple[date, str]] = Counter()
    taken = 0
    for start in range(0, len(ids), _CHUNK):
        gone = db.session.execute(
            delete(Tally)
            .where(Tally.adaptor_id == adaptor_id, Tally.is_news, Tally.id.in_(ids[start : start + _CHUNK]))
            .returning(Tally.day, Tally.status, Tally.documents)
            .execution_options(synchronize_session=False)
        ).all()
        taken += len(gone)
        for day, status, documents in gone:
            more[day, status] += documents
    if taken != len(ids):
        raise TakenMeanwhile
    return more


def fold(adaptor_id: str, more: Counter[tuple[date, str]]) -> None:
    """Add them to the one row of their day and status, which is no news.

    Readers find what was folded or the sum, never both or neither.
    """
    if not more:
        return
    # One at a time for each adaptor.
    db.session.execute(select(Adaptor.id).where(Adaptor.id == adaptor_id).with_for_update(key_share=True))
    sums = {
        (row.day, row.status): row
        for row in db.session.execute(
            select(Tally.id, Tally.day, Tally.status, Tally.documents).where(
                Tally.adaptor_id == adaptor_id, ~Tally.is_news, Tally.day.in_({day for day, _status in more})
            )
        )
    }
    new, old, ended = [], [], []
    for key, documents in more.items():
        row = sums.get(key)
        if row is None and documents:
            new.append(
                {"adaptor_id": adaptor_id, "day": key[0], "status": key[1], "documents": documents, "is_news": False}
            )
        elif row is not None and row.documents + documents:
            old.append({"id": row.id, "documents": row.documents + documents})
        elif row is not None:
            ended.append(row.id)
    if new:
        db.session.execute(insert(Tally), new)
    if old:
        db.session.execute(update(Tally), old)
    if ended:
        db.session.execute(delete(Tally).where(Tally.id.in_(ended)))
