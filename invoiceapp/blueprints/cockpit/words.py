"""What a line says, and where it leads."""

from __future__ import annotations

from collections.abc import Mapping

from flask import url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.main.links import Link, optional_url
from invoiceapp.blueprints.problems.words import heading
from invoiceapp.formatting import local_time, number
from invoiceapp.languages import say
from invoiceapp.services.daily.health import Line, Part
from invoiceapp.services.people.cockpit import Light, OfAdaptor


def looks() -> Mapping[str, tuple[str, str, str]]:
    """Words, colour and icon by ``Light``."""
    return {
        "red": (_("Needs you"), "red", "alert-circle"),
        "amber": (_("Keep an eye on it"), "orange", "alert-triangle"),
        "green": (_("Fine"), "green", "circle-check"),
        "rest": (_("Off"), "secondary", "player-pause"),
    }


def summary(how_many: Mapping[Light, int]) -> str:
    """How many companies are how, without those that there are none of."""
    red, amber, green, rest = (how_many[light] for light in (Light.RED, Light.AMBER, Light.GREEN, Light.REST))
    parts = (
        (red, ngettext("%(num)s needs you", "%(num)s need you", red)),
        (amber, ngettext("%(num)s to keep an eye on", "%(num)s to keep an eye on", amber)),
        (green, ngettext("%(num)s is fine", "%(num)s are fine", green)),
        (rest, ngettext("%(num)s is off", "%(num)s are off", rest)),
    )
    return ", ".join(words for count, words in parts if count)


def next_problem(one: OfAdaptor) -> Link | None:
    """What to do first, and the page where it is done; every address switches to its company by itself."""
    problem = one.problem
    if problem is not None:
        if problem.documents == 1 and problem.document_id:
            return Link(url_for("documents.show", document_id=problem.document_id), heading(problem))
        return Link(url_for("problems.show", problem_id=problem.id), heading(problem))
    if one.person:
        words = ngettext(
            "%(shown)s document needs a person", "%(shown)s documents need a person", one.person, shown=number(one.person)
        )  # fmt: skip
        return Link(url_for("main.dashboard", adaptor=one.adaptor.id, status="person"), words)
    return Link(_where(one, one.line), _said(one.line)) if one.line else None


def _said(line: Line) -> str:
    about = f"{line.name}: " if line.name else ""
    since = f" {local_time(line.since)}" if line.since else ""
    return f"{about}{say(line.text)}{since}"


def _where(one: OfAdaptor, line: Line) -> str:
    endpoint, values = {
        Part.SOURCE: ("source.index", {"adaptor": one.adaptor.id}),
        Part.SCHEDULE: ("schedules.index", {"adaptor": one.adaptor.id}),
        Part.GATEWAY: ("gateways.edit", {"gateway_id": line.row_id or ""}),
        Part.EXPIRY: ("gateways.edit", {"gateway_id": line.row_id or ""}),
    }.get(line.part, ("main.dashboard", {"adaptor": one.adaptor.id}))
    if not one.may_see_line:
        endpoint, values = "main.dashboard", {"adaptor": one.adaptor.id}
    return optional_url(endpoint, **values) or url_for("main.dashboard", adaptor=one.adaptor.id)
