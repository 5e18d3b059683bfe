"""Looking customers up: all of them, those that are left, some, or one; and stopping it."""

from __future__ import annotations

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer, Job
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.people.access import actor, scoped
from invoiceapp.services.reach import checking, matching, queries
from invoiceapp.services.reach.queries import Filter

from . import words
from .blueprint import blueprint
from .matches import list_url
from .selecting import back, selected


def _start(adaptor: Adaptor, customer_ids: list[str]) -> ResponseReturnValue:
    try:
        matching.start(adaptor.id, actor(), customer_ids)
    except Conflict as error:
        flash(say(error.text), "warning")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(list_url(adaptor.id), 303)


@blueprint.post("/<adaptor_id>/look-up")
@policy("adaptor:edit")
def look_up(adaptor_id: str) -> ResponseReturnValue:
    """Look all customers up in the background; with ``rest`` those that never were."""
    adaptor = scoped(Adaptor, adaptor_id)
    left = queries.ids(adaptor.id, Filter(show="unchecked")) if "rest" in request.form else []
    return _start(adaptor, left)


@blueprint.post("/<adaptor_id>/look-up-again")
@policy("adaptor:edit")
def look_up_again(adaptor_id: str) -> ResponseReturnValue:
    """Look the selected customers up, in the background."""
    adaptor = scoped(Adaptor, adaptor_id)
    try:
        ids = selected(adaptor)
    except ServiceError as error:
        flash(say(error.text), "error")
        return back(adaptor)
    if not ids:
        flash(_("Select at least one customer."), "warning")
        return back(adaptor)
    return _start(adaptor, ids)


@blueprint.post("/jobs/<job_id>/cancel")
@policy("adaptor:edit")
def cancel(job_id: str) -> ResponseReturnValue:
    """Stop a look-up; what was found until then stays."""
    job = scoped(Job, job_id)
    if job.kind != matching.KIND:
        abort(404)
    if matching.cancel(job.id, job.adaptor_id):
        flash(_("The look-up was stopped. What was found until then is kept."), "success")
    else:
        flash(_("The look-up had ended already."), "info")
    return redirect(list_url(job.adaptor_id), 303)


@blueprint.post("/customers/<customer_id>/look-up")
@policy("adaptor:edit")
def look_up_one(customer_id: str) -> ResponseReturnValue:
    """Look one customer up while the person waits."""
    customer = scoped(Customer, customer_id)
    try:
        state = checking.again(customer.id)
        look = words.state_look(state)
        flash(_("Looked up just now: %(state)s.", state=look.label), "success" if look.colour == "green" else "info")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(url_for(".customer", customer_id=customer_id), 303)
