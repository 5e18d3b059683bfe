"""Copying one customer's settings to others: choose, see what will happen, copy."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from invoiceapp.blueprints.declared import section_title
from invoiceapp.blueprints.policy import policy
from invoiceapp.htmx import hx_redirect, render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Customer
from invoiceapp.services.configuration import profiles
from invoiceapp.services.configuration.customers import Filter
from invoiceapp.services.configuration.settings import SECTIONS
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people.access import actor, may_configure, scoped

from .blueprint import blueprint


def _searched() -> str:
    """What the form looks for, as the list of customers takes it."""
    return Filter.read({"q": request.form.get("q", "")}).text


def _ticked(customer: Customer, text: str) -> list[str]:
    """Ids that were ticked, or all that match the search; one more than may be, at most."""
    if "everything" in request.form:
        return profiles.found_ids(customer.adaptor_id, text, customer.id)
    return list(dict.fromkeys(request.form.getlist("ids")))[: profiles.MOST + 1]


def _offered(customer: Customer) -> list[tuple[str, str, int]]:
    """Name, title and number of values of the sections that hold something to copy."""
    if customer.rule is None:
        return []
    counts = {name: len(profiles.of_customer(customer.rule, [name]).values) for name in SECTIONS}
    return [(name, section_title(name), count) for name, count in counts.items() if count]


def _page(customer: Customer, ticked: list[str], **context: Any) -> str:
    text = _searched()
    found = profiles.candidates(customer.adaptor_id, text, ticked, customer.id)
    return render_page_or_fragment(
        "rules/copy.html", "rules/_copy.html",
        **{
            "customer": customer, "offered": _offered(customer), "shown": found.shown, "ticked": ticked, "text": text, "errors": {},
            "chosen": request.form.getlist("sections"), "matching": found.matching, "most": profiles.MOST,
            **context,
        },
    )  # fmt: skip


@blueprint.route("/<customer_id>/copy", methods=["GET", "POST"])
@policy("adaptor:edit")
def copy(customer_id: str) -> ResponseReturnValue:
    """Choose what to copy to whom (``step=search``), see what it would do (``preview``), do it (``copy``)."""
    customer = scoped(Customer, customer_id)
    if customer.rule is None or not may_configure():
        return redirect(url_for(".customer", customer_id=customer_id))
    if request.method == "GET":
        return _page(customer, [], chosen=["general", "supplier", "customer"])
    ticked = _ticked(customer, _searched())
    sections = request.form.getlist("sections")
    try:
        if request.form.get("step") == "preview":
            return _page(customer, ticked, plan=profiles.plan(customer, ticked, sections))
        if request.form.get("step") == "copy":
            return _copied(customer_id, profiles.copy(customer_id, ticked, sections, actor=actor()))
    except InvalidInput as error:
        return _page(customer, ticked, errors=error.errors, has_errors=True), 422
    except ServiceError as error:
        flash(say(error.text), "error")
        return hx_redirect(url_for(".customer", customer_id=customer_id))
    return _page(customer, ticked)


def _copied(customer_id: str, count: int) -> ResponseReturnValue:
    text = ngettext(
        "The settings were copied to %(num)s customer. Each can be undone in the history.",
        "The settings were copied to %(num)s customers. Each can be undone in the history.",
        count,
    )
    flash(text, "success" if count else "info")
    return hx_redirect(url_for(".customer", customer_id=customer_id))
