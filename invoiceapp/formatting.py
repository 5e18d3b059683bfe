"""Amounts, dates, sizes, languages and states as people read them: the Jinja filters of every page.

Danish unless the user chose English; both with European day order. Times are
shown in Danish time, whatever clock the server keeps.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel import dates, numbers
from flask import Flask
from flask_babel import get_locale, lazy_gettext
from markupsafe import Markup, escape

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import SCHEME_NAMES

TIMEZONE = ZoneInfo("Europe/Copenhagen")
#: What stands where there is no value.
NOTHING = "–"
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


class StateLook(NamedTuple):
    """How one state is shown: a Tabler colour, an icon of the sprite and its words (never colour alone)."""

    colour: str
    icon: str
    label: str


#: Delivery states, then the stages a document goes through before it has a delivery.
STATES = {
    "blocked": StateLook("orange", "alert-triangle", lazy_gettext("Needs correction")),
    "pending": StateLook("azure", "clock", lazy_gettext("Waiting to be sent")),
    "leased": StateLook("azure", "loader-2", lazy_gettext("Being prepared")),
    "sending": StateLook("azure", "send", lazy_gettext("Sending")),
    "accepted": StateLook("teal", "truck-delivery", lazy_gettext("Handed over")),
    "delivered": StateLook("green", "check", lazy_gettext("Received")),
    "acknowledged": StateLook("green", "checks", lazy_gettext("Acknowledged")),
    "rejected": StateLook("red", "circle-x", lazy_gettext("Rejected")),
    "failed": StateLook("red", "alert-circle", lazy_gettext("Not sent")),
    "outcome_unknown": StateLook("orange", "help-circle", lazy_gettext("Arrival unknown")),
    "cancelled": StateLook("secondary", "ban", lazy_gettext("Cancelled")),
    "superseded": StateLook("secondary", "replace", lazy_gettext("Replaced")),
    "listed": StateLook("secondary", "circle-dashed", lazy_gettext("Not exported")),
    "converted": StateLook("red", "alert-triangle", lazy_gettext("Its sending is missing")),
    "queued": StateLook("azure", "refresh", lazy_gettext("Converting")),
    "unusable": StateLook("orange", "ban", lazy_gettext("Cannot be exported")),
    "skipped": StateLook("secondary", "mail-opened", lazy_gettext("Sent another way")),
    "handled": StateLook("secondary", "user", lazy_gettext("Handled outside")),
}


def init_app(app: Flask) -> None:
    """Register the filters and the globals ``language``, ``state_look`` and ``participant_schemes``."""
    for filter_ in (amount, number, percent, decimal_input, day, local_time, clock_time, ago, time_tag, age, filesize):
        app.add_template_filter(filter_)
    app.add_template_filter(in_language, "text")
    app.add_template_global(language)
    app.add_template_global(state_look)
    app.jinja_env.globals["participant_schemes"] = SCHEME_NAMES


def language() -> str:
    """``da`` or ``en``: the language of this request, Danish outside of one."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "da"


def _locale() -> str:
    return "en_GB" if language() == "en" else "da_DK"


def state_look(state: str) -> StateLook:
    """The look of a state; an unknown one is shown by its own name, in grey."""
    return STATES.get(str(state), StateLook("secondary", "circle-dashed", str(state)))


def in_language(text: Text | str | None) -> str:
    """A two-language text in the reader's language; plain strings stay as they are, None is empty."""
    if isinstance(text, Text):
        return text.in_language(language())
    return "" if text is None else str(text)


def amount(value: Decimal | int | None, currency: str | None = None) -> str:
    """``1.234,50 DKK``: with the decimals of the currency, two where none is given."""
    if value is None:
        return NOTHING
    decimals = numbers.get_currency_precision(currency) if currency else 2
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    shown = numbers.format_decimal(value, pattern, locale=_locale())
    return f"{shown}{_NO_BREAK_SPACE}{currency}" if currency else shown


def number(value: Decimal | int | None) -> str:
    """``12.345`` or ``1,25``: no more decimals than there are."""
    return NOTHING if value is None else numbers.format_decimal(value, "#,##0.######", locale=_locale())


def percent(value: Decimal | int | None) -> str:
    """``25 %`` from 25 (not from 0.25)."""
    return NOTHING if value is None else f"{number(value)}{_NO_BREAK_SPACE}%"


def decimal_input(value: Decimal | int | str | None) -> str:
    """A number as it stands in an input: no grouping, decimal comma in Danish; what a person typed is kept."""
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:f}" if language() == "en" else f"{value:f}".replace(".", ",")


def day(value: date | datetime | None) -> str:
    """``22. nov. 2026``; of a time, its day in Denmark."""
    if value is None:
        return NOTHING
    return dates.format_date(_danish(value) if isinstance(value, datetime) else value, "medium", locale=_locale())


def local_time(value: datetime | None) -> str:
    """``22. nov. 2026 14.05`` in Danish time. A time without zone is taken as UTC."""
    if value is None:
        return NOTHING
    return f"{day(value)} {dates.format_time(_danish(value), 'short', locale=_locale())}"


def clock_time(value: datetime | None) -> str:
    """``14.05.33`` in Danish time, for things of today."""
    return NOTHING if value is None else dates.format_time(_danish(value), "medium", locale=_locale())


def ago(value: datetime | None, now: datetime | None = None) -> str:
    """``for 3 minutter siden``, ``om 2 timer``."""
    if value is None:
        return NOTHING
    distance = _aware(value) - _aware(now or datetime.now(UTC))
    return dates.format_timedelta(distance, add_direction=True, locale=_locale())


def time_tag(value: datetime | None, now: datetime | None = None) -> Markup:
    """``ago`` as a ``<time>`` element whose title is the exact time."""
    if value is None:
        return escape(NOTHING)
    tag = Markup('<time datetime="{}" title="{}">{}</time>')
    return tag.format(_aware(value).isoformat(timespec="seconds"), local_time(value), ago(value, now))


def age(value: datetime | None, now: datetime | None = None) -> str:
    """``3 dage``: how long ago, in minutes or more."""
    if value is None:
        return NOTHING
    distance = _aware(now or datetime.now(UTC)) - _aware(value)
    return dates.format_timedelta(distance, granularity="minute", locale=_locale())


def filesize(size: int | None) -> str:
    """``12,4 kB``: decimal units (1 kB is 1,000 bytes)."""
    if size is None:
        return NOTHING
    value, unit = Decimal(size), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    shown = numbers.format_decimal(value, "#,##0" if unit == "B" else "#,##0.#", locale=_locale())
    return f"{shown}{_NO_BREAK_SPACE}{unit}"


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _danish(value: datetime) -> datetime:
    return _aware(value).astimezone(TIMEZONE)
