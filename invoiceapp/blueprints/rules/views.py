"""The list of customers, activating many at once, and one customer's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.declared import saved
from invoiceapp.blueprints.tenancy import chosen_adaptor, protect
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.configuration import gateways, rules, sources
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import history
from invoiceapp.services.people.access import scoped

from .forms import groups, raw_settings

blueprint = Blueprint("rules", __name__, url_prefix="/customers")
protect(blueprint)


def _filter(values: Mapping[str, str]) -> rules.Filter:
    show = values.get("show", "all")
    return rules.Filter(values.get("q", "").strip(), show or "all", values.get("after", ""))


def _choices(adaptor: Adaptor) -> dict[str, Any]:
    """Formats and gateways to choose from, and which are chosen at first."""
    found = gateways.of_subscription(adaptor.subscription_id)
    return {
        "formats": rules.format_choices(),
        "gateways": found,
        "gateway_choices": [(row.id, row.name) for row in found],
        "format": adaptor.default_format or "",
        "gateway_id": adaptor.default_gateway_id or (found[0].id if len(found) == 1 else ""),
    }


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
        listed=rules.customers_page(adaptor.id, wanted),
        counts=rules.counts(adaptor.id),
        hints=rules.hints,
        format_labels=dict(rules.format_choices()),
        scope=request.args.get("adaptor"),
        **_choices(adaptor),
    )


def _list_url(adaptor: Adaptor) -> str:
    return url_for(".index", adaptor=adaptor.id, q=request.form.get("q") or None, show=request.form.get("show") or None)


def _selected(adaptor: Adaptor) -> list[str]:
    """Ids that were ticked, or all that match the filter."""
    if request.form.get("everything"):
        return rules.matching_ids(adaptor.id, _filter(request.form))
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
        return render_template("rules/activate.html", adaptor=adaptor, ids=ids, errors={}, **_choices(adaptor))
    format_id, gateway_id = request.form.get("format", ""), request.form.get("gateway", "")
    try:
        count = rules.activate(adaptor_id, ids, format_id, gateway_id)
    except InvalidInput as error:
        context = {**_choices(adaptor), "format": format_id, "gateway_id": gateway_id, "errors": error.errors}
        return render_template("rules/activate.html", adaptor=adaptor, ids=ids, has_errors=True, **context), 422
    flash(_("Customers activated: %(count)s. Their invoices are sent from the next run on.", count=count), "success")
    _tell_of_waiting(adaptor_id, ids)
    return redirect(_list_url(adaptor), 303)


def _tell_of_waiting(adaptor_id: str, customer_ids: list[str]) -> None:
    """Activation sends nothing of the past; say so where there is a past."""
    if count := rules.waiting(adaptor_id, customer_ids):
        text = ngettext(
            "%(num)s older document is not sent by itself: choose it under Manual export.",
            "%(num)s older documents are not sent by themselves: choose them under Manual export.",
            count,
        )
        flash(text, "info")


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
        count = sources.read_now(adaptor_id)
        flash(_("Customers read: %(count)s.", count=count), "success")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(_list_url(adaptor), 303)


def _customer_page(customer: Customer, **context: Any) -> str:
    adaptor = scoped(Adaptor, customer.adaptor_id)
    errors = context.setdefault("errors", {})
    context.setdefault("groups", groups(adaptor, customer))
    chosen = _choices(adaptor)
    if customer.rule:
        chosen |= {"format": customer.rule.format, "gateway_id": customer.rule.gateway_id}
    return render_template(
        "rules/customer.html", adaptor=adaptor, customer=customer, rows=history.of_customer(customer.id),
        hints=rules.hints(customer), has_errors=bool(errors), **{**chosen, **context},
    )  # fmt: skip


@blueprint.get("/<customer_id>")
def customer(customer_id: str) -> str:
    """One customer: activation, settings and latest documents."""
    return _customer_page(scoped(Customer, customer_id))


@blueprint.post("/<customer_id>/rule")
def save_rule(customer_id: str) -> ResponseReturnValue:
    """Activate one customer, or change its format and gateway."""
    row = scoped(Customer, customer_id)
    format_id, gateway_id = request.form.get("format", ""), request.form.get("gateway", "")
    try:
        rules.activate(row.adaptor_id, [customer_id], format_id, gateway_id)
        released = rules.release_blocked(customer_id)
    except InvalidInput as error:
        return _customer_page(row, format=format_id, gateway_id=gateway_id, errors=error.errors), 422
    flash(saved(released), "success")
    _tell_of_waiting(row.adaptor_id, [customer_id])
    return redirect(url_for(".customer", customer_id=customer_id), 303)


@blueprint.post("/<customer_id>/stop")
def stop(customer_id: str) -> ResponseReturnValue:
    """Deactivate one customer."""
    row = scoped(Customer, customer_id)
    rules.deactivate(row.adaptor_id, [customer_id])
    flash(_("The customer is deactivated. The settings are kept."), "success")
    return redirect(url_for(".customer", customer_id=customer_id), 303)


@blueprint.post("/<customer_id>/settings")
def save_settings(customer_id: str) -> ResponseReturnValue:
    """Keep one customer's own settings; empty ones inherit."""
    row = scoped(Customer, customer_id)
    raw = raw_settings(row, request.form)
    try:
        released = rules.save_overrides(customer_id, raw)
    except InvalidInput as error:
        shown = groups(scoped(Adaptor, row.adaptor_id), row, raw, error.errors)
        return _customer_page(row, groups=shown, errors=error.errors), 422
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for(".customer", customer_id=customer_id), 303)
    flash(saved(released), "success")
    return redirect(url_for(".customer", customer_id=customer_id), 303)
