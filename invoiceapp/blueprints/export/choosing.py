"""What a person does with what was found: try it, export it, activate its customers, cancel the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.rules import activation
from invoiceapp.formatting import number
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, FoundGroup, Run
from invoiceapp.services.configuration import bulk, customers
from invoiceapp.services.configuration.bulk import Started
from invoiceapp.services.configuration.rules import Outcome
from invoiceapp.services.daily import choosing, finding
from invoiceapp.services.daily.finding import Choice
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import found
from invoiceapp.services.people import usable
from invoiceapp.services.people.access import actor, scoped

from .blueprint import blueprint

#: What the buttons under a group ask for.
_TEMPLATES = {"export": "export/confirm.html", "activate": "export/activate.html"}


def _finding(run_id: str) -> Run:
    run = scoped(Run, run_id)
    if not found.is_finding(run):
        abort(404)
    return run


def _choice() -> Choice:
    """What was ticked, or the whole group."""
    group = request.form.get("group", "")
    if group not in set(FoundGroup):
        abort(400)
    ids = tuple(filter(customers.is_id, dict.fromkeys(request.form.getlist("ids"))))
    return Choice(FoundGroup(group), ids, bool(request.form.get("everything")))


def _page(run: Run, **place: Any) -> ResponseReturnValue:
    return redirect(url_for("runs.show", run_id=run.id, **place), 303)


def _told(run: Run, change: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Do something; what is refused is told on the run's page, where the choice is made again."""
    try:
        return change()
    except ServiceError as error:
        flash(say(error.text), "warning")
        return _page(run)


def _ask(run: Run, choice: Choice, kind: str, status: int = 200, **context: Any) -> ResponseReturnValue:
    """The summary before something is done. Raises ``ServiceError`` where nothing is chosen."""
    total = finding.total(run.id, choice)
    if not total.documents:
        raise ServiceError(choosing.NOTHING)
    adaptor = scoped(Adaptor, run.adaptor_id)
    values = {"run": run, "adaptor": adaptor, "choice": choice, "total": total, "errors": {}}
    values["buyers"] = finding.customers_of(run.id, choice)
    if kind == "activate":
        values |= activation.choices(adaptor)
    return render_template(_TEMPLATES[kind], **(values | context)), status


def _activated(adaptor: Adaptor, outcome: Outcome) -> list[str]:
    """What became of the customers, and that the found documents still wait for a person."""
    done = [_("Customers activated: %(count)s.", count=number(outcome.done))] if outcome.done else []
    waits = _("Nothing is sent yet: what was found for them stands under “Not exported”, and you export it from there. What is approved from now on leaves with the next run.")  # fmt: skip
    return [*done, str(waits), *activation.words_of(adaptor, outcome, bulk.ACTIVATE)[1:]]


@blueprint.get("/<run_id>/<any(export, 'dry-run', activate, 'look-again', cancel, continue):_action>")
@policy("adaptor:view")
def back(run_id: str, _action: str) -> ResponseReturnValue:
    """Reloaded, or in another language: the choice is made again on the run's page."""
    return _page(_finding(run_id))


@blueprint.post("/<run_id>/export")
@policy("adaptor:operate")
def export(run_id: str) -> ResponseReturnValue:
    """Export the chosen documents; asks first (``?ask=1``), and for a reason where they have left before."""
    run, choice = _finding(run_id), _choice()
    if "ask" in request.args:
        return _told(run, lambda: _ask(run, choice, "export"))
    reason = request.form.get("reason", "")
    if choice.group is FoundGroup.EXPORTED and not reason.strip():
        return _told(run, lambda: _ask(run, choice, "export", 422, errors={"reason": _("Write a reason.")}, has_errors=True))  # fmt: skip

    def hand_over() -> ResponseReturnValue:
        choosing.export(run.id, choice, actor(), reason)
        return _page(run)

    return _told(run, hand_over)


@blueprint.post("/<run_id>/dry-run")
@policy("adaptor:operate")
def dry_run(run_id: str) -> ResponseReturnValue:
    """See what would become of the chosen documents."""
    run, choice = _finding(run_id), _choice()

    def see() -> ResponseReturnValue:
        choosing.dry_run(run.id, choice, actor())
        alone = {name: request.form.get(name) or None for name in ("alone", "after")}
        return _page(run, group=choice.group.value if alone["alone"] else None, after=alone["after"])

    return _told(run, see)


@blueprint.post("/<run_id>/activate")
@policy("adaptor:edit")
def activate(run_id: str) -> ResponseReturnValue:
    """Activate the customers of the chosen documents; asks for format and gateway (``?ask=1``)."""
    run, choice = _finding(run_id), _choice()
    if "ask" in request.args:
        return _told(run, lambda: _ask(run, choice, "activate"))
    format_id, gateway_id = request.form.get("format", ""), request.form.get("gateway", "")
    usable.require(gateway_id, scoped(Adaptor, run.adaptor_id))

    def switch_on() -> ResponseReturnValue:
        try:
            outcome = choosing.activate(run.id, choice, format_id, gateway_id, actor())
        except InvalidInput as error:
            typed = {"format": format_id, "gateway_id": gateway_id, "errors": error.errors, "has_errors": True}
            return _ask(run, choice, "activate", 422, **typed)
        if isinstance(outcome, Started):
            return redirect(url_for("rules.job", job_id=outcome.job_id), 303)
        flash(" ".join(_activated(scoped(Adaptor, run.adaptor_id), outcome)), "success")
        return _page(run)

    return _told(run, switch_on)


@blueprint.post("/<run_id>/look-again")
@policy("adaptor:operate")
def look_again(run_id: str) -> ResponseReturnValue:
    """Put what is not chosen into the groups of today."""
    run = _finding(run_id)
    found.look_again(run.id)
    return _page(run)


@blueprint.post("/<run_id>/cancel")
@policy("adaptor:operate")
def cancel(run_id: str) -> ResponseReturnValue:
    """Take back what has not left."""
    run = _finding(run_id)

    def stop() -> ResponseReturnValue:
        choosing.cancel_rest(run.id, actor())
        return _page(run)

    return _told(run, stop)


@blueprint.post("/<run_id>/continue")
@policy("adaptor:operate")
def go_on(run_id: str) -> ResponseReturnValue:
    """Hand over what still waits after an error."""
    run = _finding(run_id)

    def again() -> ResponseReturnValue:
        choosing.go_on(run.id, actor())
        return _page(run)

    return _told(run, again)
