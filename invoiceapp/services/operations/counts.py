"""What the database knows of the work of all companies, in a few queries that indexes answer.

Nothing here grows with what has been sent: documents are summed from the tally, deliveries are counted where somebody still
has to do something, attempts of the last minutes only. Inside the caller's transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    ACTIVE_JOBS,
    ACTIVE_RUNS,
    Adaptor,
    ArchiveCheck,
    Attempt,
    DamagedFile,
    Delivery,
    Document,
    Gateway,
    Job,
    Run,
    Stage,
    Tally,
    db,
)
from invoiceapp.models.types import id_at
from invoiceapp.services.daily.flow import Times
from invoiceapp.services.delivery import ages
from invoiceapp.services.export import standing

S = DeliveryState

#: Of attempts: those that began within it.
WINDOW = timedelta(minutes=5)
#: Deliveries that somebody or something still moves. Accepted ones count while a later receipt is awaited.
OPEN = (S.BLOCKED, S.PENDING, S.LEASED, S.SENDING, S.REJECTED, S.FAILED, S.OUTCOME_UNKNOWN)
#: Those that the machine sends next, or sends now.
MOVING = (S.PENDING, S.LEASED, S.SENDING)
#: Of what waits longest, and of what has just arrived: rows whose times are read.
_SAMPLE = 1_000
_RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Open:
    """Deliveries of one kind of gateway in one state."""

    kind: str
    state: DeliveryState
    number: int
    oldest: float
    """Seconds since the first of them became due (pending), or came to its state"""


def documents() -> dict[str, int]:
    """Documents of all companies by where they are (``Document.status``)."""
    rows = db.session.execute(select(Tally.status, func.sum(Tally.documents)).group_by(Tally.status))
    return {status: int(number) for status, number in rows}


def deliveries(now: datetime) -> list[Open]:
    """Those that are not over, by kind of gateway and state."""
    rows = db.session.execute(
        select(
            Delivery.transport, Delivery.state, func.count(), func.min(Delivery.next_at), func.min(Delivery.updated_at)
        )
        .where(Delivery.state.in_(OPEN))
        .group_by(Delivery.transport, Delivery.state)
    )
    return [
        Open(kind, state, number, _seconds(now, due if state is S.PENDING and due else since))
        for kind, state, number, due, since in rows
    ]


def awaiting_receipts() -> dict[str, int]:
    """Accepted deliveries for which a later receipt is promised, by kind of gateway."""
    rows = db.session.execute(
        select(Delivery.transport, func.count())
        .where(Delivery.state == S.ACCEPTED, Delivery.next_at.is_not(None))
        .group_by(Delivery.transport)
    )
    return {str(kind): int(number) for kind, number in rows}


def attempts(now: datetime) -> dict[tuple[str, str], int]:
    """Attempts that began within ``WINDOW``, by kind of gateway and outcome; ``running`` is one without an outcome."""
    rows = db.session.execute(
        select(Delivery.transport, Attempt.outcome, func.count())
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Attempt.id >= id_at(now - WINDOW))
        .group_by(Delivery.transport, Attempt.outcome)
    )
    return {(kind, outcome or _RUNNING): number for kind, outcome, number in rows}


def times(now: datetime) -> Times:
    """How long documents took from booking to the partner's yes, of the newest of ``WINDOW``.

    What was booked before its adaptor was made is left out: it could not be sent in time.
    """
    rows: Any = db.session.execute(
        select(Document.approved_at, Document.created_at, Adaptor.created_at, Attempt.finished_at)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .join(Document, Document.id == Delivery.document_id)
        .join(Adaptor, Adaptor.id == Document.adaptor_id)
        .where(Attempt.id >= id_at(now - WINDOW), Attempt.outcome == "accepted", Attempt.finished_at.is_not(None))
        .order_by(Attempt.id.desc())
        .limit(_SAMPLE)
    )
    booked = ((_booked(approved, read), made, done) for approved, read, made, done in rows)
    return Times(sorted(max(done - at, timedelta(0)) for at, made, done in booked if at >= made))


def oldest_since_booking(now: datetime) -> float:
    """Seconds since the booking of what has waited longest of all that is on its way; zero where nothing is."""
    to_convert = _queued(Document.approved_at, Document.created_at)
    due = (
        select(Document.approved_at, Document.created_at)
        .join(Delivery, Delivery.document_id == Document.id)
        .where(Delivery.state.in_(MOVING))
        .order_by(Delivery.next_at)
    )
    rows = [*db.session.execute(to_convert.limit(_SAMPLE)), *db.session.execute(due.limit(_SAMPLE))]
    return max((_seconds(now, _booked(*row)) for row in rows), default=0.0)


def _booked(approved: str | None, read: datetime) -> datetime:
    """When the source booked it. A time without a zone is taken for UTC, but never for later than the reading."""
    try:
        moment = datetime.fromisoformat(approved or "")
    except ValueError:
        return read
    return min(moment if moment.tzinfo else moment.replace(tzinfo=UTC), read)


def _queued(*columns: Any) -> Any:
    """Of what waits for its conversion, adaptor by adaptor: so the index finds it by which workers claim."""
    return select(*columns).where(Document.adaptor_id.in_(select(Adaptor.id)), Document.stage == Stage.QUEUED)


def to_convert(now: datetime) -> tuple[int, float]:
    """Documents that wait for their conversion, and seconds since the first of them was queued."""
    number, since = db.session.execute(_queued(func.count(), func.min(Document.updated_at))).one()
    return number, _seconds(now, since)


def stuck(now: datetime) -> dict[str, int]:
    """Deliveries that should have moved long ago (``ages.overdue``), by state; 500 at most."""
    return _counted(one.state.value for one in ages.overdue(working_adaptors(), now))


def working_adaptors() -> list[str]:
    """Ids of the adaptors that read and send."""
    return list(db.session.scalars(select(Adaptor.id).where(standing.working()).order_by(Adaptor.id)))


def source_errors() -> int:
    """Working adaptors whose accounting system did not answer, or refused, when it was asked last."""
    query = select(func.count()).select_from(Adaptor).where(standing.working(), Adaptor.source_error.is_not(None))
    return db.session.scalar(query) or 0


def gateways() -> dict[tuple[str, str], int]:
    """Gateways by kind and how they are: ``works``, ``rests`` (does not answer), ``paused``."""
    how: Counter[tuple[str, str]] = Counter()
    for kind, paused_at, failing_since in db.session.execute(
        select(Gateway.kind, Gateway.paused_at, Gateway.failing_since)
    ):
        how[kind, "paused" if paused_at else "rests" if failing_since else "works"] += 1
    return dict(how)


def expiring() -> dict[str, int]:
    """Gateways of which something ends soon, by the days before it at which people were warned; ``0``: has ended."""
    rows = db.session.execute(
        select(Gateway.expiry_level, func.count())
        .where(Gateway.expiry_level.is_not(None))
        .group_by(Gateway.expiry_level)
    )
    return {str(days): number for days, number in rows}


def runs() -> dict[str, int]:
    """Active runs by state."""
    rows = db.session.execute(select(Run.state, func.count()).where(Run.state.in_(ACTIVE_RUNS)).group_by(Run.state))
    return {state.value: number for state, number in rows}


def jobs() -> dict[tuple[str, str], int]:
    """Active pieces of work that people started, by kind and state."""
    rows = db.session.execute(
        select(Job.kind, Job.state, func.count()).where(Job.state.in_(ACTIVE_JOBS)).group_by(Job.kind, Job.state)
    )
    return {(kind, state.value): number for kind, state, number in rows}


def archive(now: datetime) -> tuple[float | None, int]:
    """Seconds since a night's sample of the archive was done (None: never), and files that are not as they should be."""
    last = db.session.scalar(select(func.max(ArchiveCheck.finished_at)))
    damaged = db.session.scalar(select(func.count()).select_from(DamagedFile)) or 0
    return (_seconds(now, last) if last else None), damaged


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values))


def _seconds(now: datetime, since: Any) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
