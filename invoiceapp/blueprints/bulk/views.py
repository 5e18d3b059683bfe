"""From a selection on the dashboard to the end of the work: choose, see what will happen, confirm, follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.documents.forms import NoteForm
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.htmx import STOP_POLLING, hx_response
from invoiceapp.languages import say
from invoiceapp.models import ACTIVE_JOBS, Adaptor, Job, JobState, Problem, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.daily import bulk_actions, bulk_jobs
from invoiceapp.services.daily.bulk_actions import ACTIONS, Selection
from invoiceapp.services.daily.listing import Filter, View
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.people.access import actor, scoped

from .selecting import adaptor_of_list, list_url, selection_of_list
from .words import all_words, succeeded, words_of

blueprint = Blueprint("bulk", __name__, url_prefix="/bulk")


@blueprint.get("")
@policy("adaptor:view")
def back() -> ResponseReturnValue:
    """After the language switch: what was chosen is gone, the list is not."""
    adaptor = {"adaptor": chosen} if (chosen := request.args.get("adaptor")) else {}
    return redirect(url_for("main.dashboard", **View.read(request.args).to_args(), **adaptor))  # type: ignore[arg-type]


@blueprint.post("")
@policy("adaptor:operate")
def summary() -> ResponseReturnValue:
    """What can be done to how many of the chosen documents; with ``action`` what exactly that would do."""
    return _with_selection(lambda adaptor, selection, now: _page(adaptor, selection, now))


@blueprint.post("/start")
@policy("adaptor:operate")
def start() -> ResponseReturnValue:
    """Do it, in the background."""
    return _with_selection(_start)


def _with_selection(do: Any) -> ResponseReturnValue:
    adaptor, now = adaptor_of_list(), utcnow()
    try:
        selection = selection_of_list(now)
        if selection:
            answer: ResponseReturnValue = do(adaptor, selection, now)
            return answer
        flash(_("Select at least one document."), "warning")
    except Conflict as error:
        flash(say(error.text), "warning")
        if (job := bulk_jobs.active(adaptor.id)) is not None:
            return redirect(url_for(".show", job_id=job.id), 303)
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(list_url(adaptor, **Filter.read(request.args).to_args()), 303)


def _start(adaptor: Adaptor, selection: Selection, now: datetime) -> ResponseReturnValue:
    name = request.form.get("action", "")
    if name not in ACTIONS:
        abort(400)
    form = NoteForm(formdata=request.form)
    note = (form.note.data or "").strip()
    if not form.validate():
        return _page(adaptor, selection, now, form), 422
    if ACTIONS[name].requires and not note:
        form.refuse(_("Write a reason; it is kept with the documents."), on_note=True)
        return _page(adaptor, selection, now, form), 422
    job_id = bulk_jobs.start(adaptor.id, selection, name, note, actor())
    return redirect(url_for(".show", job_id=job_id), 303)


def _page(adaptor: Adaptor, selection: Selection, now: datetime, form: NoteForm | None = None) -> str:
    """The question what to do, or, with an action, whether to do it."""
    name = request.form.get("action", "")
    found = bulk_actions.summary(adaptor.id, selection, selection.until or now)
    if not found.total.documents:
        raise ServiceError(Text("Dokumenterne findes ikke længere.", "The documents are no longer there."))
    possible = found.possible.get(name)
    return render_template(
        "bulk/confirm.html" if possible and possible.can.documents else "bulk/choose.html",
        adaptor=adaptor, selection=selection, summary=found, chosen=possible, words=all_words(),
        form=form or NoteForm(formdata=None), has_errors=bool(form and form.errors), wanted=request.args.to_dict(),
        back=list_url(adaptor, **(selection.everything or Filter.read(request.args)).to_args()),
        active=bulk_jobs.active(adaptor.id),
    )  # fmt: skip


def _job(job_id: str) -> Job:
    job = scoped(Job, job_id)
    if job.kind != bulk_jobs.KIND:
        abort(404)
    return job


def _context(job: Job) -> dict[str, Any]:
    name, result = job.parameters["action"], bulk_jobs.result_of(job)
    problem_id = job.parameters["problem"]
    return {
        "job": job,
        "adaptor": scoped(Adaptor, job.adaptor_id),
        "words": words_of(name),
        "result": result,
        "succeeded": succeeded(name, result.succeeded),
        "is_active": job.state in ACTIVE_JOBS,
        "total": bulk_jobs.size_of(job),
        "remaining": bulk_jobs.size_of(job) - job.done,
        "was_cancelled": job.state is JobState.CANCELLED,
        "problem": db.session.get(Problem, problem_id) if problem_id else None,
    }


@blueprint.get("/jobs/<job_id>")
@policy("adaptor:view")
def show(job_id: str) -> str:
    """How far the work has come, and what became of each document."""
    return render_template("bulk/job.html", **_context(_job(job_id)))


@blueprint.get("/jobs/<job_id>/live")
@policy("adaptor:view")
def live(job_id: str) -> ResponseReturnValue:
    """The same, for the poll."""
    context = _context(_job(job_id))
    return hx_response(render_template("bulk/_job.html", **context), 200 if context["is_active"] else STOP_POLLING)


@blueprint.post("/jobs/<job_id>/cancel")
@policy("adaptor:operate")
def cancel(job_id: str) -> ResponseReturnValue:
    """Stop before the next document."""
    job = _job(job_id)
    if not background.cancel(job.id, job.adaptor_id):
        flash(_("It had ended already."), "info")
    return redirect(url_for(".show", job_id=job_id), 303)


@blueprint.post("/jobs/<job_id>/again")
@policy("adaptor:operate")
def again(job_id: str) -> ResponseReturnValue:
    """Do the same to those with which it failed, and to those that it did not come to."""
    job = _job(job_id)
    adaptor_id = job.adaptor_id
    try:
        return redirect(url_for(".show", job_id=bulk_jobs.again(job, actor())), 303)
    except Conflict as error:
        flash(say(error.text), "warning")
        going_on = bulk_jobs.active(adaptor_id)
        return redirect(url_for(".show", job_id=going_on.id if going_on else job_id), 303)
    except ServiceError as error:
        flash(say(error.text), "info")
        return redirect(url_for(".show", job_id=job_id), 303)
