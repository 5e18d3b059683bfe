"""Saying yes to proposals: what it would do, doing it, and taking customers off the list of what is new."""

from __future__ import annotations

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.rules.activation import waiting_words, words_of
from invoiceapp.formatting import number
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import bulk
from invoiceapp.services.configuration.bulk import Selection
from invoiceapp.services.configuration.rules import Outcome
from invoiceapp.services.daily import schedules
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people.access import actor, scoped
from invoiceapp.services.reach import accepting, proposing
from invoiceapp.services.reach.queries import Filter
from invoiceapp.services.reach.routes import RouteKind

from .blueprint import blueprint
from .matches import list_url
from .selecting import back, repeated, selected


@blueprint.post("/<adaptor_id>/accept")
@policy("adaptor:edit")
def accept(adaptor_id: str) -> ResponseReturnValue:
    """Activate the selected customers with what was found for each (asks first with ``?ask=1``)."""
    adaptor = scoped(Adaptor, adaptor_id)
    try:
        ids = selected(adaptor)
        if not ids:
            flash(_("Select at least one customer."), "warning")
            return back(adaptor)
        return _asked(adaptor, ids) if "ask" in request.args else _accepted(adaptor, ids)
    except ServiceError as error:
        flash(say(error.text), "error")
    return back(adaptor)


def _asked(adaptor: Adaptor, ids: list[str]) -> str:
    summary, gateways, taken = accepting.summary(adaptor.id, ids), proposing.gateways(ids), proposing.acceptable(ids)
    return render_template(
        "network/accept.html",
        adaptor=adaptor,
        is_scheduled=schedules.is_scheduled(adaptor.id),
        summary=summary,
        ways=[
            (RouteKind(kind), format_id, gateways.get((kind, format_id), []), count)
            for kind, format_id, count in summary.by_format
        ],
        active=bulk.summary(adaptor.id, Selection(tuple(taken))).active if taken else 0,
        consequences=proposing.consequences(adaptor, taken),
        fields=repeated(),
        back=list_url(adaptor.id, Filter.read(request.form, "filter.")),
    )


def _accepted(adaptor: Adaptor, ids: list[str]) -> ResponseReturnValue:
    done = accepting.accept(adaptor.id, ids, actor())
    outcome = done.outcome
    is_any = bool(outcome.done or outcome.changed or outcome.already)
    flash(" ".join(_words(adaptor, outcome)), "success" if is_any else "warning")
    if done.left_out:
        text = ngettext(
            "%(shown)s customer stays as it was, because it has no proposal that can be accepted. Its line says why.",
            "%(shown)s customers stay as they were, because they have no proposal that can be accepted. Their lines say why.",
            done.left_out, shown=number(done.left_out),
        )  # fmt: skip
        flash(text, "warning")
    if outcome.waiting:
        flash(waiting_words(outcome.waiting), "info")
    return redirect(list_url(adaptor.id, Filter(show="accepted") if is_any else None), 303)


def _words(adaptor: Adaptor, outcome: Outcome) -> list[str]:
    if not (outcome.done or outcome.changed or outcome.already):
        return [_("No customer could be activated.")]
    # The first sentence is of those that were not active before.
    return words_of(adaptor, outcome, bulk.ACTIVATE)[0 if outcome.done else 1 :]


@blueprint.post("/<adaptor_id>/dismiss")
@policy("adaptor:edit")
def dismiss(adaptor_id: str) -> ResponseReturnValue:
    """Take the selected customers off the list of what is new; nothing else changes."""
    adaptor = scoped(Adaptor, adaptor_id)
    try:
        count = accepting.dismiss(adaptor.id, selected(adaptor))
    except ServiceError as error:
        flash(say(error.text), "error")
        return back(adaptor)
    text = ngettext(
        "%(shown)s customer is no longer marked as new.", "%(shown)s customers are no longer marked as new.", count,
        shown=number(count),
    )  # fmt: skip
    flash(text, "success" if count else "info")
    return back(adaptor)
