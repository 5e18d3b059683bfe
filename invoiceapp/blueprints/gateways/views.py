"""List, new and edit pages of gateways, and the connection test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import raw_values, typed_values
from invoiceapp.blueprints.plaintext import blocks, title
from invoiceapp.blueprints.tenancy import protect
from invoiceapp.formatting import language
from invoiceapp.htmx import is_htmx
from invoiceapp.languages import say
from invoiceapp.models import Gateway
from invoiceapp.services.configuration import gateways
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people.access import require_configure, scoped, subscription

blueprint = Blueprint("gateways", __name__, url_prefix="/gateways")
protect(blueprint)


@blueprint.get("")
def index() -> str:
    """All gateways of the subscription."""
    rows = gateways.of_subscription(subscription().id)
    return render_template(
        "gateways/page.html",
        gateways=rows,
        kinds=gateways.kinds(),
        waiting=gateways.waiting([row.id for row in rows]),
    )


@blueprint.get("/new")
def choose_kind() -> str:
    """Which kind of gateway to make."""
    require_configure()
    return render_template("gateways/choose.html", kinds=gateways.kinds())


def _transport(kind: str) -> Any:
    if kind not in gateways.kinds():
        abort(404)
    return gateways.kinds()[kind]


def _help(kind: str) -> dict[str, Any]:
    text = gateways.help_of(kind, language())
    return {"help_title": title(text), "help_blocks": list(blocks(text))}


def _new_form(kind: str, name: str, values: Mapping[str, Any], errors: Mapping[str, Any]) -> str:
    return render_template(
        "gateways/new.html", kind=kind, transport=_transport(kind), name=name, values=values, errors=errors,
        has_errors=bool(errors), **_help(kind),
    )  # fmt: skip


@blueprint.get("/new/<kind>")
def new(kind: str) -> str:
    """The form of a new gateway, with the kind's defaults."""
    require_configure()
    transport = _transport(kind)
    return _new_form(kind, "", {field.name: field.default for field in transport.fields}, {})


@blueprint.post("/new/<kind>")
def create(kind: str) -> ResponseReturnValue:
    """Keep a new gateway."""
    fields = _transport(kind).fields
    raw = raw_values(fields, request.form)
    name = request.form.get("name", "")
    try:
        gateway = gateways.save(subscription().id, kind, name, raw)
    except InvalidInput as error:
        return _new_form(kind, name, typed_values(fields, raw), error.errors), 422
    flash(_("The gateway is saved. Test the connection before you use it."), "success")
    return redirect(url_for(".edit", gateway_id=gateway.id), 303)


def _edit_page(
    gateway: Gateway, *, name: str | None = None, values: Mapping[str, Any] | None = None, **context: Any
) -> str:
    errors = context.setdefault("errors", {})
    return render_template(
        "gateways/edit.html", gateway=gateway, transport=gateways.transport_class(gateway),
        name=gateway.name if name is None else name, values=gateway.config if values is None else values,
        advice=gateways.advice(gateway), waiting=gateways.waiting([gateway.id]).get(gateway.id, 0),
        has_errors=bool(errors), **_help(gateway.kind), **context,
    )  # fmt: skip


@blueprint.get("/<gateway_id>")
def edit(gateway_id: str) -> str:
    """One gateway: state, settings, connection test."""
    return _edit_page(scoped(Gateway, gateway_id))


@blueprint.post("/<gateway_id>")
def save(gateway_id: str) -> ResponseReturnValue:
    """Keep changed settings; an empty secret keeps the saved one."""
    gateway = scoped(Gateway, gateway_id)
    fields = gateways.transport_class(gateway).fields
    raw = raw_values(fields, request.form)
    name = request.form.get("name", "")
    try:
        gateways.save(gateway.subscription_id, gateway.kind, name, raw, gateway_id)
    except InvalidInput as error:
        return _edit_page(gateway, name=name, values=typed_values(fields, raw), errors=error.errors), 422
    flash(_("The gateway is saved."), "success")
    return redirect(url_for(".edit", gateway_id=gateway_id), 303)


@blueprint.post("/<gateway_id>/check")
def check(gateway_id: str) -> ResponseReturnValue:
    """Test the connection with the saved settings. The answer is the result: there is nothing to redirect to."""
    scoped(Gateway, gateway_id)
    problem, steps = "", []
    try:
        steps = gateways.check(gateway_id)
    except ServiceError as error:
        problem = say(error.text)
    gateway = scoped(Gateway, gateway_id)
    result: dict[str, Any] = {
        "steps": steps,
        "problem": problem,
        "host_key": gateways.shown_host_key(gateway, steps),
        "checked": True,
    }
    if is_htmx():
        return render_template("gateways/_check.html", gateway=gateway, **result)
    return _edit_page(gateway, **result)


@blueprint.post("/<gateway_id>/trust")
def trust(gateway_id: str) -> ResponseReturnValue:
    """Confirm the server's key that the connection test showed."""
    scoped(Gateway, gateway_id)
    try:
        gateways.trust_host_key(gateway_id, request.form.get("host_key", ""))
        flash(_("The fingerprint is confirmed. Test the connection once more."), "success")
    except InvalidInput as error:
        flash(say(next(iter(error.errors.values()))), "error")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(url_for(".edit", gateway_id=gateway_id), 303)


@blueprint.post("/<gateway_id>/resume")
def resume(gateway_id: str) -> ResponseReturnValue:
    """Send again through a paused gateway."""
    scoped(Gateway, gateway_id)
    gateways.resume(gateway_id)
    flash(_("The gateway sends again. What waited goes first."), "success")
    return redirect(url_for(".edit", gateway_id=gateway_id), 303)
