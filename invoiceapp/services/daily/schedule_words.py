"""Schedules in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import time
from itertools import product

from cronsim import CronSim

from invoiceapp.domain.findings import Text
from invoiceapp.domain.schedules import LAST_DAY, LAST_WEEKDAY, Holidays, Kind, Plan, Timing

from . import schedules
from .calendar import parse_cron
from .schedule_input import WEEKDAYS, ZONE

#: More times than these are not listed one by one.
_MOST_TIMES = 6
_MONTHS = (
    Text("januar", "January"), Text("februar", "February"), Text("marts", "March"), Text("april", "April"), Text("maj", "May"),
    Text("juni", "June"), Text("juli", "July"), Text("august", "August"), Text("september", "September"),
    Text("oktober", "October"), Text("november", "November"), Text("december", "December"),
)  # fmt: skip
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def in_words(plan: Plan) -> Text:
    """One sentence without its full stop: ``Hver hverdag kl. 08.00 og 16.00, ikke på helligdage``."""
    found = _timing(plan.timing)
    if plan.moves_weekends:
        found = _plus(
            found,
            Text(
                ", på helligdage og i weekender næste arbejdsdag i stedet",
                ", on bank holidays and at weekends the next working day instead",
            ),
        )
    elif plan.moves:
        found = _plus(
            found, Text(", på helligdage i stedet næste arbejdsdag", ", on bank holidays the next working day instead")
        )
    elif plan.holidays is not Holidays.RUN:
        found = _plus(found, Text(", ikke på helligdage", ", not on bank holidays"))
    zone = str(plan.zone)
    return found if zone == ZONE else _plus(found, Text(f" (tidszone {zone})", f" (time zone {zone})"))


def of_adaptor(adaptor_id: str) -> list[Text]:
    """``in_words`` of each schedule of an adaptor."""
    return [in_words(schedules.plan_of(row)) for row in schedules.of_adaptor(adaptor_id)]


def _plus(first: Text, second: Text) -> Text:
    return Text(first.da + second.da, first.en + second.en)


def _listed(items: Iterable[Text]) -> Text:
    texts = list(items)

    def joined(words: list[str], last: str) -> str:
        return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))

    return Text(joined([text.da for text in texts], "og"), joined([text.en for text in texts], "and"))


def _at(times: Sequence[time]) -> Text:
    listed = _listed(Text(f"{at:%H.%M}", f"{at:%H:%M}") for at in times)
    return Text(f" kl. {listed.da}", f" at {listed.en}")


def _timing(timing: Timing) -> Text:
    match timing.kind:
        case Kind.INTERVAL:
            return _every(timing.minutes)
        case Kind.HOURLY:
            return Text(f"Hver time på minuttal {timing.minute:02}", f"Every hour at minute {timing.minute:02}")
        case Kind.DAILY:
            start = Text("Hver dag", "Every day")
        case Kind.WEEKDAYS:
            start = Text("Hver hverdag", "Every weekday")
        case Kind.WEEKLY:
            days = _listed(WEEKDAYS[day] for day in timing.weekdays)
            start = Text(f"Hver {days.da}", f"Every {days.en}")
        case Kind.MONTHLY:
            start = _day_of_month(timing.month_day)
        case Kind.CRON:
            return _cron(timing.cron)
    return _plus(start, _at(timing.times))


def _every(minutes: int) -> Text:
    if minutes == 1:
        return Text("Hvert minut", "Every minute")
    if minutes == 60:
        return Text("Én gang i timen", "Once an hour")
    if minutes % 60 == 0:
        return Text(f"Hver {minutes // 60}. time", f"Every {minutes // 60} hours")
    return Text(f"Hvert {minutes}. minut", f"Every {minutes} minutes")


def _day_of_month(wanted: str) -> Text:
    if wanted == LAST_DAY:
        return Text("Den sidste dag i måneden", "On the last day of the month")
    if wanted == LAST_WEEKDAY:
        return Text("Den sidste hverdag i måneden", "On the last weekday of the month")
    if int(wanted) > 28:
        return Text(
            f"Den {wanted}. i måneden (i korte måneder den sidste dag)",
            f"On day {wanted} of the month (in short months the last day)",
        )
    return Text(f"Den {wanted}. i måneden", f"On day {wanted} of the month")


def _cron(expression: str) -> Text:
    cron = parse_cron(expression)
    day, month = _cron_days(cron), _cron_months(cron.months)
    found = _plus(_plus(day, month), _cron_times(sorted(cron.minutes), sorted(cron.hours)))
    return Text(found.da[0].upper() + found.da[1:], found.en[0].upper() + found.en[1:])


def _cron_days(cron: CronSim) -> Text:
    by_date, by_weekday = len(cron.days) < 31, len({_weekday(item) for item in cron.weekdays}) < 7
    dates = _listed(_cron_date(day) for day in sorted(cron.days))
    weekdays = _listed(
        _cron_weekday(item) for item in sorted(cron.weekdays, key=str) if item != 7 or 0 not in cron.weekdays
    )
    if not by_date and not by_weekday:
        return Text("hver dag", "every day")
    if not by_date:
        return Text(f"hver {weekdays.da}", f"every {weekdays.en}")
    if not by_weekday:
        return Text(f"den {dates.da} i måneden", f"on the {dates.en} of the month")
    if cron.day_and:
        return Text(
            f"den {dates.da} i måneden, når det er {weekdays.da}",
            f"on the {dates.en} of the month, if it is {weekdays.en}",
        )
    return Text(
        f"den {dates.da} i måneden og hver {weekdays.da}", f"on the {dates.en} of the month and every {weekdays.en}"
    )


def _cron_date(day: int) -> Text:
    if day == CronSim.LAST:
        return Text("sidste dag", "last day")
    if day == CronSim.LAST_WEEKDAY:
        return Text("sidste hverdag", "last weekday")
    suffix = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return Text(f"{day}.", f"{day}{suffix}")


def _weekday(item: int | tuple[int, int]) -> int | tuple[int, int]:
    return item if isinstance(item, tuple) else item % 7


def _cron_weekday(item: int | tuple[int, int]) -> Text:
    if not isinstance(item, tuple):
        # Cron begins the week with Sunday.
        return WEEKDAYS[(item - 1) % 7]
    day, number = WEEKDAYS[(item[0] - 1) % 7], item[1]
    if number == CronSim.LAST:
        return Text(f"sidste {day.da} i måneden", f"last {day.en} of the month")
    return Text(f"{number}. {day.da} i måneden", f"{_ORDINALS[number - 1]} {day.en} of the month")


def _cron_months(months: Collection[int]) -> Text:
    if len(months) == 12:
        return Text("", "")
    listed = _listed(_MONTHS[month - 1] for month in sorted(months))
    return Text(f" i {listed.da}", f" in {listed.en}")


def _cron_times(minutes: list[int], hours: list[int]) -> Text:
    if len(minutes) * len(hours) <= _MOST_TIMES:
        return _at(sorted(time(hour, minute) for hour, minute in product(hours, minutes)))
    return _plus(_cron_minutes(minutes), _cron_hours(hours))


def _cron_minutes(minutes: list[int]) -> Text:
    if len(minutes) == 60:
        return Text(", hvert minut", ", every minute")
    step = minutes[1] - minutes[0] if len(minutes) > 1 else 60
    if minutes == list(range(0, 60, step)) and len(minutes) > 1:
        return Text(f", hvert {step}. minut", f", every {step} minutes")
    listed = _listed(Text(f"{minute:02}", f"{minute:02}") for minute in minutes)
    return Text(f", på minuttal {listed.da}", f", at minute {listed.en}")


def _cron_hours(hours: list[int]) -> Text:
    if len(hours) == 24:
        return Text(" i alle timer", " of every hour")
    if hours == list(range(hours[0], hours[-1] + 1)):
        return Text(f" fra kl. {hours[0]:02} til {hours[-1]:02}.59", f" from {hours[0]:02}:00 to {hours[-1]:02}:59")
    listed = _listed(Text(f"{hour:02}", f"{hour:02}") for hour in hours)
    return Text(f" i timerne {listed.da}", f" in the hours {listed.en}")
