"""The settings that hold for all customers of an adaptor."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from invoiceapp.blueprints.declared import saved
from invoiceapp.blueprints.tenancy import chosen_adaptor, protect
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import adaptors, saving
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access

from .forms import groups, raw_settings

blueprint = Blueprint("settings", __name__, url_prefix="/settings")
protect(blueprint)


def _page(adaptor: Adaptor, **context: Any) -> str:
    shown = {"groups": groups(adaptor), "errors": {}} | context
    source = adaptors.catalogue()[adaptor.source_kind]
    return render_template(
        "settings/page.html", adaptor=adaptor, source=source, has_errors=bool(shown["errors"]), **shown
    )


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All groups, with what empty fields inherit."""
    adaptor = chosen_adaptor()
    return redirect(url_for("adaptors.catalogue")) if adaptor is None else _page(adaptor)


@blueprint.post("/<adaptor_id>")
def save(adaptor_id: str) -> ResponseReturnValue:
    """Keep the settings that hold for all customers."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    raw = raw_settings(adaptor, request.form)
    try:
        released = saving.save_common(adaptor_id, raw, actor=access.actor()).released
    except InvalidInput as error:
        return _page(adaptor, groups=groups(adaptor, raw), errors=error.errors), 422
    flash(saved(released), "success")
    return redirect(url_for(".index", adaptor=adaptor_id), 303)
