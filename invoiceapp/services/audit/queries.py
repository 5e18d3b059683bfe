"""The audit log as the page reads it: newest first, by the number of the entry, without counting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from invoiceapp.models import AuditEntry, db
from invoiceapp.services.audit.words import DOWNLOADS, SIGN_INS

PAGE = 50
_ZONE = ZoneInfo("Europe/Copenhagen")
_BATCH = 1000
ROWS = ("created", "changed", "deleted")
WHAT = ("changes", "acts", "sign_ins", "downloads", "refused")


@dataclass(frozen=True, slots=True)
class Filter:
    """What to show. ``what`` is one of ``WHAT`` or ""; days are Danish and both included; ``person`` and
    ``thing`` are beginnings of names, ``thing`` may be an id."""

    person: str = ""
    what: str = ""
    first: date | None = None
    last: date | None = None
    thing: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and the number before which older ones come (None at the end)."""

    entries: list[AuditEntry]
    older: int | None


def page(chain: str, wanted: Filter, before: int | None = None) -> Page:
    """One page of a chain."""
    query = _query(chain, wanted)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    found = list(db.session.scalars(query.limit(PAGE + 1)))
    if len(found) <= PAGE:
        return Page(found, None)
    shown = found[: _whole_requests(found)]
    return Page(shown, shown[-1].seq)


def _whole_requests(found: list[AuditEntry]) -> int:
    """How many to show so that what one request did is not torn apart; all of a page where it did more."""
    request_id = found[PAGE].request_id
    last = PAGE
    while last and request_id and found[last - 1].request_id == request_id:
        last -= 1
    return last or PAGE


def by_request(found: Sequence[AuditEntry]) -> list[list[AuditEntry]]:
    """What one request did together, the act itself first; the rest alone. Order is kept."""
    groups: list[list[AuditEntry]] = []
    for entry in found:
        if groups and entry.request_id and groups[-1][0].request_id == entry.request_id:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return [sorted(group, key=lambda one: one.act in ROWS) for group in groups]


def entries(chain: str, wanted: Filter) -> Iterator[AuditEntry]:
    """All that a filter finds, newest first, read in pieces."""
    before: int | None = None
    while True:
        query = _query(chain, wanted)
        rows = list(
            db.session.scalars((query if before is None else query.where(AuditEntry.seq < before)).limit(_BATCH))
        )
        yield from rows
        if len(rows) < _BATCH:
            return
        before = rows[-1].seq
        db.session.expunge_all()


def _query(chain: str, wanted: Filter) -> Any:
    conditions: list[Any] = [AuditEntry.chain == chain]
    if wanted.person:
        conditions.append(AuditEntry.actor.istartswith(wanted.person, autoescape=True))
    if wanted.thing:
        conditions.append(
            or_(AuditEntry.object_id == wanted.thing, AuditEntry.object_name.istartswith(wanted.thing, autoescape=True))
        )
    if wanted.first:
        conditions.append(AuditEntry.at >= _midnight(wanted.first))
    if wanted.last:
        conditions.append(AuditEntry.at < _midnight(wanted.last + timedelta(days=1)))
    if wanted.what:
        conditions.append(_KINDS[wanted.what])
    return select(AuditEntry).where(*conditions).order_by(AuditEntry.seq.desc())


_KINDS: dict[str, Any] = {
    "changes": AuditEntry.act.in_(ROWS),
    "acts": AuditEntry.act.not_in((*ROWS, *SIGN_INS, *DOWNLOADS)),
    "sign_ins": AuditEntry.act.in_(tuple(SIGN_INS)),
    "downloads": AuditEntry.act.in_(tuple(DOWNLOADS)),
    "refused": AuditEntry.outcome.in_(("refused", "failed")),
}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), _ZONE)
