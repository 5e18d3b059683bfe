"""One customer: activation, settings and latest documents."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import saved
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.configuration import customers, rules, saving
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import history
from invoiceapp.services.people.access import actor, scoped

from .activation import choices, tell_of_waiting
from .blueprint import blueprint
from .forms import groups, raw_settings


def _customer_page(customer: Customer, **context: Any) -> str:
    adaptor = scoped(Adaptor, customer.adaptor_id)
    errors = context.setdefault("errors", {})
    context.setdefault("groups", groups(adaptor, customer))
    chosen = choices(adaptor)
    if customer.rule:
        chosen |= {"format": customer.rule.format, "gateway_id": customer.rule.gateway_id}
    return render_template(
        "rules/customer.html", adaptor=adaptor, customer=customer, rows=history.of_customer(customer.id),
        hints=customers.hints(customer), has_errors=bool(errors), **{**chosen, **context},
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
    tell_of_waiting(row.adaptor_id, [customer_id])
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
        released = saving.save_overrides(customer_id, raw, actor=actor()).released
    except InvalidInput as error:
        shown = groups(scoped(Adaptor, row.adaptor_id), row, raw, error.errors)
        return _customer_page(row, groups=shown, errors=error.errors), 422
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for(".customer", customer_id=customer_id), 303)
    flash(saved(released), "success")
    return redirect(url_for(".customer", customer_id=customer_id), 303)
