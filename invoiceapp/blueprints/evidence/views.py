"""Make, fetch and check evidence packs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.bulk.selecting import adaptor_of_list, list_url, selection_of_list
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.file_names import safe_filename
from invoiceapp.htmx import STOP_POLLING, hx_response
from invoiceapp.languages import say
from invoiceapp.models import ACTIVE_JOBS, Adaptor, Document, Job, JobState, utcnow
from invoiceapp.services import background
from invoiceapp.services.daily.listing import Filter
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.people.access import NotAllowed, actor, may_operate, scoped
from invoiceapp.services.proof.evidence import checking, jobs, pack, packs
from invoiceapp.services.proof.evidence.safe_zip import Limits

blueprint = Blueprint("evidence", __name__, url_prefix="/evidence")
#: Of a pack that is checked while somebody waits; larger ones are checked by the command.
_LIMITS = Limits(files=20_000, bytes=200 * 1024 * 1024, json=2 * 1024 * 1024)


@blueprint.get("/documents/<document_id>")
@policy("adaptor:view")
def document(document_id: str) -> ResponseReturnValue:
    """The pack of one document, made now."""
    row = scoped(Document, document_id)
    number = row.number
    try:
        with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
            path = Path(folder) / "pack.zip"
            pack.write(path, [document_id], actor())
            return _sent(path, f"evidence-{safe_filename(number)}")
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for("documents.show", document_id=document_id), 303)


def _sent(path: Path, name: str) -> ResponseReturnValue:
    # Its name may go: an open file stays until it is closed, which the response does at its end.
    file, size = path.open("rb"), path.stat().st_size
    response = send_file(file, "application/zip", as_attachment=True, download_name=f"{name}.zip", max_age=0)
    response.content_length = size
    return response


@blueprint.post("/packs")
@policy("adaptor:view")
def start() -> ResponseReturnValue:
    """Make one pack of the selected documents, in the background."""
    adaptor = adaptor_of_list()
    adaptor_id, back = adaptor.id, list_url(adaptor, **Filter.read(request.args).to_args())
    try:
        return redirect(url_for(".show", job_id=jobs.start(adaptor_id, selection_of_list(utcnow()), actor())), 303)
    except Conflict as error:
        flash(say(error.text), "warning")
        going_on = jobs.active(adaptor_id)
        return redirect(url_for(".show", job_id=going_on.id) if going_on else back, 303)
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(back, 303)


def _job(job_id: str) -> Job:
    job = scoped(Job, job_id)
    if job.kind != jobs.KIND:
        abort(404)
    return job


def _context(job: Job) -> dict[str, Any]:
    path, adaptor = packs.file_of(job), scoped(Adaptor, job.adaptor_id)
    return {
        "job": job, "adaptor": adaptor, "is_active": job.state in ACTIVE_JOBS, "may_stop": _may_stop(job, adaptor),
        "was_cancelled": job.state is JobState.CANCELLED, "size": path.stat().st_size if path else None,
        "gone": job.result.get(packs.GONE, 0), "days": packs.KEPT.days,
    }  # fmt: skip


def _may_stop(job: Job, adaptor: Adaptor) -> bool:
    return job.actor == actor() or may_operate(adaptor)


@blueprint.get("/jobs/<job_id>")
@policy("adaptor:view")
def show(job_id: str) -> str:
    """How far the pack has come, and where to fetch it."""
    return render_template("evidence/job.html", **_context(_job(job_id)))


@blueprint.get("/jobs/<job_id>/live")
@policy("adaptor:view")
def live(job_id: str) -> ResponseReturnValue:
    """The same, for the poll."""
    context = _context(_job(job_id))
    return hx_response(render_template("evidence/_job.html", **context), 200 if context["is_active"] else STOP_POLLING)


@blueprint.get("/jobs/<job_id>/file")
@policy("adaptor:view")
def file(job_id: str) -> ResponseReturnValue:
    """The finished pack."""
    job = _job(job_id)
    path = packs.file_of(job)
    if path is None:
        flash(_("The pack is no longer there. Make it again."), "warning")
        return redirect(url_for(".show", job_id=job_id), 303)
    return _sent(path, f"evidence-{job.created_at.date()}-{job.total}")


@blueprint.post("/jobs/<job_id>/cancel")
@policy("adaptor:view")
def cancel(job_id: str) -> ResponseReturnValue:
    """Stop making it: one's own, or as an operator."""
    job = _job(job_id)
    if not _may_stop(job, scoped(Adaptor, job.adaptor_id)):
        raise NotAllowed
    if not background.cancel(job.id, job.adaptor_id):
        flash(_("It had ended already."), "info")
    return redirect(url_for(".show", job_id=job_id), 303)


@blueprint.get("/check")
@policy("subscription:view")
def check() -> str:
    """Where a pack can be handed in."""
    return render_template("evidence/check.html", verdict=None, name="", error="")


@blueprint.post("/check")
@policy("subscription:view")
def verify() -> ResponseReturnValue:
    """What holds of a pack, and what does not. Nothing of it is kept."""
    handed = request.files.get("file")
    if handed is None or not handed.filename:
        error = _("Choose the zip file of the pack.")
        return render_template("evidence/check.html", verdict=None, name="", error=error, has_errors=True), 422
    verdict = checking.check(handed.stream, limits=_LIMITS)
    return render_template("evidence/check.html", verdict=verdict, name=handed.filename, error="")
