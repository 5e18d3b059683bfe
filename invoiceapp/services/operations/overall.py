"""How the whole installation is, for whoever runs it: the parts that only they see, and the health of all adaptors.

What a page judges, too, is judged once, in ``services/daily/health.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from redis.exceptions import RedisError

from invoiceapp.current import config
from invoiceapp.models import utcnow
from invoiceapp.services.configuration import rulepacks
from invoiceapp.services.daily import health
from invoiceapp.services.daily.health import Level, Part
from invoiceapp.services.database import reading

from . import counts, queues, readiness


class Verdict(IntEnum):
    """The exit status of ``flask health``."""

    FINE = 0
    NEEDS_PERSON = 1
    NOT_WORKING = 2
    """nothing is read or sent at all"""


@dataclass(frozen=True, slots=True)
class Row:
    """One part, and how it is; texts in English."""

    part: str
    level: Level
    text: str
    name: str = ""
    """Of the kind of work, the rule pack, the adaptor or the gateway"""
    advice: str = ""
    since: datetime | None = None
    row_id: str | None = None
    """Of an adaptor or gateway"""
    is_vital: bool = False
    """Whether nothing works where this does not"""

    def to_dict(self) -> dict[str, Any]:
        """JSON form; keys stay."""
        return {
            "part": self.part, "name": self.name or None, "level": self.level.value, "text": self.text,
            "advice": self.advice or None, "since": self.since.isoformat() if self.since else None, "id": self.row_id,
        }  # fmt: skip


def verdict(rows: Sequence[Row]) -> Verdict:
    """The worst of them. What works, or will again by itself, needs nobody."""
    bad = [row for row in rows if row.level is Level.BAD]
    if any(row.is_vital for row in bad):
        return Verdict.NOT_WORKING
    return Verdict.NEEDS_PERSON if bad else Verdict.FINE


def look() -> list[Row]:
    """Everything, the installation's own parts first. Where the database cannot be used, only that."""
    found = readiness.look()
    rows = [_of_readiness(part, said) for part, said in found.parts.items()]
    rows += _work()
    if found.is_ready:
        with reading():
            rows += [_waiting(), *_rules(), *_adaptors()]
    return rows


def _of_readiness(part: str, said: str) -> Row:
    if said == readiness.OK:
        return Row(part, Level.GOOD, _WELL[part], is_vital=True)
    return Row(part, Level.BAD, said, is_vital=True)


_WELL = {"database": "answers", "migration": "has all that this version needs", "redis": "answers"}


def _work() -> Iterator[Row]:
    """Each kind of work: who does it, and how much waits; nothing where Redis cannot say, which stands elsewhere."""
    try:
        workers, waiting, failed = queues.workers(), queues.waiting(), queues.failed()
    except RedisError:
        return
    for kind, number in workers.items():
        text = f"{number} workers, {waiting[kind]} jobs wait, {failed[kind]} failed within a week"
        level = Level.BAD if not number else Level.WATCH if failed[kind] else Level.GOOD
        advice = {
            Level.BAD: "Start a worker that serves it.", Level.WATCH: "The worker's log says why; the work is done again.",
        }.get(level, "")  # fmt: skip
        yield Row("work", level, text, kind.value, advice, is_vital=True)


def _waiting() -> Row:
    now = utcnow()
    number, _since = counts.to_convert(now)
    moving = sum(one.number for one in counts.deliveries(now) if one.state in counts.MOVING)
    text = f"{number} documents to convert, {moving} to send; the oldest was booked {_span(counts.oldest_since_booking(now))} ago"
    return Row("waiting", Level.GOOD, text if number + moving else "nothing")


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _rules() -> Iterator[Row]:
    """What judges documents today."""
    missing = Level.BAD if config().require_official_rules else Level.WATCH
    for pack in rulepacks.overview():
        if pack.current is None:
            advice = f"Install them with: {rulepacks.INSTALL_COMMAND}"
            yield Row("rules", missing, "not installed", pack.pack.id, advice)
            continue
        level = Level.WATCH if pack.warnings else Level.GOOD
        said = " ".join(one.en for one in pack.warnings)
        yield Row("rules", level, f"version {pack.current.edition.version}", pack.pack.id, said)


def _adaptors() -> Iterator[Row]:
    for line in health.of_adaptors(counts.working_adaptors()):
        advice = line.advice.en if line.advice else ""
        yield Row(
            line.part.value, line.level, line.text.en, line.name, advice, line.since, line.row_id,
            is_vital=line.part is Part.WORKERS,
        )  # fmt: skip
