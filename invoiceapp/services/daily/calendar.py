"""The calendar behind the schedules: Danish bank holidays, and cron expressions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError
from holidays import country_holidays

from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import InvalidInput

_DAY = timedelta(days=1)
#: What is shown of a field that cannot be read.
_MOST_SHOWN = 20
#: The fields of a cron expression in their order: name, and what may stand there.
_PARTS = (
    (Text("minut", "minute"), Text("0–59, eller * for hvert minut", "0–59, or * for every minute")),
    (Text("time", "hour"), Text("0–23, eller * for hver time", "0–23, or * for every hour")),
    (
        Text("dag i måneden", "day of month"),
        Text("1–31, L for den sidste, eller * for hver dag", "1–31, L for the last, or * for every day"),
    ),
    (Text("måned", "month"), Text("1–12, eller * for hver måned", "1–12, or * for every month")),
    (
        Text("ugedag", "weekday"),
        Text("0–7 (0 og 7 er søndag), eller * for hver ugedag", "0–7 (0 and 7 are Sunday), or * for every weekday"),
    ),
)
#: Days on which banks are closed although they are no public holidays, by month and day.
_BANKS_ONLY = {
    (6, 5): Text("Grundlovsdag", "Constitution Day"),
    (12, 24): Text("Juleaftensdag", "Christmas Eve"),
    (12, 31): Text("Nytårsaftensdag", "New Year's Eve"),
}
_AFTER_ASCENSION = Text("Dagen efter Kristi himmelfartsdag", "The day after Ascension Day")


@lru_cache(maxsize=64)
def _of_year(year: int) -> dict[date, Text]:
    """Public holidays by the library, and the days on which banks are closed besides."""
    danish, english = (country_holidays("DK", years=year, language=language) for language in ("da", "en_US"))
    found = {day: Text(danish[day], english[day]) for day in danish}
    ascension = min(day for day in found if "himmelfart" in found[day].da)
    banks_only = {date(year, month, day): name for (month, day), name in _BANKS_ONLY.items()}
    return {ascension + _DAY: _AFTER_ASCENSION} | banks_only | found


def holiday_name(day: date) -> Text | None:
    """What the bank holiday is called; None for any other day."""
    return _of_year(day.year).get(day)


class BankCalendar:
    """``domain.schedules.Calendar`` by libraries."""

    def is_holiday(self, day: date) -> bool:
        """Whether Danish banks are closed on a day that is no weekend."""
        return day in _of_year(day.year)

    def cron(self, expression: str, start: datetime) -> Iterator[datetime]:
        """The local times of an expression, from ``start`` on."""
        # Without a zone: what daylight saving does to a wish is decided in one place, domain/schedules.py.
        return CronSim(expression, start - timedelta(seconds=1))


CALENDAR = BankCalendar()


def parse_cron(text: str) -> CronSim:
    """An expression of five fields, read. Raises ``InvalidInput`` for the field ``cron``."""
    parts = text.split()
    if len(parts) != len(_PARTS):
        raise InvalidInput(
            {
                "cron": Text(
                    "Skriv fem felter: minut, time, dag i måneden, måned og ugedag, f.eks. 0 8 * * 1-5.",
                    "Write five fields: minute, hour, day of month, month and weekday, for example 0 8 * * 1-5.",
                )
            }
        )
    try:
        return _cron(parts)
    except CronSimError as error:
        raise InvalidInput({"cron": _what_is_wrong(parts)}) from error


def _cron(parts: Sequence[str]) -> CronSim:
    return CronSim(" ".join(parts), datetime(2026, 1, 1))


def _what_is_wrong(parts: Sequence[str]) -> Text:
    """In the words of the first field that cannot be read by itself; else all can, and no such date exists."""
    for position, (part, (name, allowed)) in enumerate(zip(parts, _PARTS, strict=True)):
        alone = ["*"] * len(_PARTS)
        alone[position] = part
        try:
            _cron(alone)
        except CronSimError:
            shown = part if len(part) <= _MOST_SHOWN else part[:_MOST_SHOWN] + "…"
            return Text(
                f"Feltet for {name.da} kan ikke læses: {shown}. Skriv {allowed.da}.",
                f"The field for the {name.en} cannot be read: {shown}. Write {allowed.en}.",
            )
    return Text(
        "Datoen findes ikke: ingen af de valgte måneder har den dag. Ret dagen eller måneden.",
        "There is no such date: none of the chosen months has that day. Correct the day or the month.",
    )
