"""One customer: activation, settings and latest documents."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import saved
from invoiceapp.blueprints.main.links import Link
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.settings.conflicts import marked
from invoiceapp.blueprints.settings.lines import Section, chosen_section, example_asked_for
from invoiceapp.blueprints.settings.results import conflict_status, tell_saved
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.configuration import changes, customers, rules, saving
from invoiceapp.services.configuration.settings import RULE
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.daily import of_customer
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.export import history
from invoiceapp.services.people import usable
from invoiceapp.services.people.access import actor, scoped
from invoiceapp.services.reach import queries

from .activation import choices, stopped_words, tell_of_waiting
from .blueprint import blueprint
from .forms import raw_settings, section, tabs


def _customer_page(customer: Customer, shown: Section, **context: Any) -> str:
    adaptor = scoped(Adaptor, customer.adaptor_id)
    context.setdefault("errors", {})
    return render_page_or_fragment(
        "rules/customer.html", "settings/_section.html", adaptor=adaptor, customer=customer, section=shown,
        tabs=tabs(customer, shown.name), action=url_for("rules.save_settings", customer_id=customer.id),
        rows=history.of_customer(customer.id), hints=customers.hints(customer),
        activation_version=saving.activation_version(customer.rule),
        waiting=of_customer.waiting(customer.id),
        is_by_network=queries.is_by_network(customer.rule, adaptor),
        has_errors=bool(shown.errors or context["errors"]),
        **{**choices(adaptor), "format": saving.proposed_format(adaptor, customer), **context},
    )  # fmt: skip


def _section(customer: Customer, *arguments: Any) -> Section:
    name = chosen_section((request.form if request.method == "POST" else request.args).get("group", ""))
    return section(scoped(Adaptor, customer.adaptor_id), customer, name, *arguments)


@blueprint.get("/<customer_id>")
@policy("adaptor:view")
def customer(customer_id: str) -> str:
    """One customer: activation, a section of its settings (``?group=``) and its latest documents."""
    row = scoped(Customer, customer_id)
    return _customer_page(row, _section(row))


@blueprint.post("/<customer_id>/rule")
@policy("adaptor:edit")
def save_rule(customer_id: str) -> ResponseReturnValue:
    """Activate one customer. Format and gateway of an active one are changed in its settings."""
    row = scoped(Customer, customer_id)
    format_id, gateway_id = request.form.get("format", ""), request.form.get("gateway", "")
    usable.require(gateway_id, scoped(Adaptor, row.adaptor_id))
    try:
        released = saving.activate(customer_id, format_id, gateway_id, actor=actor(), shown=request.form.get("version"))
    except InvalidInput as error:
        return _customer_page(row, _section(row), format=format_id, gateway_id=gateway_id, errors=error.errors), 422
    except ServiceError as error:
        flash(say(error.text), "error")
        # Somebody else was first: where the format stands is where it is seen.
        group = "format" if isinstance(error, Conflict) else None
        return redirect(url_for(".customer", customer_id=customer_id, group=group), 303)
    flash(saved(released), "success")
    tell_of_waiting(row.adaptor_id, [customer_id])
    return redirect(url_for(".customer", customer_id=customer_id), 303)


@blueprint.post("/<customer_id>/stop")
@policy("adaptor:edit")
def stop(customer_id: str) -> ResponseReturnValue:
    """Deactivate one customer."""
    row = scoped(Customer, customer_id)
    stopped = rules.deactivate_all(row.adaptor_id, [customer_id], actor()).stopped
    flash(_("The customer is deactivated. The settings are kept."), "success")
    if stopped:
        flash(stopped_words(stopped), "info")
    return redirect(url_for(".customer", customer_id=customer_id), 303)


def _follow(customer: Customer) -> list[Link]:
    """To what was released, and back to why it waited."""
    documents = url_for("main.dashboard", adaptor=customer.adaptor_id, customer=customer.id)
    links = [Link(documents, _("Follow the documents"))]
    if problem := of_customer.problem_id(customer.id):
        links.append(Link(url_for("problems.show", problem_id=problem), _("Back to the problem")))
    return links


@blueprint.post("/<customer_id>/settings")
@policy("adaptor:edit")
def save_settings(customer_id: str) -> ResponseReturnValue:
    """Keep a section of one customer's own settings; empty ones inherit."""
    row = scoped(Customer, customer_id)
    plain = _section(row)
    raw = raw_settings(row, plain.name, request.form)
    usable.require(raw.get("gateway", ""), scoped(Adaptor, row.adaptor_id))
    if example := example_asked_for(plain, request.form, raw):
        return redirect(example, 303)
    try:
        done = saving.save_overrides(
            customer_id, raw, actor=actor(), shown=request.form.get("version"), section=plain.name
        )
    except InvalidInput as error:
        return _customer_page(row, _section(row, raw, error.errors)), 422
    except ChangedMeanwhile as error:
        stored = changes.of_rule(row.rule)
        # Where one choice was overtaken by the other, both must be seen.
        typed = {**stored.get(RULE, {}), **raw} if plain.choices else raw
        overtaken = marked(_section(row, typed), row.adaptor_id, customer_id, stored, typed)
        return _customer_page(row, overtaken, conflict=error.text), conflict_status()
    except ServiceError as error:
        return _customer_page(row, _section(row, raw), refused=error.text), 422
    tell_saved(done, _follow(row) if done.released else ())
    return redirect(url_for(".customer", customer_id=customer_id, group=plain.name), 303)
