"""Entries of the audit log as lines of the page and of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from flask_babel import gettext as _

from invoiceapp.domain.spreadsheets import DIALECTS, Cell, written
from invoiceapp.formatting import day, local_time
from invoiceapp.languages import say
from invoiceapp.models import AuditEntry
from invoiceapp.services.audit import columns
from invoiceapp.services.audit import queries as audit_queries
from invoiceapp.services.audit import words as audit_words
from invoiceapp.services.audit.values import HIDDEN, UNKNOWN

_PIECE = 500
#: Lines of one entry that the page shows; the files have all.
_MOST = 200
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Change:
    """A value, from what, to what."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Part:
    """One entry under a line: what it changed."""

    sentence: str
    """Empty for the line's own entry"""
    changes: list[Change]
    is_change: bool
    """Whether there is an old and a new; else ``after`` says more of an act"""


@dataclass(frozen=True, slots=True)
class Line:
    """What one request did: the act, and under it what it changed."""

    entry: AuditEntry
    sentence: str
    parts: list[Part]
    first: int
    """Numbers of its entries"""
    last: int


def lines(entries: Sequence[AuditEntry], gateways: Mapping[str, str]) -> list[Line]:
    """Entries in the page's language, those of one request as one. ``gateways``: names by id."""
    return [_line(group, gateways) for group in audit_queries.by_request(entries)]


def _line(group: list[AuditEntry], gateways: Mapping[str, str]) -> Line:
    head, *others = group
    parts = [_part(head, "", gateways)]
    parts += [_part(one, say(audit_words.sentence(one)), gateways) for one in sorted(others, key=lambda one: one.seq)]
    numbers = [one.seq for one in group]
    shown = [part for part in parts if part.changes or part.sentence]
    return Line(head, say(audit_words.sentence(head, others)), shown, min(numbers), max(numbers))


def _part(entry: AuditEntry, sentence: str, gateways: Mapping[str, str]) -> Part:
    is_change = entry.act in audit_queries.ROWS
    before, after = dict(_leaves(entry.before or {})), dict(_leaves(entry.after or {}))
    names = (name for name in dict.fromkeys([*before, *after]) if not columns.is_technical(name, is_act=not is_change))
    changes = [
        Change(say(columns.column(name)), _shown(before, name, gateways), _shown(after, name, gateways))
        for name in islice(names, _MOST)
    ]
    return Part(sentence, changes, is_change)


def _leaves(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", value


def _shown(values: Mapping[str, Any], name: str, gateways: Mapping[str, str]) -> str:
    value = values.get(name)
    if value == HIDDEN:
        return str(_("not shown"))
    if value == UNKNOWN:
        return str(_("unknown"))
    if isinstance(value, list):
        return ", ".join(_word(name, one) for one in value)
    if isinstance(value, str) and name.rpartition(".")[2] in columns.GATEWAYS:
        return gateways.get(value, str(_("deleted")))
    return _word(name, value)


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, dict):
        return say(columns.grant(value)) if "level" in value else ", ".join(_word(key, value[key]) for key in value)
    if isinstance(value, str) and (found := _moment(value)):
        return found
    return say(columns.value(name, value))


def _moment(text: str) -> str:
    """Days and times as people read them, in Danish time."""
    try:
        if _TIME.match(text):
            return local_time(datetime.fromisoformat(text))
        return day(date.fromisoformat(text)) if _DAY.fullmatch(text) else ""
    except ValueError:
        return ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def csv(entries: Iterable[AuditEntry], dialect_name: str) -> Iterator[str]:
    """The entries as a spreadsheet, with their hashes; times in UTC."""
    dialect = DIALECTS[dialect_name]
    heading = (
        _("No."), _("Time (UTC)"), _("Who"), _("Kind"), _("IP address"), _("What happened"), _("Act"), _("Outcome"), _("Object"),
        _("Id"), _("Before"), _("After"), _("Request"), _("Previous hash"), _("Hash"),
    )  # fmt: skip
    yield dialect.start + written([heading], dialect)
    found = iter(entries)
    while piece := [_cells(entry) for entry in islice(found, _PIECE)]:
        yield written(piece, dialect)


def _cells(entry: AuditEntry) -> tuple[Cell, ...]:
    return (
        str(entry.seq), entry.at.astimezone(UTC).isoformat(), entry.actor, entry.actor_kind, entry.ip,
        say(audit_words.sentence(entry)), entry.act, entry.outcome, entry.object_name, entry.object_id,
        _json(entry.before) if entry.before else "", _json(entry.after) if entry.after else "", entry.request_id,
        entry.previous, entry.hash,
    )  # fmt: skip
