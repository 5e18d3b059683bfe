"""What was read from the source, when, and what became of it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS
from invoiceapp.formatting import day
from invoiceapp.htmx import STOP_POLLING, hx_response
from invoiceapp.languages import say
from invoiceapp.models import ACTIVE_RUNS, Run
from invoiceapp.services.daily import listing
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import found, queries, run_queries, run_queue, runs
from invoiceapp.services.people import access

from . import manual, overview

blueprint = Blueprint("runs", __name__, url_prefix="/runs")
LONGEST_LIST = 50


def trigger(run: Run) -> str:
    """Who or what started it."""
    words = {
        "manual": _("By hand"),
        "schedule": _("By schedule"),
        "command": _("By command"),
        "reading": _("Reading: nothing is sent"),
        "reconciliation": _("By the reconciliation: it was missing"),
    }
    return str(words.get(run.trigger, run.trigger))


def scope(run: Run) -> str:
    """What it was asked to read."""
    query = run_queries.query_from_json(run.query)
    parts = []
    if query.numbers:
        shown = ", ".join(query.numbers[:5]) + (" …" if len(query.numbers) > 5 else "")
        parts.append(_("Numbers %(numbers)s", numbers=shown))
    if query.ids:
        parts.append(ngettext("%(num)s document", "%(num)s documents", len(query.ids)))
    if query.customer_ids:
        parts.append(ngettext("%(num)s customer", "%(num)s customers", len(query.customer_ids)))
    if query.first_date and not query.last_date:
        parts.append(_("From %(date)s", date=day(query.first_date)))
    elif query.first_date or query.last_date:
        parts.append(f"{day(query.first_date)} – {day(query.last_date)}")
    return ", ".join(parts) or str(_("Everything new"))


def _is_moving(run: Run, progress: dict[str, int]) -> bool:
    """Whether the run, or one of its documents, is still on its way."""
    waiting = progress["converting"] + sum(progress.get(state.value, 0) for state in IN_PROGRESS)
    return run.state in ACTIVE_RUNS or waiting > 0


def _context(run: Run) -> dict[str, Any]:
    progress = runs.progress(run)
    on_the_way = sum(progress.get(state.value, 0) for state in IN_PROGRESS)
    return {
        "run": run,
        "progress": progress,
        "on_the_way": on_the_way,
        "arrived": sum(progress.get(state.value, 0) for state in ARRIVED),
        "done": max(run.queued - progress["converting"] - on_the_way, 0),
        "is_active": run.state in ACTIVE_RUNS,
        "is_moving": _is_moving(run, progress),
        "found": listing.page([run.adaptor_id], listing.View(listing.Filter(run_id=run.id))),
        "format_label": queries.format_label,
        "trigger": trigger,
        "scope": scope,
    }


@blueprint.get("")
@policy("adaptor:view")
def index() -> str:
    """The newest runs of the adaptor."""
    adaptor = chosen_adaptor()
    rows = queries.latest_runs(adaptor.id, LONGEST_LIST) if adaptor else []
    return render_template("runs/page.html", adaptor=adaptor, lines=overview.lines(rows), trigger=trigger, scope=scope)


@blueprint.post("")
@policy("adaptor:operate")
def start() -> BaseResponse:
    """Fetch what is new, now."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    try:
        run = runs.start(adaptor.id, trigger="manual", actor=current_user.email)
    except Conflict as error:
        # What was approved after the active run has read past it would wait for the next one.
        again = run_queue.ask_again(adaptor.id, current_user.email)
        flash(
            _("A run is under way. Everything new is fetched again as soon as it ends.") if again else say(error.text),
            "info",
        )
        active = run_queue.active(adaptor.id)
        return redirect(url_for(".show", run_id=active.id) if active else url_for(".index"), 303)
    return redirect(url_for(".show", run_id=run.id), 303)


@blueprint.get("/<run_id>")
@policy("adaptor:view")
def show(run_id: str) -> str:
    """One run: what it found, and where its documents are now."""
    run = access.scoped(Run, run_id)
    if found.is_finding(run):
        return render_template("runs/finding.html", trigger=trigger, scope=scope, **manual.page(run))
    return render_template("runs/run.html", **_context(run))


@blueprint.get("/<run_id>/live")
@policy("adaptor:view")
def live(run_id: str) -> BaseResponse:
    """The same figures, for the poll."""
    run = access.scoped(Run, run_id)
    if found.is_finding(run):
        return manual.live(run)
    context = _context(run)
    content = render_template("runs/_live.html", **context)
    return hx_response(content, 200 if context["is_moving"] else STOP_POLLING)
