"""Times and outcomes of schedules as their pages say them."""

from __future__ import annotations

from datetime import date, datetime, time, tzinfo
from typing import Any, NamedTuple

from babel import dates
from flask import url_for
from flask_babel import gettext as _

from invoiceapp.formatting import in_language, language, number
from invoiceapp.models import Outcome, Run, RunState, Schedule, ScheduleRun
from invoiceapp.services.daily.calendar import holiday_name
from invoiceapp.services.daily.schedules import Upcoming, zone_of


def moment(at: datetime, zone: tzinfo) -> str:
    """``ons. 25. nov. 2026 kl. 08.00`` in a schedule's own zone."""
    pattern, locale = ("EEE d MMM y, HH:mm", "en_GB") if language() == "en" else ("EEE d. MMM y 'kl.' HH.mm", "da_DK")
    return dates.format_datetime(at, pattern, tzinfo=zone, locale=locale)


def note(one: Upcoming, *, follows_real_time: bool) -> str:
    """What daylight saving does to this very run; "" mostly."""
    if one.wished:
        return str(
            _(
                "The clock is set forward, so %(time)s does not exist that night: it runs right afterwards.",
                time=_of_day(one.wished),
            )
        )
    if not follows_real_time:
        return _twice(one)
    if one.change > 0:
        return str(_("The clock has been set forward before this run."))
    return str(_("The clock has been set back before this run.")) if one.change < 0 else ""


def _twice(one: Upcoming) -> str:
    if one.at.replace(fold=1).utcoffset() == one.at.utcoffset():
        return ""
    text = _("The clock is set back, so %(time)s comes twice that night: it runs the first time.", time=_of_day(one.at))
    return str(text)


def _of_day(at: datetime | time) -> str:
    return f"{at:%H:%M}" if language() == "en" else f"{at:%H.%M}"


class Look(NamedTuple):
    """How an outcome is shown."""

    colour: str
    icon: str
    text: str
    url: str | None


def outcome(row: Schedule, claim: ScheduleRun, run: Run | None) -> Look:
    """What became of a due time, and of the run that it started."""
    url = url_for("runs.show", run_id=claim.run_id) if claim.run_id else None
    if claim.outcome is Outcome.STARTED and run is not None:
        return Look(*_of_run(run), url)
    looks: dict[Outcome | None, tuple[str, str, Any]] = {
        None: ("azure", "clock", _("Waits to start")),
        Outcome.STARTED: ("green", "check", _("Started")),
        Outcome.BUSY: ("secondary", "replace", _("Another run was going on, and it reads what is new")),
        Outcome.MISSED: (
            "orange",
            "alert-triangle",
            _("Not run: the server was down, or the adaptor was switched off"),
        ),
        Outcome.HOLIDAY: ("secondary", "calendar", _("Not run: bank holiday")),
        Outcome.PAUSED: ("secondary", "player-pause", _("Not run: paused")),
    }
    colour, icon, text = looks[claim.outcome]
    if claim.outcome is Outcome.HOLIDAY:
        name = holiday_name(claim.due_at.astimezone(zone_of(row)).date())
        text = _("Not run: %(holiday)s", holiday=in_language(name)) if name else text
    return Look(colour, icon, str(text), url)


def _of_run(run: Run) -> tuple[str, str, str]:
    """Colour, icon and text."""
    read, unread = number(run.read), len(run.problems)
    match run.state:
        case RunState.QUEUED:
            return "azure", "clock", str(_("Waits to start"))
        case RunState.RUNNING:
            return "azure", "refresh", str(_("Running"))
        case RunState.FAILED:
            return "red", "alert-circle", str(_("Stopped by an error"))
        case _ if unread:
            text = _("Finished, %(count)s fetched, %(wrong)s could not be read", count=read, wrong=number(unread))
            return "orange", "alert-triangle", str(text)
        case _:
            return "green", "check", str(_("Finished, %(count)s fetched", count=read))


def pause_words(row: Schedule, today: date) -> str:
    """Whether it is paused, and until when; "" where it is not."""
    if not row.active:
        return str(_("Paused until somebody resumes it"))
    if row.paused_until is None or row.paused_until <= today:
        return ""
    shown = dates.format_date(row.paused_until, "medium", locale="en_GB" if language() == "en" else "da_DK")
    return str(_("Paused until %(day)s", day=shown))
