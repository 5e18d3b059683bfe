"""Activating and deactivating: what to choose from, many customers at once, and how far the work has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.htmx import STOP_POLLING, hx_redirect, hx_response, is_htmx
from invoiceapp.languages import say
from invoiceapp.models import ACTIVE_JOBS, Adaptor, Job
from invoiceapp.services.configuration import bulk, customers, rules
from invoiceapp.services.configuration.bulk import Selection, Started
from invoiceapp.services.configuration.rules import Outcome
from invoiceapp.services.daily import schedules
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.people import usable
from invoiceapp.services.people.access import actor, scoped

from .blueprint import blueprint
from .customers import list_url, read_filter

#: Hidden fields that repeat the list's filter; a form has a format and a gateway of its own.
FILTER = "filter."


def choices(adaptor: Adaptor) -> dict[str, Any]:
    """Formats and gateways to choose from, and which are chosen at first."""
    found = usable.gateways(adaptor)
    return {
        "formats": rules.format_choices(),
        "gateways": found,
        "gateway_choices": [(row.id, row.name) for row in found],
        "format": adaptor.default_format or "",
        "gateway_id": adaptor.default_gateway_id or (found[0].id if len(found) == 1 else ""),
    }


def tell_of_waiting(adaptor_id: str, customer_ids: list[str]) -> None:
    """Activation sends nothing of the past, and nothing at all by itself without a schedule; say so."""
    if not schedules.is_scheduled(scoped(Adaptor, adaptor_id).id):
        flash(no_schedule_words(), "info")
    if count := rules.waiting(adaptor_id, customer_ids):
        flash(waiting_words(count), "info")


def no_schedule_words() -> str:
    """Of an adaptor that reads only when a person starts it."""
    return str(_("The schedule is off: make one under Schedule, or use Manual export."))


def waiting_words(count: int) -> str:
    """Of documents that were read before their customers were activated."""
    return str(
        ngettext(
            "%(num)s older document is not sent by itself: choose it under Manual export.",
            "%(num)s older documents are not sent by themselves: choose them under Manual export.",
            count,
        )
    )


def stopped_words(count: int) -> str:
    """Of documents that waited to be sent to customers that were deactivated."""
    return str(
        ngettext(
            "%(num)s document that waited was not sent. Activate the customer and choose it under Manual export to send it.",
            "%(num)s documents that waited were not sent. Activate the customers and choose them under Manual export to send "
            "them.",
            count,
        )
    )


def _selection(adaptor: Adaptor) -> Selection:
    """Customers that were ticked, or all that match the filter that the form repeats. Raises ``ServiceError``."""
    if not request.form.get("everything"):
        return Selection(tuple(filter(customers.is_id, dict.fromkeys(request.form.getlist("ids")))))
    wanted, _gateways = read_filter(adaptor, request.form, FILTER)
    posted = {key.removeprefix(FILTER): text for key, text in request.form.items() if key.startswith(FILTER) and text}
    if posted != wanted.parameters():
        # In a list an unusable filter shows more; here it would change more than the person saw.
        raise ServiceError(
            Text(
                "Filteret kan ikke bruges længere, og intet er ændret. Vælg kunderne igen.",
                "The filter can no longer be used, and nothing was changed. Select the customers again.",
            )
        )
    return Selection(everything=wanted)


def _back(adaptor: Adaptor) -> ResponseReturnValue:
    """To the list as it was filtered."""
    return hx_redirect(list_url(adaptor, read_filter(adaptor, request.form, FILTER)[0]))


def _ask(adaptor: Adaptor, selection: Selection, kind: str, **context: Any) -> str:
    """The question before many customers are changed: a dialog for htmx, a page for everybody else."""
    return render_template(
        "rules/_ask.html" if is_htmx() else "rules/activate.html",
        adaptor=adaptor, kind=kind, selection=selection, summary=bulk.summary(adaptor.id, selection),
        is_scheduled=schedules.is_scheduled(adaptor.id), most_now=bulk.MOST_NOW, filter_prefix=FILTER,
        back=list_url(adaptor, selection.everything),
        **{"errors": {}, **choices(adaptor), **context},
    )  # fmt: skip


def _activated_words(adaptor: Adaptor, count: int) -> list[str]:
    """How many, and when their invoices are sent."""
    if not schedules.is_scheduled(adaptor.id):
        return [_("Customers activated: %(count)s.", count=count), no_schedule_words()]
    return [_("Customers activated: %(count)s. Their invoices are sent from the next run on.", count=count)]


def words_of(adaptor: Adaptor, outcome: Outcome, kind: str) -> list[str]:
    """What became of many customers of the adaptor, a sentence for each."""
    if kind == bulk.DEACTIVATE:
        parts = [_("Customers deactivated: %(count)s. Their settings are kept.", count=outcome.done)]
        already = ngettext("%(num)s was not active.", "%(num)s were not active.", outcome.already)
    else:
        parts = _activated_words(adaptor, outcome.done)
        if outcome.changed:
            parts.append(
                ngettext(
                    "%(num)s was active already and got the new format and gateway.",
                    "%(num)s were active already and got the new format and gateway.",
                    outcome.changed,
                )
            )
        already = ngettext("%(num)s was active already.", "%(num)s were active already.", outcome.already)
    if outcome.already:
        parts.append(already)
    if outcome.stopped:
        parts.append(stopped_words(outcome.stopped))
    if outcome.refused:
        parts.append(
            ngettext(
                "%(num)s was left out, because it is no longer among the customers of this adaptor.",
                "%(num)s were left out, because they are no longer among the customers of this adaptor.",
                outcome.refused,
            )
        )
    return parts


def _told(adaptor: Adaptor, outcome: Outcome | Started, kind: str) -> ResponseReturnValue:
    if isinstance(outcome, Started):
        return hx_redirect(url_for("rules.job", job_id=outcome.job_id))
    flash(" ".join(words_of(adaptor, outcome, kind)), "success" if outcome.done or outcome.changed else "info")
    if outcome.waiting:
        flash(waiting_words(outcome.waiting), "info")
    return _back(adaptor)


def _bulk(adaptor_id: str, change: Callable[[Adaptor, Selection], ResponseReturnValue]) -> ResponseReturnValue:
    """Do something to the selected customers; what is refused is told on the list."""
    adaptor = scoped(Adaptor, adaptor_id)
    try:
        selection = _selection(adaptor)
        if selection:
            return change(adaptor, selection)
        flash(_("Select at least one customer."), "warning")
    except Conflict as error:
        flash(say(error.text), "warning")
        if job := bulk.active_job(adaptor.id):
            return hx_redirect(url_for("rules.job", job_id=job.id))
    except ServiceError as error:
        flash(say(error.text), "error")
    return _back(adaptor)


@blueprint.post("/<adaptor_id>/activate")
@policy("adaptor:edit")
def activate(adaptor_id: str) -> ResponseReturnValue:
    """Activate the selected customers; asks for format and gateway (``?ask=1``), also where they do not fit."""
    return _bulk(adaptor_id, _ask_or_activate)


def _ask_or_activate(adaptor: Adaptor, selection: Selection) -> ResponseReturnValue:
    if "ask" in request.args:
        return _ask(adaptor, selection, bulk.ACTIVATE)
    format_id, gateway_id = request.form.get("format", ""), request.form.get("gateway", "")
    usable.require(gateway_id, adaptor)
    try:
        outcome = bulk.activate(adaptor.id, selection, format_id, gateway_id, actor())
    except InvalidInput as error:
        chosen = {"format": format_id, "gateway_id": gateway_id, "errors": error.errors, "has_errors": True}
        return _ask(adaptor, selection, bulk.ACTIVATE, **chosen), 422
    return _told(adaptor, outcome, bulk.ACTIVATE)


@blueprint.post("/<adaptor_id>/deactivate")
@policy("adaptor:edit")
def deactivate(adaptor_id: str) -> ResponseReturnValue:
    """Stop exporting to the selected customers (asks first with ``?ask=1``); their settings are kept."""
    return _bulk(adaptor_id, _ask_or_deactivate)


def _ask_or_deactivate(adaptor: Adaptor, selection: Selection) -> ResponseReturnValue:
    if "ask" in request.args:
        return _ask(adaptor, selection, bulk.DEACTIVATE)
    return _told(adaptor, bulk.deactivate(adaptor.id, selection, actor()), bulk.DEACTIVATE)


@blueprint.post("/<adaptor_id>/keep-off")
@policy("adaptor:edit")
def keep_off(adaptor_id: str) -> ResponseReturnValue:
    """Decide that the selected new customers are not activated."""
    return _bulk(adaptor_id, _keep_off)


def _keep_off(adaptor: Adaptor, selection: Selection) -> ResponseReturnValue:
    count = bulk.keep_off(adaptor.id, selection)
    text = ngettext(
        "%(num)s new customer is kept off. It can be activated at any time.",
        "%(num)s new customers are kept off. They can be activated at any time.",
        count,
    )
    flash(text, "success" if count else "info")
    return hx_redirect(list_url(adaptor))


def _job_context(job_id: str) -> dict[str, Any]:
    job = scoped(Job, job_id)
    if job.kind != bulk.KIND:
        abort(404)
    adaptor, outcome = scoped(Adaptor, job.adaptor_id), bulk.outcome_of(job.result)
    words = words_of(adaptor, outcome, job.parameters["change"])
    if outcome.waiting:
        words.append(waiting_words(outcome.waiting))
    return {
        "job": job, "adaptor": adaptor, "is_active": job.state in ACTIVE_JOBS, "words": words,
    }  # fmt: skip


@blueprint.get("/jobs/<job_id>")
@policy("adaptor:view")
def job(job_id: str) -> str:
    """How far the activation of many customers has come, and what became of it."""
    return render_template("rules/job.html", **_job_context(job_id))


@blueprint.get("/jobs/<job_id>/live")
@policy("adaptor:view")
def job_live(job_id: str) -> ResponseReturnValue:
    """The same, for the poll."""
    context = _job_context(job_id)
    return hx_response(render_template("rules/_job.html", **context), 200 if context["is_active"] else STOP_POLLING)
