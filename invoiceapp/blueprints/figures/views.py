"""Pictures of the last thirty days and the health of the parts: a fragment of the dashboard, and a page of its own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from babel import dates
from flask import Blueprint, abort, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.main import scope
from invoiceapp.blueprints.main.links import Link, optional_url
from invoiceapp.blueprints.policy import policy
from invoiceapp.formatting import day, language, number
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.services.daily import flow, health
from invoiceapp.services.daily.flow import LIMITS, Day, Flow, Times
from invoiceapp.services.daily.health import Line, Part

from .drawing import Segment, columns, of_parts, strip, top_of

blueprint = Blueprint("figures", __name__, url_prefix="/figures")


def part_words() -> dict[str, str]:
    """The parts of a bar."""
    return {
        "arrived": _("Arrived"), "progress": _("On the way"), "person": _("Needs a person"), "rest": _("Not sent from here"),
    }  # fmt: skip


def duration(value: timedelta) -> str:
    """``12 min.``, ``2 t.``, ``3 dage``: rounded up, because it stands after "within"."""
    minutes = -(-value // timedelta(minutes=1))
    if minutes <= 1:
        return str(_("1 min."))
    if minutes < 60:
        return str(_("%(count)s min.", count=minutes))
    hours = -(-value // timedelta(hours=1))
    if hours < 48:
        return str(_("%(count)s h", count=number(hours)))
    return str(ngettext("%(num)s day", "%(num)s days", -(-value // timedelta(days=1))))


def short_day(value: date) -> str:
    """``22. nov.``."""
    return dates.format_skeleton("MMMd", value, locale="en_GB" if language() == "en" else "da_DK")


def _list_url(first: date, last: date, part: str = "") -> str:
    """The documents of these days and of this part; parts without a status of their own show all."""
    status = "" if part == "rest" else part
    values = {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "status": status,
        "adaptor": request.args.get("adaptor"),
    }
    kept: dict[str, Any] = {name: value for name, value in values.items() if value}
    return url_for("main.dashboard", **kept)


def _bar(one: Day) -> list[Segment]:
    words = part_words()
    return [
        Segment(
            part, count, f"{day(one.day)}: {number(count)} {words[part].lower()}", _list_url(one.day, one.day, part)
        )
        for part, count in one.parts.items()
    ]


def _class_words() -> list[str]:
    """Of ``Times.classes``."""
    return [f"≤ {duration(one)}" for one in LIMITS] + [f"> {duration(LIMITS[-1])}"]


def _times_picture(times: Times) -> dict[str, Any]:
    top = top_of(times.classes)
    bars = [
        [Segment("time", count, f"{words}: {number(count)}")]
        for words, count in zip(_class_words(), times.classes, strict=True)
    ]
    return {"svg": columns(bars, top), "top": top, "rows": list(zip(_class_words(), times.classes, strict=True))}


def _fix(line: Line) -> Link | None:
    """Where a line is looked after."""
    label, endpoint, values = {
        Part.SOURCE: (_("See the connection"), "source.index", {"adaptor": line.row_id}),
        Part.SCHEDULE: (_("See the schedule"), "schedules.index", {"adaptor": line.row_id}),
        Part.RECONCILIATION: (_("See the reconciliation"), "reconciliation.index", {"adaptor": line.row_id}),
        Part.GATEWAY: (_("See the gateway"), "gateways.edit", {"gateway_id": line.row_id}),
        Part.EXPIRY: (_("See what ends"), "gateways.all_expiries", {}),
        Part.MAIL: (_("See the notifications"), "notifications.index", {}),
        Part.ARCHIVE: ("", "", {}),
        Part.WORKERS: ("", "", {}),
        Part.STUCK: (
            _("See the documents"),
            "main.dashboard",
            {"status": "pending", "adaptor": request.args.get("adaptor")},
        ),
    }[line.part]
    url = optional_url(endpoint, **values) if endpoint else None
    return Link(url, label) if url else None


def _context(found: Flow, lines: list[Line]) -> dict[str, Any]:
    top = top_of([one.total for one in found.days])
    return {
        "flow": found,
        "part_words": part_words(),
        "days_picture": columns([_bar(one) for one in found.days], top),
        "top": top,
        "list_url": _list_url,
        "times_picture": _times_picture(found.times),
        "strips": {one.gateway_id: strip(of_parts(one.parts), one.total) for one in found.gateways},
        "duration": duration,
        "short_day": short_day,
        "lines": [(line, _fix(line)) for line in lines],
    }


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """Of the adaptors that the dashboard of the same address is about."""
    shown = scope.read()
    if shown is None:
        abort(404)
    return render_page_or_fragment(
        "figures/page.html",
        "figures/_figures.html",
        **_context(flow.of_adaptors(shown.ids), health.of_adaptors(shown.ids)),
    )
