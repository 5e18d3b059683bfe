"""The list of customers: searched, narrowed, in an order, page by page; all of it in the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.main.links import Link, fix_link
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.readings import words_of
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.formatting import in_language
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer, Gateway
from invoiceapp.services.configuration import bulk, customer_reading, customers, readiness, rules
from invoiceapp.services.configuration.customers import Filter
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people import usable
from invoiceapp.services.people.access import scoped

from .blueprint import blueprint

#: Orders to choose from, the first one the usual one; headings of the list turn theirs round.
_FIRST_ORDER = {"name": "name", "volume": "-volume", "readiness": "readiness", "country": "country"}


def read_filter(adaptor: Adaptor, values: Mapping[str, str], prefix: str = "") -> tuple[Filter, list[Gateway]]:
    """What an address or a form asks for, and the gateways to choose from; another tenant's gateway is as if not there."""
    found = usable.gateways(adaptor)
    known = {**values}
    if known.get(f"{prefix}gateway") not in {row.id for row in found}:
        known.pop(f"{prefix}gateway", None)
    return Filter.read(known, prefix), found


def list_url(adaptor: Adaptor, wanted: Filter | None = None) -> str:
    """The list of an adaptor, with a filter."""
    kept: dict[str, Any] = {**wanted.parameters()} if wanted else {}
    return url_for("rules.index", adaptor=adaptor.id, **kept)


class _Place:
    """Where in the list the reader is: filter and order, kept by every link."""

    def __init__(self, adaptor: Adaptor, wanted: Filter, sort: str) -> None:
        self.sort = sort
        self._kept: dict[str, Any] = {"adaptor": request.args.get("adaptor") and adaptor.id, **wanted.parameters()}

    def url(self, sort: str | None = None, **cursor: str) -> str:
        """The same list in another order, or another page of it."""
        wanted = sort or self.sort
        values = {**self._kept, "sort": None if wanted == "name" else wanted, **cursor}
        return url_for("rules.index", **values)

    def column(self, name: str, label: str, **look: str) -> dict[str, str]:
        """A heading that puts the list in order, and turns the order round."""
        heading = {"label": label, "id": f"sort-{name}", **look}
        if self.sort not in (name, f"-{name}"):
            return {**heading, "sort_url": self.url(_FIRST_ORDER[name])}
        is_descending = self.sort.startswith("-")
        heading["sorted"] = "descending" if is_descending else "ascending"
        return {**heading, "sort_url": self.url(name if is_descending else f"-{name}")}


def orders() -> list[tuple[str, str]]:
    """The orders of the list: value and words. On a phone there are no headings to press."""
    return [
        ("name", _("Name")), ("-name", _("Name, from the end")), ("-volume", _("Most invoices")),
        ("volume", _("Fewest invoices")), ("readiness", _("What needs something first")),
        ("-readiness", _("Not checked first")), ("country", _("Country")), ("-country", _("Country, from the end")),
    ]  # fmt: skip


def shows() -> list[tuple[str, str]]:
    """What the list can be narrowed to."""
    return [
        ("active", _("Activated")), ("inactive", _("Not activated")), ("ready", _("Ready")),
        ("needs", _("Needs something")), ("new", _("New")),
    ]  # fmt: skip


def problem_link(customer: Customer, problem: Mapping[str, Any]) -> Link | None:
    """Where a known problem of a customer is mended, as far as that is one place of ours."""
    return fix_link(problem.get("fix"), "", customer.id, on_document=True)


def _sort() -> str:
    wanted = request.args.get("sort", "")
    return wanted if wanted in customers.SORTS else "name"


@blueprint.get("")
@policy("adaptor:view")
def index() -> str:
    """Customers with filter, order and selection."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        return render_template("rules/empty.html")
    (wanted, found), sort = read_filter(adaptor, request.args), _sort()
    after, before = request.args.get("after", ""), request.args.get("before", "")
    return render_page_or_fragment(
        "rules/page.html",
        "rules/_list.html",
        adaptor=adaptor,
        wanted=wanted,
        place=_Place(adaptor, wanted, sort),
        listed=customers.page(adaptor.id, wanted, sort=sort, after=after, before=before),
        counts=customers.counts(adaptor.id),
        waiting=customers.count_new(adaptor.id),
        job=bulk.active_job(adaptor.id),
        hints=customers.hints,
        problem_link=problem_link,
        short_text=readiness.short_text,
        orders=orders(),
        shows=shows(),
        country_choices=[(code, code) for code in customers.countries(adaptor.id)],
        format_names={name: in_language(label) for name, label in rules.format_choices()},
        gateway_choices=[(row.id, row.name) for row in found],
        scope=request.args.get("adaptor"),
    )


@blueprint.post("/<adaptor_id>/read")
@policy("adaptor:edit")
def read(adaptor_id: str) -> ResponseReturnValue:
    """Read the customers from the source now."""
    adaptor = scoped(Adaptor, adaptor_id)
    try:
        flash(words_of(customer_reading.read_now(adaptor_id)), "success")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(list_url(adaptor), 303)
