"""What a person says of a schedule, read and judged: for the page and for configuration files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.findings import Text
from invoiceapp.domain.schedules import LAST_DAY, LAST_WEEKDAY, CatchUp, Holidays, Kind, Timing
from invoiceapp.models import utcnow
from invoiceapp.services.errors import InvalidInput

from .calendar import parse_cron

ZONE = "Europe/Copenhagen"
#: Minutes; a month.
LONGEST_INTERVAL = 43_200
MOST_TIMES = 24
_MOST_HOURS = 24 * 14
#: Also as ``schedule_words`` writes them: ``kl. 08.00 og 16.00``.
_BETWEEN_TIMES = re.compile(r"(?:[\s,;]|\b(?:og|and|kl|at)\b\.?)+", re.IGNORECASE)
_FORM_OF_TIME = re.compile(r"([01]?[0-9]|2[0-3])[.:]([0-5][0-9])")
_CHOOSE = Text("Vælg en af mulighederne.", "Choose one of the options.")
NEVER_RUNS = Text(
    "Den kørsel kommer aldrig: i de næste ti år er der intet tidspunkt, der passer. Ret tidspunktet eller reglen om helligdage.",
    "That run never comes: in the next ten years no time fits. Correct the time or the rule for bank holidays.",
)

KINDS = {
    Kind.WEEKDAYS: Text("Hver hverdag (mandag–fredag)", "Every weekday (Monday–Friday)"),
    Kind.DAILY: Text("Hver dag", "Every day"),
    Kind.WEEKLY: Text("Hver uge på bestemte dage", "Every week on certain days"),
    Kind.MONTHLY: Text("Hver måned", "Every month"),
    Kind.HOURLY: Text("Hver time", "Every hour"),
    Kind.INTERVAL: Text("Med faste mellemrum", "At fixed intervals"),
    Kind.CRON: Text("Efter et cron-udtryk", "By a cron expression"),
}
WEEKDAYS = (
    Text("mandag", "Monday"), Text("tirsdag", "Tuesday"), Text("onsdag", "Wednesday"), Text("torsdag", "Thursday"),
    Text("fredag", "Friday"), Text("lørdag", "Saturday"), Text("søndag", "Sunday"),
)  # fmt: skip
_TIMES = Field(
    "times", Text("Klokkeslæt", "Times"), required=True,
    help=Text("Et eller flere, med komma imellem, f.eks. 08.00, 16.00", "One or more, with commas between them, for example 08:00, 16:00"),
)  # fmt: skip
_OWN: dict[Kind, tuple[Field, ...]] = {
    Kind.INTERVAL: (
        Field(
            "minutes", Text("Minutter imellem", "Minutes between"), FieldType.INTEGER, required=True, smallest=1,
            largest=LONGEST_INTERVAL,
        ),
    ),
    Kind.HOURLY: (
        Field(
            "minute", Text("Minuttal", "Minute of the hour"), FieldType.INTEGER, required=True, smallest=0, largest=59,
            help=Text("0 er på hele timer, 30 er på halve", "0 is on the hour, 30 is at half past"),
        ),
    ),
    Kind.MONTHLY: (
        Field(
            "month_day", Text("Dag", "Day"), FieldType.CHOICE, required=True,
            choices=(
                *((str(day), Text(f"Den {day}.", f"Day {day}")) for day in range(1, 32)),
                (LAST_DAY, Text("Sidste dag i måneden", "Last day of the month")),
                (LAST_WEEKDAY, Text("Sidste hverdag i måneden", "Last weekday of the month")),
            ),
            help=Text(
                "I måneder, der er for korte, er det månedens sidste dag.", "In months that are too short it is the last day of the month."
            ),
        ),
    ),
    Kind.CRON: (
        Field(
            "cron", Text("Cron-udtryk", "Cron expression"), required=True,
            help=Text(
                "Minut, time, dag i måneden, måned og ugedag, f.eks. 0 8 * * 1-5",
                "Minute, hour, day of month, month and weekday, for example 0 8 * * 1-5",
            ),
        ),
    ),
}  # fmt: skip
_ZONES = ("Atlantic/Faroe", "America/Nuuk", "Atlantic/Reykjavik", "UTC")
_NEXT = Text("Kør næste arbejdsdag i stedet", "Run on the next working day instead")
#: Of wishes for a day of the month, which may be a Saturday or a Sunday.
_NEXT_OF_DATES = {
    Kind.MONTHLY: Text(
        "Kør næste arbejdsdag i stedet, også for lørdage og søndage",
        "Run on the next working day instead, for Saturdays and Sundays too",
    ),
    Kind.CRON: Text(
        "Kør næste arbejdsdag i stedet (dage i måneden også for lørdage og søndage)",
        "Run on the next working day instead (days of the month for Saturdays and Sundays too)",
    ),
}
_HOLIDAYS = Field(
    "holidays", Text("På helligdage", "On bank holidays"), FieldType.CHOICE, required=True,
    choices=((Holidays.RUN.value, Text("Kør som ellers", "Run as usual")), (Holidays.SKIP.value, Text("Kør ikke", "Do not run"))),
    help=Text(
        "Danske banklukkedage: helligdagene, dagen efter Kristi himmelfartsdag, grundlovsdag, juleaften og nytårsaften.",
        "Danish bank holidays: the public ones, the day after Ascension Day, Constitution Day, Christmas Eve and New Year's Eve.",
    ),
)  # fmt: skip
_CATCH_UP = (
    Field(
        "catch_up", Text("Efter nedetid", "After downtime"), FieldType.CHOICE, required=True,
        choices=(
            (CatchUp.ONCE.value, Text("Kør én gang, når det igen er muligt", "Run once as soon as possible")),
            (CatchUp.LATE.value, Text("Kør kun, hvis det ikke er for sent", "Run only if it is not too late")),
            (CatchUp.NEVER.value, Text("Vent til næste gang", "Wait for the next time")),
        ),
        help=Text(
            "Hvad der skal ske, hvis serveren var slukket på tidspunktet. En kørsel finder altid alt, hvad der er nyt.",
            "What happens if the server was off at the time. A run always finds all that is new.",
        ),
    ),
    Field(
        "catch_up_hours", Text("Højst så mange timer for sent", "At most so many hours late"), FieldType.INTEGER, required=True,
        smallest=1, largest=_MOST_HOURS, only_when=("catch_up", (CatchUp.LATE.value,)),
    ),
)  # fmt: skip
DEFAULTS = {
    "minutes": "15", "minute": "0", "times": "08.00", "month_day": LAST_WEEKDAY, "cron": "", "time_zone": ZONE,
    "holidays": Holidays.RUN.value, "catch_up": CatchUp.ONCE.value, "catch_up_hours": "", "weekdays": "0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule, read and found good."""

    timing: Timing
    time_zone: str
    holidays: Holidays
    catch_up: CatchUp
    catch_up_hours: int | None
    anchor_at: datetime


@cache
def _time_zones() -> frozenset[str]:
    """Asking for them reads some hundred files."""
    return frozenset(available_timezones())


def own_fields(kind: Kind) -> tuple[Field, ...]:
    """What the form asks for of one kind, but the days of ``WEEKLY``."""
    own = _OWN.get(kind, ())
    return own if kind in (Kind.INTERVAL, Kind.HOURLY, Kind.CRON) else (*own, _TIMES)


def common_fields(kind: Kind, time_zone: str = ZONE) -> tuple[Field, ...]:
    """What the form asks for of every kind; ``time_zone`` is among the choices."""
    offered = sorted({zone for zone in _time_zones() if zone.startswith("Europe/")} | {*_ZONES, time_zone})
    holidays = _HOLIDAYS
    if kind not in (Kind.INTERVAL, Kind.HOURLY):
        holidays = replace(
            _HOLIDAYS, choices=(*_HOLIDAYS.choices, (Holidays.NEXT.value, _NEXT_OF_DATES.get(kind, _NEXT)))
        )
    zone = Field(
        "time_zone", Text("Tidszone", "Time zone"), FieldType.CHOICE, required=True,
        choices=tuple((name, Text(name, name)) for name in offered),
    )  # fmt: skip
    return (holidays, *_CATCH_UP, zone)


def parse_times(text: str) -> tuple[time, ...]:
    """Times of the day, ascending. Raises ``InvalidInput`` for the field ``times``."""
    parts = [part for part in _BETWEEN_TIMES.split(text) if part]
    found = [_FORM_OF_TIME.fullmatch(part) for part in parts]
    times = sorted({time(int(match[1]), int(match[2])) for match in found if match})
    if not parts or None in found:
        wrong = Text("Skriv klokkeslæt som 08.00, 16.00.", "Write times like 08:00, 16:00.")
        raise InvalidInput({"times": wrong})
    if len(times) > MOST_TIMES:
        raise InvalidInput(
            {"times": Text(f"Skriv højst {MOST_TIMES} klokkeslæt.", f"Write at most {MOST_TIMES} times.")}
        )
    return tuple(times)


def day_of_pause(text: str, today: date) -> date | None:
    """The first day after a pause; None for one without an end. Raises ``InvalidInput`` for the field ``until``."""
    if not text.strip():
        return None
    try:
        found = date.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(
            {"until": Text("Skriv en dato, f.eks. 2026-12-01.", "Write a date, for example 2026-12-01.")}
        ) from error
    if found <= today:
        raise InvalidInput({"until": Text("Vælg en dag efter i dag.", "Choose a day after today.")})
    return found


def read(raw: Mapping[str, str]) -> Wanted:
    """A form's values, by name; ``weekdays`` as numbers with blanks between them. Raises ``InvalidInput`` with all that is wrong."""
    kind = _kind(raw.get("kind", ""))
    errors: dict[str, Text] = {}
    values: dict[str, Any] = {}
    zone = raw.get("time_zone") or ZONE
    if zone not in _time_zones():
        zone, errors["time_zone"] = ZONE, _CHOOSE
    raw = {**raw, "time_zone": zone}
    for field in (*own_fields(kind), *common_fields(kind, zone)):
        if not field.counts(raw):
            continue
        try:
            values[field.name] = parse(field, raw.get(field.name, ""))
        except FieldInvalid as error:
            errors.setdefault(field.name, error.text)
    timing = _timing(kind, values, raw, errors)
    if errors or timing is None:
        raise InvalidInput(errors)
    return Wanted(
        timing, zone, Holidays(values["holidays"]), CatchUp(values["catch_up"]), values.get("catch_up_hours"),
        utcnow().replace(second=0, microsecond=0),
    )  # fmt: skip


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError as error:
        raise InvalidInput({"kind": _CHOOSE}) from error


def _timing(kind: Kind, values: dict[str, Any], raw: Mapping[str, str], errors: dict[str, Text]) -> Timing | None:
    """The wish; None after another error."""
    found: dict[str, Any] = {name: values[name] for name in ("minutes", "minute", "month_day") if values.get(name)}
    try:
        if values.get("times"):
            found["times"] = parse_times(values["times"])
        if values.get("cron"):
            parse_cron(values["cron"])
            found["cron"] = " ".join(values["cron"].split())
    except InvalidInput as error:
        errors.update(error.errors)
    if kind is Kind.WEEKLY:
        days = raw.get("weekdays", "").split()
        found["weekdays"] = tuple(sorted({int(day) for day in days if day in tuple("0123456")}))
        if not found["weekdays"]:
            errors["weekdays"] = Text("Vælg mindst én dag.", "Choose at least one day.")
    return None if errors else Timing(kind, **found)


def raw_of(timing: Timing) -> dict[str, str]:
    """The reverse of ``read``, of the wish: what its form shows."""
    times = ", ".join(f"{at:%H.%M}" for at in timing.times)
    shown = {
        "minutes": str(timing.minutes or ""), "minute": str(timing.minute), "times": times, "month_day": timing.month_day,
        "cron": timing.cron, "weekdays": " ".join(map(str, timing.weekdays)),
    }  # fmt: skip
    return {"kind": timing.kind.value} | {name: text for name, text in shown.items() if text}
