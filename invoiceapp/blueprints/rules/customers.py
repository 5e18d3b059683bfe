"""The list of customers, and activating many at once."""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import customer_reading, customers, rules
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people.access import scoped

from .activation import choices, tell_of_waiting
from .blueprint import blueprint


def _filter(values: Mapping[str, str]) -> customers.Filter:
    show = values.get("show", "all")
    return customers.Filter(values.get("q", "").strip(), show or "all", values.get("after", ""))


@blueprint.get("")
def index() -> str:
    """Customers by name, with filter and selection."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        return render_template("rules/empty.html")
    wanted = _filter(request.args)
    return render_page_or_fragment(
        "rules/page.html",
        "rules/_list.html",
        adaptor=adaptor,
        wanted=wanted,
        listed=customers.page(adaptor.id, wanted),
        counts=customers.counts(adaptor.id),
        hints=customers.hints,
        format_labels=dict(rules.format_choices()),
        scope=request.args.get("adaptor"),
        **choices(adaptor),
    )


def _list_url(adaptor: Adaptor) -> str:
    return url_for(".index", adaptor=adaptor.id, q=request.form.get("q") or None, show=request.form.get("show") or None)


def _selected(adaptor: Adaptor) -> list[str]:
    """Ids that were ticked, or all that match the filter."""
    if request.form.get("everything"):
        return customers.matching_ids(adaptor.id, _filter(request.form))
    return request.form.getlist("ids")


@blueprint.post("/<adaptor_id>/activate")
def activate(adaptor_id: str) -> ResponseReturnValue:
    """Activate the selected customers; asks for format and gateway (``?ask=1``), also where they do not fit."""
    adaptor = scoped(Adaptor, adaptor_id)
    ids = _selected(adaptor)
    if not ids:
        flash(_("Select at least one customer."), "warning")
        return redirect(_list_url(adaptor), 303)
    if "ask" in request.args:
        return render_template("rules/activate.html", adaptor=adaptor, ids=ids, errors={}, **choices(adaptor))
    format_id, gateway_id = request.form.get("format", ""), request.form.get("gateway", "")
    try:
        count = rules.activate(adaptor_id, ids, format_id, gateway_id)
    except InvalidInput as error:
        context = {**choices(adaptor), "format": format_id, "gateway_id": gateway_id, "errors": error.errors}
        return render_template("rules/activate.html", adaptor=adaptor, ids=ids, has_errors=True, **context), 422
    flash(_("Customers activated: %(count)s. Their invoices are sent from the next run on.", count=count), "success")
    tell_of_waiting(adaptor_id, ids)
    return redirect(_list_url(adaptor), 303)


@blueprint.post("/<adaptor_id>/deactivate")
def deactivate(adaptor_id: str) -> ResponseReturnValue:
    """Stop exporting to the selected customers; their settings are kept."""
    adaptor = scoped(Adaptor, adaptor_id)
    count = rules.deactivate(adaptor_id, _selected(adaptor))
    flash(_("Customers deactivated: %(count)s. Their settings are kept.", count=count), "success")
    return redirect(_list_url(adaptor), 303)


@blueprint.post("/<adaptor_id>/read")
def read(adaptor_id: str) -> ResponseReturnValue:
    """Read the customers from the source now."""
    adaptor = scoped(Adaptor, adaptor_id)
    try:
        count = customer_reading.read_now(adaptor_id)
        flash(_("Customers read: %(count)s.", count=count), "success")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(_list_url(adaptor), 303)
