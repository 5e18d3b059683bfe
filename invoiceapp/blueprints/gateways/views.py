"""List, new and edit pages of gateways, and the connection test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from invoiceapp.blueprints.declared import grouped, raw_values, typed_values
from invoiceapp.blueprints.main.way_back import is_here
from invoiceapp.blueprints.plaintext import blocks, title
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.permissions import Action
from invoiceapp.formatting import language
from invoiceapp.htmx import is_htmx
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Environment, Gateway
from invoiceapp.services.configuration import adaptors, environments, expiries, gateway_usage, gateways, host_keys
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import resending
from invoiceapp.services.people import access
from invoiceapp.services.people.access import actor, scoped, subscription
from invoiceapp.services.receipts import queries as receipts

from . import choosing
from .blueprint import blueprint
from .resending import as_input

_NAME = Field(
    "name",
    Text("Navn", "Name"),
    required=True,
    help=Text(
        "Det, I kalder den i lister, f.eks. operatøren eller modtageren.",
        "What you call it in lists, for example the operator or the receiver.",
    ),
)
_ENVIRONMENT = environments.field(
    Text(
        "Test: til prøver, f.eks. operatørens testsystem. En testadaptor kan kun bruge testgateways. I drift: her sendes rigtigt.",
        "Test: for trials, such as an operator's test system. A test adaptor can use test gateways only. Live: sends for real.",
    )
)


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """All gateways of the subscription."""
    rows = access.gateways()
    return render_template(
        "gateways/page.html",
        gateways=rows,
        kinds=gateways.kinds(),
        waiting=gateways.waiting([row.id for row in rows]),
        endings={row.id: expiries.endings(row) for row in rows},
        lacks={row.id: _lack(row) for row in rows},
    )


def _lack(gateway: Gateway) -> Finding | None:
    """Why nothing can be sent through it yet."""
    if gateway.kind not in gateways.kinds():
        return None
    return next((finding for finding in gateways.advice(gateway) if finding.is_fatal), None)


def _ways() -> dict[str, str]:
    """Where to go after a new gateway is made, and the adaptor that waits for it as its default one."""
    found = {name: request.values.get(name, "") for name in ("next", "default_of")}
    if not is_here(found["next"]):
        found["next"] = ""
    return {name: value for name, value in found.items() if value}


@blueprint.get("/new")
@policy("subscription:admin")
def choose_kind() -> str:
    """Which kind of gateway to make."""
    return render_template("gateways/choose.html", groups=choosing.groups(), ways=_ways())


def _transport(kind: str) -> Any:
    if kind not in gateways.kinds():
        abort(404)
    return gateways.kinds()[kind]


def _help(kind: str) -> dict[str, Any]:
    text = gateways.help_of(kind, language())
    return {"help_title": title(text), "help_blocks": list(blocks(text))}


def _waiting_adaptor() -> Adaptor | None:
    """The adaptor whose default gateway the new one becomes. Raises ``NotYours``, ``NotAllowed``."""
    wanted = _ways().get("default_of")
    if not wanted:
        return None
    row = scoped(Adaptor, wanted)
    access.require(Action.EDIT, row)
    return row


def _new_form(kind: str, name: str, environment: str, values: Mapping[str, Any], errors: Mapping[str, Any]) -> str:
    return render_template(
        "gateways/new.html", kind=kind, name=name, environment=environment, values=values, errors=errors,
        has_errors=bool(errors), ways=_ways(), version="", waiting_adaptor=_waiting_adaptor(),
        **_declared(_transport(kind)), **_help(kind),
    )  # fmt: skip


def _declared(transport: Any, *, with_secrets: bool = True) -> dict[str, Any]:
    """The form's fields: ours, and under their headings those that the transport declares."""
    fields = tuple(one for one in transport.fields if with_secrets or not one.secret)
    return {
        "transport": transport,
        "own_fields": (_NAME, _ENVIRONMENT),
        "fields": (_NAME, _ENVIRONMENT, *fields),
        "groups": grouped(fields),
    }


@blueprint.get("/new/<kind>")
@policy("subscription:admin")
def new(kind: str) -> str:
    """The form of a new gateway, with the kind's defaults."""
    transport, adaptor = _transport(kind), _waiting_adaptor()
    environment = adaptor.environment if adaptor else Environment.LIVE
    return _new_form(kind, "", environment.value, {field.name: field.default for field in transport.fields}, {})


@blueprint.post("/new/<kind>")
@policy("subscription:admin", fresh=True)
def create(kind: str) -> ResponseReturnValue:
    """Keep a new gateway, and go back to where it was wanted."""
    fields = _transport(kind).fields
    raw = raw_values(fields, request.form)
    name, environment = request.form.get("name", ""), request.form.get("environment", Environment.LIVE.value)
    adaptor = _waiting_adaptor()
    try:
        found = gateways.keep(
            subscription().id, kind, name, raw, environment=environment, creator_id=current_user.id,
            adaptor_ids=[row.id for row in access.open_to(access.of_subscription(Adaptor), Action.EDIT)],
        )  # fmt: skip
    except InvalidInput as error:
        return _new_form(kind, name, environment, typed_values(fields, raw), error.errors), 422
    flash(_("The gateway is saved. Test the connection before you use it."), "success")
    for row in found.default_of:
        _tell_default(found.gateway.name, row.name)
    if adaptor is not None and adaptor.default_gateway_id != found.gateway.id:
        _make_default(adaptor, found.gateway)
    return redirect(_ways().get("next") or url_for(".edit", gateway_id=found.gateway.id), 303)


def _tell_default(gateway_name: str, adaptor_name: str) -> None:
    text = _("“%(gateway)s” is the default gateway of “%(name)s”.", gateway=gateway_name, name=adaptor_name)
    flash(text, "success")


def _make_default(adaptor: Adaptor, gateway: Gateway) -> None:
    adaptor_name, gateway_name = adaptor.name, gateway.name
    try:
        adaptors.set_default_gateway(adaptor.id, gateway.id)
    except InvalidInput as error:
        flash(_("It is not the default gateway of “%(name)s”.", name=adaptor_name), "warning")
        flash(say(next(iter(error.errors.values()))), "warning")
        return
    _tell_default(gateway_name, adaptor_name)


def _edit_page(
    gateway: Gateway, *, name: str | None = None, values: Mapping[str, Any] | None = None, **context: Any
) -> str:
    shown: dict[str, Any] = {"errors": {}, "conflict": "", "environment": gateway.environment.value} | context
    return render_template(
        "gateways/edit.html", gateway=gateway, name=gateway.name if name is None else name,
        values=gateway.config if values is None else values, version=gateways.version(gateway), ways=_ways(),
        advice=gateways.advice(gateway), waiting=gateways.waiting([gateway.id]).get(gateway.id, 0),
        endings=[one for one in expiries.endings(gateway) if one.level is not None],
        incoming=receipts.newest(gateway.id), inbound_url=gateways.told_inbound_url(gateway),
        since=as_input(resending.usual_start(gateway)), has_errors=bool(shown["errors"] or shown["conflict"]),
        **_declared(gateways.transport_class(gateway), with_secrets=access.may_manage(gateway)), **_help(gateway.kind), **shown,
    )  # fmt: skip


@blueprint.get("/<gateway_id>")
@policy("gateway:view")
def edit(gateway_id: str) -> str:
    """One gateway: state, settings, connection test."""
    return _edit_page(scoped(Gateway, gateway_id))


@blueprint.post("/<gateway_id>")
@policy("gateway:edit", fresh=True)
def save(gateway_id: str) -> ResponseReturnValue:
    """Keep changed settings; an empty secret keeps the saved one."""
    gateway = scoped(Gateway, gateway_id)
    fields = gateways.transport_class(gateway).fields
    raw = raw_values(fields, request.form)
    if any(one.secret and raw.get(one.name) for one in fields):
        access.require(Action.MANAGE, gateway)
    name, environment = request.form.get("name", ""), request.form.get("environment", gateway.environment.value)
    typed: dict[str, Any] = {"name": name, "environment": environment, "values": typed_values(fields, raw)}
    try:
        found = gateways.keep(
            gateway.subscription_id, gateway.kind, name, raw, gateway_id, environment=environment, actor=actor(),
            shown=request.form.get("version"),
        )  # fmt: skip
    except InvalidInput as error:
        return _edit_page(scoped(Gateway, gateway_id), errors=error.errors, **typed), 422
    except ChangedMeanwhile as error:
        return _edit_page(scoped(Gateway, gateway_id), conflict=say(error.text), **typed), 409
    flash(_("The gateway is saved."), "success")
    _tell_of(found)
    return redirect(_ways().get("next") or url_for(".edit", gateway_id=gateway_id), 303)


def _tell_of(found: gateways.Saved) -> None:
    """What became of documents, where the environment was changed."""
    if found.held_back:
        text = ngettext(
            "%(num)s document of a test adaptor that waited is stopped: the gateway is live now.",
            "%(num)s documents of test adaptors that waited are stopped: the gateway is live now.",
            found.held_back,
        )
        flash(text, "warning")
    if found.released:
        text = ngettext(
            "%(num)s document that was stopped is tried again.",
            "%(num)s documents that were stopped are tried again.",
            found.released,
        )
        flash(text, "info")


@blueprint.get("/<gateway_id>/delete")
@policy("gateway:manage")
def ask_to_delete(gateway_id: str) -> str:
    """Whether a gateway can be deleted, and what uses it."""
    return _deletion_page(scoped(Gateway, gateway_id))


def _deletion_page(gateway: Gateway, problem: str = "") -> str:
    return render_template(
        "gateways/delete.html",
        gateway=gateway,
        usage=gateway_usage.usage(gateway.id),
        problem=problem,
        has_errors=bool(problem),
    )


@blueprint.post("/<gateway_id>/delete")
@policy("gateway:manage", fresh=True)
def delete(gateway_id: str) -> ResponseReturnValue:
    """Delete a gateway that nothing needs."""
    name = scoped(Gateway, gateway_id).name
    try:
        gateway_usage.delete(gateway_id)
    except gateway_usage.InUse as error:
        return _deletion_page(scoped(Gateway, gateway_id), say(error.text)), 409
    flash(_("The gateway “%(name)s” is deleted.", name=name), "success")
    return redirect(url_for(".index"), 303)


@blueprint.post("/<gateway_id>/pause")
@policy("gateway:edit")
def pause(gateway_id: str) -> ResponseReturnValue:
    """Send nothing through it until a person starts it again."""
    scoped(Gateway, gateway_id)
    gateways.pause_by_person(gateway_id, actor(), request.form.get("reason", ""))
    flash(_("The gateway is paused. What is to be sent waits."), "success")
    return redirect(url_for(".edit", gateway_id=gateway_id), 303)


@blueprint.post("/<gateway_id>/check")
@policy("gateway:edit")
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
        "host_key": host_keys.shown(gateway, steps),
        "checked": True,
    }
    if is_htmx():
        return render_template("gateways/_check.html", gateway=gateway, **result)
    return _edit_page(gateway, **result)


@blueprint.post("/<gateway_id>/trust")
@policy("gateway:manage", fresh=True)
def trust(gateway_id: str) -> ResponseReturnValue:
    """Confirm the server's key that the connection test showed."""
    scoped(Gateway, gateway_id)
    try:
        host_keys.trust(gateway_id, request.form.get("host_key", ""))
        flash(_("The fingerprint is confirmed. Test the connection once more."), "success")
    except InvalidInput as error:
        flash(say(next(iter(error.errors.values()))), "error")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(url_for(".edit", gateway_id=gateway_id), 303)


@blueprint.post("/<gateway_id>/resume")
@policy("gateway:edit")
def resume(gateway_id: str) -> ResponseReturnValue:
    """Send again through a paused gateway."""
    scoped(Gateway, gateway_id)
    gateways.resume(gateway_id, actor())
    flash(_("The gateway sends again. What waited goes first."), "success")
    return redirect(url_for(".edit", gateway_id=gateway_id), 303)
