"""The schedules of an adaptor in a file: ``schedules``, and ``schedule: {everyMinutes: …}`` of files that are older."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.schedules import CatchUp, Holidays, Kind, Timing
from invoiceapp.models import Adaptor, Schedule
from invoiceapp.services.daily import schedule_input, schedules
from invoiceapp.services.daily.schedule_words import in_words
from invoiceapp.services.errors import InvalidInput

from .sections import Section
from .wording import Subject
from .work import Work

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The file's keys by the names of the form's fields.
_KEYS = {
    "kind": "kind", "minutes": "minutes", "minute": "minute", "times": "times", "weekdays": "weekdays", "month_day": "monthDay",
    "cron": "cron", "time_zone": "timeZone", "holidays": "holidays", "catch_up": "catchUp", "catch_up_hours": "catchUpHours",
}  # fmt: skip
_FIELDS = tuple(Field(key, Text(key, key)) for key in _KEYS.values())
_STATE = (
    Field("active", Text("active", "active"), FieldType.BOOLEAN, required=True),
    Field("pausedUntil", Text("pausedUntil", "pausedUntil"), FieldType.DATE),
)
_EVERY_MINUTES = Field(
    "everyMinutes",
    Text("everyMinutes", "everyMinutes"),
    FieldType.INTEGER,
    smallest=1,
    largest=schedule_input.LONGEST_INTERVAL,
)


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """One schedule of the file."""

    section: Section
    wanted: schedule_input.Wanted
    active: bool = True
    paused_until: date | None = None


def schedules_in(adaptor: Section) -> list[ScheduleEntry] | None:
    """What the file says; None where it does not speak of schedules."""
    items = adaptor.items("schedules")
    if items is not None:
        if "schedule" in adaptor.entries:
            adaptor.complain(Text("Skriv kun »schedules«.", "Write “schedules” only."), "schedule")
        return [entry for item in items if (entry := _entry(item))]
    old = adaptor.section("schedule")
    if old is None:
        return None
    old.only([_EVERY_MINUTES.name])
    given = old.given([_EVERY_MINUTES])
    if _EVERY_MINUTES.name not in given:
        return None
    raw = {"kind": Kind.INTERVAL.value, "minutes": str(given[_EVERY_MINUTES.name] or ""), **_DEFAULTS}
    return [ScheduleEntry(old, schedule_input.read(raw))] if given[_EVERY_MINUTES.name] else []


_DEFAULTS = {"time_zone": schedule_input.ZONE, "holidays": Holidays.RUN.value, "catch_up": CatchUp.ONCE.value}


def _entry(section: Section) -> ScheduleEntry | None:
    """One schedule, judged as the page judges it; None after a complaint."""
    section.only([*_KEYS.values(), *(field.name for field in _STATE)])
    given, state = section.given(_FIELDS), section.given(_STATE)
    raw = _DEFAULTS | {name: given[key] for name, key in _KEYS.items() if given.get(key)}
    names = [name for name in raw.get("weekdays", "").replace(",", " ").lower().split() if name]
    raw["weekdays"] = " ".join(str(_DAYS.index(name)) for name in names if name in _DAYS)
    if not set(names) <= set(_DAYS):
        known = ", ".join(_DAYS)
        section.complain(Text(f"Ukendt. Kendte: {known}.", f"Unknown. Known are: {known}."), "weekdays")
    try:
        wanted = schedule_input.read(raw)
    except InvalidInput as error:
        for name, text in error.errors.items():
            section.complain(text, _KEYS[name])
        return None
    until = state.get("pausedUntil")
    return ScheduleEntry(section, wanted, state.get("active", True), date.fromisoformat(until) if until else None)


def schedules_out(adaptor_id: str) -> list[dict[str, Any]]:
    """The schedules of an adaptor as the file has them, oldest first."""
    return [_out(row) for row in schedules.of_adaptor(adaptor_id)]


def _out(row: Schedule) -> dict[str, Any]:
    timing = Timing.from_json(row.timing)
    raw = schedule_input.raw_of(timing) | {
        "weekdays": ", ".join(_DAYS[day] for day in timing.weekdays),
        "times": ", ".join(f"{at:%H:%M}" for at in timing.times),
    }
    counts = {"kind", "weekdays"} | {field.name for field in schedule_input.own_fields(timing.kind)}
    shown: dict[str, Any] = {key: raw[name] for name, key in _KEYS.items() if name in counts and raw.get(name)}
    shown |= {name: int(shown[name]) for name in ("minutes", "minute") if name in shown}
    shown |= {"timeZone": row.time_zone, "holidays": row.holidays.value, "catchUp": row.catch_up.value}
    if row.catch_up is CatchUp.LATE:
        shown["catchUpHours"] = row.catch_up_hours
    shown["active"] = row.active
    if row.paused_until is not None:
        shown["pausedUntil"] = row.paused_until.isoformat()
    return shown


def set_schedules(work: Work, subject: Subject, entries: list[ScheduleEntry] | None, row: Adaptor) -> None:
    """Make the adaptor's schedules those of the file. One that is the same stays, with its next time and what became of the last."""
    if entries is None:
        return
    stored = schedules.of_adaptor(row.id)
    for entry in entries:
        same = next((one for one in stored if _is_same(one, entry)), None)
        if same is not None:
            stored.remove(same)
            continue
        try:
            made = schedules.put(row, entry.wanted, active=entry.active, paused_until=entry.paused_until)
            work.change(subject, "schedules", None, _told(made))
        except InvalidInput as error:
            for name, text in error.errors.items():
                entry.section.complain(text, _KEYS[name])
    for gone in stored:
        work.change(subject, "schedules", _told(gone), None)
    schedules.drop([one.id for one in stored])


def _is_same(row: Schedule, entry: ScheduleEntry) -> bool:
    wanted = entry.wanted
    mine = (row.timing, row.time_zone, row.holidays, row.catch_up, row.catch_up_hours, row.active, row.paused_until)
    return mine == (
        wanted.timing.to_json(), wanted.time_zone, wanted.holidays, wanted.catch_up, wanted.catch_up_hours, entry.active,
        entry.paused_until,
    )  # fmt: skip


def _told(row: Schedule) -> str:
    words = in_words(schedules.plan_of(row)).en
    return words if row.active and row.paused_until is None else f"{words} (paused)"
