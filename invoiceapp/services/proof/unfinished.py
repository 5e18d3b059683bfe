"""What a reconciliation reports: on our side, documents that have not come where they should be; at the source, what it cannot read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import exists, func, select

from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS
from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Document, ExportRule, Stage, db, utcnow
from invoiceapp.services.delivery import ages, numbers
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export import selection

#: Reports of one kind that are kept one by one; of more, the number.
MOST = 100
#: A conversion that takes longer does not come by itself.
_LONG = timedelta(days=1)
#: Kinds that are no fault: a choice that was made, and what the source has changed, which asks for itself.
CHOSEN = frozenset({"not_chosen", "changed"})

_NO_DELIVERY = Text(
    "Er dannet, men har ingen afsendelse. Hent det igen på dets egen side.",
    "Was converted but has no delivery. Fetch it again on its own page.",
)
_SEVERAL = Text(
    "Er sendt ad mere end én vej. Spørg modtageren, om de har fået det to gange.",
    "Was sent in more than one way. Ask the receiver whether they got it twice.",
)
_QUEUED = Text(
    "Har ventet på at blive dannet i mere end et døgn. Se, om baggrundsarbejdet kører.",
    "Has waited for its conversion for more than a day. See whether the background work runs.",
)
_WAITS_ELSEWHERE = Text(
    "Har ventet i mere end et døgn på det samme dokument i en anden adaptor. Afgør det dér, eller vælg »Send alligevel« her.",
    "Has waited for more than a day for the same document in another adaptor. Decide it there, or choose “Send anyway” here.",
)
_LEFT_BY_NEITHER = Text(
    "Er sprunget over, fordi det samme dokument blev sendt gennem en anden adaptor, men det er ikke nået frem dér. Se på begge, "
    "og vælg »Send alligevel« på det ene.",
    "Was skipped because the same document was sent through another adaptor, but it has not arrived there. See both, and choose "
    "“Send anyway” on one.",
)
_OVERDUE = Text(
    "Er ikke kommet videre til tiden. Se på dokumentet, hvem der mangler at gøre noget.",
    "Has not moved on in time. See on the document whose turn it is.",
)


@dataclass(frozen=True, slots=True)
class Note:
    """One report."""

    kind: str
    text: Text
    number: str = ""
    document_id: str | None = None
    source_id: str = ""

    def to_json(self) -> dict[str, str]:
        """As ``Reconciliation.notes`` has it."""
        named = {"number": self.number, "document_id": self.document_id, "source_id": self.source_id}
        return text_dict(self.text, kind=self.kind, **{name: value for name, value in named.items() if value})


def unreadable(source_id: str, text: Text) -> Note:
    """A record that the source has and that cannot be read."""
    return Note("unreadable", text, source_id=source_id)


def joined(stored: Sequence[Mapping[str, str]], new: Sequence[Note], counts: dict[str, int]) -> list[dict[str, str]]:
    """All of them, each once, ``MOST`` of a kind; ``counts`` gets how many of each there are."""
    kept = [dict(one) for one in stored]
    shown = Counter(one["kind"] for one in kept)
    for one in (note.to_json() for note in new):
        if one in kept:
            continue
        counts[one["kind"]] = counts.get(one["kind"], 0) + 1
        if shown[one["kind"]] < MOST:
            shown[one["kind"]] += 1
            kept.append(one)
    return kept


def of(adaptor_id: str, since: date) -> list[Note]:
    """Documents dated ``since`` then that are not where they should be, and deliveries of any age that are stuck."""
    return [
        *_of_documents(adaptor_id, since),
        *_left_by_neither(adaptor_id, since),
        *_stuck(adaptor_id),
        *_sent_twice(adaptor_id, since),
        *_not_chosen(adaptor_id, since),
    ]


def _of_documents(adaptor_id: str, since: date) -> Iterator[Note]:
    columns = select(Document.id, Document.number).where(
        Document.adaptor_id == adaptor_id, Document.issue_date >= since
    )
    alone = columns.where(Document.stage == Stage.CONVERTED, Document.delivery_id.is_(None))
    for document_id, number in db.session.execute(alone.order_by(Document.issue_date, Document.id)):
        yield Note("no_delivery", _NO_DELIVERY, number, document_id)
    waiting = columns.add_columns(Document.error).where(
        Document.stage == Stage.QUEUED, Document.status_at < utcnow() - _LONG
    )
    for document_id, number, error in db.session.execute(waiting.order_by(Document.issue_date, Document.id)):
        text = _WAITS_ELSEWHERE if (error or {}).get("holder") else _QUEUED
        yield Note("queued", text, number, document_id)


def _left_by_neither(adaptor_id: str, since: date) -> Iterator[Note]:
    """Skipped for another document, of which nothing can arrive any more. One that was deleted had left long ago."""
    skipped = db.session.execute(
        select(Document.id, Document.number, Document.error)
        .where(Document.adaptor_id == adaptor_id, Document.issue_date >= since, Document.stage == Stage.SKIPPED)
        .order_by(Document.issue_date, Document.id)
    ).all()
    holders = {(error or {}).get("holder"): (number, key) for key, number, error in skipped}
    holders.pop(None, None)
    keys = list(holders)
    for ids in (keys[start : start + 500] for start in range(0, len(keys), 500)):
        has_left = exists().where(Delivery.document_id == Document.id, numbers.may_have_left())
        over = select(Document.id).where(Document.id.in_(ids), Document.stage != Stage.HANDLED, ~has_left)
        for holder in db.session.scalars(over.order_by(Document.id)):
            yield Note("left_by_neither", _LEFT_BY_NEITHER, *holders[holder])


def _stuck(adaptor_id: str) -> Iterator[Note]:
    for one in ages.overdue([adaptor_id], utcnow()):
        yield Note("overdue", _OVERDUE, one.number, one.document_id)


def _sent_twice(adaptor_id: str, since: date) -> Iterator[Note]:
    alive = sorted(state.value for state in ARRIVED | IN_PROGRESS)
    ways = (
        select(func.count())
        .where(Delivery.document_id == Document.id, Delivery.state.in_(alive))
        .correlate(Document)
        .scalar_subquery()
    )
    query: Any = (
        select(Document.id, Document.number)
        .where(Document.adaptor_id == adaptor_id, Document.issue_date >= since, ways > 1)
        .order_by(Document.issue_date, Document.id)
    )
    for document_id, number in db.session.execute(query):
        yield Note("several", _SEVERAL, number, document_id)


def _not_chosen(adaptor_id: str, since: date) -> Iterator[Note]:
    """Of active customers, and at rest all the same; with the reason that its own page gives."""
    rows = db.session.scalars(
        select(Document)
        .join(ExportRule, ExportRule.customer_id == Document.customer_id)
        .where(
            Document.adaptor_id == adaptor_id, Document.issue_date >= since, Document.stage == Stage.LISTED,
            ExportRule.active,
        )
        .order_by(Document.issue_date, Document.id)
        .limit(10 * MOST)
    ).all()  # fmt: skip
    reasons = selection.why_listed(rows)
    for row in rows:
        if row.id in reasons:
            yield Note("not_chosen", reasons[row.id].long, row.number, row.id)
