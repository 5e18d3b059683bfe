"""The schedules of an adaptor: the list, and the form of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor, of_kept_adaptors
from invoiceapp.domain.schedules import Kind, Plan, Timing
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Run, Schedule, ScheduleRun, db, utcnow
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.daily import schedule_input, schedules
from invoiceapp.services.daily.schedule_words import in_words
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access

from . import words

blueprint = Blueprint("schedules", __name__, url_prefix="/schedules")
of_kept_adaptors(blueprint)


def _shown(row: Schedule) -> dict[str, Any]:
    plan = schedules.plan_of(row)
    zone = plan.zone
    return {
        "row": row,
        "words": in_words(plan),
        "paused": words.pause_words(row, utcnow().astimezone(zone).date()),
        "upcoming": _runs(schedules.upcoming(row), plan),
        "outcomes": [
            (words.moment(claim.due_at, zone), words.outcome(row, claim, _run_of(claim)))
            for claim in schedules.outcomes(row)
        ],
    }


def _run_of(claim: ScheduleRun) -> Run | None:
    return db.session.get(Run, claim.run_id) if claim.run_id else None


def _runs(found: list[schedules.Upcoming], plan: Plan) -> list[tuple[str, str]]:
    by_the_hour = plan.timing.follows_real_time
    return [(words.moment(one.at, plan.zone), words.note(one, follows_real_time=by_the_hour)) for one in found]


def _list(adaptor: Adaptor, **context: Any) -> str:
    shown: dict[str, Any] = {"wrong": None, "until": "", "until_error": None} | context
    rows = [_shown(row) for row in schedules.of_adaptor(adaptor.id)]
    return render_template("schedules/page.html", adaptor=adaptor, rows=rows, has_errors=bool(shown["wrong"]), **shown)


@blueprint.get("")
@policy("adaptor:view")
def index() -> ResponseReturnValue:
    """When the adaptor exports by itself."""
    adaptor = chosen_adaptor()
    return redirect(url_for("adaptors.index")) if adaptor is None else _list(adaptor)


def _form(adaptor: Adaptor, kind: Kind, raw: Mapping[str, str], **context: Any) -> str:
    shown: dict[str, Any] = {"row": None, "errors": {}, "conflict": "", "preview": None, "version": ""} | context
    own = schedule_input.own_fields(kind)
    common = schedule_input.common_fields(kind, raw.get("time_zone") or schedule_input.ZONE)
    return render_template(
        "schedules/form.html", adaptor=adaptor, kind=kind, kinds=schedule_input.KINDS, own=own, common=common, raw=raw,
        weekdays=schedule_input.WEEKDAYS, has_errors=bool(shown["errors"] or shown["conflict"]), **shown,
    )  # fmt: skip


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        abort(404)


def _typed() -> dict[str, str]:
    return {**request.form, "weekdays": " ".join(request.form.getlist("weekdays"))}


def _preview(wanted: schedule_input.Wanted) -> dict[str, Any]:
    plan = schedules.plan_of(wanted)
    return {"words": in_words(plan), "runs": _runs(schedules.upcoming(wanted), plan)}


@blueprint.get("/<adaptor_id>/new")
@policy("adaptor:edit")
def new(adaptor_id: str) -> str:
    """The form of a new schedule; ``?kind=`` chooses how it is said."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    return _form(adaptor, _kind(request.args.get("kind", Kind.WEEKDAYS)), schedule_input.DEFAULTS)


@blueprint.post("/<adaptor_id>/new")
@policy("adaptor:edit")
def add(adaptor_id: str) -> ResponseReturnValue:
    """Keep it, or only show when it would run."""
    adaptor, raw = access.scoped(Adaptor, adaptor_id), _typed()
    kind = _kind(raw.get("kind", ""))
    try:
        wanted = schedule_input.read(raw)
        if "preview" in raw:
            return _form(adaptor, kind, raw, preview=_preview(wanted))
        schedules.add(adaptor_id, wanted)
    except InvalidInput as error:
        return _form(access.scoped(Adaptor, adaptor_id), kind, raw, errors=error.errors), 422
    flash(_("Saved."), "success")
    return _to_list(adaptor_id)


def _to_list(adaptor_id: str) -> ResponseReturnValue:
    return redirect(url_for(".index", adaptor=adaptor_id), 303)


def _stored(row: Schedule) -> dict[str, str]:
    """What the form shows of it; what its kind does not have is proposed."""
    return schedule_input.DEFAULTS | schedule_input.raw_of(Timing.from_json(row.timing)) | {
        "time_zone": row.time_zone, "holidays": row.holidays.value, "catch_up": row.catch_up.value,
        "catch_up_hours": str(row.catch_up_hours or ""),
    }  # fmt: skip


@blueprint.get("/<schedule_id>/edit")
@policy("adaptor:edit")
def edit(schedule_id: str) -> str:
    """The form of a schedule; ``?kind=`` says it in another way."""
    row = access.scoped(Schedule, schedule_id)
    adaptor, raw = access.scoped(Adaptor, row.adaptor_id), _stored(row)
    return _form(adaptor, _kind(request.args.get("kind", raw["kind"])), raw, row=row, version=schedules.version(row))


@blueprint.post("/<schedule_id>/edit")
@policy("adaptor:edit")
def save(schedule_id: str) -> ResponseReturnValue:
    """Keep it, or only show when it would run."""
    row, raw = access.scoped(Schedule, schedule_id), _typed()
    adaptor, kind, shown = access.scoped(Adaptor, row.adaptor_id), _kind(raw.get("kind", "")), raw.get("version", "")
    try:
        wanted = schedule_input.read(raw)
        if "preview" in raw:
            return _form(adaptor, kind, raw, row=row, version=shown, preview=_preview(wanted))
        schedules.save(schedule_id, wanted, shown=shown)
    except InvalidInput as error:
        row = access.scoped(Schedule, schedule_id)
        return _form(
            access.scoped(Adaptor, row.adaptor_id), kind, raw, row=row, version=shown, errors=error.errors
        ), 422
    except ChangedMeanwhile as error:
        row = access.scoped(Schedule, schedule_id)
        adaptor, version = access.scoped(Adaptor, row.adaptor_id), schedules.version(row)
        return _form(adaptor, kind, raw, row=row, version=version, conflict=say(error.text)), 409
    flash(_("Saved."), "success")
    return _to_list(adaptor.id)


@blueprint.post("/<schedule_id>/pause")
@policy("adaptor:edit")
def pause(schedule_id: str) -> ResponseReturnValue:
    """Run it no more, until a day or until somebody resumes it."""
    row, until = access.scoped(Schedule, schedule_id), request.form.get("until", "")
    adaptor_id = row.adaptor_id
    try:
        schedules.pause(schedule_id, until)
    except InvalidInput as error:
        adaptor = access.scoped(Adaptor, adaptor_id)
        return _list(adaptor, wrong=schedule_id, until=until, until_error=error.errors["until"]), 422
    flash(_("The schedule is paused."), "success")
    return _to_list(adaptor_id)


@blueprint.post("/<schedule_id>/resume")
@policy("adaptor:edit")
def resume(schedule_id: str) -> ResponseReturnValue:
    """Run it again."""
    adaptor_id = access.scoped(Schedule, schedule_id).adaptor_id
    schedules.resume(schedule_id)
    flash(_("The schedule runs again."), "success")
    return _to_list(adaptor_id)


@blueprint.post("/<schedule_id>/delete")
@policy("adaptor:edit")
def delete(schedule_id: str) -> ResponseReturnValue:
    """Run it never again; its runs stay."""
    adaptor_id = access.scoped(Schedule, schedule_id).adaptor_id
    schedules.remove(schedule_id)
    flash(_("The schedule is deleted."), "success")
    return _to_list(adaptor_id)
