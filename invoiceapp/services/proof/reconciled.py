"""What the newest reconciliations of an adaptor say, in a sentence for the health of its parts and for their own page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Job,
    Reconciliation,
    ReconciliationState,
    db,
    utcnow,
)
from invoiceapp.services import background

from . import reconciling
from .unfinished import CHOSEN

#: Two nights, and a morning.
LATE = timedelta(hours=56)
_FIRST = Text("Afstemmes med Billy første gang i nat.", "Is reconciled with Billy for the first time tonight.")
_NOT_SINCE = Text("Ikke afstemt med Billy siden", "Not reconciled with Billy since")
_START = Text("Se hvorfor, og start afstemningen selv.", "See why, and start the reconciliation yourself.")
_LOOK = Text("Se afstemningen.", "Look at the reconciliation.")
_GAPS = Text(
    "; en del af perioden kunne ikke læses og tages med næste nat",
    "; a part of the period could not be read and is taken along the next night",
)


_FETCHING = (ReconciliationState.WAITING, ReconciliationState.FETCHING)


@dataclass(frozen=True, slots=True)
class Report:
    """How it went."""

    is_well: bool
    is_late: bool
    text: Text
    advice: Text | None = None
    since: datetime | None = None
    """When it was made, or since when none was"""


def newest(adaptor_id: str, limit: int = reconciling.LISTED) -> Sequence[Reconciliation]:
    """Newest first."""
    return db.session.scalars(
        select(Reconciliation)
        .where(Reconciliation.adaptor_id == adaptor_id)
        .order_by(Reconciliation.id.desc())
        .limit(limit)
    ).all()


def going_on(adaptor_id: str) -> Job | None:
    """The one that is being made now."""
    return background.active(adaptor_id, reconciling.KIND)


def report(adaptor: Adaptor, now: datetime | None = None) -> Report | None:
    """None while nothing was ever read, and so nothing can be missing."""
    if adaptor.watermark is None:
        return None
    ended = (ReconciliationState.DONE, *_FETCHING)
    done = db.session.scalar(
        select(Reconciliation)
        .where(Reconciliation.adaptor_id == adaptor.id, Reconciliation.state.in_(ended))
        .order_by(Reconciliation.id.desc())
        .limit(1)
    )
    first = db.session.scalar(
        select(func.min(Reconciliation.created_at)).where(Reconciliation.adaptor_id == adaptor.id)
    )
    made = done.created_at if done else first or adaptor.next_reconciliation_at
    if made is not None and made < (now or utcnow()) - LATE:
        return Report(False, True, _NOT_SINCE, _START, made)
    if done is None:
        return Report(True, False, _FIRST)
    text, is_well = result(done)
    return Report(is_well, False, text, None if is_well else _LOOK, done.finished_at)


def result(row: Reconciliation) -> tuple[Text, bool]:
    """What an ended one found, as a sentence without full stop; whether nothing of it needs a look."""
    read, missing = row.counts.get("read", 0), row.counts.get("missing", 0)
    text = Text(f"Afstemt med Billy: {_documents(read).da}", f"Reconciled with Billy: {_documents(read).en}")
    found, has_all = _of_missing(row, missing)
    reported = sum(1 for one in row.notes if one["kind"] not in CHOSEN)
    text = Text(f"{text.da}, {found.da}", f"{text.en}, {found.en}")
    if number := row.counts.get("changed", 0):
        after = "after it was sent" if number == 1 else "after they were sent"
        text = Text(f"{text.da}, {number} ændret efter afsendelse", f"{text.en}, {number} changed {after}")
    if not row.is_complete:
        text = Text(text.da + _GAPS.da, text.en + _GAPS.en)
    return text, has_all and row.is_complete and not reported


def _documents(number: int) -> Text:
    da, en = f"{number:,}".replace(",", "."), f"{number:,}"
    return Text(f"{da} {'dokument' if number == 1 else 'dokumenter'}", f"{en} document{'' if number == 1 else 's'}")


def _of_missing(row: Reconciliation, missing: int) -> tuple[Text, bool]:
    if not missing:
        return Text("alle fundet", "all of them here"), True
    here = row.counts.get("fetched", 0)
    if here >= missing:
        return Text(f"{missing} manglede og er hentet", f"{missing} missing and fetched"), True
    if row.state in _FETCHING:
        return Text(f"{missing} manglede og hentes nu", f"{missing} missing and being fetched"), True
    left = missing - here
    return Text(f"{missing} manglede; {left} blev ikke hentet", f"{missing} missing; {left} not fetched"), False
