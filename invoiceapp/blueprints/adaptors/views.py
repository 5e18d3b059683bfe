"""The catalogue, and what holds for an adaptor as a whole."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.tenancy import chosen_adaptor, protect
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import adaptors
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people import access

from .forms import intervals

blueprint = Blueprint("adaptors", __name__, url_prefix="/adaptors")
protect(blueprint)


@blueprint.get("/catalogue")
def catalogue() -> str:
    """Systems that can be connected."""
    return render_template("adaptors/catalogue.html", sources=adaptors.catalogue())


@blueprint.post("/activate")
def activate() -> ResponseReturnValue:
    """Make an adaptor for a system of the catalogue."""
    kind = request.form.get("kind", "")
    try:
        adaptor = adaptors.activate(access.subscription().id, kind, request.form.get("name", ""))
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for(".catalogue"), 303)
    flash(_("Activated. Now connect it."), "success")
    return redirect(url_for("source.index", adaptor=adaptor.id), 303)


def _page(adaptor: Adaptor, **context: Any) -> str:
    shown = {
        "interval": str(adaptor.interval_minutes or ""), "start_date": adaptor.start_date or "", "errors": {}
    } | context  # fmt: skip
    return render_template(
        "adaptors/general.html", adaptor=adaptor, intervals=intervals(adaptor.interval_minutes),
        has_errors=bool(shown["errors"]), **shown,
    )  # fmt: skip


@blueprint.get("/general")
def general() -> ResponseReturnValue:
    """What holds for an adaptor as a whole."""
    adaptor = chosen_adaptor()
    return redirect(url_for(".catalogue")) if adaptor is None else _page(adaptor)


@blueprint.post("/<adaptor_id>/schedule")
def save_schedule(adaptor_id: str) -> ResponseReturnValue:
    """Keep how often and from which date documents are exported."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    try:
        adaptors.save_schedule(adaptor_id, request.form)
    except InvalidInput as error:
        typed = {name: request.form.get(name, "") for name in ("interval", "start_date")}
        return _page(adaptor, errors=error.errors, **typed), 422
    flash(_("Saved."), "success")
    return redirect(url_for(".general", adaptor=adaptor_id, _anchor="schedule"), 303)
