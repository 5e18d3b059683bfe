"""All adaptors, the catalogue, and activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp.blueprints.declared import raw_values, typed_values
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.permissions import Action
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Environment
from invoiceapp.services.configuration import adaptors, gateways
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access, usable

from .blueprint import blueprint
from .forms import activation_fields, destination, environment_text


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """My adaptors, what can be connected, and what was deleted."""
    rows = [row for row in adaptors.overview(access.subscription().id) if access.may(Action.VIEW, row.adaptor)]
    wanted = request.args.get("q", "").strip()
    return render_page_or_fragment(
        "adaptors/page.html",
        "adaptors/_cards.html",
        rows=[row for row in rows if row.adaptor.deleted_at is None],
        deleted=[row for row in rows if row.adaptor.deleted_at is not None],
        wanted=wanted,
        sources=adaptors.matching(wanted),
        all_sources=adaptors.catalogue(),
        environment_text=environment_text,
    )


@blueprint.get("/catalogue")
@policy("subscription:view")
def catalogue() -> ResponseReturnValue:
    """The catalogue is a part of the page of all adaptors."""
    return redirect(url_for(".index", _anchor="catalogue"))


def _activation_page(kind: str, values: Mapping[str, Any], errors: Mapping[str, Any]) -> str:
    if kind not in adaptors.catalogue():
        abort(404)
    return render_template(
        "adaptors/activate.html", kind=kind, source=adaptors.catalogue()[kind],
        fields=activation_fields(), values=values, errors=errors, has_errors=bool(errors),
    )  # fmt: skip


@blueprint.get("/activate/<kind>")
@policy("subscription:admin")
def ask_to_activate(kind: str) -> str:
    """Name, environment, destination and format of a new adaptor."""
    if kind not in adaptors.catalogue():
        abort(404)
    subscription_id = access.subscription().id
    found = usable.gateways()
    proposed = {
        "name": adaptors.free_name(subscription_id, kind),
        "environment": Environment.LIVE.value,
        "gateway": found[0].id if len(found) == 1 else "",
        "format": adaptors.PROPOSED_FORMAT,
    }
    return _activation_page(kind, proposed, {})


@blueprint.post("/activate/<kind>")
@policy("subscription:admin")
def activate(kind: str) -> ResponseReturnValue:
    """Make an adaptor; the second click on the button leads to the one that the first one made."""
    subscription_id = access.subscription().id
    fields = activation_fields()
    raw = raw_values(fields, request.form)
    gateway_id, new_kind = destination(raw.get("gateway", ""))
    usable.require(gateway_id)
    try:
        if new_kind and new_kind not in gateways.kinds():
            abort(404)
        adaptor = adaptors.activate(
            subscription_id, kind, raw.get("name", ""), environment=raw.get("environment", Environment.LIVE.value),
            creator_id=current_user.id, format_id=raw.get("format", ""), gateway_id=gateway_id,
        )  # fmt: skip
    except adaptors.AlreadyThere as error:
        flash(say(error.text), "warning")
        return redirect(url_for(".general", adaptor=error.adaptor_id), 303)
    except InvalidInput as error:
        return _activation_page(kind, typed_values(fields, raw), error.errors), 422
    flash(_("“%(name)s” is activated. Nothing is sent yet.", name=adaptor.name), "success")
    return redirect(_after_activation(adaptor, new_kind), 303)


def _after_activation(adaptor: Adaptor, new_kind: str) -> str:
    """The general page, by way of the new gateway where one is to be made first."""
    landing = url_for(".general", adaptor=adaptor.id)
    if not new_kind:
        return landing
    return url_for("gateways.new", kind=new_kind, default_of=adaptor.id, next=landing)
