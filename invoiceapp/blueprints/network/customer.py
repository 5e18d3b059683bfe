"""One customer: all ways to it with their reasons, the person's choice among them, and what the registers said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import raw_values, typed_values
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer, MatchState
from invoiceapp.services.configuration import gateways
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.people.access import actor, scoped
from invoiceapp.services.reach import accepting, looking_back, queries
from invoiceapp.services.reach.candidates import Basis
from invoiceapp.services.reach.routes import Route, participant_of, same

from . import words
from .blueprint import blueprint
from .matches import remark_link

_ADDRESS = Field(
    "address",
    Text("En anden adresse", "Another address"),
    FieldType.PARTICIPANT,
    help=Text(
        "Den gælder kun denne kunde og står også i kundens indstillinger, hvor den kan fjernes igen.",
        "It counts for this customer only, and stands in the customer's settings too, where it can be removed.",
    ),
)


def _addresses(row: queries.Row) -> list[tuple[Participant, list[Route]]]:
    """The addresses that a person chooses among, each with its ways; only where the choice is open."""
    if row.state is not MatchState.SEVERAL:
        return []
    found: dict[Participant, list[Route]] = {}
    for route in row.routes:
        if route.basis is Basis.COMPANY and route.participant is not None:
            found.setdefault(route.participant, []).append(route)
    return list(found.items())


def _page(customer: Customer, **context: Any) -> str:
    row = queries.one(customer.id)
    adaptor = scoped(Adaptor, customer.adaptor_id)
    said = looking_back.of_customer(customer.id)
    return render_template(
        "network/customer.html",
        **{
            "row": row, "customer": row.customer, "match": row.match, "adaptor": adaptor, "said": said,
            "addresses": _addresses(row), "route_key": accepting.route_key, "same": same, "remark_link": remark_link,
            "gateway_names": {one.id: one.name for one in gateways.of_subscription(adaptor.subscription_id)},
            "is_offered": queries.is_offered(adaptor.id), "is_by_network": queries.is_by_network(row.customer.rule, adaptor),
            "register_label": words.register_label, "asked": words.asked, "outcome_look": words.outcome_look,
            "address_field": _ADDRESS, "typed": None, "errors": {}, "has_errors": bool(context.get("errors")), **context,
        },
    )  # fmt: skip


@blueprint.get("/customers/<customer_id>")
@policy("adaptor:view")
def customer(customer_id: str) -> str:
    """One customer."""
    return _page(scoped(Customer, customer_id))


def _changed(customer_id: str, change: Callable[[], object], told: str) -> ResponseReturnValue:
    """Do something to one customer and go back to its page, with what was refused."""
    try:
        change()
        flash(told, "success")
    except Conflict as error:
        flash(say(error.text), "warning")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(url_for(".customer", customer_id=customer_id), 303)


@blueprint.post("/customers/<customer_id>/take")
@policy("adaptor:edit")
def take(customer_id: str) -> ResponseReturnValue:
    """Activate the customer by one of its ways; with ``pin`` that way stays, whatever is found later."""
    row = scoped(Customer, customer_id)
    key, is_pinned = request.form.get("route", ""), bool(request.form.get("pin"))
    told = _("The customer is activated with this way, and it is kept.") if is_pinned else _(
        "The customer is activated with this way."
    )  # fmt: skip
    return _changed(row.id, lambda: accepting.take(row.id, key, actor(), pin=is_pinned), told)


@blueprint.post("/customers/<customer_id>/unpin")
@policy("adaptor:edit")
def unpin(customer_id: str) -> ResponseReturnValue:
    """Let the way follow what is found."""
    row = scoped(Customer, customer_id)
    return _changed(
        row.id, lambda: accepting.unpin(row.id), _("The way is no longer pinned: the best one is proposed again.")
    )


@blueprint.post("/customers/<customer_id>/choose")
@policy("adaptor:edit")
def choose(customer_id: str) -> ResponseReturnValue:
    """Say which of several addresses, or which better one, is the customer's (``participant``)."""
    row = scoped(Customer, customer_id)
    address = participant_of(request.form.get("participant"))
    if address is None:
        text = Text("Vælg en af adresserne.", "Choose one of the addresses.")
        return _page(row, errors={"participant": text}), 422
    return _chosen(row, address, "participant")


@blueprint.post("/customers/<customer_id>/address")
@policy("adaptor:edit")
def set_address(customer_id: str) -> ResponseReturnValue:
    """Give the customer an address that the registers did not name."""
    row = scoped(Customer, customer_id)
    raw = raw_values([_ADDRESS], request.form)
    scheme, _colon, value = raw.get(_ADDRESS.name, "").partition(":")
    if not value.strip():
        text = Text("Skriv adressens nummer.", "Write the number of the address.")
        return _page(row, errors={_ADDRESS.name: text}), 422
    return _chosen(row, Participant.of(scheme, value), _ADDRESS.name, typed_values([_ADDRESS], raw)[_ADDRESS.name])


def _chosen(row: Customer, address: Participant, field: str, typed: Any = None) -> ResponseReturnValue:
    customer_id = row.id
    try:
        accepting.choose(customer_id, address, actor())
    except InvalidInput as error:
        shown = {field: next(iter(error.errors.values()))}
        return _page(scoped(Customer, customer_id), errors=shown, typed=typed), 422
    except ServiceError as error:
        flash(say(error.text), "error")
    else:
        flash(
            _("%(address)s is now the customer's address, and was looked up.", address=words.shown(address)), "success"
        )
    return redirect(url_for(".customer", customer_id=customer_id), 303)
