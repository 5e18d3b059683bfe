"""The reading of a reconciliation: what the source lists, beside what we have, chunk by chunk while the job's lease holds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from itertools import islice
from typing import TypeVar

from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Document, Outcome, Reconciliation, ScheduleRun, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.background import Progress
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import BookState, DocumentQuery, Source, SourceChanged, SourceDocument, SourceError

from . import changes, unfinished
from .unfinished import Note

T = TypeVar("T")

#: Documents that one night fetches, each with a request of its own; the others' turn is the night after.
MOST_MISSING = 1_000
#: Documents that are not listed any more, about which the source is asked one by one in each window.
MOST_ASKED = 100
#: Nights whose fetching says what was tried already.
_NIGHTS = 30
_CHUNK = 50
#: Days that are read at once; a slow source is begun anew with these only.
_WINDOW = timedelta(days=3)
#: A slice covers at least so much of the approvals: a source reads a little further back than asked, each time.
_LEAST = timedelta(days=1)
#: How often the lease is renewed while a slow source hands out documents.
_RENEWAL = timedelta(minutes=1)
#: What is read next, as the job's cursor has it; a time or a day follows.
APPROVED, VOIDED, DATED, END = "approved", "voided", "dated", "end"
_TOO_LONG = Text(
    "Afstemningen blev ikke færdig i tide og er stoppet. Næste nat læses den samme periode igen. Sker det flere nætter i "
    "træk, så se, om Billy svarer langsomt, og om baggrundsarbejdet kører.",
    "The reconciliation did not end in time and was stopped. The next night reads the same period again. If that happens "
    "several nights in a row, see whether Billy answers slowly, and whether the background work runs.",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One slice of it."""

    progress: Progress
    source: Source
    since: date
    until: date
    deadline: datetime

    def held(self, items: Iterable[T]) -> Iterator[T]:
        """The same; the lease is renewed where they come slowly. Raises ``LeaseLost``, ``ServiceError`` after the deadline."""
        renewed = utcnow()
        for item in items:
            if utcnow() - renewed > _RENEWAL:
                self.in_time()
                self.progress.renew()
                renewed = utcnow()
            yield item

    def in_time(self) -> None:
        """Raises ``ServiceError`` after the deadline."""
        if utcnow() > self.deadline:
            raise ServiceError(_TOO_LONG)


def first_cursor(since: date) -> str:
    """Where a reconciliation begins."""
    return f"{APPROVED} {datetime.combine(since, time_of_day()).isoformat()}"


def read(work: Reading) -> None:
    """What the job's cursor names, and what follows, until the slice is over.

    Raises ``SourceError``, ``ServiceError`` after the deadline, ``LeaseLost``.
    """
    begun = time.monotonic()
    work.in_time()
    while time.monotonic() - begun <= background.SLICE:
        what, _, at = (work.progress.cursor or END).partition(" ")
        if what == APPROVED:
            _read_approved(work, datetime.fromisoformat(at))
        elif what == VOIDED:
            _read_voided(work)
        elif what == DATED:
            _read_dated(work, date.fromisoformat(at))
        else:
            return


def _by_moment(read: Iterable[SourceDocument]) -> Iterator[list[SourceDocument]]:
    """Chunks that never part documents of one approval time, so that the next slice begins after the last of them."""
    chunk: list[SourceDocument] = []
    for item in read:
        if len(chunk) >= _CHUNK and item.approved_at != chunk[-1].approved_at:
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk


def _read_approved(work: Reading, after: datetime) -> None:
    """What was approved later than ``after``."""
    begun, before = time.monotonic(), len(work.source.skipped)
    try:
        found = work.held(work.source.documents(DocumentQuery(since=after)))
        for chunk in _by_moment(item for item in found if item.approved_at and item.approved_at > after):
            reached = chunk[-1].approved_at or after
            _take(work, chunk, f"{APPROVED} {reached.isoformat()}")
            if time.monotonic() - begun > background.SLICE and reached - after > _LEAST:
                _take(work, [], f"{APPROVED} {reached.isoformat()}", work.source.skipped[before:])
                return
    except SourceChanged as error:
        _note_gap(work, error, VOIDED)
        return
    _take(work, [], VOIDED, work.source.skipped[before:])


def _read_voided(work: Reading) -> None:
    """What was voided, of any age: that alone Billy lists without reading the years again."""
    dated = f"{DATED} {work.since.isoformat()}"
    try:
        ids = work.held(work.source.voided())
        while chunk := list(islice(ids, _CHUNK)):
            _take(work, [], VOIDED, gone={one: changes.Now(state=BookState.VOIDED) for one in chunk})
    except SourceChanged as error:
        _note_gap(work, error, dated)
        return
    _take(work, [], dated)


def _read_dated(work: Reading, first: date) -> None:
    """What is dated in one window: documents whose approval time is none or older, and those that are not listed any more."""
    last, here = first + _WINDOW - timedelta(days=1), f"{DATED} {first.isoformat()}"
    is_last = last >= work.until
    following = END if is_last else f"{DATED} {(last + timedelta(days=1)).isoformat()}"
    begin, listed, before = datetime.combine(work.since, time_of_day()), set(), len(work.source.skipped)
    query = DocumentQuery(first_date=first, last_date=None if is_last else last)
    chunk: list[SourceDocument] = []
    try:
        for item in work.held(work.source.documents(query)):
            listed.add(item.id)
            if item.approved_at is None or item.approved_at <= begin:
                chunk.append(item)
            if len(chunk) >= _CHUNK:
                _take(work, chunk, here)
                chunk = []
        # One that cannot be read is there all the same.
        skipped = work.source.skipped[before:]
        gone = _vanished(work, query, listed | {record_id for record_id, _error in skipped})
    except SourceChanged as error:
        _note_gap(work, error, following)
        return
    _take(work, chunk, following, skipped, gone)


def _vanished(work: Reading, query: DocumentQuery, listed: Collection[str]) -> dict[str, changes.Now]:
    """How those of ours stand that the source does not list any more; what is known of already is not asked again."""
    with reading() as session:
        dated = [
            Document.issue_date >= query.first_date,
            *([Document.issue_date <= query.last_date] if query.last_date else []),
        ]
        rows = session.execute(
            select(Document.source_id, Document.source_change)
            .where(Document.adaptor_id == work.progress.adaptor_id, *dated, changes.has_left())
            .order_by(Document.issue_date, Document.id)
        ).all()
    over = {changes.Kind.VOIDED.value, changes.Kind.GONE.value}
    wanted = [one for one, noted in rows if one not in listed and not over.intersection((noted or {}).get("kinds", ()))]
    found = {}
    for source_id in work.held(wanted[:MOST_ASKED]):
        answer = work.source.standing(source_id)
        if answer is None or answer.state is not BookState.APPROVED:
            found[source_id] = changes.Now(state=answer.state if answer else None)
    return found


def _take(
    work: Reading, chunk: Sequence[SourceDocument], cursor: str,
    skipped: Sequence[tuple[str, SourceError]] = (), gone: dict[str, changes.Now] | None = None,
) -> None:  # fmt: skip
    """Compare a chunk, and note where to go on."""
    progress = work.progress
    with transaction() as session:
        row = session.get_one(Reconciliation, progress.result["reconciliation"], populate_existing=True)
        adaptor = session.get_one(Adaptor, progress.adaptor_id, populate_existing=True)
        known = ours(adaptor.id, [item.id for item in chunk] + [record_id for record_id, _error in skipped])
        counts = dict(row.counts)
        _add(counts, "read", len(chunk))
        _note_missing(row, counts, adaptor, [item for item in chunk if item.id not in known])
        seen = {item.id: changes.Now(item) for item in chunk if item.id in known} | (gone or {})
        news = [told(one) for one in (changes.note(adaptor, seen) if seen else [])]
        unread = [unfinished.unreadable(one, error.text) for one, error in skipped if one not in known]
        row.notes, row.counts = unfinished.joined(row.notes, [*unread, *news], counts), counts
        progress.step(len(chunk), cursor)


def _add(counts: dict[str, int], name: str, number: int) -> None:
    counts[name] = counts.get(name, 0) + number


def told(news: changes.News) -> Note:
    """As the result lists it."""
    return Note("changed", news.text, news.number, news.document_id)


def ours(adaptor_id: str, source_ids: Sequence[str]) -> set[str]:
    """Which of the source's ids have a document here."""
    query = select(Document.source_id).where(Document.adaptor_id == adaptor_id, Document.source_id.in_(source_ids))
    return set(db.session.scalars(query))


def _note_missing(
    row: Reconciliation, counts: dict[str, int], adaptor: Adaptor, strange: Sequence[SourceDocument]
) -> None:
    """What should be here, beside what is older than the start date and what the next run will read first."""
    if not strange:
        return
    due = db.session.scalar(
        select(func.max(ScheduleRun.due_at)).where(
            ScheduleRun.adaptor_id == adaptor.id, ScheduleRun.outcome.in_((Outcome.STARTED, Outcome.BUSY))
        )
    )
    missing = {one["id"]: one for one in row.missing}
    for item in strange:
        if adaptor.start_date and item.issue_date < adaptor.start_date:
            _add(counts, "too_old", 1)
        elif not _was_passed(item, datetime.fromisoformat(adaptor.watermark or str(date.min)), due):
            _add(counts, "not_due", 1)
        elif item.id not in missing:
            missing[item.id] = {"id": item.id, "number": item.number}
            _add(counts, "missing", 1)
    row.missing = _most_wanted(adaptor.id, list(missing.values()))


def _most_wanted(adaptor_id: str, missing: list[dict[str, str]]) -> list[dict[str, str]]:
    """As many as one night fetches; what earlier nights have tried in vain comes after what nobody has tried."""
    if len(missing) <= MOST_MISSING:
        return missing
    earlier = db.session.scalars(
        select(Reconciliation.missing)
        .where(Reconciliation.adaptor_id == adaptor_id, Reconciliation.run_id.is_not(None))
        .order_by(Reconciliation.id.desc())
        .limit(_NIGHTS)
    )
    tried = Counter(one["id"] for night in earlier for one in night)
    return sorted(missing, key=lambda one: tried[one["id"]])[:MOST_MISSING]


def _was_passed(item: SourceDocument, watermark: datetime, due: datetime | None) -> bool:
    """Whether a run has read on beyond it, or should have: the last due time of a schedule. Else it is simply new."""
    if item.approved_at is None:
        return item.issue_date < watermark.date()
    # Sources write times without a zone; Danish ones are ahead of UTC, so that this is the latest that it can be.
    return item.approved_at <= watermark or (due is not None and item.approved_at.replace(tzinfo=UTC) <= due)


def _note_gap(work: Reading, error: SourceError, cursor: str) -> None:
    """A part of the period cannot be read: the other parts are, and the next night reads the same period again."""
    progress = work.progress
    with transaction() as session:
        row = session.get_one(Reconciliation, progress.result["reconciliation"], populate_existing=True)
        counts = dict(row.counts)
        row.is_complete = False
        row.notes = unfinished.joined(row.notes, [Note("unread", error.text)], counts)
        row.counts = counts
        progress.step(0, cursor)
