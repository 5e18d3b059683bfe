"""The problems that are open or were resolved of late, and one problem from its cause to its last document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.bulk.words import words_of
from invoiceapp.blueprints.documents.forms import NoteForm
from invoiceapp.blueprints.main.links import Link, fix_link, optional_url
from invoiceapp.blueprints.main.scope import is_all
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import named_adaptor
from invoiceapp.htmx import STOP_POLLING, hx_response
from invoiceapp.languages import say
from invoiceapp.models import ACTIVE_JOBS, Adaptor, Job, Problem, db
from invoiceapp.services.daily import bulk_jobs, listing, problems, releases
from invoiceapp.services.daily.listing import Filter, View
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import queries
from invoiceapp.services.people.access import actor, adaptors, scoped

from .words import cause, heading, release_label, turn, what_to_do

blueprint = Blueprint("problems", __name__, url_prefix="/problems")
#: Documents on the page; the rest is behind "older".
_SIZE = 20


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """What is open and what was resolved of late, of one adaptor or of all."""
    adaptor = None if is_all() else named_adaptor()
    shown = [adaptor] if adaptor else adaptors()
    ids = [one.id for one in shown]
    after = request.args.get("after", "")
    found = problems.of_adaptors(ids, problems.PAGE + 1, after)
    shown_now, has_more = found[: problems.PAGE], len(found) > problems.PAGE
    return render_template(
        "problems/index.html", adaptor=adaptor, names={one.id: one.name for one in shown} if len(shown) > 1 else {},
        open=shown_now, after=problems.cursor(shown_now[-1]) if has_more else "", is_first=not after,
        resolved=[] if after else releases.resolved(ids), days=releases.SHOWN.days, fix=_fix, cause=cause, turn=turn,
    )  # fmt: skip


def _fix(problem: Problem) -> Link | None:
    """Where the cause is mended: the very field, or the gateway that is to be looked at."""
    link = fix_link(problem.fix, problem.document_id or "", problem.customer_id, adaptor_id=problem.adaptor_id)
    url = optional_url("gateways.edit", gateway_id=problem.gateway_id) if problem.gateway_id else None
    return link or (Link(url, _("Correct the gateway")) if url else None)


def _live_context(problem: Problem) -> dict[str, Any]:
    job: Job | None = releases.job_of(problem)
    view = replace(View.read(request.args), filter=Filter(problem_id=problem.id, with_released=True))
    where, job_is_active = releases.whereabouts(problem.id), job is not None and job.state in ACTIVE_JOBS
    return {
        "problem": problem,
        "where": where,
        "job": job,
        "job_is_active": job_is_active,
        # What the page's steps depend on; the poll swaps only what stands below them.
        "steps": f"{problem.is_open:d}{job_is_active:d}{where.stopped > 0:d}",
        "is_moving": problem.is_open or where.on_the_way > 0 or job_is_active,
        "job_words": words_of(job.parameters["action"]).label if job else "",
        "found": listing.page([problem.adaptor_id], view, _SIZE),
        "format_label": queries.format_label,
        "has_documents": problem.level == problems.DOCUMENT,
    }


def _page(problem: Problem, form: NoteForm | None = None) -> str:
    context = _live_context(problem)
    action = releases.release_of(problem)
    return render_template(
        "problems/show.html", adaptor=db.session.get_one(Adaptor, problem.adaptor_id), heading=heading(problem), turn=turn(problem),
        what_to_do=what_to_do(problem), fix=_fix(problem), action=action,
        release_label=release_label(action.name, context["where"].stopped) if action else "",
        form=form or NoteForm(formdata=None), has_errors=bool(form and form.errors), successor=releases.successor(problem),
        going_on=bulk_jobs.active(problem.adaptor_id), **context,
    )  # fmt: skip


@blueprint.get("/<problem_id>")
@policy("adaptor:view")
def show(problem_id: str) -> str:
    """What happened, what to do, and where the documents are."""
    return _page(scoped(Problem, problem_id))


@blueprint.get("/<problem_id>/live")
@policy("adaptor:view")
def live(problem_id: str) -> ResponseReturnValue:
    """Where the documents are, for the poll; the page is loaded anew when its steps change."""
    problem = scoped(Problem, problem_id)
    context = _live_context(problem)
    content = render_template("problems/_live.html", **context)
    if request.args.get("steps") != context["steps"]:
        response = hx_response(content, STOP_POLLING)
        response.headers["HX-Refresh"] = "true"
        return response
    return hx_response(content, 200 if context["is_moving"] else STOP_POLLING)


def _started(problem: Problem, start: Callable[[], str]) -> ResponseReturnValue:
    """To the work, or to the one that is going on already."""
    adaptor_id, here = problem.adaptor_id, url_for(".show", problem_id=problem.id)
    try:
        return redirect(url_for("bulk.show", job_id=start()), 303)
    except Conflict as error:
        flash(say(error.text), "warning")
        going_on = bulk_jobs.active(adaptor_id)
        return redirect(url_for("bulk.show", job_id=going_on.id) if going_on else here, 303)
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(here, 303)


@blueprint.post("/<problem_id>/release")
@policy("adaptor:operate")
def release(problem_id: str) -> ResponseReturnValue:
    """Build and send all its documents again."""
    problem = scoped(Problem, problem_id)
    return _started(problem, lambda: releases.release(problem, actor()))


@blueprint.post("/<problem_id>/handle")
@policy("adaptor:operate")
def handle(problem_id: str) -> ResponseReturnValue:
    """Mark all its documents as handled outside."""
    problem, form = scoped(Problem, problem_id), NoteForm(formdata=request.form)
    note = (form.note.data or "").strip()
    if form.validate() and not note:
        form.refuse(_("Write a reason; it is kept with the documents."), on_note=True)
    if form.errors:
        return _page(problem, form), 422
    return _started(problem, lambda: releases.handle_outside(problem, note, actor()))
