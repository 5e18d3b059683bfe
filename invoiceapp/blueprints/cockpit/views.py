"""The accountant's cockpit: every subscription that the person may see, worst first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.spreadsheets import Cell, written
from invoiceapp.formatting import TIMEZONE, language
from invoiceapp.htmx import hx_response, is_htmx
from invoiceapp.services.daily import health, listing_csv
from invoiceapp.services.people import access, cockpit
from invoiceapp.services.people.cockpit import Light, OfSubscription, Seen

from .words import looks, next_problem, summary

blueprint = Blueprint("cockpit", __name__, url_prefix="/cockpit")
_LONGEST = 200


def _name() -> str:
    return request.args.get("q", "")[:_LONGEST].strip()


def _seen() -> Seen:
    return cockpit.seen(access.memberships(), _name())


def _version(shown: Seen) -> str:
    return f"{cockpit.version(shown)}{language()}"


def _context(shown: Seen, version: str) -> dict[str, Any]:
    workers = health.workers()
    found = cockpit.lines(shown, workers)
    return {
        "lines": found,
        "version": version,
        "name": _name(),
        "summary": summary({light: sum(one.light is light for one in found) for light in Light}),
        "not_set_up": cockpit.not_set_up(shown),
        "workers": workers if workers.level is health.Level.BAD else None,
        "looks": looks(),
        "next_problem": next_problem,
        "recent_days": cockpit.RECENT.days,
    }


@blueprint.get("")
@policy("self")
def index() -> ResponseReturnValue:
    """One line for each; what is typed into the search is a fragment."""
    shown = _seen()
    context = _context(shown, _version(shown))
    if is_htmx():
        here = url_for(".index", q=_name() or None)
        return hx_response(render_template("cockpit/_results.html", **context), push_url=here)
    return render_template("cockpit/page.html", **context)


@blueprint.get("/live")
@policy("self")
def live() -> ResponseReturnValue:
    """The lines for the poll; 204 where a page that shows version ``v`` would stay as it is."""
    shown = _seen()
    version = _version(shown)
    if request.args.get("v") == version:
        return "", 204
    return render_template("cockpit/_lines.html", **_context(shown, version))


@blueprint.post("/enter")
@policy("self")
def enter() -> BaseResponse:
    """Look at one of them from now on."""
    access.stay(request.form.get("subscription", ""))
    is_to_set_up = request.form.get("to") == "catalogue"
    return redirect(url_for("adaptors.catalogue" if is_to_set_up else "main.dashboard"), 303)


@blueprint.get("/companies.csv")
@policy("self")
def companies_csv() -> Response:
    """The same lines for spreadsheets."""
    form = listing_csv.dialect(language() == "da")
    words = looks()
    heads: list[Cell] = [
        _("Company"), _("Status"), _("Needs a person"), _("On the way"),
        _("Arrived, last %(days)s days", days=cockpit.RECENT.days), _("Next problem"), _("Last sent"),
    ]  # fmt: skip
    rows = [_cells(one, words[one.light][0], form.date_form) for one in cockpit.lines(_seen(), health.workers())]
    response = Response(form.start + written([heads, *rows], form), content_type="text/csv; charset=utf-8")
    name = _("companies-%(day)s.csv", day=datetime.now(TIMEZONE).date().isoformat())
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _cells(one: OfSubscription, status: str, date_form: str) -> list[Cell]:
    following = next_problem(one.worst) if one.worst else None
    sent = one.exported_at.astimezone(TIMEZONE).strftime(f"{date_form} %H:%M") if one.exported_at else None
    return [
        one.subscription.name, status, str(one.person), str(one.progress), str(one.arrived),
        following.label if following else None, sent,
    ]  # fmt: skip
